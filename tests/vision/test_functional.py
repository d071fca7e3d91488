"""Transforms as functions against NumPy, SciPy and Pillow; boxes, masks and points against the image they belong to."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest

import pydl
from pydl.vision import tv_tensors as tv
from pydl.vision.transforms import functional as F

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ImageEnhance = pytest.importorskip("PIL.ImageEnhance")
ImageOps = pytest.importorskip("PIL.ImageOps")

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (3, 17, 23), dtype=np.uint8)
FLOATS = RNG.random((3, 17, 23)).astype(np.float32)
SMOOTH = np.stack([np.add.outer(np.arange(40.0), k * np.arange(48.0)) / 120 for k in (1, 0.5, 0.2)]).astype(np.float32)


def t(a: np.ndarray) -> Any:
    return pydl.from_numpy(a.copy())


def picture(a: np.ndarray = BYTES) -> Any:
    return PIL.fromarray(np.ascontiguousarray(a.transpose(1, 2, 0)))


def channels_first(p: Any) -> np.ndarray:
    a = np.asarray(p)
    return a[None] if a.ndim == 2 else a.transpose(2, 0, 1)


# Of a name and arguments: what NumPy makes of an array (C, H, W)
EXACT = [
    ("hflip", (), {}, lambda a: a[..., ::-1]),
    ("vflip", (), {}, lambda a: a[..., ::-1, :]),
    ("crop", (2, 3, 8, 9), {}, lambda a: a[:, 2:10, 3:12]),
    ("crop", (-2, 20, 5, 6), {}, lambda a: np.pad(a, ((0, 0), (2, 0), (0, 3)))[:, :5, 20:26]),
    ("crop", (30, 40, 5, 6), {}, lambda a: np.zeros((3, 5, 6), a.dtype)),
    ("center_crop", ([9, 11],), {}, lambda a: a[:, 4:13, 6:17]),
    ("center_crop", (21,), {}, lambda a: np.pad(a, ((0, 0), (2, 2), (0, 0)))[:, :, 1:22]),
    ("pad", ([1, 2, 3, 4],), {}, lambda a: np.pad(a, ((0, 0), (2, 4), (1, 3)))),
    ("pad", (2,), {"fill": 7}, lambda a: np.pad(a, ((0, 0), (2, 2), (2, 2)), constant_values=7)),
    ("pad", ([1, 2],), {"padding_mode": "reflect"}, lambda a: np.pad(a, ((0, 0), (2, 2), (1, 1)), mode="reflect")),
    ("pad", ([1, 2, 3, 4],), {"padding_mode": "symmetric"}, lambda a: np.pad(a, ((0, 0), (2, 4), (1, 3)), mode="symmetric")),
    ("pad", (3,), {"padding_mode": "edge"}, lambda a: np.pad(a, ((0, 0), (3, 3), (3, 3)), mode="edge")),
    ("rotate", (90,), {"expand": True}, lambda a: np.rot90(a, 1, (1, 2))),
    ("rotate", (180,), {}, lambda a: np.rot90(a, 2, (1, 2))),
    ("rotate", (-90,), {"expand": True}, lambda a: np.rot90(a, 3, (1, 2))),
    ("affine", (0, [2, -3], 1.0, 0.0), {}, lambda a: np.pad(a, ((0, 0), (0, 3), (2, 0)))[:, 3:, :-2]),
    ("invert", (), {}, lambda a: (255 if a.dtype == np.uint8 else np.float32(1)) - a),
]  # fmt: skip


@pytest.mark.parametrize("case", EXACT, ids=lambda c: f"{c[0]}{c[1]}{c[2]}")
@pytest.mark.parametrize("kind", ["uint8", "float32", "pil", "array", "batch"])
def test_exact_ones(case: Any, kind: str) -> None:
    name, args, kwargs, reference = case
    function = getattr(F, name)
    source = FLOATS if kind == "float32" else BYTES
    expected = reference(source)
    if kind == "pil":
        found = channels_first(function(picture(), *args, **kwargs))
    elif kind == "array":
        found = function(source.transpose(1, 2, 0), *args, **kwargs).transpose(2, 0, 1)
    elif kind == "batch":
        found = function(t(np.stack([source] * 2)), *args, **kwargs).numpy()
        np.testing.assert_array_equal(found[0], found[1])
        found = found[1]
    else:
        found = function(t(source), *args, **kwargs).numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", [[9, 11], [31, 40], [9], [40]])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_resize_of_bytes_is_pillows(size: Any, mode: str) -> None:
    ours = F.resize(t(BYTES), size, mode).numpy().astype(int)
    theirs = channels_first(F.resize(picture(), size, mode)).astype(int)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1
    if mode == "bilinear":  # the others overshoot, and bytes are cut between rows and columns
        exact = F.resize(t(BYTES.astype(np.float32)), size, mode).numpy()
        assert np.abs(exact - ours).max() <= 1.0


def test_resize_sizes() -> None:
    x = pydl.zeros(3, 20, 10)
    for size, limit, expected in (
        (5, None, (10, 5)), ([5], None, (10, 5)), ([4, 7], None, (4, 7)), (8, 12, (12, 6)), (None, 10, (10, 5)),
    ):  # fmt: skip
        assert tuple(F.resize(x, size, max_size=limit).shape[1:]) == expected
    for size, limit in ((8, 8), ([4, 7], 9), ([1, 2, 3], None), (0, None), (None, None)):
        with pytest.raises(ValueError):
            F.resize(x, size, max_size=limit)
    with pytest.raises(ValueError, match="interpolation"):
        F.resize(x, 5, "cubic")
    with pytest.raises(ValueError, match="antialias"):
        F.resize(x, 5, "lanczos", antialias=False)
    with pytest.raises(ValueError, match="Pillow"):
        F.resize(x, 5, "box")
    with pytest.raises(pydl.ShapeError, match="pixels"):
        F.resize(pydl.zeros(3, 0, 5), [8, 8])
    assert F.resize(pydl.zeros(0, 3, 4, 4), [8, 7]).shape == (0, 3, 8, 7)


@pytest.mark.parametrize("new", [(9, 11), (29, 41), (17, 46)])
def test_nearest_picks_pixels(new: tuple[int, int]) -> None:
    for mode, offset in (("nearest", 0.0), ("nearest-exact", 0.5)):
        y, x = (np.floor((np.arange(n) + offset) * old / n).astype(int) for n, old in zip(new, (17, 23)))
        np.testing.assert_array_equal(F.resize(t(BYTES), new, mode).numpy(), BYTES[:, y][:, :, x])


def inner(a: np.ndarray, border: int) -> np.ndarray:
    return a[..., border:-border, border:-border]


@pytest.mark.parametrize(
    "angle, shift, scale, shear", [(20, (0, 0), 1, (0, 0)), (-35, (3, -2), 1.3, (0, 0)), (10, (1, 1), 0.9, (8, 4))]
)
def test_affine_against_scipy(angle: float, shift: Any, scale: float, shear: Any) -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy is not installed")
    a, sx, sy = np.deg2rad(angle), np.tan(np.deg2rad(shear[0])), np.tan(np.deg2rad(shear[1]))
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    forward = scale * turn @ np.linalg.inv(np.array([[1, 0], [sy, 1]])) @ np.array([[1, -sx], [0, 1]])
    backward = np.linalg.inv(forward)[::-1, ::-1]
    middle = (np.array([40, 48]) - 1) / 2
    offset = middle - backward @ (middle + np.array(shift)[::-1])
    expected = np.stack([ndimage.affine_transform(p, backward, offset, order=1, mode="constant") for p in SMOOTH])
    found = F.affine(t(SMOOTH), angle, list(shift), scale, list(shear), "bilinear").numpy()
    if shear == (0, 0):
        np.testing.assert_allclose(inner(found, 12), inner(expected, 12), atol=2e-5)
    else:
        whole = F.affine(PIL.fromarray(SMOOTH[0]), angle, list(shift), scale, list(shear), "bilinear")
        np.testing.assert_allclose(inner(found[0], 10), inner(np.asarray(whole), 10), atol=2e-3)


def test_rotation_is_the_same_for_all_kinds() -> None:
    ours = F.rotate(t(SMOOTH), 25, "bilinear", expand=True).numpy()[0]
    theirs = np.asarray(F.rotate(PIL.fromarray(SMOOTH[0]), 25, "bilinear", expand=True))
    assert np.abs(np.array(ours.shape) - theirs.shape).max() <= 1
    middle = tuple(slice(n // 2 - 8, n // 2 + 8) for n in ours.shape)
    assert np.abs(ours[middle] - theirs[middle]).max() < 0.02
    filled = F.rotate(t(FLOATS), 45, fill=[0.1, 0.2, 0.3])
    np.testing.assert_allclose(filled[:, 0, 0].tolist(), [0.1, 0.2, 0.3], rtol=1e-6)
    batch, colour = t(np.stack([FLOATS, FLOATS[::-1]])), pydl.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1)
    inside = F.rotate(pydl.ones(1, 17, 23), 45, "bilinear")
    mixed = F.rotate(batch, 45, "bilinear") * inside + colour * (1 - inside * 1.0)
    smooth = F.rotate(batch, 45, "bilinear", fill=[0.1, 0.2, 0.3])
    np.testing.assert_allclose(smooth.numpy(), mixed.numpy(), atol=1e-6)
    traced = t(FLOATS).requires_grad_()
    turned = F.rotate(traced, 45, "bilinear", fill=0.5).sum()
    turned.backward()  # a linear map and a constant
    black = F.rotate(pydl.zeros(3, 17, 23), 45, "bilinear", fill=0.5).sum()
    assert (traced.grad * traced).sum().item() == pytest.approx((turned - black).item(), rel=1e-5)
    with pytest.raises(ValueError, match="fill"):
        F.rotate(t(FLOATS), 45, fill=[0.1, 0.2])
    with pytest.raises(ValueError, match="nearest or bilinear"):
        F.rotate(t(FLOATS), 45, "bicubic")


def test_perspective_against_pillow() -> None:
    start, end = [[0, 0], [47, 0], [47, 39], [0, 39]], [[4, 3], [44, 1], [46, 36], [2, 38]]
    ours = F.perspective(t(SMOOTH[:1]), start, end).numpy()[0]
    theirs = np.asarray(F.perspective(PIL.fromarray(SMOOTH[0]), start, end))
    np.testing.assert_allclose(inner(ours, 8), inner(theirs, 8), atol=2e-3)
    with pytest.raises(ValueError):
        F.perspective(t(SMOOTH), start, end, coefficients=[1, 0, 0, 0, 1, 0, 0, 0])
    with pytest.raises(ValueError):
        F.perspective(t(SMOOTH), None, None, coefficients=[1, 0])
    with pytest.raises(ValueError):
        F.perspective(t(SMOOTH), start, None)


def test_elastic_moves_pixels() -> None:
    shift = np.zeros((1, 17, 23, 2), np.float32)
    shift[..., 0] = 2 * 2 / 23  # two pixels to the right are 4 / 23 of the image's half
    np.testing.assert_allclose(F.elastic(t(FLOATS), t(shift)).numpy()[:, :, :-2], FLOATS[:, :, 2:], atol=1e-5)
    with pytest.raises(TypeError):
        F.elastic(t(FLOATS), shift)
    with pytest.raises(ValueError, match="displacement"):
        F.elastic(t(FLOATS), pydl.zeros(1, 2, 2, 2))


def test_colours_against_pillow() -> None:
    """Pillow rounds its tables otherwise by up to two steps."""
    p = picture()
    for name, enhancer in (("brightness", "Brightness"), ("contrast", "Contrast"), ("saturation", "Color")):
        for factor in (0.0, 0.4, 1.0, 1.7):
            ours = getattr(F, f"adjust_{name}")(t(BYTES), factor).numpy().astype(int)
            theirs = channels_first(getattr(ImageEnhance, enhancer)(p).enhance(factor)).astype(int)
            assert np.abs(ours - theirs).max() <= 2, name
    for function, theirs in (
        (F.autocontrast, ImageOps.autocontrast(p)), (F.equalize, ImageOps.equalize(p)), (F.invert, ImageOps.invert(p)),
        (lambda x: F.posterize(x, 3), ImageOps.posterize(p, 3)), (lambda x: F.solarize(x, 100), ImageOps.solarize(p, 100)),
    ):  # fmt: skip
        assert np.abs(function(t(BYTES)).numpy().astype(int) - channels_first(theirs)).max() <= 1
        np.testing.assert_array_equal(channels_first(function(p)), channels_first(theirs))
    np.testing.assert_array_equal(F.equalize(t(np.full((1, 4, 4), 9, np.uint8))).numpy(), 9)


def test_colours_against_formulas() -> None:
    x = FLOATS.astype(np.float64)
    grey = np.tensordot([0.2989, 0.587, 0.114], x, 1)[None]
    for found, expected in (
        (F.adjust_brightness(t(x), 1.5), (1.5 * x).clip(0, 1)),
        (F.adjust_contrast(t(x), 0.3), 0.3 * x + 0.7 * grey.mean()),
        (F.adjust_saturation(t(x), 2.0), (2 * x - grey).clip(0, 1)),
        (F.adjust_gamma(t(x), 2.2, 0.9), 0.9 * x**2.2),
        (F.rgb_to_grayscale(t(x)), grey),
        (F.rgb_to_grayscale(t(x), 3), np.repeat(grey, 3, 0)),
        (F.posterize(t(x), 2), np.floor(x * 4) / 4),
        (F.permute_channels(t(x), [2, 0, 1]), x[[2, 0, 1]]),
        (F.normalize(t(x), [0.5, 0.4, 0.3], [0.1, 0.2, 0.3]), (x - np.array([0.5, 0.4, 0.3])[:, None, None]) / np.array([0.1, 0.2, 0.3])[:, None, None]),
        (F.autocontrast(t(x)), (x - x.min((1, 2), keepdims=True)) / np.ptp(x, (1, 2), keepdims=True)),
    ):  # fmt: skip
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    for factor in (-0.37, 0.2, 0.5):
        turned = [
            colorsys.hsv_to_rgb((h + factor) % 1, s, v)
            for h, s, v in (colorsys.rgb_to_hsv(*c) for c in x.reshape(3, -1).T)
        ]
        np.testing.assert_allclose(F.adjust_hue(t(FLOATS), factor).numpy().reshape(3, -1).T, turned, atol=1e-5)


def test_sharpness_and_blur_against_scipy() -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy is not installed")
    kernel = np.full((3, 3), 1 / 13)
    kernel[1, 1] = 5 / 13
    expected = np.stack([0.4 * p + 0.6 * ndimage.correlate(p, kernel) for p in FLOATS])
    found = F.adjust_sharpness(t(FLOATS), 0.4).numpy()
    np.testing.assert_allclose(inner(found, 1), inner(expected, 1), atol=1e-6)
    np.testing.assert_array_equal(found[:, 0], FLOATS[:, 0])
    for size, sigma in ((5, 1.1), ([3, 7], [0.7, 2.0])):
        width, height = (size, size) if isinstance(size, int) else size
        across, down = (sigma, sigma) if isinstance(sigma, float) else sigma
        weights = [np.exp(-0.5 * ((np.arange(n) - n // 2) / s) ** 2) for n, s in ((width, across), (height, down))]
        expected = FLOATS.astype(np.float64)
        for axis, w in ((2, weights[0]), (1, weights[1])):
            expected = ndimage.correlate1d(expected, w / w.sum(), axis=axis, mode="mirror")
        np.testing.assert_allclose(F.gaussian_blur(t(FLOATS), size, sigma).numpy(), expected, atol=1e-6)
    assert F.gaussian_blur(picture(), 3).size == (23, 17)
    for bad in ((4, 1.0), (3, 0.0), ([3, 3, 3], 1.0), (3, [1.0, 1.0, 1.0])):
        with pytest.raises(ValueError):
            F.gaussian_blur(t(FLOATS), *bad)


@pytest.mark.parametrize("old", ["uint8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("new", ["uint8", "int16", "int32", "float32", "float64"])
def test_white_stays_white(old: str, new: str) -> None:
    def white(dtype: str) -> float:
        return 1 if "float" in dtype else np.iinfo(dtype).max

    x = np.array([[[0, white(old)]]], dtype=old)
    if old == "float32" and new == "int32":
        with pytest.raises(RuntimeError, match="safely"):
            F.to_dtype(t(x), pydl.int32, scale=True)
        return
    made = F.to_dtype(t(x), getattr(pydl, new), scale=True).numpy()
    assert made.dtype == new
    expected = [0, white(new)]
    if "int" in old and "int" in new and old != new and np.iinfo(old).bits < np.iinfo(new).bits:
        expected[1] = white(old) << (np.iinfo(new).bits - 1 - (8 if old == "uint8" else np.iinfo(old).bits - 1))
    np.testing.assert_array_equal(made[0, 0], expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
def test_pillow_to_tensor_and_back(mode: str) -> None:
    if mode in ("I", "F", "I;16"):
        kind = {"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]
        p = PIL.fromarray((BYTES[0] * 7).astype(kind))
    else:
        p = picture().convert(mode)
    x = F.pil_to_tensor(p)
    assert x.shape == (len(p.getbands()), 17, 23)
    np.testing.assert_array_equal(channels_first(np.asarray(p)), x.numpy())
    scaled = F.to_tensor(p)
    if x.dtype == pydl.uint8 and mode != "1":
        np.testing.assert_allclose(scaled.numpy(), x.numpy() / np.float32(255), rtol=1e-6)
    else:
        np.testing.assert_array_equal(scaled.numpy(), x.numpy())
    if mode == "1":
        assert x.dtype == pydl.bool
        np.testing.assert_array_equal(F.to_dtype(F.to_image(p), pydl.float32, True).numpy(), scaled.numpy())
    if mode != "P":
        back = F.to_pil_image(x, None if mode in ("1", "L", "LA", "RGB", "RGBA", "I", "I;16") else mode)
        assert back.mode == p.mode
        np.testing.assert_array_equal(np.asarray(back), np.asarray(p))


def test_conversions_refuse() -> None:
    for bad in (pydl.zeros(3, 4, 4), "a", None):
        with pytest.raises(TypeError):
            F.to_tensor(bad)
    with pytest.raises(ValueError):
        F.to_tensor(np.zeros(3))
    for bad, error in (
        (pydl.zeros(3), ValueError),
        (pydl.zeros(5, 4, 4), ValueError),
        ("a", TypeError),
        (np.zeros((4, 4, 3), np.int64), TypeError),
    ):
        with pytest.raises(error):
            F.to_pil_image(bad)
    with pytest.raises(ValueError, match="mode"):
        F.to_pil_image(pydl.zeros(3, 4, 4), "L")
    np.testing.assert_array_equal(
        np.asarray(F.to_pil_image(t(FLOATS))), (FLOATS.transpose(1, 2, 0) * np.float32(255)).astype(np.uint8)
    )
    for function in (F.resize, F.hflip, F.adjust_hue):
        with pytest.raises(TypeError, match="expected"):
            function("a", 1) if function is not F.hflip else function("a")
    with pytest.raises(TypeError):
        F.normalize(t(BYTES), [0.5], [0.5])
    with pytest.raises(ValueError, match="std"):
        F.normalize(t(FLOATS), [0.5] * 3, [0.5, 0, 1])
    for name, args in (
        ("adjust_brightness", (-1,)),
        ("adjust_hue", (0.6,)),
        ("adjust_gamma", (-1,)),
        ("adjust_contrast", (-1,)),
    ):
        for image in (t(FLOATS), picture()):
            with pytest.raises(ValueError):
                getattr(F, name)(image, *args)
    with pytest.raises(TypeError):
        F.adjust_brightness(pydl.zeros(2, 4, 4), 1.0)


# Each moves boxes, masks and points; with a box drawn into a mask all of them can be compared
MOVES = [
    ("hflip", (), {}), ("vflip", (), {}), ("resize", ([80, 30],), {}), ("resize", (60,), {}), ("crop", (5, 8, 30, 40), {}),
    ("crop", (-4, -3, 50, 60), {}), ("center_crop", ([30, 60],), {}), ("pad", ([3, 1, 4, 2],), {}), ("rotate", (90,), {"expand": True}),
    ("rotate", (180,), {}), ("affine", (0, [3, 4], 1.5, 0.0), {}), ("resized_crop", (4, 6, 30, 30, [45, 60]), {}),
    ("perspective", ([[0, 0], [47, 0], [47, 39], [0, 39]], [[2, 2], [45, 2], [45, 37], [2, 37]]), {}),
]  # fmt: skip


@pytest.mark.parametrize("case", MOVES, ids=lambda c: f"{c[0]}{c[1]}")
@pytest.mark.parametrize("format", ["XYXY", "XYWH", "CXCYWH"])
def test_boxes_masks_and_points_move_with_the_image(case: Any, format: str) -> None:
    name, args, kwargs = case
    function = getattr(F, name)
    corners = pydl.tensor([[14.0, 12.0, 30.0, 22.0], [10.0, 20.0, 26.0, 32.0]])
    masks = np.zeros((2, 40, 48), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, corners.int().tolist()):
        mask[y1:y2, x1:x2] = 1
    boxes = tv.BoundingBoxes(
        F.convert_bounding_box_format(corners, "XYXY", format), format=format, canvas_size=(40, 48)
    )
    moved = function(boxes, *args, **kwargs)
    shown = function(tv.Mask(t(masks)), *args, **kwargs)
    assert isinstance(moved, tv.BoundingBoxes)
    assert isinstance(shown, tv.Mask)
    assert (
        moved.canvas_size
        == tuple(shown.shape[-2:])
        == tuple(function(pydl.zeros(1, 40, 48), *args, **kwargs).shape[-2:])
    )
    assert moved.format == boxes.format
    as_corners = F.convert_bounding_box_format(moved, new_format="XYXY").numpy()
    for box, mask in zip(as_corners, shown.numpy()):
        y, x = np.nonzero(mask)
        np.testing.assert_allclose(box, [x.min(), y.min(), x.max() + 1, y.max() + 1], atol=1.6)
    points = tv.KeyPoints(corners.reshape(2, 2, 2), canvas_size=(40, 48))
    placed = function(points, *args, **kwargs)
    assert placed.canvas_size == moved.canvas_size
    assert placed.shape == (2, 2, 2)
    if name not in ("hflip", "vflip"):  # whose points are pixels, not edges
        low, high = np.sort(placed.numpy(), axis=1).transpose(1, 0, 2)
        np.testing.assert_allclose(
            np.clip(np.hstack([low, high]), 0, [moved.canvas_size[1], moved.canvas_size[0]] * 2), as_corners, atol=1e-3
        )


def test_box_formats() -> None:
    xyxy = pydl.tensor([[1, 2, 5, 9]])
    for new, expected in (("XYWH", [1, 2, 4, 7]), ("CXCYWH", [3, 5, 4, 7]), ("XYXY", [1, 2, 5, 9])):
        made = F.convert_bounding_box_format(xyxy, "XYXY", new)
        assert made.tolist() == [expected]
        assert F.convert_bounding_box_format(made.double(), new, "XYXY")[:, [0, 2]].tolist() == [[1, 5]]
    floats = RNG.random((5, 4))
    for old in ("XYXY", "XYWH", "CXCYWH"):
        for new in ("XYXY", "XYWH", "CXCYWH"):
            back = F.convert_bounding_box_format(F.convert_bounding_box_format(t(floats), old, new), new, old)
            np.testing.assert_allclose(back.numpy(), floats, atol=1e-12)
    own = tv.BoundingBoxes(xyxy, format="XYXY", canvas_size=(9, 9))
    F.convert_bounding_box_format(own, new_format="XYWH", inplace=True)
    assert own.tolist() == [[1, 2, 4, 7]]
    for args, error in (
        ((xyxy,), TypeError),
        ((xyxy, None, "XYWH"), ValueError),
        ((own, "XYXY", "XYWH"), ValueError),
        ((xyxy, "XYXY", "XY"), ValueError),
        (("a", "XYXY", "XYWH"), TypeError),
    ):
        with pytest.raises(error):
            F.convert_bounding_box_format(*args)


def test_clamping_and_sanitizing() -> None:
    boxes = tv.BoundingBoxes([[-5, -5, 3, 30], [1, 1, 2, 2]], format="XYXY", canvas_size=(20, 10))
    assert F.clamp_bounding_boxes(boxes).tolist() == [[0, 0, 3, 20], [1, 1, 2, 2]]
    loose = tv.BoundingBoxes(boxes.as_subclass(pydl.Tensor), format="XYXY", canvas_size=(20, 10), clamping_mode=None)
    assert F.clamp_bounding_boxes(loose).tolist() == boxes.tolist()
    assert F.crop(loose, 0, 0, 4, 4).tolist() == boxes.tolist()
    assert F.sanitize_bounding_boxes(boxes)[1].tolist() == [False, True]
    kept, valid = F.sanitize_bounding_boxes(
        pydl.tensor([[0, 0, 4, 0.5], [0, 0, 4, 4], [8, 0, 12, 4]]), "XYXY", (10, 10)
    )
    assert valid.tolist() == [False, True, False]
    assert kept.shape == (1, 4)
    points = tv.KeyPoints([[[0, 1], [2, 3]], [[0, 1], [20, 3]]], canvas_size=(10, 10))
    assert F.sanitize_keypoints(points)[1].tolist() == [True, False]
    assert F.clamp_keypoints(points)[1, 1].tolist() == [9, 3]
    for function, args in ((F.clamp_bounding_boxes, (pydl.zeros(1, 4),)), (F.clamp_bounding_boxes, (boxes, "XYXY")), (F.clamp_keypoints, (pydl.zeros(1, 2),)),
                           (F.sanitize_keypoints, (pydl.zeros(1, 2),)), (F.sanitize_bounding_boxes, (boxes, "XYXY")), (F.sanitize_bounding_boxes, (pydl.zeros(1, 4),))):  # fmt: skip
        with pytest.raises(ValueError):
            function(*args)
    empty = tv.BoundingBoxes(pydl.zeros(0, 4), format="XYWH", canvas_size=(10, 10))
    for name, args, kwargs in MOVES:
        assert getattr(F, name)(empty, *args, **kwargs).shape == (0, 4)


def test_erase_noise_and_jpeg() -> None:
    x = t(FLOATS)
    made = F.erase(x, 2, 3, 4, 5, pydl.tensor(0.5)).numpy()
    assert (made[:, 2:6, 3:8] == 0.5).all()
    np.testing.assert_array_equal(made[:, 6:], FLOATS[:, 6:])
    np.testing.assert_array_equal(x.numpy(), FLOATS)
    assert F.erase(x, 0, 0, 1, 1, pydl.tensor(9.0), inplace=True) is x
    pydl.manual_seed(0)
    noise = F.gaussian_noise(pydl.full((1, 200, 200), 0.5), 0.1, 0.05)
    assert abs(noise.mean().item() - 0.6) < 0.002
    assert abs(noise.std().item() - 0.05) < 0.002
    for bad in (pydl.zeros(1, 2, 2, dtype=pydl.int64), None):
        with pytest.raises((ValueError, TypeError)):
            F.gaussian_noise(bad)
    p = picture()
    np.testing.assert_array_equal(F.jpeg(t(BYTES), 40).numpy(), channels_first(F.jpeg(p, 40)))
    video = t(RNG.integers(0, 255, (5, 3, 4, 4), dtype=np.uint8))
    assert F.uniform_temporal_subsample(video, 3).equal(video[[0, 2, 4]])


def test_kinds_of_tensors() -> None:
    """What stays of its kind, and what becomes plain."""
    import copy
    import pickle

    image = tv.Image(t(FLOATS))
    boxes = tv.BoundingBoxes([1.0, 2, 3, 4], format="xyxy", canvas_size=(9, 9))
    assert boxes.shape == (1, 4)
    for kept in (
        boxes.clone(),
        boxes.to(pydl.float64),
        boxes.detach(),
        copy.deepcopy(boxes),
        pickle.loads(pickle.dumps(boxes)),
        copy.copy(boxes),
        boxes.requires_grad_(False),
    ):
        assert isinstance(kept, tv.BoundingBoxes)
        assert (kept.format, kept.canvas_size) == (boxes.format, (9, 9))
    assert type(image + 1) is pydl.Tensor
    assert type(F.hflip(image)) is tv.Image
    assert tv.wrap(image * 2, like=image).shape == image.shape
    assert tv.Image(picture()).shape == (3, 17, 23)
    assert tv.Mask(PIL.fromarray(BYTES[0])).dtype == pydl.uint8
    for make, error in ((lambda: tv.BoundingBoxes([[1, 2, 3]], format="XYXY", canvas_size=(1, 1)), pydl.ShapeError), (lambda: tv.Image(3.0), ValueError),
                        (lambda: tv.Video(pydl.zeros(3, 4, 4)), ValueError), (lambda: tv.KeyPoints([[1, 2, 3]], canvas_size=(1, 1)), pydl.ShapeError),
                        (lambda: tv.BoundingBoxes([[1, 2, 3, 4]], format="A", canvas_size=(1, 1)), ValueError), (lambda: tv.set_return_type("TVTensor"), ValueError),
                        (lambda: tv.BoundingBoxes(pydl.zeros(1, 1, 4), format="XYXY", canvas_size=(1, 1)), ValueError)):  # fmt: skip
        with pytest.raises(error):
            make()


@pytest.mark.parametrize("number", [2**31, 2**62, -(2**62), float("nan"), float("inf")])
def test_extreme_arguments_raise(number: Any) -> None:
    """No call may end the process, or run for long."""
    x = pydl.zeros(1, 4, 4)
    calls = [
        lambda: F.resize(x, [number, number]), lambda: F.pad(x, [number, 0]), lambda: F.crop(x, number, 0, 2, 2), lambda: F.crop(x, 0, 0, number, number),
        lambda: F.center_crop(x, [number, number]), lambda: F.affine(x, number, [0, 0], 1.0, 0.0), lambda: F.rotate(x, number, expand=True),
        lambda: F.affine(x, 0, [number, number], 1.0, 0.0), lambda: F.affine(x, 0, [0, 0], abs(number), 0.0), lambda: F.gaussian_blur(x, number),
        lambda: F.perspective(x, [[number, 0]] * 4, [[0, number]] * 4), lambda: F.adjust_brightness(x, number),
    ]  # fmt: skip
    for call in calls:
        try:
            call()
        except (ValueError, TypeError, RuntimeError, OverflowError, MemoryError, IndexError, np.linalg.LinAlgError):
            pass
