"""PyTorch's names for compiled programs. Programs run eagerly here: scripting and tracing give back what they got.

>>> pydl.jit.script(abs) is abs
True
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

__all__ = [
    "export",
    "fork",
    "freeze",
    "ignore",
    "is_scripting",
    "is_tracing",
    "optimize_for_inference",
    "script",
    "trace",
    "unused",
    "wait",
]


def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
    """The function or module as it is.

    >>> @pydl.jit.script
    ... def double(x):
    ...     return 2 * x
    >>> double(pydl.ones(1))
    tensor([2.])
    """
    return obj


def trace(func: Any, example_inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The function or module as it is; the examples are not used.

    >>> pydl.jit.trace(abs, (1,)) is abs
    True
    """
    return func


def freeze(mod: Any, *args: Any, **kwargs: Any) -> Any:
    """The module as it is.

    >>> pydl.jit.freeze(pydl.nn.ReLU())
    ReLU()
    """
    return mod


def optimize_for_inference(mod: Any, other_methods: Any = None) -> Any:
    """The module as it is.

    >>> pydl.jit.optimize_for_inference(pydl.nn.ReLU())
    ReLU()
    """
    return mod


def _marked(fn: Any = None, **kwargs: Any) -> Any:
    return fn if callable(fn) else (lambda function: function)


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """A decorator that marks a method: the method itself.

    >>> pydl.jit.ignore(abs) is abs
    True
    """
    return _marked(drop)


def unused(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that marks a method: the method itself.

    >>> pydl.jit.unused(abs) is abs
    True
    """
    return fn


def export(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that marks a method: the method itself.

    >>> pydl.jit.export(abs) is abs
    True
    """
    return fn


def is_scripting() -> bool:
    """Whether a compiler reads this: no.

    >>> pydl.jit.is_scripting()
    False
    """
    return False


def is_tracing() -> bool:
    """Whether a tracer follows this: no.

    >>> pydl.jit.is_tracing()
    False
    """
    return False


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls the function now; :func:`wait` gives the result.

    >>> pydl.jit.wait(pydl.jit.fork(abs, -2))
    2
    """
    return func(*args, **kwargs)


def wait(future: Any) -> Any:
    """The result of :func:`fork`.

    >>> pydl.jit.wait(3)
    3
    """
    return future


@contextlib.contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """A context without effect.

    >>> with pydl.jit.optimized_execution(True):
    ...     pass
    """
    yield
