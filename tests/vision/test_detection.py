"""Detectors: what they take and give, their parts by NumPy or by hand, keys. Numbers were compared with torchvision
by hand."""

from __future__ import annotations

import copy
import inspect
import math
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import nn
from pydl.vision.models import detection as D
from pydl.vision.models.detection import roi_heads, transform
from pydl.vision.ops import Conv2dNormActivation, MultiScaleRoIAlign

WIDTH = 32
RESIZE: dict[str, Any] = {"min_size": 64, "max_size": 96}


def backbone() -> D.BackboneWithFPN:
    widths = [3, 8, 16, WIDTH]
    body = nn.Sequential(*(Conv2dNormActivation(i, o, stride=s) for i, o, s in zip(widths, widths[1:], (2, 4, 2))))
    return D.BackboneWithFPN(body, {"1": "0", "2": "1"}, [16, WIDTH], WIDTH)


def anchors(each: int = 2) -> D.AnchorGenerator:
    return D.AnchorGenerator(tuple((s, 1.5 * s)[:each] for s in (12, 24, 48)), ((1.0,),) * 3)


def rcnn(kind: Any, **more: Any) -> Any:
    pool = MultiScaleRoIAlign(["0", "1"], 4, 2)
    parts: dict[str, Any] = {
        "rpn_anchor_generator": anchors(), "box_roi_pool": pool, "box_head": D.TwoMLPHead(16 * WIDTH, 32),
        "box_predictor": D.FastRCNNPredictor(32, 4), "box_score_thresh": 0.0, "box_detections_per_img": 12,
    }  # fmt: skip
    return kind(backbone(), **parts, **RESIZE, **more)


MAKERS: dict[str, Any] = {
    "faster": lambda: rcnn(D.FasterRCNN),
    "mask": lambda: rcnn(
        D.MaskRCNN, mask_roi_pool=MultiScaleRoIAlign(["0"], 4, 2), mask_head=D.MaskRCNNHeads(WIDTH, [8], 1),
        mask_predictor=D.MaskRCNNPredictor(8, 8, 4),
    ),
    "keypoint": lambda: rcnn(
        D.KeypointRCNN, keypoint_roi_pool=MultiScaleRoIAlign(["0"], 4, 2), keypoint_head=D.KeypointRCNNHeads(WIDTH, [8]),
        keypoint_predictor=D.KeypointRCNNPredictor(8, 3),
    ),
    "retina": lambda: D.RetinaNet(backbone(), 4, anchor_generator=anchors(), score_thresh=0.0, detections_per_img=12, **RESIZE),
    "fcos": lambda: D.FCOS(backbone(), 4, anchor_generator=anchors(1), score_thresh=0.0, detections_per_img=12, **RESIZE),
    "ssd": lambda: D.SSD(backbone(), D.DefaultBoxGenerator([[2], [2, 3], [2]]), (64, 80), 4, detections_per_img=12),
    "yolo": lambda: D.YOLO(backbone(), 4, [[(8, 8)], [(16, 20)], [(40, 40)]], score_thresh=0.0, detections_per_img=12, **RESIZE),
}  # fmt: skip
LOSSES = {
    "faster": "loss_box_reg loss_classifier loss_objectness loss_rpn_box_reg",
    "mask": "loss_box_reg loss_classifier loss_mask loss_objectness loss_rpn_box_reg",
    "keypoint": "loss_box_reg loss_classifier loss_keypoint loss_objectness loss_rpn_box_reg",
    "retina": "bbox_regression classification",
    "fcos": "bbox_ctrness bbox_regression classification",
    "ssd": "bbox_regression classification",
    "yolo": "bbox_regression classification objectness",
}


