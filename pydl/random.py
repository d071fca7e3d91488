"""The default random number generator."""

from __future__ import annotations

from pydl import _C
from pydl._C import Generator, Tensor
from pydl._memory import thread_safe_generator

__all__ = ["fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state", "thread_safe_generator"]


def manual_seed(seed: int) -> Generator:
    """Seed the default generator. Equal seeds give equal numbers on any number of threads and any instruction set.

    Example:
        >>> import pydl
        >>> _ = pydl.manual_seed(0); a = pydl.rand(2)
        >>> _ = pydl.manual_seed(0); bool((a == pydl.rand(2)).all())
        True
    """
    return _C.default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the operating system and return the seed.

    Example:
        >>> import pydl
        >>> isinstance(pydl.random.seed(), int)
        True
    """
    return _C.default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator.

    Example:
        >>> import pydl
        >>> _ = pydl.manual_seed(7)
        >>> pydl.random.initial_seed()
        7
    """
    return _C.default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Seed and position of the default generator, for `set_rng_state`.

    Example:
        >>> import pydl
        >>> state = pydl.random.get_rng_state()
        >>> a = pydl.rand(2)
        >>> pydl.random.set_rng_state(state)
        >>> pydl.equal(pydl.rand(2), a)
        True
    """
    return _C.default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Restore what `get_rng_state` returned.

    Example:
        >>> import pydl
        >>> state = pydl.random.get_rng_state()
        >>> pydl.random.set_rng_state(state)
    """
    _C.default_generator.set_state(new_state)


class fork_rng:  # noqa: N801 - torch's name
    """Context manager that restores the default generator's state when it is left.

    Example:
        >>> import pydl
        >>> state = pydl.get_rng_state()
        >>> with pydl.random.fork_rng():
        ...     _ = pydl.rand(3)
        >>> bool((state == pydl.get_rng_state()).all())
        True
    """

    def __init__(self, devices: object = None, enabled: bool = True, **_: object) -> None:
        self.enabled = enabled

    def __enter__(self) -> None:
        self.state = get_rng_state()

    def __exit__(self, *exc: object) -> None:
        if self.enabled:
            set_rng_state(self.state)
