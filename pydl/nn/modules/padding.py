"""Padding layers."""

from __future__ import annotations

from collections.abc import Sequence

from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules.module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """``padding``: places at both ends of the last dims, or for the last dim before and after, and so on."""

    _dims = 0
    _mode = "constant"

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = (padding,) * (2 * self._dims) if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != 2 * self._dims:
            raise ValueError(f"{type(self).__name__}(): padding must be an int or {2 * self._dims}, got {padding}")

    def forward(self, input: Tensor) -> Tensor:
        """The padded input."""
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The padded input."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """`(N, C, L)` or `(C, L)` with more places around, which hold a constant.

    Args:
        padding: one number for all sides, or 2: before and after the last dim.
        value: what is filled in.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ConstantPad1d((0, 1), 9.0)(pydl.tensor([1.0, 2.0]).reshape(1, 1, 2)).flatten()
        tensor([1., 2., 9.])
    """

    _dims = 1


class ConstantPad2d(_ConstantPad):
    """`(N, C, H, W)` or `(C, H, W)` with more places around, which hold a constant.

    Args:
        padding: one number for all sides, or 4: before and after the last dim, and so on towards the front.
        value: what is filled in.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ConstantPad2d((0, 1, 0, 0), 9.0)(pydl.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)).flatten()
        tensor([1., 2., 9.])
    """

    _dims = 2


class ConstantPad3d(_ConstantPad):
    """`(N, C, D, H, W)` or `(C, D, H, W)` with more places around, which hold a constant.

    Args:
        padding: one number for all sides, or 6: before and after the last dim, and so on towards the front.
        value: what is filled in.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ConstantPad3d((0, 1, 0, 0, 0, 0), 9.0)(pydl.tensor([1.0, 2.0]).reshape(1, 1, 1, 1, 2)).flatten()
        tensor([1., 2., 9.])
    """

    _dims = 3


class ZeroPad1d(_Pad):
    """`(N, C, L)` or `(C, L)` with more places around, which hold zeros.

    Args:
        padding: one number for all sides, or 2: before and after the last dim.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ZeroPad1d((0, 1))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 2)).flatten()
        tensor([1., 2., 0.])
    """

    _dims = 1


class ZeroPad2d(_Pad):
    """`(N, C, H, W)` or `(C, H, W)` with more places around, which hold zeros.

    Args:
        padding: one number for all sides, or 4: before and after the last dim, and so on towards the front.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ZeroPad2d((0, 1, 0, 0))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)).flatten()
        tensor([1., 2., 0.])
    """

    _dims = 2


class ZeroPad3d(_Pad):
    """`(N, C, D, H, W)` or `(C, D, H, W)` with more places around, which hold zeros.

    Args:
        padding: one number for all sides, or 6: before and after the last dim, and so on towards the front.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ZeroPad3d((0, 1, 0, 0, 0, 0))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 1, 1, 2)).flatten()
        tensor([1., 2., 0.])
    """

    _dims = 3


class ReflectionPad1d(_Pad):
    """`(N, C, L)` or `(C, L)` with more places around, which hold what lies inside, mirrored at the edge.

    Args:
        padding: one number for all sides, or 2: before and after the last dim.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ReflectionPad1d((0, 1))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 2)).flatten()
        tensor([1., 2., 1.])
    """

    _dims = 1
    _mode = "reflect"


class ReflectionPad2d(_Pad):
    """`(N, C, H, W)` or `(C, H, W)` with more places around, which hold what lies inside, mirrored at the edge.

    Args:
        padding: one number for all sides, or 4: before and after the last dim, and so on towards the front.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ReflectionPad2d((0, 1, 0, 0))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)).flatten()
        tensor([1., 2., 1.])
    """

    _dims = 2
    _mode = "reflect"


class ReflectionPad3d(_Pad):
    """`(N, C, D, H, W)` or `(C, D, H, W)` with more places around, which hold what lies inside, mirrored at the edge.

    Args:
        padding: one number for all sides, or 6: before and after the last dim, and so on towards the front.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ReflectionPad3d((0, 1, 0, 0, 0, 0))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 1, 1, 2)).flatten()
        tensor([1., 2., 1.])
    """

    _dims = 3
    _mode = "reflect"


class ReplicationPad1d(_Pad):
    """`(N, C, L)` or `(C, L)` with more places around, which hold the outermost value.

    Args:
        padding: one number for all sides, or 2: before and after the last dim.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ReplicationPad1d((0, 1))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 2)).flatten()
        tensor([1., 2., 2.])
    """

    _dims = 1
    _mode = "replicate"


class ReplicationPad2d(_Pad):
    """`(N, C, H, W)` or `(C, H, W)` with more places around, which hold the outermost value.

    Args:
        padding: one number for all sides, or 4: before and after the last dim, and so on towards the front.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ReplicationPad2d((0, 1, 0, 0))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)).flatten()
        tensor([1., 2., 2.])
    """

    _dims = 2
    _mode = "replicate"


class ReplicationPad3d(_Pad):
    """`(N, C, D, H, W)` or `(C, D, H, W)` with more places around, which hold the outermost value.

    Args:
        padding: one number for all sides, or 6: before and after the last dim, and so on towards the front.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.ReplicationPad3d((0, 1, 0, 0, 0, 0))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 1, 1, 2)).flatten()
        tensor([1., 2., 2.])
    """

    _dims = 3
    _mode = "replicate"


class CircularPad1d(_Pad):
    """`(N, C, L)` or `(C, L)` with more places around, which hold what lies at the other end.

    Args:
        padding: one number for all sides, or 2: before and after the last dim.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.CircularPad1d((0, 1))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 2)).flatten()
        tensor([1., 2., 1.])
    """

    _dims = 1
    _mode = "circular"


class CircularPad2d(_Pad):
    """`(N, C, H, W)` or `(C, H, W)` with more places around, which hold what lies at the other end.

    Args:
        padding: one number for all sides, or 4: before and after the last dim, and so on towards the front.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.CircularPad2d((0, 1, 0, 0))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)).flatten()
        tensor([1., 2., 1.])
    """

    _dims = 2
    _mode = "circular"


class CircularPad3d(_Pad):
    """`(N, C, D, H, W)` or `(C, D, H, W)` with more places around, which hold what lies at the other end.

    Args:
        padding: one number for all sides, or 6: before and after the last dim, and so on towards the front.

    Raises:
        ValueError: another number of paddings. RuntimeError: (on use) a padding that does not fit the sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.CircularPad3d((0, 1, 0, 0, 0, 0))(pydl.tensor([1.0, 2.0]).reshape(1, 1, 1, 1, 2)).flatten()
        tensor([1., 2., 1.])
    """

    _dims = 3
    _mode = "circular"