def images_and_targets() -> tuple[list[Any], list[Any]]:
    images = [pydl.rand(3, 50, 60), pydl.rand(3, 64, 40)]
    targets = []
    for image, boxes in zip(images, ([[5.0, 6, 30, 40], [20, 10, 55, 45]], [[3.0, 4, 30, 60]])):
        box = pydl.tensor(boxes)
        masks = pydl.zeros(len(boxes), *image.shape[1:], dtype=pydl.uint8)
        for m, (x0, y0, x1, y1) in zip(masks, boxes):
            m[int(y0) : int(y1), int(x0) : int(x1)] = 1
        points = pydl.cat(
            [pydl.stack([box[:, :2], (box[:, :2] + box[:, 2:]) / 2, box[:, 2:]], 1), pydl.ones(len(boxes), 3, 1)], 2
        )
        targets.append({"boxes": box, "labels": pydl.arange(1, len(boxes) + 1), "masks": masks, "keypoints": points})
    return images, targets


@pytest.mark.parametrize("name", MAKERS)
def test_what_detectors_take_and_give(name: str) -> None:
    pydl.manual_seed(0)
    model = MAKERS[name]()
    images, targets = images_and_targets()
    before = copy.deepcopy(targets)
    losses = model(images, targets)
    assert sorted(losses) == LOSSES[name].split()
    sum(losses.values()).backward()
    assert all(v.isfinite().all() for v in losses.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert all(pydl.equal(a[k], b[k]) for a, b in zip(targets, before) for k in a)  # the caller's are not changed
    model.eval()
    results = model(images)
    for image, found in zip(images, results):
        k = len(found["boxes"])
        assert 0 < k <= 12
        assert found["boxes"].shape == (k, 4)
        assert found["labels"].dtype == pydl.int64
        assert (found["scores"][1:] <= found["scores"][:-1]).all()
        assert (found["boxes"] >= 0).all()
        assert (found["boxes"][:, 2] <= image.shape[2] + 1e-3).all()
        if name == "mask":
            assert found["masks"].shape == (k, 1, *image.shape[1:])
        if name == "keypoint":
            assert found["keypoints"].shape == (k, 3, 3)
            assert found["keypoints_scores"].shape == (k, 3)
    again = MAKERS[name]().eval()
    again.load_state_dict(model.state_dict())
    for a, b in zip(results, again(images)):
        assert all(pydl.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", MAKERS)
def test_images_without_boxes(name: str) -> None:
    model = MAKERS[name]()
    images, targets = images_and_targets()
    empty = {k: v[:0] for k, v in targets[0].items()}
    for chosen in ([empty, targets[1]], [empty, empty]):
        losses = model(images, chosen)
        total = sum(losses.values())
        assert total.isfinite()
        total.backward()


@pytest.mark.parametrize("name", MAKERS)
def test_bad_calls(name: str) -> None:
    model = MAKERS[name]()
    images, targets = images_and_targets()
    with pytest.raises(ValueError, match="targets must be given"):
        model(images)
    with pytest.raises(ValueError, match="2 images"):
        model(images, targets[:1])
    with pytest.raises(ValueError, match="empty"):
        model([], [])

    def changed(**values: Any) -> list[Any]:
        return [{**targets[0], **values}, targets[1]]

    flat = pydl.tensor([[5.0, 5, 5, 9], [1, 1, 3, 3]])
    with pytest.raises(ValueError, match=r"positive width and height.*5.0, 5.0"):
        model(images, changed(boxes=flat))
    with pytest.raises(ValueError, match="positive"):
        model(images, changed(boxes=flat * math.nan))
    with pytest.raises(pydl.ShapeError, match="boxes"):
        model(images, changed(boxes=pydl.zeros(2, 5)))
    with pytest.raises(pydl.ShapeError, match="labels"):
        model(images, changed(labels=pydl.ones(3, dtype=pydl.int64)))
    with pytest.raises(TypeError, match="int64"):
        model(images, changed(labels=pydl.ones(2)))
    with pytest.raises(ValueError, match="boxes"):
        model(images, [{}, {}])
    with pytest.raises(pydl.ShapeError, match="images"):
        model.eval()([pydl.rand(1, 3, 64, 64)])
    with pytest.raises(TypeError, match="floating"):
        model([pydl.ones(3, 64, 64, dtype=pydl.uint8)])


def test_targets_of_masks_and_points() -> None:
    images, targets = images_and_targets()
    for name, key in (("mask", "masks"), ("keypoint", "keypoints")):
        without = [{k: v for k, v in t.items() if k != key} for t in targets]
        with pytest.raises(ValueError, match=key):
            MAKERS[name]()(images, without)


def test_constructors() -> None:
    for make in (D.FasterRCNN, D.RetinaNet, D.FCOS):
        with pytest.raises(ValueError, match="out_channels"):
            make(nn.ReLU(), 2)
    body = backbone()
    with pytest.raises(ValueError, match="one of num_classes"):
        D.FasterRCNN(body)
    with pytest.raises(ValueError, match="mask_predictor"):
        D.MaskRCNN(body, 2, mask_predictor=nn.ReLU())
    with pytest.raises(ValueError, match="mask_predictor"):
        D.MaskRCNN(body, box_predictor=nn.ReLU())
    with pytest.raises(ValueError, match="returned_layers"):
        D.mobilenet_backbone(backbone_name="mobilenet_v3_small", weights=None, fpn=True, returned_layers=[1, 9])
    with pytest.raises(ValueError, match="keypoint_predictor"):
        D.KeypointRCNN(body, 2, num_keypoints=3, keypoint_predictor=nn.ReLU())
    with pytest.raises(ValueError, match="one anchor"):
        D.FCOS(body, 2, anchor_generator=anchors(2))
    with pytest.raises(ValueError, match="aspect_ratios"):
        D.SSD(body, D.DefaultBoxGenerator([[2]]), (64, 64), 2)
    with pytest.raises(ValueError, match="anchors"):
        D.YOLO(body, 2, [[(1, 1)], []])
    with pytest.raises(TypeError, match="unknown"):
        D.RetinaNet(body, 2, colour=1)
    for options in ({"weights": "DEFAULT"}, {"pretrained": True}, {"pretrained": False, "pretrained_backbone": True}):
        with pytest.raises(ValueError, match="DEFAULT"):
            D.fasterrcnn_resnet50_fpn(**options)
    with pytest.raises(ValueError, match="trainable"):
        D.resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=6)


def test_frozen_stages() -> None:
    frozen = D.resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=2)
    trained = {n.split(".")[1] for n, p in frozen.named_parameters() if p.requires_grad and n.startswith("body")}
    assert trained == {"layer3", "layer4"}
    mobile = D.mobilenet_backbone(backbone_name="mobilenet_v3_small", weights=None, fpn=False, trainable_layers=1)
    assert mobile(pydl.rand(1, 3, 64, 64)).shape == (1, 256, 2, 2)
    with pytest.warns(UserWarning, match="without weights"):
        D._build.Source("f", False, None, 2).stages(5, 3)


