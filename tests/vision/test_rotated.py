"""Boxes with an angle: overlaps, transforms, borders; functions under the names of one kind of input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pydl
from pydl.vision import ops, tv_tensors
from pydl.vision.transforms import v2

F = v2.functional
FORMATS = ("CXCYWHR", "XYWHR", "XYXYXYXY")
HEIGHT, WIDTH = 50, 70


def draw(n: int, outside: float = 0.0) -> Any:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-outside, WIDTH + outside, n), rng.uniform(-outside, HEIGHT + outside, n)
    return np.c_[x, y, rng.uniform(3, 30, (n, 2)), rng.uniform(-180, 180, n)]


def corners(boxes: Any, format: str = "CXCYWHR") -> Any:
    plain = pydl.as_tensor(boxes).as_subclass(pydl.Tensor)
    return ops.box_convert(plain, format.lower(), "xyxyxyxy").numpy().reshape(-1, 4, 2)


def area(points: Any) -> float:
    x, y = np.asarray(points).reshape(-1, 2).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def clipped(polygon: Any, quad: Any) -> Any:
    """What a polygon has in common with a convex quadrilateral whose corners go clockwise (Sutherland and Hodgman)."""
    for p, q in zip(quad, np.roll(quad, -1, 0)):
        side = [float((q - p)[0] * (z - p)[1] - (q - p)[1] * (z - p)[0]) for z in polygon]
        made = []
        for i, z in enumerate(polygon):
            before, s, t = polygon[i - 1], side[i - 1], side[i]
            if (s >= 0) != (t >= 0):
                made.append(before + (z - before) * s / (s - t))
            if t >= 0:
                made.append(z)
        polygon = made
    return polygon


def test_iou_of_boxes_with_an_angle() -> None:
    turned = pydl.tensor([[0.0, 0, 1, 1, 0], [0, 0, 1, 1, 45], [0.5, 0, 1, 1, 0], [9, 9, 1, 1, 10], [0, 0, 0, 1, 0]])
    octagon = 2 * (2**0.5 - 1)
    expected = [1, octagon / (2 - octagon), 1 / 3, 0, 0]
    np.testing.assert_allclose(ops.box_iou(turned[:1], turned, "cxcywhr")[0].numpy(), expected, atol=1e-6)
    boxes = draw(12)
    quads = corners(boxes)
    wanted = np.zeros((12, 12))
    for i in range(12):
        for j in range(12):
            common = clipped(list(quads[i]), quads[j])
            shared = area(common) if common else 0.0
            wanted[i, j] = shared / (area(quads[i]) + area(quads[j]) - shared)
    for format in FORMATS:
        given = ops.box_convert(pydl.from_numpy(boxes), "cxcywhr", format.lower())
        np.testing.assert_allclose(ops.box_iou(given, given, format.lower()).numpy(), wanted, atol=1e-9)
    assert ops.box_iou(given[:0], given, "xyxyxyxy").shape == (0, 12)
    plain = np.c_[boxes[:, :2], boxes[:, :2] + boxes[:, 2:4]]
    upright = np.c_[ops.box_convert(pydl.from_numpy(plain), "xyxy", "cxcywh").numpy(), np.zeros(12)]
    straight = ops.box_iou(pydl.from_numpy(plain), pydl.from_numpy(plain))
    np.testing.assert_allclose(
        ops.box_iou(*[pydl.from_numpy(upright)] * 2, "cxcywhr").numpy(), straight.numpy(), atol=1e-9
    )
    with pytest.raises(pydl.ShapeError, match="box_iou"):
        ops.box_iou(turned[:, :4], turned, "cxcywhr")


def made(format: str, mode: str | None = None, n: int = 20) -> Any:
    data = ops.box_convert(pydl.from_numpy(draw(n)), "cxcywhr", format.lower())
    return tv_tensors.BoundingBoxes(data, format=format, canvas_size=(HEIGHT, WIDTH), clamping_mode=mode)


POINTS: dict[str, Any] = {
    "hflip": (F.hflip, lambda p: np.stack([WIDTH - p[..., 0], p[..., 1]], -1)[:, [1, 0, 3, 2]]),
    "vflip": (F.vflip, lambda p: np.stack([p[..., 0], HEIGHT - p[..., 1]], -1)[:, [1, 0, 3, 2]]),
    "resize": (lambda b: F.resize(b, [2 * HEIGHT, 2 * WIDTH]), lambda p: 2 * p),
    "crop": (lambda b: F.crop(b, 5, 7, 30, 40), lambda p: p - [7, 5]),
    "pad": (lambda b: F.pad(b, [3, 4]), lambda p: p + [3, 4]),
    "rotate": (lambda b: F.rotate(b, 90, center=[0, 0]), lambda p: np.stack([p[..., 1], -p[..., 0]], -1)),
    "affine": (
        lambda b: F.affine(b, angle=0, translate=[2, -3], scale=1.0, shear=[0.0, 0.0]),
        lambda p: p + np.array([2, -3]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", POINTS)
def test_transforms_move_the_corners(name: str, format: str) -> None:
    run, move = POINTS[name]
    boxes = made(format)
    out = run(boxes)
    assert out.format == boxes.format and out.shape == boxes.shape
    np.testing.assert_allclose(corners(out, format), move(corners(boxes, format)), atol=1e-6)


def test_what_is_no_rectangle_becomes_one() -> None:
    boxes = made("XYXYXYXY")
    for out in (F.resize(boxes, [HEIGHT, 3 * WIDTH]), F.affine(boxes, 20, [0, 0], 1.0, [15.0, 5.0])):
        quads = corners(out, "XYXYXYXY")
        a, b = quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0]
        np.testing.assert_allclose((a * b).sum(-1), 0, atol=1e-8)
        assert (a[:, 0] * b[:, 1] > a[:, 1] * b[:, 0]).all()  # still clockwise
    turned = F.elastic(made("CXCYWHR"), pydl.zeros(1, HEIGHT, WIDTH, 2))
    np.testing.assert_array_equal(turned[:, 2:].numpy(), made("CXCYWHR")[:, 2:].numpy())


def test_clamping_keeps_the_angle_and_covers_what_is_inside() -> None:
    given = draw(60, outside=20)
    out = F.clamp_bounding_boxes(pydl.from_numpy(given), "CXCYWHR", (HEIGHT, WIDTH), "soft").numpy()
    image = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], float)
    quads, cut = corners(given), corners(out)
    seen = 0
    for before, after, a, b in zip(quads, cut, given, out):
        inside = clipped(list(before), image)
        if not inside or area(inside) < 1e-9:
            assert area(after) < 1e-9
            continue
        seen += 1
        shared = clipped(inside, after + 0)
        np.testing.assert_allclose(area(shared) if shared else 0.0, area(inside), rtol=1e-6)
        assert area(after) <= area(before) * (1 + 1e-9)
        assert abs((a[4] - b[4] + 180) % 360 - 180) < 1e-6
        for side in range(2):  # every side of the box touches what is inside
            along = after[1 + 2 * side] - after[0]
            places = [float(np.dot(z - after[0], along) / np.dot(along, along)) for z in inside]
            np.testing.assert_allclose([min(places), max(places)], [0, 1], atol=1e-6)
    assert seen > 20
    assert pydl.equal(F.clamp_bounding_boxes(made("XYWHR")), made("XYWHR"))
    with pytest.raises(NotImplementedError, match="hard"):
        F.clamp_bounding_boxes(made("XYWHR", "hard"))


def test_kinds_of_boxes() -> None:
    assert tv_tensors.is_rotated_bounding_format(tv_tensors.BoundingBoxFormat.XYXYXYXY)
    with pytest.raises(ValueError, match="floating point"):
        tv_tensors.BoundingBoxes([[1, 2, 3, 4, 5]], format="XYWHR", canvas_size=(4, 4))
    with pytest.raises(pydl.ShapeError, match="5"):
        tv_tensors.BoundingBoxes([[1.0, 2, 3, 4]], format="XYWHR", canvas_size=(4, 4))
    with pytest.raises(ValueError, match="angle"):
        F.convert_bounding_box_format(made("XYWHR"), new_format="XYXY")
    there = F.convert_bounding_box_format(made("XYWHR"), new_format="XYXYXYXY")
    assert there.shape == (20, 8)
    np.testing.assert_allclose(corners(there, "XYXYXYXY"), corners(made("XYWHR"), "XYWHR"), atol=1e-9)
    empty = tv_tensors.BoundingBoxes(pydl.zeros(0, 5), format="CXCYWHR", canvas_size=(4, 4))
    for out in (F.hflip(empty), F.crop(empty, 1, 1, 2, 2), F.rotate(empty, 20), F.clamp_bounding_boxes(empty)):
        assert out.shape == (0, 5)
    whole, valid = F.sanitize_bounding_boxes(made("CXCYWHR"))
    inside = ((corners(made("CXCYWHR")) >= 0) & (corners(made("CXCYWHR")) <= [WIDTH, HEIGHT])).all((1, 2))
    np.testing.assert_array_equal(valid.numpy(), inside)
    assert len(whole) == inside.sum()


def test_functions_by_the_name_of_a_kind() -> None:
    image = pydl.arange(24).reshape(1, 4, 6).to(pydl.uint8)
    assert pydl.equal(F.horizontal_flip_image(image), image.flip(-1))
    assert pydl.equal(F.crop_mask(image, 1, 2, 2, 3), image[:, 1:3, 2:5])
    assert pydl.equal(
        F.resize_mask(image, size=[2, 3]), F.resize(tv_tensors.Mask(image), [2, 3]).as_subclass(pydl.Tensor)
    )
    assert F.rotate_video(image[None], 90).shape == (1, 1, 4, 6) and F.get_size_image(image) == [4, 6]
    boxes, points = pydl.tensor([[1.0, 1.0, 3.0, 2.0]]), pydl.tensor([[1.0, 2.0]])
    assert F.vertical_flip_bounding_boxes(boxes, "XYXY", (4, 6)).tolist() == [[1, 2, 3, 3]]
    moved, canvas = F.pad_bounding_boxes(boxes, format="XYXY", canvas_size=(4, 6), padding=[1, 2])
    assert moved.tolist() == [[2, 3, 4, 4]] and canvas == (8, 8)
    moved, canvas = F.resize_bounding_boxes(boxes, (4, 6), [8, 12])
    assert moved.tolist() == [[2, 2, 6, 4]] and canvas == (8, 12)
    assert F.resize_keypoints(points, [8, 12], (4, 6))[0].tolist() == [[2, 4]]
    assert F.crop_keypoints(points, 1, 0, 3, 6)[0].tolist() == [[1, 1]]
    assert type(moved) is pydl.Tensor and F.crop_mask.__name__ == "crop_mask" and "crop_mask" in dir(F)
    with pytest.raises(TypeError, match="format"):
        F.crop_bounding_boxes(boxes)
    with pytest.raises(TypeError, match="to_dtype"):
        F.to_dtype_image(image, 2, True)
    with pytest.raises(pydl.ShapeError, match="resize"):
        F.resize_bounding_boxes(boxes, (0, 6), [8, 12])
    with pytest.raises(AttributeError, match="crop_nothing"):
        F.crop_nothing  # noqa: B018


def test_what_is_in_a_sample() -> None:
    boxes = tv_tensors.BoundingBoxes([[0, 0, 2, 1]], format="XYXY", canvas_size=(4, 5))
    points = tv_tensors.KeyPoints([[0, 1]], canvas_size=(4, 5))
    sample = [tv_tensors.Image(pydl.zeros(3, 4, 5)), boxes, points, "label"]
    assert v2.query_size(sample) == (4, 5) and v2.query_chw(sample) == (3, 4, 5)
    assert v2.get_bounding_boxes(sample) is boxes and v2.get_keypoints(sample) is points
    assert (
        v2.has_any(sample, int, str) and not v2.has_all(sample, int, str) and v2.has_all(sample, str, callable) is False
    )
    for get in (v2.get_bounding_boxes, v2.get_keypoints):
        with pytest.raises(ValueError, match="No"):
            get(sample[-1:])
    with pytest.raises(TypeError, match="found"):
        v2.query_chw(["label"])
    with pytest.raises(ValueError, match="multiple"):
        v2.query_size([sample[0], pydl.zeros(1, 2, 2)])
    assert pydl.vision.get_image_backend() == "PIL"
    with pytest.raises(ValueError, match="accimage"):
        pydl.vision.set_image_backend("accimage")
