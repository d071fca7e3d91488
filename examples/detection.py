"""Detectors that learn to find shapes: boxes, and masks or corners of them, by the generic classes of
pydl.vision.models.detection.

``python examples/detection.py --model fasterrcnn --out shapes.png``
"""

from __future__ import annotations

from functools import partial
from typing import Any

import _shapes
import _show

import pydl
from pydl import nn
from pydl.vision.models import detection as D
from pydl.vision.models.keypoint import pck
from pydl.vision.ops import Conv2dNormActivation, MultiScaleRoIAlign

MODELS = ("fasterrcnn", "maskrcnn", "keypointrcnn", "retinanet", "ssd", "fcos", "yolo")
SIZE = 64
COMMON: dict[str, Any] = {"image_mean": [0.4] * 3, "image_std": [0.3] * 3}
RESIZE: dict[str, Any] = {"min_size": SIZE, "max_size": SIZE}


def backbone(width: int) -> D.BackboneWithFPN:
    """Maps '0', '1', '2' and 'pool' of strides 4, 8, 16 and 32, `width` channels each."""
    widths = [3, width // 2, width, width, width]
    stages = [
        nn.Sequential(Conv2dNormActivation(i, o, stride=2), Conv2dNormActivation(o, o))
        for i, o in zip(widths, widths[1:])
    ]
    return D.BackboneWithFPN(nn.Sequential(*stages), {"1": "0", "2": "1", "3": "2"}, [width] * 3, width)


def rcnn(name: str, width: int) -> nn.Module:
    """The two-stage models: class 0 is the background."""

    def pool(size: int) -> MultiScaleRoIAlign:
        return MultiScaleRoIAlign(["0", "1"], size, 2, canonical_scale=32, canonical_level=3)

    classes = 2 if name == "keypointrcnn" else 4
    parts: dict[str, Any] = {
        "rpn_anchor_generator": D.AnchorGenerator(((8, 12), (16, 22), (30, 40), (56, 64)), ((1.0,),) * 4),
        "rpn_pre_nms_top_n_train": 100, "rpn_post_nms_top_n_train": 50,
        "rpn_pre_nms_top_n_test": 100, "rpn_post_nms_top_n_test": 30,
        "box_roi_pool": pool(5), "box_head": D.TwoMLPHead(25 * width, 128),
        "box_predictor": D.FastRCNNPredictor(128, classes),
        "rpn_batch_size_per_image": 64, "box_batch_size_per_image": 32, "box_score_thresh": 0.05,
    }  # fmt: skip
    parts |= COMMON | RESIZE
    if name == "maskrcnn":
        mask = {
            "mask_head": D.MaskRCNNHeads(width, [width] * 2, 1),
            "mask_predictor": D.MaskRCNNPredictor(width, width, classes),
        }
        return D.MaskRCNN(backbone(width), mask_roi_pool=pool(8), **mask, **parts)
    if name == "keypointrcnn":
        points = {
            "keypoint_head": D.KeypointRCNNHeads(width, [width] * 3),
            "keypoint_predictor": D.KeypointRCNNPredictor(width, 3),
        }
        return D.KeypointRCNN(backbone(width), keypoint_roi_pool=pool(8), **points, **parts)
    return D.FasterRCNN(backbone(width), **parts)


def make(name: str, width: int) -> nn.Module:
    """One of MODELS on a small backbone."""
    if name not in MODELS:
        raise ValueError(f"the model must be one of {MODELS}, got {name!r}")
    if name.endswith("rcnn"):
        return rcnn(name, width)
    body = backbone(width)
    if name == "retinanet":
        anchors = D.AnchorGenerator(((8, 12), (16, 22), (30, 40), (56, 64)), ((1.0,),) * 4)
        head = D.RetinaNetHead(width, 2, 4, partial(nn.GroupNorm, 8))
        return D.RetinaNet(body, 4, anchor_generator=anchors, head=head, **COMMON, **RESIZE)
    if name == "fcos":
        anchors = D.AnchorGenerator(((4,), (8,), (16,), (32,)), ((1.0,),) * 4)
        return D.FCOS(body, 4, anchor_generator=anchors, score_thresh=0.05, **COMMON, **RESIZE)
    if name == "ssd":
        boxes = D.DefaultBoxGenerator([[]] * 4, scales=[0.15, 0.25, 0.4, 0.6, 0.8])
        return D.SSD(body, boxes, (SIZE, SIZE), 4, **COMMON)
    return D.YOLO(body, 4, [[(12, 12)], [(18, 18)], [(26, 26)], [(40, 40)]], anchor_ratio=2.0, **COMMON, **RESIZE)


def mask_iou(results: list[Any], targets: list[Any]) -> float:
    """The mean overlap of the true masks with those of the detections that found them; 0 where none did."""
    values: list[float] = []
    for found, target in zip(results, targets):
        best = [0.0] * len(target["labels"])
        for i, t in enumerate(_shapes.assign(found, target)):
            if t >= 0:
                a, b = found["masks"][i, 0] > 0.5, target["masks"][t] > 0
                best[t] = float((a & b).sum()) / float((a | b).sum())
        values += best
    return sum(values) / len(values)


def share_of_points(results: list[Any], targets: list[Any]) -> float:
    """PCK at a tenth of the box: a triangle that was not found has no right points."""
    values: list[float] = []
    for found, target in zip(results, targets):
        best = [0.0] * len(target["labels"])
        for i, t in enumerate(_shapes.assign(found, target)):
            if t >= 0:
                points, true = found["keypoints"][i : i + 1, :, :2], target["keypoints"][t : t + 1]
                side = (target["boxes"][t, 2:] - target["boxes"][t, :2]).amax()[None]
                best[t] = pck(points, true[..., :2], true[..., 2] > 0, side, 0.1).item()
        values += best
    return sum(values) / len(values)


def draw(path: str | None, images: list[Any], results: list[Any]) -> None:
    """The first eight images with what was found in them."""

    def panels(figure: Any) -> None:
        for i, axes in enumerate(figure.subplots(2, 4).flat):
            axes.imshow(images[i].clamp(0, 1).permute(1, 2, 0).numpy())
            axes.axis("off")
            for k in (results[i]["scores"] > 0.5).nonzero().reshape(-1).tolist():
                x0, y0, x1, y1 = results[i]["boxes"][k].tolist()
                axes.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0])
                axes.set_title(_shapes.NAMES[int(results[i]["labels"][k])], fontsize=8)
                if "masks" in results[i]:
                    axes.contour(results[i]["masks"][k, 0].numpy(), [0.5], colors="w", linewidths=0.8)
                if "keypoints" in results[i]:
                    axes.plot(*results[i]["keypoints"][k, :, :2].numpy().T, "w.")

    _show.plot(path, panels, (8, 4.4))