def test_transform() -> None:
    move = D.GeneralizedRCNNTransform((40, 80), 100, [0.5] * 3, [0.25] * 3).eval()
    image = pydl.rand(3, 30, 45)
    target = {
        "boxes": pydl.tensor([[3.0, 6, 9, 12]]),
        "keypoints": pydl.tensor([[[3.0, 6, 1]]]),
        "masks": pydl.ones(1, 30, 45),
    }
    batch, moved = move([image, pydl.rand(3, 20, 20)], [target, target])
    assert batch.image_sizes == [(66, 100), (80, 80)]  # the longer side is the limit; the shorter one is
    assert batch.tensors.shape == (2, 3, 96, 128)
    assert (batch.tensors[1, :, 80:] == 0).all()
    assert moved is not None
    np.testing.assert_allclose(moved[0]["boxes"].numpy(), [[3 * 100 / 45, 6 * 2.2, 20, 12 * 2.2]], rtol=1e-6)
    np.testing.assert_allclose(moved[0]["keypoints"].numpy(), [[[3 * 100 / 45, 6 * 2.2, 1]]], rtol=1e-6)
    assert moved[0]["masks"].shape == (1, 66, 100)
    back = move.postprocess([{"boxes": moved[0]["boxes"]}], [(66, 100)], [(30, 45)])
    np.testing.assert_allclose(back[0]["boxes"].numpy(), target["boxes"].numpy(), rtol=1e-6)
    move.train()
    sizes = {move([image])[0].image_sizes[0][0] for _ in range(20)}
    assert sizes == {40, 66}


