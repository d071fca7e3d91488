"""Several branches on one input: Inception, ASPP, any branches, one head per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pydl
from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.blocks.residual import ModuleMaker
from pydl.nn.modules._checks import at_least, check_images
from pydl.nn.modules.activation import ReLU
from pydl.nn.modules.batchnorm import BatchNorm2d
from pydl.nn.modules.container import ModuleDict, ModuleList, Sequential
from pydl.nn.modules.conv import Conv2d
from pydl.nn.modules.dropout import Dropout
from pydl.nn.modules.module import Module
from pydl.nn.modules.pooling import AdaptiveAvgPool2d

__all__ = ["ASPP", "Inception", "MultiBranch", "MultiTask"]


class _Unit(Module):
    """Convolution that keeps the size, norm if there is one, relu."""

    def __init__(self, in_channels: int, out_channels: int, size: int, norm_layer: ModuleMaker | None) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, size, padding=size // 2, bias=norm_layer is None)
        self.norm = None if norm_layer is None else norm_layer(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return F.relu(y if self.norm is None else self.norm(y))


class Inception(Module):
    """Four branches side by side: 1x1 | 1x1-3x3 | 1x1-5x5 | max pooling 3-1x1, joined in this order.

    (N, in_channels, H, W) -> (N, c1 + c2[1] + c3[1] + c4, H, W). A relu follows every convolution.

    Args:
        in_channels: channels of the input.
        c1, c2, c3, c4: output channels of the branches' convolutions; two numbers for ``c2`` and ``c3``.
        norm_layer: makes a norm of a number of channels, put between convolution and relu; the convolutions then have
            no biases. Default: ``None``, as in the paper.

    Keys: branch1, branch2.{0,1}, branch3.{0,1}, branch4, each with ``.conv`` (and ``.norm``).

    Raises:
        ValueError: numbers below 1. ShapeError: (on use) input of another shape.

    Source: Szegedy et al., "Going deeper with convolutions", CVPR 2015.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.Inception(8, 4, (3, 6), (2, 4), 2)(pydl.zeros(1, 8, 5, 5)).shape
        torch.Size([1, 16, 5, 5])
    """

    def __init__(
        self,
        in_channels: int,
        c1: int,
        c2: tuple[int, int],
        c3: tuple[int, int],
        c4: int,
        norm_layer: ModuleMaker | None = None,
    ) -> None:
        super().__init__()
        at_least(1, "Inception", in_channels=in_channels, c1=c1, c4=c4)
        for name, value in (("c2", c2), ("c3", c3)):
            if not isinstance(value, Sequence) or len(value) != 2:
                raise ValueError(f"Inception: {name} must be two numbers, got {value!r}")
            at_least(1, "Inception", **{f"{name}[0]": value[0], f"{name}[1]": value[1]})
        self.in_channels = in_channels
        self.branch1 = _Unit(in_channels, c1, 1, norm_layer)
        self.branch2 = Sequential(_Unit(in_channels, c2[0], 1, norm_layer), _Unit(c2[0], c2[1], 3, norm_layer))
        self.branch3 = Sequential(_Unit(in_channels, c3[0], 1, norm_layer), _Unit(c3[0], c3[1], 5, norm_layer))
        self.branch4 = _Unit(in_channels, c4, 1, norm_layer)

    def forward(self, x: Tensor) -> Tensor:
        """The branches' maps."""
        check_images("Inception", x, self.in_channels)
        pooled = F.max_pool2d(x, 3, stride=1, padding=1)
        return pydl.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(pooled)], dim=1)


def _normed(in_channels: int, out_channels: int, rate: int | None = None) -> list[Module]:
    """Convolution (1x1, or 3x3 of a dilation), batch norm, relu."""
    if rate is None:
        conv = Conv2d(in_channels, out_channels, 1, bias=False)
    else:
        conv = Conv2d(in_channels, out_channels, 3, padding=rate, dilation=rate, bias=False)
    return [conv, BatchNorm2d(out_channels), ReLU()]


