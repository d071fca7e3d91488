"""Tensors that a Module registers by itself."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pydl
from pydl import Tensor

__all__ = ["Buffer", "Parameter"]


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
