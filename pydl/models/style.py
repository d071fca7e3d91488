"""An image with the content of one picture and the style of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.losses import gram_matrix, total_variation_loss
from pydl.vision.feature_extraction import create_feature_extractor

__all__ = ["StyleTransfer"]


class StyleTransfer(nn.Module):
    """Optimises the pixels of an image against the features of a network (Gatys et al. 2016).

    Args:
        network: whose features are compared, as ``pydl.vision.models.vgg19(...).features``; it is left as it is.
        content_layers, style_layers: dotted names of its modules.
        content_weight, style_weight, tv_weight: of the squared difference of features, of that of their Gram matrices,
            and of the total variation; default 1, 1e3, 10.

    Raises ``ValueError`` for a name that the network has not.

    >>> network = pydl.nn.Sequential(pydl.nn.Conv2d(3, 4, 3), pydl.nn.ReLU(), pydl.nn.Conv2d(4, 4, 3))
    >>> transfer = pydl.models.StyleTransfer(network, ["2"], ["0", "2"])
    >>> image, losses = transfer.run(pydl.rand(1, 3, 16, 16), pydl.rand(1, 3, 16, 16), steps=3)
    >>> image.shape, len(losses)
    (torch.Size([1, 3, 16, 16]), 3)
    """

    def __init__(
        self,
        network: nn.Module,
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        content_weight: float = 1.0,
        style_weight: float = 1e3,
        tv_weight: float = 10.0,
    ) -> None:
        super().__init__()
        self.content_layers, self.style_layers = list(content_layers), list(style_layers)
        names = list(dict.fromkeys([*self.content_layers, *self.style_layers]))
        if not names:
            raise ValueError("StyleTransfer: at least one layer is needed")
        self.extractor = create_feature_extractor(network, names)
        self.content_weight, self.style_weight, self.tv_weight = content_weight, style_weight, tv_weight

    def features(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Features of the content layers, Gram matrices of the style layers."""
        found = self.extractor(image)
        return [found[n] for n in self.content_layers], [gram_matrix(found[n]) for n in self.style_layers]

    def forward(self, image: Tensor, content: Sequence[Tensor], style: Sequence[Tensor]) -> Tensor:
        """The loss of an image, given the features of the content and the Gram matrices of the style."""
        ours, grams = self.features(image)
        loss = self.tv_weight * total_variation_loss(image, average=True)
        for a, b in zip(ours, content):
            loss = loss + self.content_weight * (a - b).square().mean()
        for a, b in zip(grams, style):
            loss = loss + self.style_weight * (a - b).square().mean()
        return loss

    def run(
        self,
        content: Tensor,
        style: Tensor,
        steps: int = 300,
        lr: float = 0.05,
        start: Tensor | None = None,
        callback: Callable[[int, float], Any] | None = None,
    ) -> tuple[Tensor, list[float]]:
        """Adam on the pixels (N, 3, H, W), which stay in [0, 1]; returns the image and the loss of every step.

        ``start``: default the content. ``callback(step, loss)`` is called after every step.
        """
        self.extractor.eval()
        with pydl.no_grad():
            wanted, grams = self.features(content)[0], self.features(style)[1]
        image = (content if start is None else start).detach().clone().requires_grad_()
        optimizer, losses = pydl.optim.Adam([image], lr=lr), []
        for step in range(steps):
            loss = self(image, wanted, grams)
            (image.grad,) = pydl.autograd.grad(loss, [image])
            optimizer.step()
            with pydl.no_grad():
                image.clamp_(0, 1)
            losses.append(loss.item())
            if callback is not None:
                callback(step, losses[-1])
        return image.detach(), losses
