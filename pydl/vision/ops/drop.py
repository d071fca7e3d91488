"""Regularisation by leaving out branches and blocks."""

from __future__ import annotations

import pydl
from pydl import ShapeError, Tensor
from pydl.nn import Module
from pydl.nn import functional as F


def _check_share(name: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}(): p must be in [0, 1], got {p}")


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """`input` (N, ...) zeroed with probability p, for each sample ('row') or the whole batch ('batch'), the rest
    divided by 1 - p; unchanged if not `training` (Huang et al., "Deep networks with stochastic depth", 2016).

    Raises ValueError for p outside [0, 1] or another mode.

    Example:
        >>> pydl.vision.ops.stochastic_depth(pydl.ones(2, 2), 1.0, "row")
        tensor([[0., 0.],
                [0., 0.]])
    """
    _check_share("stochastic_depth", p)
    if mode not in ("batch", "row"):
        raise ValueError(f"stochastic_depth(): mode must be 'batch' or 'row', got {mode!r}")
    if not training or p == 0:
        return input
    keep = 1 - p
    size = [input.shape[0] if mode == "row" else 1] + [1] * (input.ndim - 1)
    noise = pydl.empty(size, dtype=input.dtype).bernoulli_(keep)
    return input * (noise / keep if keep > 0 else noise)


class StochasticDepth(Module):
    """`stochastic_depth` as a module; identity in eval mode. Raises ValueError for p outside [0, 1] or a mode but
    'row', 'batch'.

    Example:
        >>> pydl.vision.ops.StochasticDepth(0.2, "row").eval()(pydl.ones(2))
        tensor([1., 1.])
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        stochastic_depth(pydl.zeros(0), p, mode, training=False)
        self.p, self.mode = p, mode

    def forward(self, input: Tensor) -> Tensor:
        return stochastic_depth(input, self.p, self.mode, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


def _drop_block(
    name: str, input: Tensor, p: float, block_size: int, inplace: bool, eps: float, training: bool, dims: int
) -> Tensor:
    _check_share(name, p)
    if input.ndim != dims + 2:
        raise ShapeError(f"{name}(): input must have {dims + 2} dims, got sizes {tuple(input.shape)}")
    if not training or p == 0 or input.numel() == 0:
        return input
    sizes = input.shape[2:]
    block = min(block_size, *sizes)
    if block < 1 or block % 2 == 0:
        raise ValueError(f"{name}(): block_size must be odd and positive, got {block}")
    # The share of centres such that blocks around them cover p of the map (Ghiasi et al. 2018, equation 1).
    centres = [s - block + 1 for s in sizes]
    rate = p / block**dims
    for size, count in zip(sizes, centres):
        rate *= size / count
    noise = pydl.empty([*input.shape[:2], *centres], dtype=input.dtype).bernoulli_(min(rate, 1.0))
    noise = F.pad(noise, [block // 2] * (2 * dims))
    pool = F.max_pool2d if dims == 2 else F.max_pool3d
    keep = 1 - pool(noise, block, 1, block // 2)
    scale = keep.numel() / (eps + keep.sum())
    return input.mul_(keep).mul_(scale) if inplace else input * keep * scale


def drop_block2d(
    input: Tensor, p: float, block_size: int, inplace: bool = False, eps: float = 1e-06, training: bool = True
) -> Tensor:
    """`input` (N, C, H, W) with squares of `block_size` zeroed so that a share of about p goes, rescaled by
    numel/(eps + kept).

    Ghiasi et al., "DropBlock", 2018. Raises ShapeError for other dims, ValueError for p outside [0, 1] or an even
    block.

    Example:
        >>> pydl.vision.ops.drop_block2d(pydl.ones(1, 1, 2, 2), 0.0, 1)
        tensor([[[[1., 1.],
                  [1., 1.]]]])
    """
    return _drop_block("drop_block2d", input, p, block_size, inplace, eps, training, 2)


def drop_block3d(
    input: Tensor, p: float, block_size: int, inplace: bool = False, eps: float = 1e-06, training: bool = True
) -> Tensor:
    """`drop_block2d` with cubes, for (N, C, D, H, W).

    Example:
        >>> pydl.vision.ops.drop_block3d(pydl.ones(1, 1, 3, 3, 3), 0.5, 3, training=False).sum()
        tensor(27.)
    """
    return _drop_block("drop_block3d", input, p, block_size, inplace, eps, training, 3)


class DropBlock2d(Module):
    """`drop_block2d` as a module; identity in eval mode. Raises ValueError for p outside [0, 1].

    Example:
        >>> pydl.vision.ops.DropBlock2d(0.1, 3).eval()(pydl.ones(1, 2, 4, 4)).shape
        torch.Size([1, 2, 4, 4])
    """

    def __init__(self, p: float, block_size: int, inplace: bool = False, eps: float = 1e-06) -> None:
        super().__init__()
        _check_share(type(self).__name__, p)
        self.p, self.block_size, self.inplace, self.eps = p, block_size, inplace, eps

    def forward(self, input: Tensor) -> Tensor:
        return drop_block2d(input, self.p, self.block_size, self.inplace, self.eps, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, block_size={self.block_size}, inplace={self.inplace}"


class DropBlock3d(DropBlock2d):
    """`drop_block3d` as a module; identity in eval mode.

    Example:
        >>> pydl.vision.ops.DropBlock3d(0.1, 3).eval()(pydl.ones(1, 2, 4, 4, 4)).shape
        torch.Size([1, 2, 4, 4, 4])
    """

    def forward(self, input: Tensor) -> Tensor:
        return drop_block3d(input, self.p, self.block_size, self.inplace, self.eps, self.training)