def main(
    model: str = "fasterrcnn",
    steps: int = 600,
    batch: int = 8,
    width: int = 32,
    seed: int = 0,
    held_out: int = 60,
    out: str | None = None,
) -> dict[str, float]:
    """Train, and return AP50, and the masks' IoU or the share of right points."""
    pydl.manual_seed(seed)
    points = model == "keypointrcnn"
    options: dict[str, Any] = {"size": SIZE, "kinds": (3,) if points else (1, 2, 3)}
    net = make(model, width)
    optimizer = pydl.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = pydl.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for step in _show.progress(range(steps), model):
        images, targets = _shapes.scenes(1000 * seed + step + 1, batch, **options)
        if points:
            for t in targets:
                t["labels"] = pydl.ones_like(t["labels"])
        loss = sum(net(images, targets).values())
        optimizer.zero_grad()
        loss.backward()
        pydl.nn.utils.clip_grad_norm_(net.parameters(), 20.0)
        optimizer.step()
        schedule.step()
    images, targets = _shapes.scenes(10**6 + seed, held_out, **options)
    if points:
        for t in targets:
            t["labels"] = pydl.ones_like(t["labels"])
    with pydl.no_grad():
        results = [r for i in range(0, held_out, 10) for r in net.eval()(images[i : i + 10])]
    figures = {"AP50": _shapes.average_precision(results, targets, (1,) if points else (1, 2, 3))}
    if model == "maskrcnn":
        figures["mask IoU"] = mask_iou(results, targets)
    if points:
        figures["PCK@0.1"] = share_of_points(results, targets)
    print(model, ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    draw(out, images, results)
    return figures


if __name__ == "__main__":
    main(**_show.arguments(__doc__, model="fasterrcnn", steps=600, batch=8, width=32, seed=0, held_out=60, out=None))
