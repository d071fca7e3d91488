"""Pose estimation from heat maps, and how it is measured."""

from __future__ import annotations

from collections.abc import Sequence

import pydl
from pydl import ShapeError, Tensor, nn
from pydl.vision.models import resnet
from pydl.vision.models._build import PARAMETER_COUNTS, Weights, loaded

__all__ = ["SimpleBaselinePose", "oks", "pck"]

# COCO's deviations of annotators, by keypoint from the nose to the right ankle (pycocotools)
_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035,
    0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087,
    0.089, 0.089,
)  # fmt: skip


class _ResNetBody(nn.Module):
    """A ResNet without pooling and classes; keys as there."""

    def __init__(self, model: resnet.ResNet) -> None:
        super().__init__()
        for name, child in model.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, child)

    def forward(self, x: Tensor) -> Tensor:
        for child in self.children():
            x = child(x)
        return x


class SimpleBaselinePose(nn.Module):
    """A backbone, deconvolutions to twice the size each (norm, ReLU), and a 1x1 convolution to heat maps: (N, 3, H,
    W) gives (N, J, H/4, W/4) (Xiao et al., "Simple baselines for human pose estimation", 2018).

    `backbone` is a ResNet of `vision.models` by name, or a module of stride 32 with `backbone_channels`. `weights` is
    None, a path or a state dict of the whole. Raises ValueError for unknown names, kernels but 2, 3 and 4, or a
    module without its channels.

    Example:
        >>> import pydl
        >>> pose = pydl.vision.models.keypoint.SimpleBaselinePose(5, "resnet18", deconv_channels=(16, 16, 16)).eval()
        >>> maps = pose(pydl.zeros(1, 3, 64, 64))
        >>> points, scores = pose.decode(maps)
        >>> maps.shape, points.shape, scores.shape
        (torch.Size([1, 5, 16, 16]), torch.Size([1, 5, 2]), torch.Size([1, 5]))
    """

    def __init__(
        self,
        num_keypoints: int = 17,
        backbone: str | nn.Module = "resnet50",
        backbone_channels: int | None = None,
        deconv_channels: Sequence[int] = (256, 256, 256),
        deconv_kernels: Sequence[int] = (4, 4, 4),
        weights: Weights = None,
    ) -> None:
        super().__init__()
        if isinstance(backbone, str):
            if backbone not in resnet.__all__ or not backbone.islower():
                raise ValueError(f"SimpleBaselinePose(): there is no ResNet {backbone!r}")
            model = getattr(resnet, backbone)()
            channels = int(model.fc.in_features)
            self.backbone: nn.Module = _ResNetBody(model)
        elif backbone_channels is None:
            raise ValueError("SimpleBaselinePose(): backbone_channels must be given for a module")
        else:
            self.backbone, channels = backbone, backbone_channels
        if len(deconv_channels) != len(deconv_kernels) or not set(deconv_kernels) <= {2, 3, 4}:
            raise ValueError(
                f"SimpleBaselinePose(): deconv_kernels must be 2, 3 or 4, one for each of "
                f"{deconv_channels}, got {deconv_kernels}"
            )
        layers: list[nn.Module] = []
        for width, kernel in zip(deconv_channels, deconv_kernels):
            # Padding with which each doubles the size
            padding, extra = {2: (0, 0), 3: (1, 1), 4: (1, 0)}[kernel]
            conv = nn.ConvTranspose2d(channels, width, kernel, 2, padding, extra, bias=False)
            nn.init.normal_(conv.weight, std=0.001)
            layers += [conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            channels = width
        self.deconv_layers = nn.Sequential(*layers)
        self.final_layer = nn.Conv2d(channels, num_keypoints, 1)
        nn.init.normal_(self.final_layer.weight, std=0.001)
        assert self.final_layer.bias is not None
        nn.init.zeros_(self.final_layer.bias)
        loaded("SimpleBaselinePose", self, weights)

    def forward(self, x: Tensor) -> Tensor:
        return self.final_layer(self.deconv_layers(self.backbone(x)))

    def decode(self, heatmaps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (N, J, H, W) as points (N, J, 2), x and y in pixels of the map, and scores (N, J): the first maximum,
        shifted a quarter of a pixel to the higher of its neighbours in either direction. Raises ShapeError for other
        dims."""
        if heatmaps.ndim != 4 or 0 in heatmaps.shape[2:]:
            raise ShapeError(f"decode(): heatmaps must have sizes (N, J, H, W), got {tuple(heatmaps.shape)}")
        n, j, h, w = heatmaps.shape
        flat = heatmaps.reshape(n, j, h * w)
        scores, at = flat.max(2)
        x, y = at % w, at // w

        def value(dx: int, dy: int) -> Tensor:
            place = (y + dy).clamp(0, h - 1) * w + (x + dx).clamp(0, w - 1)
            return flat.gather(2, place[..., None])[..., 0]

        # At the border there is one neighbour, and no shift.
        shift_x = pydl.sign(value(1, 0) - value(-1, 0)) * ((x > 0) & (x < w - 1))
        shift_y = pydl.sign(value(0, 1) - value(0, -1)) * ((y > 0) & (y < h - 1))
        return pydl.stack([x + 0.25 * shift_x, y + 0.25 * shift_y], 2).to(heatmaps.dtype), scores


def _distances(name: str, pred: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    if pred.ndim != 3 or pred.shape[2] != 2 or pred.shape != target.shape or visible.shape != pred.shape[:2]:
        raise ShapeError(
            f"{name}(): pred and target must have sizes (N, J, 2) and visible (N, J), got {tuple(pred.shape)}, "
            f"{tuple(target.shape)}, {tuple(visible.shape)}"
        )
    return ((pred - target) ** 2).sum(2)


def _check_count(name: str, argument: str, value: Tensor, count: int) -> None:
    if tuple(value.shape) != (count,):
        raise ShapeError(f"{name}(): {argument} must have sizes ({count},), got {tuple(value.shape)}")


def pck(pred: Tensor, target: Tensor, visible: Tensor, norm: Tensor, threshold: float = 0.5) -> Tensor:
    """The share of visible points (N, J, 2) within `threshold` times `norm` (N,) of the true ones; NaN if nothing is
    visible.

    Yang and Ramanan, "Articulated human detection", 2013. visible (N, J). Raises ShapeError for other sizes.

    Example:
        >>> import pydl
        >>> true = pydl.zeros(1, 2, 2)
        >>> pred = pydl.tensor([[[0., 1.], [3., 0.]]])
        >>> pydl.vision.models.keypoint.pck(pred, true, pydl.ones(1, 2), pydl.tensor([4.]))
        tensor(0.5000)
    """
    squares = _distances("pck", pred, target, visible)
    _check_count("pck", "norm", norm, pred.shape[0])
    right = squares.sqrt() <= threshold * norm[:, None]
    return right[visible > 0].float().mean()


def oks(pred: Tensor, target: Tensor, visible: Tensor, area: Tensor, sigmas: Tensor | None = None) -> Tensor:
    """COCO's similarity of keypoints (N,): the mean over visible points of exp(-d^2 / (2 area (2 sigma)^2)).

    pred and target (N, J, 2), visible (N, J), area (N,); sigmas (J,), None for COCO's 17; NaN where nothing is
    visible. Raises ShapeError for other sizes.

    Example:
        >>> import pydl
        >>> true = pydl.zeros(1, 17, 2)
        >>> pydl.vision.models.keypoint.oks(true, true, pydl.ones(1, 17), pydl.tensor([100.]))
        tensor([1.])
    """
    squares = _distances("oks", pred, target, visible)
    _check_count("oks", "area", area, pred.shape[0])
    deviations = pydl.tensor(_SIGMAS, dtype=pred.dtype) if sigmas is None else sigmas
    _check_count("oks", "sigmas", deviations, pred.shape[1])
    similar = (-squares / (2 * area[:, None] * (2 * deviations) ** 2)).exp()
    seen = (visible > 0).to(pred.dtype)
    return (similar * seen).sum(1) / seen.sum(1)


PARAMETER_COUNTS["SimpleBaselinePose"] = 33999697
