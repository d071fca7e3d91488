"""Switches of what autograd records; context managers, decorators and plain calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pydl

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled"]

# inspect.CO_GENERATOR, written out: inspect is too heavy to load with the package.
_CO_GENERATOR = 0x20


def _is_generator_function(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & _CO_GENERATOR)


class _Switch:
    """A context manager that can decorate functions, generator functions and, as in PyTorch, classes."""

    def clone(self) -> Any:
        """A fresh context with the same settings; every call of a decorated function gets its own."""
        return type(self)()

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *exc: object) -> None:
        raise NotImplementedError

    def __call__(self, function: Callable[..., Any]) -> Any:
        if isinstance(function, type):
            function.__init__ = self(function.__init__)  # type: ignore[misc]
            return function
        if _is_generator_function(function):
            return self._wrap_generator(function)

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return wrapper

    def _wrap_generator(self, function: Callable[..., Any]) -> Any:
        """The switch holds while the generator runs and not while its caller does."""

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            step: Callable[[], Any] = lambda: generator.send(None)  # noqa: E731
            try:
                while True:
                    with self.clone():
                        value = step()
                    try:
                        sent = yield value
                    except GeneratorExit:
                        with self.clone():
                            generator.close()
                        raise
                    except BaseException as error:
                        step = _bind(generator.throw, error)
                    else:
                        step = _bind(generator.send, sent)
            except StopIteration as stop:
                return stop.value

        return wrapper


def _bind(method: Callable[[Any], Any], value: Any) -> Callable[[], Any]:
    return lambda: method(value)


class _GradSwitch(_Switch):
    mode = False

    def __new__(cls, orig_func: Any = None) -> Any:
        self = super().__new__(cls)
        if orig_func is None:
            return self
        self.__init__()  # type: ignore[misc]
        return self(orig_func)

    def __init__(self) -> None:
        self._previous: bool | None = None

    def __enter__(self) -> None:
        self._previous = pydl.is_grad_enabled()
        pydl._set_grad_enabled(self.mode)

    def __exit__(self, *exc: object) -> None:
        pydl._set_grad_enabled(self._previous)


class no_grad(_GradSwitch):
    """Inside, operations record nothing for backward.

    Example:
        >>> import pydl
        >>> x = pydl.ones(1, requires_grad=True)
        >>> with pydl.no_grad():
        ...     (x * 2).requires_grad
        False
        >>> @pydl.no_grad()
        ... def double(t):
        ...     return t * 2
        >>> double(x).requires_grad
        False
    """


class enable_grad(_GradSwitch):
    """Inside, operations are recorded even within ``no_grad``.

    Example:
        >>> import pydl
        >>> x = pydl.ones(1, requires_grad=True)
        >>> with pydl.no_grad():
        ...     with pydl.enable_grad():
        ...         y = x * 2
        >>> y.requires_grad
        True
    """

    mode = True


class set_grad_enabled(_Switch):
    """Switch recording on or off; the call acts at once, and undoes itself as a context manager.

    Args:
        mode: ``True`` to record.

    Example:
        >>> import pydl
        >>> with pydl.set_grad_enabled(False):
        ...     pydl.is_grad_enabled()
        False
        >>> pydl.is_grad_enabled()
        True
    """

    def __init__(self, mode: bool) -> None:
        self._previous = pydl.is_grad_enabled()
        self.mode = mode
        pydl._set_grad_enabled(mode)

    def __call__(self, function: Callable[..., Any]) -> Any:
        pydl._set_grad_enabled(self._previous)  # a decorator acts in the function only
        return super().__call__(function)

    def __enter__(self) -> None:
        pydl._set_grad_enabled(self.mode)

    def __exit__(self, *exc: object) -> None:
        pydl._set_grad_enabled(self._previous)

    def clone(self) -> Any:
        return type(self)(self.mode)

    def __repr__(self) -> str:
        return f"set_grad_enabled(mode={self.mode})"


class inference_mode(_Switch):
    """Inside, nothing is recorded and new tensors can never take part in autograd; faster than ``no_grad``.

    Args:
        mode: ``False`` switches it off inside. Default: ``True``.

    Example:
        >>> import pydl
        >>> with pydl.inference_mode():
        ...     y = pydl.ones(1) * 2
        >>> y.is_inference()
        True
    """

    def __new__(cls, mode: Any = True) -> Any:
        self = super().__new__(cls)
        if isinstance(mode, bool):
            return self
        self.__init__()  # type: ignore[misc]
        return self(mode)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode
        self._previous: tuple[bool, bool] = (False, True)

    def __enter__(self) -> None:
        self._previous = (pydl.is_inference_mode_enabled(), pydl.is_grad_enabled())
        pydl._set_inference_mode(self.mode)
        pydl._set_grad_enabled(not self.mode)

    def __exit__(self, *exc: object) -> None:
        inference, grad = self._previous
        pydl._set_inference_mode(inference)
        pydl._set_grad_enabled(grad)

    def clone(self) -> Any:
        return type(self)(self.mode)
