"""Tensors that a Module registers by itself."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pydl
from pydl import Tensor

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter"]


class Parameter(Tensor):
    """A tensor that is a learnable part of a :class:`~pydl.nn.Module`.

    Assigned as an attribute of a module it appears in ``module.parameters()``.

    Args:
        data: values, of any shape; an empty tensor when left out.
        requires_grad: whether gradients are collected. Default: ``True``.

    Raises:
        RuntimeError: ``requires_grad`` for a dtype without gradients (integers, bool).

    Example:
        >>> import pydl
        >>> weight = pydl.nn.Parameter(pydl.zeros(2))
        >>> weight.requires_grad, weight.is_leaf
        (True, True)
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Any:
        return Tensor._make_subclass(cls, pydl.empty(0) if data is None else data.detach(), requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        result = type(self)(self.data.clone(), self.requires_grad)
        memo[id(self)] = result
        return result

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, proto: Any) -> Any:
        return _rebuild_parameter, (self.data, self.requires_grad, OrderedDict())


def _rebuild_parameter(data: Tensor, requires_grad: bool, backward_hooks: Any) -> Parameter:
    return Parameter(data, requires_grad)


class Buffer(Tensor):
    """A tensor that a module keeps as state without learning it.

    Assigned as an attribute of a module it appears in ``module.buffers()``.

    Args:
        data: values, of any shape; an empty tensor when left out.
        persistent: whether it is part of ``state_dict()``. Default: ``True``.

    Example:
        >>> import pydl
        >>> class Counter(pydl.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.seen = pydl.nn.Buffer(pydl.zeros(1))
        >>> list(Counter().state_dict())
        ['seen']
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        data = pydl.empty(0) if data is None else data
        result = Tensor._make_subclass(cls, data.detach(), data.requires_grad)
        result.persistent = persistent
        return result


class _Uninitialized:
    """A tensor without a shape until ``materialize``; nothing else can be done with it than asking for its dtype."""

    _becomes: Any = None

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a tensor of ``shape`` with undefined values, of the class that the name promises."""
        this: Any = self
        made = pydl.empty(tuple(shape), device=device, dtype=this.data.dtype if dtype is None else dtype)
        this.data = made
        this.__class__ = self._becomes

    @property
    def shape(self) -> Any:
        """Not known yet: raises RuntimeError."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. "
            "Call `forward` once, or load a state_dict, before anything that needs shapes."
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        this: Any = self
        result = type(this)(this.requires_grad, dtype=this.data.dtype)
        memo[id(self)] = result
        return result

    def __repr__(self, *, tensor_contents: Any = None) -> Any:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, proto: Any) -> Any:
        this: Any = self
        return type(this), (this.requires_grad, None, this.data.dtype)


class UninitializedParameter(_Uninitialized, Parameter):  # type: ignore[misc]
    """A parameter whose shape is not known yet.

    Args:
        requires_grad: whether gradients are collected. Default: ``True``.
        device, dtype: of the tensor that it will be.

    Example:
        >>> import pydl
        >>> weight = pydl.nn.UninitializedParameter()
        >>> weight.materialize((2, 3))
        >>> type(weight).__name__, weight.shape
        ('Parameter', torch.Size([2, 3]))
    """

    _becomes = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        return Tensor._make_subclass(cls, pydl.empty(0, device=device, dtype=dtype), requires_grad)


class UninitializedBuffer(_Uninitialized, Tensor):
    """A buffer whose shape is not known yet; ``materialize`` makes it a plain tensor.

    Args:
        requires_grad: whether gradients are collected. Default: ``False``.
        device, dtype: of the tensor that it will be.
        persistent: whether it is part of ``state_dict()``. Default: ``True``.

    Example:
        >>> import pydl
        >>> mean = pydl.nn.UninitializedBuffer()
        >>> mean.materialize((2,))
        >>> mean.shape
        torch.Size([2])
    """

    _becomes = Buffer
    persistent: bool

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> Any:
        result = Tensor._make_subclass(cls, pydl.empty(0, device=device, dtype=dtype), requires_grad)
        result.persistent = persistent
        return result


def is_lazy(tensor: Any) -> bool:
    """Whether ``tensor`` still waits for its shape."""
    return isinstance(tensor, _Uninitialized)
