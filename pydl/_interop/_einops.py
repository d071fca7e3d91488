"""pydl as a backend of einops (github.com/arogozhnikov/einops)."""

from __future__ import annotations

from typing import Any

from einops._backends import AbstractBackend

import pydl

_C: Any = pydl


class PydlBackend(AbstractBackend):  # type: ignore[misc]
    """What einops asks of a tensor library."""

    framework_name = "pydl"

    def is_appropriate_type(self, tensor: Any) -> bool:
        """Is it a tensor of pydl?"""
        return isinstance(tensor, pydl.Tensor)

    def from_numpy(self, x: Any) -> Any:
        """A tensor on an array's memory; floats require grad, as in einops' own backends."""
        tensor = pydl.from_numpy(x)
        return tensor.requires_grad_() if self.is_float_type(tensor) else tensor

    def to_numpy(self, x: Any) -> Any:
        """The values."""
        return x.detach().numpy()

    def arange(self, start: int, stop: int) -> Any:
        """Integers from start to stop."""
        return _C.arange(start, stop, dtype=pydl.int64)

    def reduce(self, x: Any, operation: str, axes: Any) -> Any:
        """min, max, sum, mean, prod, any or all over axes."""
        if operation in ("min", "max"):
            return (x.amin if operation == "min" else x.amax)(tuple(axes))
        if operation in ("sum", "mean"):
            return getattr(x, operation)(tuple(axes))
        for axis in sorted(axes, reverse=True):
            x = getattr(x, operation)(axis)
        return x

    def transpose(self, x: Any, axes: Any) -> Any:
        """The axes in another order."""
        return x.permute(tuple(axes))

    def stack_on_zeroth_dimension(self, tensors: list[Any]) -> Any:
        """Tensors beside each other on a new first axis."""
        return _C.stack(tensors)

    def add_axes(self, x: Any, n_axes: int, pos2len: Any) -> Any:
        """New axes of given lengths, as views."""
        sizes = [-1] * n_axes
        for position, length in pos2len.items():
            x = x.unsqueeze(position)
            sizes[position] = length
        return x.expand(sizes)

    def tile(self, x: Any, repeats: Any) -> Any:
        """Each axis repeated."""
        return x.repeat(tuple(repeats))

    def concat(self, tensors: Any, axis: int) -> Any:
        """Tensors one after the other."""
        return _C.cat(list(tensors), axis)

    def add_axis(self, x: Any, new_position: int) -> Any:
        """A new axis of length 1."""
        return x.unsqueeze(new_position)

    def is_float_type(self, x: Any) -> bool:
        """Is the dtype real floating point?"""
        return bool(x.is_floating_point())

    def einsum(self, pattern: str, *x: Any) -> Any:
        """Sums of products in Einstein's notation."""
        return pydl.einsum(pattern, *x)
