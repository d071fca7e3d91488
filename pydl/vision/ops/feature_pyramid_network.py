"""Feature pyramids."""

from __future__ import annotations

from typing import Any

from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.ops.layers import Conv2dNormActivation, ModuleMaker


class ExtraFPNBlock(nn.Module):
    """Appends levels: forward(results, inputs, names) -> (results, names)."""

    def forward(self, results: list[Tensor], x: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        raise NotImplementedError


class FeaturePyramidNetwork(nn.Module):
    """A dict of maps, finest first, as maps of `out_channels` under the same keys: from the top down,
    layer(inner(C_i) + the level above, resized), with 1x1 inner and 3x3 layer convolutions (Lin et al., "Feature
    pyramid networks", CVPR 2017).

    `extra_blocks` (LastLevelMaxPool, LastLevelP6P7) append levels; with `norm_layer` convolutions have no bias.
    Raises ValueError for a map without channels, TypeError for other extra blocks.

    Example:
        >>> import pydl
        >>> pyramid = pydl.vision.ops.FeaturePyramidNetwork([10, 20], 5)
        >>> out = pyramid({"a": pydl.ones(1, 10, 8, 8), "b": pydl.ones(1, 20, 4, 4)})
        >>> {name: tuple(x.shape) for name, x in out.items()}
        {'a': (1, 5, 8, 8), 'b': (1, 5, 4, 4)}
    """

    def __init__(
        self,
        in_channels_list: list[int],
        out_channels: int,
        extra_blocks: nn.Module | None = None,
        norm_layer: ModuleMaker | None = None,
    ) -> None:
        super().__init__()
        if 0 in in_channels_list:
            raise ValueError(f"FeaturePyramidNetwork(): in_channels_list must be positive, got {in_channels_list}")
        if extra_blocks is not None and not isinstance(extra_blocks, ExtraFPNBlock):
            raise TypeError(f"FeaturePyramidNetwork(): extra_blocks must be an ExtraFPNBlock, got {type(extra_blocks)}")

        def conv(channels: int, size: int) -> nn.Module:
            return Conv2dNormActivation(channels, out_channels, size, norm_layer=norm_layer, activation_layer=None)

        self.inner_blocks = nn.ModuleList([conv(c, 1) for c in in_channels_list])
        self.layer_blocks = nn.ModuleList([conv(out_channels, 3) for _ in in_channels_list])
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_uniform_(m.weight, a=1)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
        self.extra_blocks = extra_blocks

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for block in ("inner_blocks", "layer_blocks"):  # older files have the convolution itself as the block
            for i in range(len(self.inner_blocks)):
                for kind in ("weight", "bias"):
                    old = f"{prefix}{block}.{i}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}{block}.{i}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        names, maps = list(x), list(x.values())
        above: Tensor | None = None
        results: list[Tensor] = []
        for i in reversed(range(len(maps))):
            inner = self.inner_blocks[i](maps[i])
            if above is not None:
                inner = inner + F.interpolate(above, size=inner.shape[-2:], mode="nearest")
            above = inner
            results.insert(0, self.layer_blocks[i](inner))
        if self.extra_blocks is not None:
            results, names = self.extra_blocks(results, maps, names)
        return dict(zip(names, results))


class LastLevelMaxPool(ExtraFPNBlock):
    """Appends every second pixel of the last level as 'pool'.

    Example:
        >>> import pydl
        >>> out, names = pydl.vision.ops.feature_pyramid_network.LastLevelMaxPool()([pydl.ones(1, 5, 4, 4)], [], ["a"])
        >>> names, tuple(out[1].shape)
        (['a', 'pool'], (1, 5, 2, 2))
    """

    def forward(self, results: list[Tensor], x: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        return [*results, F.max_pool2d(results[-1], 1, 2)], [*names, "pool"]


class LastLevelP6P7(ExtraFPNBlock):
    """Appends two levels, 'p6' and 'p7', by convolutions of stride 2 (Lin et al., "Focal loss", 2017).

    Example:
        >>> import pydl
        >>> block = pydl.vision.ops.feature_pyramid_network.LastLevelP6P7(5, 5)
        >>> out, names = block([pydl.ones(1, 5, 8, 8)], [pydl.ones(1, 9, 8, 8)], ["a"])
        >>> names, tuple(out[-1].shape)
        (['a', 'p6', 'p7'], (1, 5, 2, 2))
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(in_channels, out_channels, 3, 2, 1)
        self.p7 = nn.Conv2d(out_channels, out_channels, 3, 2, 1)
        for module in (self.p6, self.p7):
            nn.init.kaiming_uniform_(module.weight, a=1)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        self.use_P5 = in_channels == out_channels

    def forward(self, results: list[Tensor], x: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        p6 = self.p6(results[-1] if self.use_P5 else x[-1])
        return [*results, p6, self.p7(F.relu(p6))], [*names, "p6", "p7"]