def test_pasted_masks() -> None:
    mask = pydl.ones(1, 1, 4, 4)
    out = transform.paste_masks(mask, pydl.tensor([[2.0, 1, 6, 5]]), (8, 9))
    assert out.shape == (1, 1, 8, 9)
    assert (out[0, 0, 2:5, 3:6] == 1).all()
    assert (out[0, 0, 6:] == 0).all()
    assert transform.paste_masks(mask, pydl.tensor([[-50.0, -50, -40, -40]]), (8, 9)).sum() == 0
    assert transform.paste_masks(mask[:0], pydl.zeros(0, 4), (8, 9)).shape == (0, 1, 8, 9)


def test_sampler() -> None:
    labels = [pydl.tensor([1.0] * 30 + [0.0] * 50 + [-1.0] * 5), pydl.tensor([0.0] * 3 + [2.0])]
    positive, negative = D.BalancedPositiveNegativeSampler(20, 0.25)(labels)
    assert [int(m.sum()) for m in positive] == [5, 1]
    assert [int(m.sum()) for m in negative] == [15, 3]
    assert not positive[0][30:].any()
    assert not (negative[0][:30].any() or negative[0][80:].any())


def test_linear_codes() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 9, (2, 5, 2))
    boxes, references = (
        pydl.tensor(np.concatenate([corner + d, corner + d + rng.uniform(1, 9, (2, 5, 2))], 2)) for d in (0, 1)
    )
    for normal in (True, False):
        coder = D.BoxLinearCoder(normal)
        codes = coder.encode(references, boxes)
        np.testing.assert_allclose(coder.decode(codes, references).numpy(), boxes.numpy(), rtol=1e-10)


def test_ssd_matcher_keeps_the_best_of_each_truth() -> None:
    quality = pydl.tensor([[0.1, 0.4, 0.2], [0.7, 0.3, 0.45]])
    assert D.SSDMatcher(0.5)(quality).tolist() == [1, 0, -1]


def test_default_boxes() -> None:
    boxes = D.DefaultBoxGenerator([[2], [3]], min_ratio=0.2, max_ratio=0.4)
    assert boxes.num_anchors_per_location() == [4, 4]
    found = boxes(pydl.zeros(1, 3, 40, 80), [pydl.zeros(1, 1, 2, 2), pydl.zeros(1, 1, 1, 1)])[0]
    assert found.shape == (20, 4)
    sides = ((found[:, 2:] - found[:, :2]) / pydl.tensor([80.0, 40.0])).numpy()
    r = math.sqrt(0.2 * 0.4)
    expected = [[0.2, 0.2], [r, r], [0.2 * 2**0.5, 0.2 / 2**0.5], [0.2 / 2**0.5, 0.2 * 2**0.5]]
    np.testing.assert_allclose(sides[:4], expected, rtol=1e-5)
    centres = ((found[:, 2:] + found[:, :2]) / 2).tolist()
    np.testing.assert_allclose([centres[4], centres[16]], [[60, 10], [40, 20]], rtol=1e-5)
    with pytest.raises(ValueError, match="steps"):
        D.DefaultBoxGenerator([[2]], steps=[8, 16])


