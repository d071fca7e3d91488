"""pydl.vision.ops above its kernels: boxes, modules, threads; torchvision's formulas by NumPy or plain pydl."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pydl
from pydl.autograd import gradcheck
from pydl.vision import ops

RNG = np.random.default_rng(0)


def boxes_of(n: int, size: float = 20.0, dtype: str = "float64") -> np.ndarray:
    corner = RNG.uniform(0, size, (n, 2))
    return np.concatenate([corner, corner + RNG.uniform(0.5, size, (n, 2))], 1).astype(dtype)


def overlaps(a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    a, b = a[:, None], b[None]
    common = np.maximum(0, np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - common
    hull = np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])
    iou = common / union
    distance = (((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2) ** 2).sum(-1) / ((hull**2).sum(-1) + 1e-7)
    shape = [np.arctan((t[..., 2] - t[..., 0]) / (t[..., 3] - t[..., 1])) for t in (a, b)]
    v = 4 / math.pi**2 * (shape[0] - shape[1]) ** 2
    return {
        "box_iou": iou,
        "generalized_box_iou": iou - (hull.prod(-1) - union) / hull.prod(-1),
        "distance_box_iou": iou - distance,
        "complete_box_iou": iou - distance - v * v / (1 - iou + v + 1e-7),
    }


@pytest.mark.parametrize("name", ["box_iou", "generalized_box_iou", "distance_box_iou", "complete_box_iou"])
def test_overlaps(name: str) -> None:
    a, b = boxes_of(7), boxes_of(5)
    expected = overlaps(a, b)[name]
    np.testing.assert_allclose(getattr(ops, name)(pydl.tensor(a), pydl.tensor(b)).numpy(), expected, rtol=1e-10)
    assert getattr(ops, name)(pydl.zeros(0, 4), pydl.zeros(3, 4)).shape == (0, 3)
    with pytest.raises(pydl.ShapeError, match=name):
        getattr(ops, name)(pydl.zeros(4), pydl.zeros(3, 4))
    if name == "box_iou":
        return
    loss = getattr(ops, name + "_loss")
    rows = loss(pydl.tensor(a[:5]), pydl.tensor(b))
    np.testing.assert_allclose(rows.numpy(), 1 - np.diag(overlaps(a[:5], b)[name]), rtol=1e-5)
    assert loss(pydl.tensor(a[:5]), pydl.tensor(b), reduction="sum").item() == pytest.approx(rows.sum().item())
    assert loss(pydl.zeros(0, 4), pydl.zeros(0, 4), reduction="mean").item() == 0
    x = pydl.tensor(a[:3]).requires_grad_()
    if name != "complete_box_iou":  # whose alpha is a constant by definition
        assert gradcheck(lambda x: loss(x, pydl.tensor(b[:3])), [x])
    with pytest.raises(ValueError, match="reduction"):
        loss(x, x, reduction="max")
    with pytest.raises(pydl.ShapeError, match="same sizes"):
        loss(x, x[:2])


def test_box_formats() -> None:
    xyxy = boxes_of(6)
    size = xyxy[:, 2:] - xyxy[:, :2]
    forms = {"xyxy": xyxy, "xywh": np.hstack([xyxy[:, :2], size]), "cxcywh": np.hstack([xyxy[:, :2] + size / 2, size])}
    for a, given in forms.items():
        np.testing.assert_allclose(ops.box_area(pydl.tensor(given), a).numpy(), size.prod(1), rtol=1e-12)
        np.testing.assert_allclose(
            ops.box_iou(pydl.tensor(given), pydl.tensor(given), a).numpy(), overlaps(xyxy, xyxy)["box_iou"], rtol=1e-9
        )
        for b, wanted in forms.items():
            np.testing.assert_allclose(ops.box_convert(pydl.tensor(given), a, b).numpy(), wanted, rtol=1e-12)
    with pytest.raises(ValueError, match="in_fmt"):
        ops.box_convert(pydl.zeros(1, 4), "xyzw", "xyxy")
    counts = pydl.tensor([[0, 0, 2**17, 2**17]])
    assert ops.box_area(counts.to(pydl.float16)).isinf().all()  # the sides themselves do not fit
    assert ops.box_iou(counts, counts).dtype == pydl.float32
    assert ops.box_iou(pydl.zeros(1, 4), pydl.zeros(1, 4)).isnan().all()


def test_boxes_with_angles() -> None:
    rng = np.random.default_rng(1)
    centre, size, angle = rng.uniform(0, 50, (6, 2)), rng.uniform(1, 20, (6, 2)), rng.uniform(-170, 170, 6)
    r = np.deg2rad(angle)
    # Counter-clockwise as it is seen, with y pointing down
    turn = np.stack([np.stack([np.cos(r), np.sin(r)], -1), np.stack([-np.sin(r), np.cos(r)], -1)], 1)
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    corners = centre[:, None] + np.einsum("nij,kj,nj->nki", turn, signs, size)
    forms = {
        "cxcywhr": np.hstack([centre, size, angle[:, None]]), "xywhr": np.hstack([corners[:, 0], size, angle[:, None]]),
        "xyxyxyxy": corners.reshape(6, 8),
    }  # fmt: skip
    for a, given in forms.items():
        for b, wanted in forms.items():
            got = ops.box_convert(pydl.tensor(given), a, b).numpy()
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)
            assert ops.box_convert(pydl.tensor(given[:0]), a, b).shape == (0, wanted.shape[1])
    whole = ops.box_convert(pydl.tensor([[10, 10, 4, 2, 90]]), "cxcywhr", "xyxyxyxy")
    assert whole.tolist() == [[9, 12, 9, 8, 11, 8, 11, 12]]
    with pytest.raises(NotImplementedError, match="xywhr"):
        ops.box_convert(pydl.zeros(1, 4), "xyxy", "xywhr")
    with pytest.raises(pydl.ShapeError, match=r"\(N, 5\)"):
        ops.box_convert(pydl.zeros(1, 4), "xywhr", "xyxyxyxy")


def test_small_ones() -> None:
    boxes = pydl.tensor([[-3.0, -2.0, 4.0, 5.0], [1.0, 1.0, 1.5, 9.0]])
    assert ops.clip_boxes_to_image(boxes, (4, 3)).tolist() == [[0, 0, 3, 4], [1, 1, 1.5, 4]]
    assert ops.remove_small_boxes(boxes, 1.0).tolist() == [0]
    masks = pydl.zeros(3, 4, 5)
    masks[0, 1:3, 2:4] = 1
    masks[2, 3, 4] = -1
    assert ops.masks_to_boxes(masks).tolist() == [[2, 1, 3, 2], [0, 0, 0, 0], [4, 3, 4, 3]]
    assert ops.masks_to_boxes(pydl.zeros(0, 4, 5)).shape == (0, 4)


def digest(f: Any, inputs: list[Any]) -> tuple[bytes, ...]:
    y = f(*inputs)
    leaves = [t for t in inputs if t.requires_grad]
    grads = (
        pydl.autograd.grad([y], leaves, [pydl.sin(pydl.arange(float(y.numel()))).reshape(y.shape)]) if leaves else []
    )
    return tuple(t.detach().numpy().tobytes() for t in (y, *grads))


@pytest.mark.parametrize(
    "name", ["roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d", "nms", "soft_nms"]
)
def test_bits_do_not_depend_on_threads(name: str) -> None:
    boxes = pydl.tensor(boxes_of(300, 40.0, "float32"))
    scores = pydl.tensor(RNG.uniform(0, 1, 300).astype("float32"))
    x = pydl.tensor(RNG.standard_normal((2, 160, 30, 30)).astype("float32")).requires_grad_()
    rows = pydl.cat([pydl.arange(300.0)[:, None] % 2, boxes], 1)
    calls: dict[str, Any] = {
        "nms": (lambda b, s: ops.batched_nms(b, s, pydl.arange(300) % 7, 0.3), [boxes, scores]),
        "soft_nms": (lambda b, s: ops.soft_nms(b, s)[1], [boxes, scores]),
    }
    if name == "deform_conv2d":
        offset = pydl.tensor(RNG.standard_normal((2, 36, 30, 30)).astype("float32")).requires_grad_()
        mask = pydl.tensor(RNG.uniform(0, 1, (2, 18, 30, 30)).astype("float32")).requires_grad_()
        weight = pydl.tensor(RNG.standard_normal((8, 80, 3, 3)).astype("float32")).requires_grad_()
        call = (lambda x, o, w, m: ops.deform_conv2d(x, o, w, padding=1, mask=m), [x, offset, weight, mask])
    else:
        call = calls.get(name) or (lambda x, r: getattr(ops, name)(x, r, 4, 0.5), [x, rows])
    found = set()
    for threads in (1, 2, 3, 4):
        pydl.set_num_threads(threads)
        found.add(digest(*call))
    assert len(found) == 1


@pytest.mark.parametrize("groups, bias", [(1, True), (2, False), (4, True)])
def test_deformable_convolution_without_offset(groups: int, bias: bool) -> None:
    x = pydl.tensor(RNG.standard_normal((2, 8, 9, 7)))
    layer = ops.DeformConv2d(8, 12, 3, stride=2, padding=1, dilation=2, groups=groups, bias=bias).double()
    plain = pydl.conv2d(x, layer.weight, layer.bias, 2, 1, 2, groups)
    offset = pydl.zeros(2, 2 * 9 * 2, *plain.shape[2:], dtype=pydl.float64)
    np.testing.assert_allclose(layer(x, offset).detach().numpy(), plain.detach().numpy(), rtol=1e-10, atol=1e-12)
    mask = pydl.full((2, 18, *plain.shape[2:]), 0.5, dtype=pydl.float64)
    halved = pydl.conv2d(x, layer.weight, None, 2, 1, 2, groups) / 2
    got = ops.deform_conv2d(x, offset, layer.weight, None, 2, 1, 2, mask)
    np.testing.assert_allclose(got.detach().numpy(), halved.detach().numpy(), rtol=1e-10, atol=1e-12)
    with pytest.raises(pydl.ShapeError, match="weight"):
        ops.deform_conv2d(x, offset, layer.weight[:, :, 0])
    with pytest.raises(pydl.ShapeError, match="bias"):
        ops.deform_conv2d(x, offset, layer.weight, pydl.zeros(5))


def test_deformable_convolution_gradients() -> None:
    x, w = pydl.randn(1, 4, 3, 3, dtype=pydl.float64), pydl.randn(2, 2, 2, 2, dtype=pydl.float64)
    offset, mask = pydl.rand(1, 8, 2, 2, dtype=pydl.float64), pydl.rand(1, 4, 2, 2, dtype=pydl.float64)
    inputs = [t.requires_grad_() for t in (x, offset, w, mask)]
    assert gradcheck(lambda x, o, w, m: ops.deform_conv2d(x, o, w, mask=m), inputs)


def test_regions_of_lists_and_halves() -> None:
    x = pydl.tensor(RNG.standard_normal((2, 3, 8, 8)).astype("float32"))
    parts = [pydl.tensor(boxes_of(2, 5.0, "float32")), pydl.tensor(boxes_of(3, 5.0, "float32"))]
    rows = pydl.cat([pydl.tensor([[0.0], [0], [1], [1], [1]]), pydl.cat(parts)], 1)
    assert pydl.equal(ops.roi_align(x, parts, 3), ops.roi_align(x, rows, (3, 3)))
    half = ops.RoIAlign(3, 1.0, 2)(x.half(), rows)
    assert half.dtype == pydl.float16
    np.testing.assert_allclose(half.float().numpy(), ops.roi_align(x, rows, 3, 1.0, 2).numpy(), rtol=2e-2, atol=2e-2)
    assert ops.roi_pool(x, [], 2).shape == (0, 3, 2, 2)
    with pytest.raises(pydl.ShapeError, match="each of boxes"):
        ops.roi_align(x, [pydl.zeros(3, 5)], 2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, -1e30, 1e300])
def test_hostile_boxes(value: float) -> None:
    x = pydl.ones(1, 4, 5, 5, dtype=pydl.float64)
    rows = pydl.zeros(2, 5, dtype=pydl.float64)
    for columns in ((1, 2), (3, 4), (1, 2, 3, 4), (3,)):
        boxes = rows.clone()
        boxes[:, list(columns)] = value
        for f in (ops.roi_align, ops.roi_pool, ops.ps_roi_align, ops.ps_roi_pool):
            assert f(x, boxes, 2).shape[0] == 2
        assert ops.nms(boxes[:, 1:], pydl.ones(2), 0.5).numel() in (1, 2)
        assert ops.soft_nms(boxes[:, 1:], pydl.full((2,), value))[0].numel() <= 2
    y = ops.deform_conv2d(
        x, pydl.full((1, 2, 5, 5), value, dtype=pydl.float64), pydl.ones(1, 4, 1, 1, dtype=pydl.float64)
    )
    assert (y == 0).all()


def test_regions_of_a_pyramid() -> None:
    maps = {
        n: pydl.tensor(RNG.standard_normal((2, 3, s, s)).astype("float32")) for n, s in (("0", 32), ("1", 16), ("x", 9))
    }
    boxes = [pydl.tensor([[0.0, 0, 300, 300], [0, 0, 30, 30]]), pydl.tensor([[10.0, 20, 140, 180]])]
    pool = ops.MultiScaleRoIAlign(["0", "1"], 3, 2)
    got = pool(maps, boxes, [(256, 256), (200, 256)])
    # Scales 1/8 and 1/16: levels 3 and 4, of which sides of 224 belong to 4.
    for k, (image, box, level) in enumerate([(0, boxes[0][0], "1"), (0, boxes[0][1], "0"), (1, boxes[1][0], "0")]):
        scale = 1 / 8 if level == "0" else 1 / 16
        alone = ops.roi_align(maps[level][image : image + 1], [box[None]], 3, scale, 2)
        assert pydl.equal(got[k], alone[0])
    assert pool(maps, [pydl.zeros(0, 4), pydl.zeros(0, 4)], [(256, 256)]).shape == (0, 3, 3, 3)
    assert pool(maps, [pydl.full((1, 4), math.nan)], [(256, 256)]).shape == (1, 3, 3, 3)
    with pytest.raises(ValueError, match="at least one image"):
        pool(maps, boxes, [])


def test_anchors() -> None:
    generator = ops.AnchorGenerator(((8, 16), (32,)), ((0.5, 1.0), (2.0,)))
    assert generator.num_anchors_per_location() == [4, 1]
    maps = [pydl.zeros(2, 1, 4, 6), pydl.zeros(2, 1, 2, 3)]
    first, second = generator(pydl.zeros(2, 3, 32, 48), maps)
    assert pydl.equal(first, second)
    assert first.shape == (4 * 6 * 4 + 6, 4)
    sides = (first[:, 2:] - first[:, :2]).tolist()
    assert sides[0] == [2 * round(8 / math.sqrt(0.5) / 2), 2 * round(8 * math.sqrt(0.5) / 2)]
    assert sides[3] == [16, 16]
    centres = ((first[:, 2:] + first[:, :2]) / 2).tolist()
    assert centres[4] == [8, 0]
    assert centres[6 * 4] == [0, 8]
    with pytest.raises(ValueError, match="levels"):
        generator(pydl.zeros(2, 3, 32, 48), maps[:1])


def test_codes_of_boxes() -> None:
    coder = ops.BoxCoder((10.0, 10.0, 5.0, 5.0))
    boxes, references = pydl.tensor(boxes_of(6)), pydl.tensor(boxes_of(6))
    codes = coder.encode_single(boxes, references)
    np.testing.assert_allclose(coder.decode_single(codes, references).numpy(), boxes.numpy(), rtol=1e-10)
    parts = coder.encode([boxes[:2], boxes[2:]], [references[:2], references[2:]])
    assert pydl.equal(pydl.cat(parts), codes)
    both = coder.decode(pydl.cat([codes, codes * 0], 1), [references[:2], references[2:]])
    assert both.shape == (6, 2, 4)
    np.testing.assert_allclose(both[:, 1].numpy(), references.numpy(), rtol=1e-12)
    far = coder.decode_single(pydl.full((6, 4), 1e9, dtype=pydl.float64), references)
    ratio = (far[:, 2] - far[:, 0]) / (references[:, 2] - references[:, 0])
    np.testing.assert_allclose(ratio.numpy(), 1000 / 16, rtol=1e-6)
    assert coder.decode(pydl.zeros(0, 8), [pydl.zeros(0, 4)]).shape == (0, 2, 4)
    with pytest.raises(pydl.ShapeError):
        coder.decode_single(pydl.zeros(6, 3), references)


def test_matcher() -> None:
    quality = pydl.tensor([[0.9, 0.1, 0.2, 0.35], [0.2, 0.5, 0.1, 0.35], [0.0, 0.2, 0.25, 0.25]])
    assert ops.Matcher(0.7, 0.3)(quality).tolist() == [0, -2, -1, -2]
    assert ops.Matcher(0.7, 0.3, True)(quality).tolist() == [0, 1, 2, 0]
    for shape in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match="available"):
            ops.Matcher(0.7, 0.3)(pydl.zeros(*shape))


def test_layers() -> None:
    x = pydl.randn(2, 8, 6, 6)
    block = ops.Conv2dNormActivation(8, 4, 3, dilation=2)
    assert block(x).shape == (2, 4, 6, 6)
    assert [k for k in block.state_dict() if "weight" in k] == ["0.weight", "1.weight"]
    assert block[0].bias is None
    assert ops.Conv2dNormActivation(8, 4, (3, 5), norm_layer=None)(x).shape == (2, 4, 6, 6)
    excite = ops.SqueezeExcitation(8, 2)
    scale = pydl.sigmoid(excite.fc2(pydl.relu(excite.fc1(x.mean((2, 3), keepdim=True)))))
    np.testing.assert_allclose(excite(x).detach().numpy(), (x * scale).detach().numpy(), rtol=1e-5)
    assert {k: tuple(v.shape) for k, v in excite.state_dict().items()} == {
        "fc1.weight": (2, 8, 1, 1), "fc1.bias": (2,), "fc2.weight": (8, 2, 1, 1), "fc2.bias": (8,)
    }  # fmt: skip
    norm = pydl.nn.BatchNorm2d(8).eval()
    for t in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        t.uniform_(0.5, 2)
    frozen = ops.FrozenBatchNorm2d(8)
    frozen.load_state_dict(norm.state_dict())
    np.testing.assert_allclose(frozen(x).numpy(), norm(x).detach().numpy(), rtol=1e-4, atol=1e-5)
    assert [type(m).__name__ for m in ops.MLP(3, [4, 5], pydl.nn.LayerNorm, dropout=0.1)] == [
        "Linear", "LayerNorm", "ReLU", "Dropout", "Linear", "Dropout"
    ]  # fmt: skip


def test_pyramid() -> None:
    pyramid = ops.FeaturePyramidNetwork([4, 6], 5, ops.feature_pyramid_network.LastLevelP6P7(6, 5))
    keys = set(pyramid.state_dict())
    assert {"inner_blocks.0.0.weight", "layer_blocks.1.0.bias", "extra_blocks.p6.weight"} <= keys
    x = {"a": pydl.randn(1, 4, 9, 8), "b": pydl.randn(1, 6, 5, 4)}
    out = pyramid(x)
    assert {k: tuple(v.shape[2:]) for k, v in out.items()} == {"a": (9, 8), "b": (5, 4), "p6": (3, 2), "p7": (2, 1)}
    top = pyramid.inner_blocks[1](x["b"])
    fine = pyramid.inner_blocks[0](x["a"]) + pydl.nn.functional.interpolate(top, size=(9, 8), mode="nearest")
    assert pydl.equal(out["a"], pyramid.layer_blocks[0](fine))
    old = {k.replace(".0.weight", ".weight").replace(".0.bias", ".bias"): v for k, v in pyramid.state_dict().items()}
    pyramid.load_state_dict(old)
    with pytest.raises(ValueError, match="in_channels_list"):
        ops.FeaturePyramidNetwork([0], 4)
    with pytest.raises(TypeError, match="extra_blocks"):
        ops.FeaturePyramidNetwork([2], 4, pydl.nn.ReLU())


def test_dropping() -> None:
    pydl.manual_seed(0)
    x = pydl.ones(4000, 3)
    rows = ops.stochastic_depth(x, 0.25, "row")
    assert (rows == rows[:, :1]).all()
    assert rows[:, 0].unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert rows.mean().item() == pytest.approx(1, abs=0.05)
    assert len(ops.stochastic_depth(x, 0.5, "batch").unique()) == 1
    assert (ops.stochastic_depth(x, 1.0, "batch") == 0).all()
    for bad in ((1.5, "row"), (-0.1, "row"), (0.5, "column")):
        with pytest.raises(ValueError, match="stochastic_depth"):
            ops.StochasticDepth(*bad)
    dropped = ops.drop_block2d(pydl.ones(64, 4, 20, 20), 0.1, 5)
    assert dropped.mean().item() == pytest.approx(1, abs=1e-3)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.1, abs=0.02)
    assert ops.DropBlock3d(0.2, 3)(pydl.ones(2, 2, 6, 6, 6)).shape == (2, 2, 6, 6, 6)
    with pytest.raises(ValueError, match="odd"):
        ops.drop_block2d(pydl.ones(1, 1, 8, 8), 0.5, 4)


def test_points() -> None:
    maps = pydl.zeros(2, 2, 8, 8)
    maps[0, 0, 2, 5] = maps[1, 1, 7, 0] = 1.0
    points, scores = ops.heatmaps_to_keypoints(maps, pydl.tensor([[0.0, 0, 8, 8], [10, 20, 18, 36]]))
    assert points[0, 0].tolist() == [5.5, 2.5, 1]
    assert points[1, 1, 0].item() == pytest.approx(10.5)
    assert abs(points[1, 1, 1].item() - 35) <= 1
    assert scores[0, 0].item() == pytest.approx(1)
    assert ops.heatmaps_to_keypoints(pydl.zeros(0, 3, 4, 4), pydl.zeros(0, 4))[0].shape == (0, 3, 3)
    sharp = ops.spatial_soft_argmax2d(maps, temperature=1000.0, normalized_coordinates=False)
    assert sharp[0, 0].tolist() == pytest.approx([5, 2])
    corner = ops.spatial_soft_argmax2d(maps, 1000.0)[1, 1].tolist()
    assert corner == pytest.approx([-1, 1])
    x = pydl.randn(1, 2, 3, 3, dtype=pydl.float64, requires_grad=True)
    assert gradcheck(ops.spatial_soft_argmax2d, [x])


def test_points_of_halves_keep_their_places() -> None:
    """float16 has no odd numbers beyond 2048."""
    maps = pydl.zeros(1, 1, 4, 4)
    maps[0, 0, 1, 2] = 1.0
    rois = pydl.tensor([[3000.0, 5000, 3004, 5004]])
    for dtype in (pydl.float16, pydl.bfloat16):
        points, scores = ops.heatmaps_to_keypoints(maps.to(dtype), rois)
        assert points.dtype == scores.dtype == pydl.float32
        assert points[0, 0].tolist() == [3002.5, 5001.5, 1]
    assert ops.heatmaps_to_keypoints(maps.double(), rois)[0].dtype == pydl.float64
    with pytest.raises(pydl.ShapeError):
        ops.heatmaps_to_keypoints(maps, pydl.tensor([[0.0, 0, math.inf, 4]]))


def test_groups_may_be_numbers_of_any_kind() -> None:
    boxes = pydl.tensor([[0.0, 0, 4, 4], [0, 0, 4, 3], [0, 0, 4, 4]])
    scores = pydl.tensor([0.5, 0.9, 0.7])
    assert ops.batched_nms(boxes, scores, pydl.tensor([0.25, 0.75, 0.25]), 0.5).tolist() == [1, 2]
    assert ops.batched_nms(boxes, scores, pydl.tensor([True, False, True]), 0.5).tolist() == [1, 2]
    assert ops.batched_nms(boxes[:0], scores[:0], pydl.zeros(0), 0.5).shape == (0,)


def test_samples_beyond_the_map_count_zero() -> None:
    """Those up to the map's size are its last row; those of a longer region are nothing, they do not repeat it."""
    x = pydl.full((1, 1, 4, 4), 8.0)
    rows = pydl.tensor([[0.0, 0, 3.5, 4, 4.5]])  # rows at 3.625, 3.875, 4.125, 4.375
    assert ops.roi_align(x, rows, (4, 1), sampling_ratio=1)[0, 0, :, 0].tolist() == [8, 8, 0, 0]
    rows = pydl.tensor([[0.0, 0, -1.5, 4, 0.5]])  # -1.25, -0.75, -0.25, 0.25
    assert ops.roi_align(x, rows, (4, 1), sampling_ratio=1)[0, 0, :, 0].tolist() == [0, 8, 8, 8]