class ASPP(Module):
    """Atrous spatial pyramid pooling: 1x1 | a 3x3 for each dilation | the mean of the image; joined and projected.

    (N, in_channels, H, W) -> (N, out_channels, H, W). Each convolution has no bias and is followed by batch norm and
    relu; dropout comes last. The mean's branch is spread over all pixels.

    Args:
        in_channels: channels of the input.
        out_channels: of every branch and of the result. Default: 256.
        rates: dilations (and paddings) of the 3x3 convolutions. Default: (6, 12, 18).
        global_pool: with the branch of the mean. Default: ``True``.
        dropout: probability. Default: 0.5.

    Keys: convs.{0, ..., len(rates) + 1}, project.0, project.1, as torchvision's.

    Raises:
        ValueError: numbers below 1; (on use) one image in train mode with ``global_pool``, whose batch norm then has
        one value per channel. ShapeError: (on use) input of another shape or without pixels.

    Source: Chen et al., "Rethinking atrous convolution for semantic image segmentation", arXiv:1706.05587.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.ASPP(8, 4, rates=(1, 2))(pydl.zeros(2, 8, 6, 5)).shape
        torch.Size([2, 4, 6, 5])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        rates: Sequence[int] = (6, 12, 18),
        global_pool: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        at_least(1, "ASPP", in_channels=in_channels, out_channels=out_channels)
        for rate in rates:
            at_least(1, "ASPP", rate=rate)
        self.in_channels = in_channels
        self.global_pool = global_pool
        self.convs = ModuleList(Sequential(*_normed(in_channels, out_channels, rate)) for rate in (None, *rates))
        if global_pool:
            self.convs.append(Sequential(AdaptiveAvgPool2d(1), *_normed(in_channels, out_channels)))
        self.project = Sequential(*_normed(len(self.convs) * out_channels, out_channels), Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """The projected branches."""
        check_images("ASPP", x, self.in_channels, filled=True)
        maps = [conv(x) for conv in self.convs]
        if self.global_pool:
            # One pixel enlarged bilinearly is that pixel everywhere
            maps[-1] = maps[-1].expand(-1, -1, *x.shape[2:])
        return self.project(pydl.cat(maps, dim=1))


class MultiBranch(Module):
    """Every branch on the same input, and their results joined.

    Args:
        branches: modules; further arguments of a call go to each.
        merge: ``'cat'`` joins along ``dim``, ``'sum'`` adds, ``'mean'`` is the arithmetic mean. Default: ``'cat'``.
        dim: Default: 1.

    Keys: branches.{0, ...}.

    Raises:
        ValueError: no branch, another ``merge``. ShapeError: (on use) results whose shapes do not fit together: they
        must be equal, for ``'cat'`` but for ``dim``.

    Source: Szegedy et al., "Going deeper with convolutions", CVPR 2015 (branches that are concatenated); Xie et al.,
    "Aggregated residual transformations for deep neural networks", CVPR 2017 (branches that are added).

    Example:
        >>> import pydl
        >>> from pydl import nn
        >>> nn.blocks.MultiBranch([nn.Linear(4, 2), nn.Linear(4, 3)])(pydl.zeros(5, 4)).shape
        torch.Size([5, 5])
    """

    def __init__(self, branches: Sequence[Module], merge: Literal["cat", "sum", "mean"] = "cat", dim: int = 1) -> None:
        super().__init__()
        self.branches = ModuleList(branches)
        if len(self.branches) == 0:
            raise ValueError("MultiBranch: branches must hold at least one module, got none")
        if merge not in ("cat", "sum", "mean"):
            raise ValueError(f"MultiBranch: merge must be 'cat', 'sum' or 'mean', got {merge!r}")
        self.merge = merge
        self.dim = dim

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The joined results."""
        results = [branch(x, *args, **kwargs) for branch in self.branches]
        self._check(results)
        if self.merge == "cat":
            return pydl.cat(results, dim=self.dim)
        total = results[0]
        for result in results[1:]:
            total = total + result
        return total / len(results) if self.merge == "mean" else total

    def _check(self, results: list[Tensor]) -> None:
        def compared(result: Tensor) -> tuple[int, ...]:
            shape = tuple(result.shape)
            if self.merge != "cat" or not -len(shape) <= self.dim < len(shape):
                return shape
            at = self.dim % len(shape)
            return (*shape[:at], -1, *shape[at + 1 :])

        if any(compared(result) != compared(results[0]) for result in results[1:]):
            shapes = ", ".join(str(tuple(result.shape)) for result in results)
            rule = f"equal shapes but for dim {self.dim}" if self.merge == "cat" else "equal shapes"
            raise pydl.ShapeError(f"MultiBranch: merge={self.merge!r} needs {rule}, got {shapes}")

    def extra_repr(self) -> str:
        return f"merge={self.merge!r}, dim={self.dim}"


class MultiTask(Module):
    """One trunk that all tasks share and a head for each: ``{name: head(trunk(x))}``, in the order of ``heads``.

    Args:
        trunk: module.
        heads: modules by the name of the task.

    Keys: trunk.*, heads.<name>.*.

    Raises:
        ValueError: no head. KeyError: (on use) a task without head.

    Source: Caruana, "Multitask learning", Machine Learning 28, 1997. How to weight the tasks' losses: Kendall et al.,
    CVPR 2018.

    Example:
        >>> import pydl
        >>> from pydl import nn
        >>> net = nn.blocks.MultiTask(nn.Linear(4, 8), {"kind": nn.Linear(8, 3), "size": nn.Linear(8, 1)})
        >>> {name: tuple(y.shape) for name, y in net(pydl.zeros(2, 4)).items()}
        {'kind': (2, 3), 'size': (2, 1)}
        >>> list(net(pydl.zeros(2, 4), tasks=["size"]))
        ['size']
    """

    def __init__(self, trunk: Module, heads: Mapping[str, Module]) -> None:
        super().__init__()
        if len(heads) == 0:
            raise ValueError("MultiTask: heads must hold at least one module, got none")
        self.trunk = trunk
        self.heads = ModuleDict(dict(heads))

    def forward(self, x: Tensor, tasks: Sequence[str] | None = None) -> dict[str, Tensor]:
        """The results of all heads, or of those of ``tasks`` alone; the trunk runs once."""
        wanted = list(self.heads) if tasks is None else list(tasks)
        for name in wanted:
            if name not in self.heads:
                raise KeyError(f"MultiTask: no head is named {name!r}; there are {list(self.heads)}")
        features = self.trunk(x)
        return {name: head(features) for name, head in self.heads.items() if name in wanted}
