"""U-Net and DeepLabV3 learn to label the pixels of shapes. ``python examples/segmentation.py --model unet --out
shapes.png``"""

from __future__ import annotations

from typing import Any

import _shapes
import _show

import pydl
from pydl import nn
from pydl.vision.models import UNet
from pydl.vision.models.segmentation import DeepLabHead, DeepLabV3, IntermediateLayerGetter
from pydl.vision.ops import Conv2dNormActivation

MODELS = ("unet", "deeplab")
CLASSES = 4


def make(name: str, width: int) -> nn.Module:
    """One of MODELS, small."""
    if name == "unet":
        return UNet(3, CLASSES, (width, 2 * width, 4 * width))
    if name != "deeplab":
        raise ValueError(f"the model must be one of {MODELS}, got {name!r}")
    widths = [3, width, 2 * width, 4 * width]
    # A quarter of the resolution is kept; dilation widens the view instead of strides.
    layers = [Conv2dNormActivation(i, o, stride=s) for i, o, s in zip(widths, widths[1:], (2, 2, 1))]
    layers += [Conv2dNormActivation(4 * width, 4 * width, dilation=d) for d in (2, 4)]
    body = IntermediateLayerGetter(nn.Sequential(*layers), {"4": "out"})
    return DeepLabV3(body, DeepLabHead(4 * width, CLASSES, (2, 4, 6)))


def batch(seed: int, count: int) -> tuple[Any, Any]:
    """Images (count, 3, 64, 64) and the class of each pixel."""
    images, targets = _shapes.scenes(seed, count)
    labels = pydl.zeros(count, 64, 64, dtype=pydl.int64)
    for label, target in zip(labels, targets):
        for mask, kind in zip(target["masks"], target["labels"]):
            label += mask.to(pydl.int64) * kind
    return pydl.stack(images), labels


def logits_of(net: nn.Module, images: Any) -> Any:
    """(N, classes, H, W) of either model."""
    out = net(images)
    return out["out"] if isinstance(out, dict) else out


def main(
    model: str = "unet",
    steps: int = 300,
    count: int = 8,
    width: int = 16,
    seed: int = 0,
    held_out: int = 60,
    out: str | None = None,
) -> float:
    """Train, and return the mean intersection over union of the classes."""
    pydl.manual_seed(seed)
    net = make(model, width)
    optimizer = pydl.optim.AdamW(net.parameters(), lr=2e-3)
    schedule = pydl.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for step in _show.progress(range(steps), model):
        images, labels = batch(1000 * seed + step + 1, count)
        loss = nn.functional.cross_entropy(logits_of(net, images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    images, labels = batch(10**6 + seed, held_out)
    with pydl.no_grad():
        found = logits_of(net.eval(), images).argmax(1)
    values = []
    for k in range(CLASSES):
        a, b = found == k, labels == k
        values.append(float((a & b).sum()) / float((a | b).sum()))
    iou = sum(values) / CLASSES
    print(f"{model} IoU {iou:.3f}: " + ", ".join(f"{n} {v:.3f}" for n, v in zip(_shapes.NAMES, values)))

    def draw(figure: Any) -> None:
        panels = figure.subplots(2, 4)
        for i in range(4):
            panels[0, i].imshow(images[i].clamp(0, 1).permute(1, 2, 0).numpy())
            panels[1, i].imshow(found[i].numpy(), vmin=0, vmax=CLASSES - 1)
        for axes in panels.flat:
            axes.axis("off")

    _show.plot(out, draw, (8, 4.2))
    return iou


if __name__ == "__main__":
    main(**_show.arguments(__doc__, model="unet", steps=300, count=8, width=16, seed=0, held_out=60, out=None))
