"""Classes and functions that files may use besides those of the format, because the user says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "safe_globals"]

_SAFE: dict[str, Any] = {}


def _named(item: Any) -> tuple[str, Any]:
    """The full name, and the thing: an object, or a pair of object and name."""
    if isinstance(item, tuple):
        if len(item) != 2 or not isinstance(item[1], str):
            raise ValueError(f"Expected tuple of length 2 (global, str of callable full path), got {item!r}")
        return item[1], item[0]
    return f"{item.__module__}.{item.__qualname__}", item


def add_safe_globals(safe_globals: list[Any | tuple[Callable[..., Any], str]]) -> None:
    """Let ``load(weights_only=True)`` build objects of these classes and call these functions.

    Args:
        safe_globals: classes and functions, or pairs of one and the name that files use for it.

    Raises:
        ValueError: a pair that is none of both.

    Example:
        >>> import fractions, pydl
        >>> pydl.serialization.add_safe_globals([fractions.Fraction])
        >>> pydl.serialization.get_safe_globals()
        [<class 'fractions.Fraction'>]
        >>> pydl.serialization.clear_safe_globals()
    """
    _SAFE.update(dict(map(_named, safe_globals)))


def clear_safe_globals() -> None:
    """Forget what was added."""
    _SAFE.clear()


def get_safe_globals() -> list[Any]:
    """What was added."""
    return list(_SAFE.values())


class safe_globals:
    """A context in which the given classes and functions are allowed besides those added before.

    Example:
        >>> import fractions, pydl
        >>> with pydl.serialization.safe_globals([fractions.Fraction]):
        ...     pydl.serialization.get_safe_globals()
        [<class 'fractions.Fraction'>]
        >>> pydl.serialization.get_safe_globals()
        []
    """

    def __init__(self, safe_globals: list[Any]) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        self._before = dict(_SAFE)
        add_safe_globals(self.safe_globals)

    def __exit__(self, *_: Any) -> None:
        _SAFE.clear()
        _SAFE.update(self._before)


def find_safe(module: str, name: str) -> Any:
    """The allowed thing of that name, or ``None``."""
    return _SAFE.get(f"{module}.{name}")
