"""User-defined differentiable functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pydl
from pydl import Tensor

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What ``forward``, ``setup_context`` and ``backward`` share; the core reads the marks after ``forward``."""

    to_save: tuple[Any, ...]
    dirty_tensors: tuple[Tensor, ...]
    non_differentiable: tuple[Tensor, ...]
    materialize_grads: bool

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for ``backward``, which finds them in ``ctx.saved_tensors``; to be called once."""
        self.to_save = tensors

    def mark_dirty(self, *args: Tensor) -> None:
        """Tell that ``forward`` changed these inputs in place; they have to be among the outputs."""
        self.dirty_tensors = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Tell that these outputs have no gradient."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` gets zeros for outputs that were not used (``True``, the default) or ``None``."""
        self.materialize_grads = value


class Function(pydl._FunctionBase, FunctionCtx):  # type: ignore[name-defined,misc]
    """Base class of operations with a derivative written by the user.

    A subclass defines static methods: ``forward(ctx, *args)`` and ``backward(ctx, *grad_outputs)``; or
    ``forward(*args)`` together with ``setup_context(ctx, inputs, output)``. ``backward`` returns one
    gradient (or ``None``) for each argument of ``forward``. It is used by ``apply`` and never instantiated.
    A ``backward`` made of differentiable operations can be differentiated itself.

    Example:
        >>> import pydl
        >>> class Square(pydl.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         (x,) = ctx.saved_tensors
        ...         return 2 * x * grad
        >>> x = pydl.tensor(3.0, requires_grad=True)
        >>> Square.apply(x).backward()
        >>> x.grad
        tensor(6.)
    """

    _backward_cls: Any = None
    _uses_setup_context = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._uses_setup_context = cls.setup_context is not Function.setup_context
        # The node in the graph is an instance of this class: its name is what grad_fn shows.
        cls._backward_cls = type(
            cls.__name__ + "Backward", (_Node,), {"_forward_cls": cls, "__module__": cls.__module__}
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(f"{type(self).__name__} should not be instantiated: call {type(self).__name__}.apply(...)")

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs; gets ``ctx`` first unless ``setup_context`` is defined."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Keep what ``backward`` needs, when ``forward`` is written without ``ctx``."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the arguments of ``forward`` from those of its outputs."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward


class _Node(pydl._FunctionBase, FunctionCtx):  # type: ignore[name-defined,misc]
    """``ctx``: one call of a Function in the graph."""

    _forward_cls: Any

    def apply(self, *grads: Any) -> Any:  # type: ignore[override]
        """Run the user's ``backward`` (or ``vjp``, its other name)."""
        cls = self._forward_cls
        backward, vjp = cls.backward, cls.vjp
        if backward is not Function.backward and vjp is not Function.vjp:
            raise RuntimeError(f"{cls.__name__}: implement only one of backward and vjp, they are the same thing")
        return (backward if vjp is Function.vjp else vjp)(self, *grads)


def _refuse_second(ctx: Any, *grads: Any) -> Any:
    raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


class _Barrier(Function):
    """Identity in front of a gradient without graph: differentiating through it is an error."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, *sources: Tensor) -> Tensor:
        return value.view_as(value)

    backward = staticmethod(_refuse_second)


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a ``backward`` whose operations cannot be differentiated: a second derivative then is an error.

    Example:
        >>> import pydl
        >>> class Twice(pydl.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     @pydl.autograd.function.once_differentiable
        ...     def backward(ctx, grad):
        ...         return grad * 2
        >>> x = pydl.ones(1, requires_grad=True)
        >>> Twice.apply(x).backward(); x.grad
        tensor([2.])
    """

    @wraps(fn)
    def wrapper(ctx: Any, *grads: Any) -> Any:
        with pydl.no_grad():
            outputs = fn(ctx, *grads)
        sources = [grad for grad in grads if isinstance(grad, Tensor) and grad.requires_grad]
        if not (pydl.is_grad_enabled() and sources):
            return outputs
        many = isinstance(outputs, tuple)
        guarded = tuple(
            _Barrier.apply(out, *sources) if isinstance(out, Tensor) else out
            for out in (outputs if many else (outputs,))
        )
        return guarded if many else guarded[0]

    return wrapper
