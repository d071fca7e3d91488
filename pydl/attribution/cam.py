"""Class activation maps: where in an image a class's score comes from."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.attribution._common import Target, check_inputs, selected
from pydl.nn import Module
from pydl.nn import functional as F

__all__ = ["GradCAM", "GradCAMPlusPlus"]


def _jet(values: Tensor) -> Tensor:
    """(H, W) in [0, 1] as colours (3, H, W) from blue over green to red."""
    return pydl.stack([1.5 - (4 * values - peak).abs() for peak in (3, 2, 1)]).clamp(0, 1)


def _coloured(values: Tensor, colormap: str) -> Tensor:
    if colormap == "jet":
        return _jet(values)
    try:
        from matplotlib import colormaps
    except ImportError:
        raise ImportError(f"the colormap {colormap!r} needs matplotlib: pip install matplotlib") from None
    if colormap not in colormaps:
        raise ValueError(f"GradCAM: colormap must be 'jet' or a name that matplotlib knows, got {colormap!r}")
    return pydl.as_tensor(colormaps[colormap](values.numpy())[..., :3]).permute(2, 0, 1).to(values.dtype)


def _spread(maps: Tensor) -> Tensor:
    """Each map from 0 to 1; a constant one is 0."""
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    return pydl.where(high > low, (maps - low) / pydl.where(high > low, high - low, 1.0), 0.0)


class GradCAM:
    """``relu(sum_k alpha_k A^k)``: the maps of a layer, weighted by the mean gradient of the class's score by each.

    Args:
        model: maps (N, C, H, W) to (N, classes) or (N,).
        layer: a module of ``model``, or its dotted name, whose output is (N, K, h, w).

    Raises:
        ValueError: a name or module that the model does not have.

    Source: Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based localization",
    ICCV 2017.

    Example:
        >>> import pydl
        >>> from pydl import nn
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> pydl.attribution.GradCAM(net, "1").attribute(pydl.rand(2, 3, 8, 8), target=1).shape
        torch.Size([2, 1, 8, 8])
    """

    def __init__(self, model: Module, layer: Module | str) -> None:
        modules = dict(model.named_modules())
        if isinstance(layer, str):
            if layer not in modules:
                raise ValueError(f"{type(self).__name__}: the model has no module {layer!r}")
            layer = modules[layer]
        elif not any(layer is module for module in modules.values()):
            raise ValueError(f"{type(self).__name__}: layer must be a module of the model")
        self.model = model
        self.layer = layer

    def attribute(
        self,
        inputs: Tensor,
        target: Target = None,
        relu: bool = True,
        interpolate: bool = True,
        normalize: bool = False,
    ) -> Tensor:
        """(N, 1, H, W).

        Args:
            inputs: (N, C, H, W). target: class, or one for each sample; ``None`` for outputs (N,) or (N, 1).
            relu: ``False`` keeps what speaks against the class. Default: ``True``.
            interpolate: in the input's size, bilinear; ``False``: in the layer's own (h, w). Default: ``True``.
            normalize: each map from 0 to 1; a constant one becomes 0. Default: ``False``.

        Raises:
            IndexError: a target out of range. ValueError: no target where one is needed. ShapeError: outputs of model
                or layer of another shape. RuntimeError: the layer took no part.
        """
        name = type(self).__name__
        x = check_inputs(name, inputs)
        maps, slopes = self._maps_and_gradients(name, x, target)
        found = (self._weights(maps, slopes) * maps).sum(dim=1, keepdim=True)
        found = found.relu() if relu else found
        if interpolate:
            found = F.interpolate(found, tuple(x.shape[2:]), mode="bilinear", align_corners=False)
        return (_spread(found) if normalize else found).to(x.dtype)

    def _maps_and_gradients(self, name: str, x: Tensor, target: Target) -> tuple[Tensor, Tensor]:
        seen: list[Any] = []

        def keep(module: Module, arguments: Any, output: Any) -> Any:
            seen.append(output)
            # What follows may work in place; the layer's own output stays as it was
            return output.clone() if isinstance(output, Tensor) else output

        handle = self.layer.register_forward_hook(keep)
        try:
            with pydl.enable_grad():
                # The input needs a gradient, so that there is one behind frozen layers too
                values = selected(name, self.model(x.detach().requires_grad_()), target, len(x))
                if not seen:
                    raise RuntimeError(f"{name}: the layer took no part in the model's output")
                maps = seen[-1]
                if not isinstance(maps, Tensor) or maps.dim() != 4:
                    got = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
                    raise pydl.ShapeError(f"{name}: the layer must give (N, K, h, w), got {got}")
                (slopes,) = pydl.autograd.grad(values.sum(), maps, allow_unused=True)
        finally:
            handle.remove()
        return maps.detach(), pydl.zeros_like(maps.detach()) if slopes is None else slopes.detach()

    def _weights(self, maps: Tensor, slopes: Tensor) -> Tensor:
        """(N, K, 1, 1)."""
        return slopes.mean(dim=(2, 3), keepdim=True)

    def overlay(self, image: Tensor, cam: Tensor, alpha: float = 0.5, colormap: str = "jet") -> Tensor:
        """An image blended with the colours of a map: ``(1 - alpha) * image + alpha * colours``.

        Args:
            image: (3, H, W), values from 0 to 1. cam: (1, H, W), which is first spread from 0 to 1.
            alpha: Default: 0.5. colormap: ``"jet"`` (default), or a name that matplotlib knows.

        Returns:
            (3, H, W), values from 0 to 1.

        Raises:
            ShapeError: other shapes. ValueError: ``alpha`` outside [0, 1], another colormap.
        """
        name = type(self).__name__
        if image.dim() != 3 or image.shape[0] != 3 or tuple(cam.shape) != (1, *image.shape[1:]):
            raise pydl.ShapeError(
                f"{name}: image must be (3, H, W) and cam (1, H, W), got {tuple(image.shape)} and {tuple(cam.shape)}"
            )
        if not 0 <= alpha <= 1:
            raise ValueError(f"{name}: alpha must be in [0, 1], got {alpha}")
        colours = _coloured(_spread(cam.detach().to(image.dtype))[0], colormap)
        return ((1 - alpha) * image.detach() + alpha * colours).clamp(0, 1)


class GradCAMPlusPlus(GradCAM):
    """:class:`GradCAM` whose weights count the pixels with positive gradient, by its second and third powers.

    ``alpha_k = sum_ij a_ij relu(g_ij)``, ``a = g^2 / (2 g^2 + sum(A^k) g^3)``, g the gradient of the score by A^k: it
    finds several objects of a class.

    Source: Chattopadhay et al., "Grad-CAM++: Generalized gradient-based visual explanations for deep convolutional
    networks", WACV 2018.

    Example:
        >>> import pydl
        >>> from pydl import nn
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> pydl.attribution.GradCAMPlusPlus(net, net[1]).attribute(pydl.rand(1, 3, 8, 8), target=1).shape
        torch.Size([1, 1, 8, 8])
    """

    def _weights(self, maps: Tensor, slopes: Tensor) -> Tensor:
        square = slopes.square()
        below = 2 * square + maps.sum(dim=(2, 3), keepdim=True) * square * slopes
        share = pydl.where(below != 0, square / pydl.where(below != 0, below, 1.0), 0.0)
        return (share * slopes.relu()).sum(dim=(2, 3), keepdim=True)
