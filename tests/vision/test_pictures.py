"""Grids, drawings, files of images, features by name."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import nn
from pydl.vision import feature_extraction as fx
from pydl.vision import io as vio
from pydl.vision import utils

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (3, 17, 23), dtype=np.uint8)


def t(a: np.ndarray) -> Any:
    return pydl.from_numpy(a.copy())


def test_grid() -> None:
    x = RNG.random((5, 3, 4, 6))
    grid = utils.make_grid(t(x), nrow=3, padding=2, pad_value=0.25).numpy()
    expected = np.full((3, 14, 26), 0.25)
    for k in range(5):
        top, left = 2 + (k // 3) * 6, 2 + (k % 3) * 8
        expected[:, top : top + 4, left : left + 6] = x[k]
    np.testing.assert_array_equal(grid, expected)
    assert utils.make_grid([t(a) for a in x], nrow=3, pad_value=0.25).numpy().tolist() == expected.tolist()
    assert utils.make_grid(t(x[0, 0])).shape == (3, 4, 6)
    assert utils.make_grid(t(x[:1])).shape == (3, 4, 6)
    assert utils.make_grid(pydl.zeros(2, 1, 4, 6)).shape == (3, 8, 18)
    low, high = utils.make_grid(t(x) * 4, normalize=True, padding=0).aminmax()
    assert (low.item(), high.item()) == (0, 1)
    each = utils.make_grid(t(x) * 4, nrow=5, normalize=True, scale_each=True, padding=0)
    assert all(abs(part.max().item() - 1) < 1e-12 for part in each.split(6, dim=2))
    assert utils.make_grid(t(x) * 4, normalize=True, value_range=(0, 8)).max() < 0.51
    for bad, error in (("a", TypeError), ([1, 2], TypeError), ([], ValueError), (pydl.zeros(2), pydl.ShapeError)):
        with pytest.raises(error):
            utils.make_grid(bad)
    with pytest.raises(ValueError):
        utils.make_grid(t(x), nrow=0)
    with pytest.raises(TypeError):
        utils.make_grid(t(x), normalize=True, value_range=3)


def test_saved_images(tmp_path: Any) -> None:
    x = RNG.random((2, 3, 5, 6)).astype(np.float32)
    utils.save_image(t(x), tmp_path / "a.png", padding=1)
    grid = utils.make_grid(t(x), padding=1).numpy()
    np.testing.assert_array_equal(
        vio.read_image(str(tmp_path / "a.png")).numpy(), np.clip(grid * 255 + 0.5, 0, 255).astype(np.uint8)
    )
    file = io.BytesIO()
    utils.save_image(t(x[0]).requires_grad_(), file, format="JPEG")
    assert file.getvalue()[:2] == b"\xff\xd8"
    with pytest.raises(pydl.ShapeError):
        utils.save_image(pydl.zeros(2, 5, 4, 4), file, format="PNG")


def test_boxes_drawn() -> None:
    image = t(BYTES)
    drawn = utils.draw_bounding_boxes(
        image, pydl.tensor([[2, 3, 10, 12], [5, 5, 20, 15]]), colors=["red", (0, 0, 255)]
    ).numpy()
    np.testing.assert_array_equal(image.numpy(), BYTES)
    for x in range(2, 11):
        assert drawn[:, 3, x].tolist() == [255, 0, 0]
    assert drawn[:, 15, 20].tolist() == [0, 0, 255]
    inside = np.zeros((17, 23), bool)
    inside[3:16, 2:21] = True
    np.testing.assert_array_equal(drawn[:, ~inside], BYTES[:, ~inside])
    np.testing.assert_array_equal(drawn[:, 7, 7], BYTES[:, 7, 7])
    grey = utils.draw_bounding_boxes(
        pydl.zeros(1, 8, 8), pydl.tensor([[1.0, 1, 6, 6]]), ["x"], "lime", fill=True, width=2, fill_labels=True
    )
    assert grey.shape == (3, 8, 8)
    assert grey[1, 1, 1] == 1
    assert utils.draw_bounding_boxes(image, pydl.zeros(0, 4)).equal(image)
    assert utils.draw_bounding_boxes(image, pydl.tensor([[-1e30, -5.0, 1e30, 1e9]])).shape == (3, 17, 23)
    for boxes, options, error in (
        (pydl.tensor([[5, 5, 2, 2]]), {}, ValueError), (pydl.tensor([[0.0, 0, pydl.nan, 1]]), {}, ValueError), (pydl.zeros(4), {}, pydl.ShapeError),
        (pydl.zeros(1, 4), {"labels": ["a", "b"]}, ValueError), (pydl.zeros(2, 4), {"colors": ["red"]}, ValueError),
    ):  # fmt: skip
        with pytest.raises(error):
            utils.draw_bounding_boxes(image, boxes, **options)
    for bad, error in (
        (BYTES, TypeError),
        (pydl.zeros(3, 4, 4, dtype=pydl.int64), ValueError),
        (pydl.zeros(2, 4, 4), pydl.ShapeError),
    ):
        with pytest.raises(error):
            utils.draw_bounding_boxes(bad, pydl.zeros(1, 4))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_masks_drawn(dtype: Any) -> None:
    image = BYTES if dtype == np.uint8 else (BYTES / 255).astype(np.float32)
    masks = RNG.random((2, 17, 23)) < 0.3
    made = utils.draw_segmentation_masks(t(image), t(masks), 0.6, ["red", "blue"]).numpy()
    white = 255 if dtype == np.uint8 else 1
    painted = image.astype(float)
    painted[:, masks[0]] = np.array([white, 0, 0])[:, None]
    painted[:, masks[1]] = np.array([0, 0, white])[:, None]
    painted[:, masks.all(0)] = 0
    expected = np.where(masks.any(0), 0.4 * image + 0.6 * painted, image)
    assert np.abs(made - expected).max() <= (1 if dtype == np.uint8 else 1e-6)
    np.testing.assert_array_equal(made[:, ~masks.any(0)], image[:, ~masks.any(0)])
    assert utils.draw_segmentation_masks(t(image), t(masks[0])).shape == (3, 17, 23)
    assert utils.draw_segmentation_masks(t(image), t(masks[:0])).equal(t(image))
    for bad, error in ((masks, TypeError), (t(masks.astype(np.uint8)), ValueError), (t(masks[:, :5]), pydl.ShapeError)):
        with pytest.raises(error):
            utils.draw_segmentation_masks(t(image), bad)
    with pytest.raises(ValueError, match="alpha"):
        utils.draw_segmentation_masks(t(image), t(masks), alpha=2.0)


def test_points_drawn() -> None:
    image = pydl.zeros(3, 20, 20, dtype=pydl.uint8)
    points = pydl.tensor([[[3.0, 4], [15, 4], [10, 16]]])
    dots = utils.draw_keypoints(image, points, colors="white", radius=1)
    assert dots[0, 4, 3] == dots[0, 4, 15] == dots[0, 16, 10] == 255
    assert dots[0, 4, 9] == 0
    limbs = utils.draw_keypoints(image, points, [(0, 1)], (9, 8, 7), visibility=[[True, True, False]])
    assert limbs[:, 4, 9].tolist() == [9, 8, 7]
    assert limbs[0, 16, 10] == 0
    assert not utils.draw_keypoints(image, pydl.full((1, 2, 2), pydl.nan), [(0, 1)]).any()
    with pytest.raises(pydl.ShapeError):
        utils.draw_keypoints(image, points[0])
    with pytest.raises(pydl.ShapeError):
        utils.draw_keypoints(image, points, visibility=[True])
    with pytest.raises(IndexError):
        utils.draw_keypoints(image, points, [(0, 7)])


def test_flow() -> None:
    flow = pydl.tensor([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0]]).reshape(2, 1, 4)
    colours = utils.flow_to_image(flow)
    assert colours.shape == (3, 1, 4)
    assert colours[:, 0, 3].tolist() == [255, 255, 255]
    assert len({tuple(colours[:, 0, k].tolist()) for k in range(3)}) == 3
    assert utils.flow_to_image(pydl.stack([flow, flow]))[1].equal(colours)
    with pytest.raises(pydl.ShapeError):
        utils.flow_to_image(pydl.zeros(3, 2, 2))
    with pytest.raises(ValueError):
        utils.flow_to_image(pydl.zeros(2, 2, 2).double())


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16", "CMYK"])
def test_files_of_every_mode(mode: str, tmp_path: Any) -> None:
    picture = (
        PIL.fromarray(BYTES[0].astype(np.uint16) * 257)
        if mode == "I;16"
        else PIL.fromarray(BYTES.transpose(1, 2, 0).copy()).convert(mode)
    )
    path = str(tmp_path / ("a.jpg" if mode == "CMYK" else "a.png"))
    picture.save(path)
    found = vio.read_image(path)
    opened = PIL.open(path)
    shown = {"P": "RGB", "1": "L", "CMYK": "RGB"}.get(mode)
    expected = np.asarray(opened.convert(shown) if shown else opened)
    np.testing.assert_array_equal(found.numpy(), expected[None] if expected.ndim == 2 else expected.transpose(2, 0, 1))
    assert found.dtype == (pydl.uint16 if mode == "I;16" else pydl.uint8)
    if mode != "I;16":
        for name, channels in (("GRAY", 1), ("GRAY_ALPHA", 2), ("RGB", 3), ("RGB_ALPHA", 4)):
            assert vio.read_image(path, vio.ImageReadMode[name]).shape == (channels, 17, 23)
            assert vio.decode_image(vio.read_file(path), name).shape == (channels, 17, 23)
    assert vio.image.ImageReadMode.RGB is vio.ImageReadMode.RGB


def test_encoding_and_turning(tmp_path: Any) -> None:
    image = t(BYTES)
    assert vio.decode_png(vio.encode_png(image, 9)).equal(image)
    two = vio.decode_jpeg(vio.encode_jpeg([image, image[:1]], 95))
    assert [tuple(x.shape) for x in two] == [(3, 17, 23), (1, 17, 23)]
    smooth = t(np.tile(np.arange(0, 240, 10, dtype=np.uint8), (3, 16, 1)))
    assert (vio.decode_jpeg(vio.encode_jpeg(smooth, 95)).int() - smooth.int()).abs().max() < 12
    picture = PIL.fromarray(BYTES.transpose(1, 2, 0).copy())
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    picture.save(tmp_path / "a.png", exif=exif)
    assert vio.read_image(str(tmp_path / "a.png"), apply_exif_orientation=True).equal(image.rot90(-1, (1, 2)))
    assert vio.read_image(str(tmp_path / "a.png")).equal(image)
    frames = [PIL.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    film = vio.decode_gif(t(np.frombuffer(file.getvalue(), np.uint8)))
    assert film[:, :, 0, 0].tolist() == [[255, 0, 0], [0, 0, 255]]
    for call, error in ((lambda: vio.encode_png(pydl.zeros(3, 2, 2)), ValueError), (lambda: vio.encode_png(image, 10), ValueError), (lambda: vio.encode_jpeg(image, 0), ValueError),
                        (lambda: vio.encode_png(image[:2]), pydl.ShapeError), (lambda: vio.encode_png(image[:, :0]), pydl.ShapeError), (lambda: vio.decode_png(image), ValueError),
                        (lambda: vio.decode_png(b"a"), Exception), (lambda: vio.read_image("/nowhere"), OSError), (lambda: vio.write_file("/nowhere", 3), TypeError),
                        (lambda: vio.decode_jpeg(vio.encode_png(image)), pydl.SerializationError), (lambda: vio.read_image("/nowhere", "XYZ"), ValueError)):  # fmt: skip
        with pytest.raises(error):
            call()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_damaged_images(format: str, full: bool) -> None:
    rng = random.Random(1)
    file = io.BytesIO()
    PIL.fromarray(BYTES.transpose(1, 2, 0).copy()).save(file, format)
    good = file.getvalue()
    read = 0
    for _ in range(1000 if full else 100):
        data = bytearray(good)
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(min(len(data), 300))
            if rng.random() < 0.5:
                data[at] = rng.randrange(256)
            else:
                del data[at : at + rng.randrange(1, 9)]
        try:
            decode = vio.decode_gif if format == "GIF" else vio.decode_image
            decode(t(np.frombuffer(bytes(data), np.uint8)))
            read += 1
        except (pydl.SerializationError, MemoryError):
            pass
    assert read < 1000


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(2, 2)
        self.inner = nn.Sequential(nn.ReLU(), nn.Dropout(0.5))
        self.unused = nn.Linear(1, 1)

    def forward(self, x: Any, scale: float = 1.0) -> Any:
        return self.inner(self.a(self.a(x)) * scale)


def test_features_by_name() -> None:
    net = Twice()
    assert fx.get_graph_node_names(net) == (["a", "inner", "inner.0", "inner.1", "unused"],) * 2
    extractor = fx.create_feature_extractor(net, {"inner.0": "relu", "a": "linear"})
    x = pydl.randn(3, 2)
    found = extractor(x, scale=2.0)
    assert list(found) == ["relu", "linear"]
    assert found["linear"].equal(net.a(net.a(x)))
    assert found["relu"].equal((net.a(net.a(x)) * 2).relu())
    found["relu"].sum().backward()
    assert net.a.weight.grad is not None
    assert not net.a._forward_hooks
    assert {id(p) for p in extractor.parameters()} == {id(p) for p in net.parameters()}
    extractor.eval()
    assert not net.training
    apart = fx.create_feature_extractor(net, train_return_nodes=["a"], eval_return_nodes=["inner"])
    assert list(apart(x)) == ["inner"]
    assert list(apart.train()(x)) == ["a"]
    with pytest.raises(ValueError, match=r"near names.*inner\.0"):
        fx.create_feature_extractor(net, ["inner.2"])
    for options in ({}, {"return_nodes": ["a"], "train_return_nodes": ["a"]}, {"train_return_nodes": ["a"]}):
        with pytest.raises(ValueError):
            fx.create_feature_extractor(net, **options)
    with pytest.raises(RuntimeError, match="unused"):
        fx.create_feature_extractor(net, ["unused"])(x)
    with pytest.raises(RuntimeError):
        extractor(pydl.zeros(3, 5))
    assert not net.a._forward_hooks


def test_feature_maps_drawn() -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    ax = fx.plot_feature_maps(pydl.rand(5, 4, 6, requires_grad=True), ncol=3)
    assert ax.images[0].get_array().shape == (9, 20)
    assert fx.plot_feature_maps(pydl.zeros(1, 2, 2), ax=ax) is ax
    with pytest.raises(pydl.ShapeError):
        fx.plot_feature_maps(pydl.zeros(2, 2))