def test_losses_of_regions() -> None:
    rng = np.random.default_rng(0)
    logits, offsets = rng.standard_normal((4, 3)), rng.standard_normal((4, 12))
    labels, wanted = np.array([0, 2, 1, 0]), rng.standard_normal((4, 4))
    got = roi_heads.fastrcnn_loss(
        pydl.tensor(logits), pydl.tensor(offsets), [pydl.tensor(labels[:1]), pydl.tensor(labels[1:])],
        [pydl.tensor(wanted[:1]), pydl.tensor(wanted[1:])],
    )  # fmt: skip
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    difference = np.abs(np.stack([offsets[1, 8:12], offsets[2, 4:8]]) - wanted[1:3])
    smooth = np.where(difference < 1 / 9, 0.5 * 9 * difference**2, difference - 0.5 / 9)
    assert got[0].item() == pytest.approx(-np.log(chances[np.arange(4), labels]).mean())
    assert got[1].item() == pytest.approx(smooth.sum() / 4)
    cells, valid = roi_heads.keypoints_to_heatmap(
        pydl.tensor([[[4.0, 2, 1], [6, 6, 1], [7, 3, 1], [4, 2, 0]]]), pydl.tensor([[2.0, 2, 6, 6]]), 4
    )
    assert cells.tolist() == [[2, 15, 0, 0]]
    assert valid.tolist() == [[True, True, False, False]]


def test_centre_ness_and_levels_of_fcos() -> None:
    model = MAKERS["fcos"]()
    maps = [pydl.zeros(1, 1, 8, 8), pydl.zeros(1, 1, 4, 4), pydl.zeros(1, 1, 2, 2)]
    generator = D.AnchorGenerator(((8,), (16,), (32,)), ((1.0,),) * 3)
    places = generator(pydl.zeros(1, 3, 64, 64), maps)[0]
    match = model._match(places, pydl.tensor([[6.0, 6, 27, 27], [0, 0, 64, 64]]), [64, 16, 4])
    centres = (places[:, :2] + places[:, 2:]) / 2
    inside = (centres - 16.5).abs().amax(1) < 1.5 * 8
    assert set(match[:64][inside[:64]].tolist()) == {0}  # the small box on the finest level, near its centre
    assert set(match[:64][~inside[:64]].tolist()) <= {-1, 1}
    assert (match[:64] == 1).any()
    assert (match[64:] == -1).all()  # whose boxes begin at sides of four anchors