def test_regions_of_very_many_bins() -> None:
    x = RNG.standard_normal((1, 2, 3, 40))
    got = ops.roi_align(pydl.tensor(x), pydl.tensor([[0.0, 2.0, 0, 33.0, 2]], dtype=pydl.float64), (300, 700), 1.0, 1)
    places = 2 + 31 * (np.arange(700) + 0.5) / 700
    along = np.stack([[np.interp(places, np.arange(40), row) for row in plane] for plane in x[0]])
    down = 2 * (np.arange(300) + 0.5) / 300
    expected = np.stack([np.stack([np.interp(down, np.arange(3), c) for c in plane.T], 1) for plane in along])
    np.testing.assert_allclose(got[0].numpy(), expected, rtol=1e-9, atol=1e-12)
    pooled = ops.ps_roi_pool(pydl.ones(1, 600, 5, 5), pydl.tensor([[0.0, 0, 0, 4, 4]]), (300, 2))
    assert pooled.shape == (1, 1, 300, 2)
    assert (pooled == 1).all()


@pytest.mark.parametrize("groups, masked", [(1, False), (2, True)])
def test_deformable_convolution_by_blocks_of_images(groups: int, masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers and derivatives, first and second, as in one block; the last block is smaller."""
    x, w = pydl.randn(5, 4, 4, 3, dtype=pydl.float64), pydl.randn(2, 4 // groups, 2, 2, dtype=pydl.float64)
    offset, mask = pydl.rand(5, 8, 3, 2, dtype=pydl.float64), pydl.rand(5, 4, 3, 2, dtype=pydl.float64)
    inputs = [t.requires_grad_() for t in ((x, offset, w, mask) if masked else (x, offset, w))]
    found = []
    for most in (1 << 24, 2 * 4 * 4 * 6):
        monkeypatch.setattr(ops.deform, "_MOST_COLUMNS", most)
        y = ops.deform_conv2d(x, offset, w, mask=mask if masked else None)
        first = pydl.autograd.grad(y.sin().sum(), inputs, create_graph=True)
        second = pydl.autograd.grad(sum(g.square().sum() for g in first), inputs)
        with pydl.no_grad():
            plain = ops.deform_conv2d(x, offset, w, mask=mask if masked else None)
        assert pydl.equal(plain, y)
        found.append([y, *first, *second])
    for a, b in zip(*found):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-11, atol=1e-12)
    with pytest.raises(pydl.ShapeError, match="offset"):
        ops.deform_conv2d(x, offset[:4], w)
    with pytest.raises(pydl.ShapeError, match="mask"):
        ops.deform_conv2d(x, offset, w, mask=mask[:4])


def test_deformable_convolution_holds_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside inputs, results and their gradients a batch of three blocks needs no more than one of a block."""
    monkeypatch.setattr(ops.deform, "_MOST_COLUMNS", 4 * 9 * 32 * 24 * 24)
    extra = []
    for n in (4, 12):
        x, offset = pydl.rand(n, 32, 24, 24, requires_grad=True), pydl.rand(n, 18, 24, 24, requires_grad=True)
        w = pydl.rand(8, 32, 3, 3, requires_grad=True)
        pydl.reset_peak_memory_stats()
        before = pydl.memory_stats()["allocated_bytes"]
        ops.deform_conv2d(x, offset, w, padding=1).sum().backward()
        used = pydl.memory_stats()["peak_allocated_bytes"] - before
        extra.append(used - 2 * 4 * (x.numel() + offset.numel() + n * 8 * 24 * 24))
        del x, offset
    assert extra[1] < 1.3 * extra[0]
