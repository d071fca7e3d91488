"""The examples run and reach what they promise, in a small budget."""

from __future__ import annotations

import importlib
import pathlib
import sys

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "examples"
needs_digits = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="the digits come with scikit-learn, which is not installed"
)


@pytest.fixture
def example(monkeypatch):
    """`example(name)` is the module; the folder's helpers are found as when it runs as a script."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name):
        return importlib.import_module(name)

    before = set(sys.modules)
    yield load
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(FOLDER) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_linear_regression(example):
    assert example("linear_regression").main() < 0.05


@needs_digits
def test_softmax_regression(example):
    assert example("softmax_regression").main() > 0.93


def test_xor(example):
    assert example("xor").main() == [0, 1, 1, 0]


@needs_digits
def test_regularisation(example):
    found = example("regularisation").main(epochs=15)
    assert set(found) == {"plain", "dropout 0.5", "weight decay 0.05", "both"}
    assert min(found.values()) > 0.6


@needs_digits
def test_lenet(example):
    assert example("lenet").main(epochs=8) > 0.8


@needs_digits
def test_resnet(example):
    assert example("resnet").main(epochs=4) > 0.8


def test_images_come_from_files_when_given(example, tmp_path):
    with pytest.raises(ValueError, match="root"):
        example("_images").load("mnist")
    with pytest.raises(ValueError, match="digits"):
        example("_images").load("letters")
    with pytest.raises(RuntimeError, match="not found"):
        example("_images").load("cifar10", str(tmp_path))


def test_character_models(example):
    assert example("char_lstm").main(steps=40, width=64, characters=20000) < 3.3
    assert example("char_transformer").main(steps=40, width=32, layers=1, characters=20000) < 3.6


def test_unet(example):
    assert example("unet").main(steps=60, width=4) > 0.4


def test_wgan_gp(example):
    centres, share = example("wgan_gp").main(steps=800)
    assert centres >= 7
    assert share > 0.4


def test_conv_lstm(example):
    error, still = example("conv_lstm").main(steps=40, width=8)
    assert error < still


@needs_digits
def test_spatial_transformer(example):
    found = example("spatial_transformer").main(epochs=12)
    assert found["transformer"] > found["plain"] > 0.5


def test_attribution(example):
    accuracy, shares = example("attribution").main(steps=60)
    assert accuracy > 0.9
    assert len(shares) == 6
    assert min(shares.values()) > 0.2  # the shapes cover 9 %


@needs_digits
def test_vae(example):
    before, after = example("vae").main(epochs=8)
    assert after < 0.75 * before


@needs_digits
def test_curriculum(example):
    found = example("curriculum").main(epochs=6)
    assert min(found["plain"], found["easy first"]) > 0.8
    assert found["several sizes, 14 pixels"] > 0.4 > 2 * found["plain, 14 pixels"]


def test_plots_are_written(example, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    example("linear_regression").main(epochs=1, out=str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


# AP50 after 40 steps, and what the examples' own number of steps must reach
DETECTORS = {
    "fasterrcnn": (0.2, {"AP50": 0.9}),
    "maskrcnn": (0.1, {"AP50": 0.9, "mask IoU": 0.8}),
    "keypointrcnn": (0.3, {"AP50": 0.9, "PCK@0.1": 0.9}),
    "retinanet": (0.05, {"AP50": 0.9}),
    "ssd": (0.2, {"AP50": 0.9}),
    "fcos": (0.05, {"AP50": 0.9}),
    "yolo": (0.05, {"AP50": 0.9}),
}


@pytest.mark.parametrize("model", DETECTORS)
def test_detectors_find_shapes(example, model, full):
    early, goals = DETECTORS[model]
    if full:
        figures = example("detection").main(model)
        assert all(figures[name] >= goal for name, goal in goals.items()), figures
    else:
        figures = example("detection").main(model, steps=40, width=32 if model == "fcos" else 16, held_out=20)
        assert set(figures) == set(goals)
        assert figures["AP50"] > early


@pytest.mark.parametrize("model, early", [("unet", 0.26), ("deeplab", 0.23)])
def test_segmentation_of_shapes(example, model, early, full):
    if full:
        assert example("segmentation").main(model) >= 0.9
    else:
        assert example("segmentation").main(model, steps=20, width=8, held_out=12) > early