KEYS = {
    "fasterrcnn_resnet50_fpn": "backbone.body.layer4.2.conv3.weight backbone.fpn.inner_blocks.3.0.bias rpn.head.conv.0.0.weight "
    "rpn.head.bbox_pred.bias roi_heads.box_head.fc7.bias roi_heads.box_predictor.cls_score.weight",
    "retinanet_resnet50_fpn": "backbone.fpn.extra_blocks.p6.weight head.classification_head.conv.3.0.bias "
    "head.regression_head.bbox_reg.weight head.classification_head.cls_logits.bias",
    "ssdlite320_mobilenet_v3_large": "backbone.features.0.13.0.weight backbone.features.1.0.2.fc1.weight backbone.extra.3.2.0.weight "
    "head.classification_head.module_list.5.1.bias head.regression_head.module_list.0.0.1.running_mean",
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.usefixtures("untouched")
def test_keys(name: str) -> None:
    model = getattr(D, name)()
    assert set(KEYS[name].split()) <= set(model.state_dict())


def test_older_keys() -> None:
    head, other = D.RPNHead(4, 2), D.RPNHead(4, 2)
    head.load_state_dict({k.replace("conv.0.0.", "conv."): v for k, v in other.state_dict().items()})
    assert pydl.equal(head.conv[0][0].weight, other.conv[0][0].weight)
    masks, more = D.MaskRCNNHeads(4, [5, 6], 1), D.MaskRCNNHeads(4, [5, 6], 1)
    names = {"0.0": "mask_fcn1", "1.0": "mask_fcn2"}
    masks.load_state_dict({names[k[:3]] + k[3:]: v for k, v in more.state_dict().items()})
    assert pydl.equal(masks[1][0].weight, more[1][0].weight)
    retina, old = D.RetinaNetHead(4, 2, 3), D.RetinaNetHead(4, 2, 3)
    state = {}
    for k, v in old.state_dict().items():
        parts = k.split(".")
        if parts[1] == "conv":
            k = ".".join([parts[0], "conv", str(2 * int(parts[2])), parts[4]])
        state[k] = v
    retina.load_state_dict(state)
    assert pydl.equal(retina.regression_head.conv[3][0].weight, old.regression_head.conv[3][0].weight)


def test_small_model_of_each_builder() -> None:
    model = D.yolo(num_classes=3, width=8)
    assert model.head([pydl.zeros(1, 32, 4, 4)]).shape == (1, 48, 8)
    with pytest.warns(UserWarning, match="size is ignored"):
        lite = D.ssdlite320_mobilenet_v3_large(num_classes=3, size=7).eval()
    assert sorted(lite([pydl.rand(3, 40, 50)])[0]) == ["boxes", "labels", "scores"]


def test_region_proposal_network_learns_where_objects_are() -> None:
    """Alone, on one image: its losses fall, and its best proposal finds the object."""
    pydl.manual_seed(0)
    generator = D.AnchorGenerator(((12.0,), (24.0,)), ((1.0,), (1.0,)))
    counts = {"training": 100, "testing": 20}
    rpn = D.RegionProposalNetwork(generator, D.RPNHead(8, 1), 0.7, 0.3, 64, 0.5, counts, counts, 0.7)
    images = D.ImageList(pydl.zeros(1, 3, 64, 64), [(64, 64)])
    features = {"0": pydl.randn(1, 8, 16, 16), "1": pydl.randn(1, 8, 8, 8)}
    truth = pydl.tensor([[20.0, 24, 42, 50]])
    optimizer = pydl.optim.Adam(rpn.parameters(), lr=0.02)
    seen = []
    for _ in range(60):
        proposals, losses = rpn(images, features, [{"boxes": truth}])
        assert set(losses) == {"loss_objectness", "loss_rpn_box_reg"}
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        seen.append(float(sum(losses.values())))
    assert seen[-1] < 0.3 * seen[0]
    proposals, losses = rpn.eval()(images, features)
    assert losses == {} and len(proposals) == 1 and proposals[0].shape[1] == 4 and len(proposals[0]) <= 40
    assert float(pydl.vision.ops.box_iou(proposals[0][:3], truth).max()) > 0.7
    assert proposals[0].min() >= 0 and proposals[0].max() <= 64


def test_signatures() -> None:
    """Classes that hand their arguments on show them, as torchvision's do; builders show their own."""
    for kind, own in ((D.MaskRCNN, "mask"), (D.KeypointRCNN, "keypoint")):
        shown = inspect.signature(kind).parameters
        assert {"rpn_nms_thresh", "box_detections_per_img", f"{own}_roi_pool", f"{own}_predictor"} <= set(shown)
        assert list(shown)[:4] == ["backbone", "num_classes", "min_size", "max_size"]
        assert list(shown)[-1] == "kwargs"
    assert inspect.signature(D.KeypointRCNN).parameters["min_size"].default is None
    assert inspect.signature(D.MaskRCNN).parameters["min_size"].default == 800
    names = ["weights", "progress", "num_classes", "weights_backbone", "trainable_backbone_layers", "kwargs"]
    assert list(inspect.signature(D.fcos_resnet50_fpn).parameters) == names
    assert list(inspect.signature(D.keypointrcnn_resnet50_fpn).parameters) == [*names[:3], "num_keypoints", *names[3:]]
    small = D.fasterrcnn_mobilenet_v3_large_320_fpn(num_classes=3)
    assert (small.transform.min_size, small.rpn._pre_nms_top_n["testing"]) == ((320,), 150)
    assert small.roi_heads.box_predictor.cls_score.out_features == 3


def test_ssd_takes_the_hardest_backgrounds() -> None:
    """Three for each positive box, of each image by itself; none where there is no positive one."""
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((3, 40, 4)), np.zeros((3, 40), int)
    labels[0, [3, 7]], labels[1, 5] = [1, 3], 2
    loss = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, labels[..., None], 2)[..., 0]
    wanted = sum(
        row[at > 0].sum() + np.sort(row[at == 0])[::-1][: 3 * (at > 0).sum()].sum() for row, at in zip(loss, labels)
    )
    got = MAKERS["ssd"]()._class_loss(pydl.tensor(logits), pydl.tensor(labels))
    assert got.item() == pytest.approx(wanted)
