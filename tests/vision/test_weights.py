"""The names of published weights: programs that use them run up to where the file would have to be there."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import pydl
from pydl.vision import models
from pydl.vision.transforms import InterpolationMode, _presets
from pydl.vision.transforms import functional as F


def test_names() -> None:
    from pydl.vision.models import ResNet18_Weights, ResNet50_Weights
    from pydl.vision.models.detection import FasterRCNN_ResNet50_FPN_Weights
    from pydl.vision.models.segmentation import FCN_ResNet50_Weights

    assert ResNet50_Weights.DEFAULT is ResNet50_Weights.IMAGENET1K_V2 is ResNet50_Weights["IMAGENET1K_V2"]
    assert list(ResNet50_Weights) == [ResNet50_Weights.IMAGENET1K_V1, ResNet50_Weights.IMAGENET1K_V2]
    assert repr(ResNet50_Weights.DEFAULT) == "ResNet50_Weights.IMAGENET1K_V2"
    assert issubclass(FCN_ResNet50_Weights, models.WeightsEnum)
    assert FasterRCNN_ResNet50_FPN_Weights.COCO_V1.url.endswith("fasterrcnn_resnet50_fpn_coco-258fb6c6.pth")
    for name in (ResNet50_Weights.DEFAULT, FCN_ResNet50_Weights.DEFAULT):
        assert copy.deepcopy(name) is name
        assert pickle.loads(pickle.dumps(name)) is name
    assert ResNet50_Weights.verify("ResNet50_Weights.IMAGENET1K_V1") is ResNet50_Weights.IMAGENET1K_V1
    assert ResNet50_Weights.verify(None) is None
    with pytest.raises(TypeError, match="ResNet50_Weights"):
        ResNet50_Weights.verify(ResNet18_Weights.DEFAULT)
    assert {"ResNet50_Weights", "resnet50"} <= set(dir(models))
    assert "FCN_ResNet50_Weights" in dir(models.segmentation)
    for place in (models, models.detection, models.segmentation):
        with pytest.raises(AttributeError, match="Nothing_Weights"):
            place.Nothing_Weights  # noqa: B018


def test_every_name_belongs_to_a_model() -> None:
    for name in models.list_models():
        assert callable(models.get_model_builder(name))
        if name in ("lenet", "unet", "yolo"):
            with pytest.raises(ValueError, match=name):
                models.get_model_weights(name)
            continue
        names = models.get_model_weights(name)
        assert models.get_model_weights(models.get_model_builder(name)) is names
        assert names.DEFAULT in list(names)
        assert names.DEFAULT.meta["num_params"] == models.PARAMETER_COUNTS[name]
        for one in names:
            assert models.get_weight(str(one)) is one
            assert isinstance(one.transforms(), _presets.ObjectDetection)
    assert models.list_models(models.segmentation, exclude=["*resnet*", "lraspp*"]) == ["deeplabv3_mobilenet_v3_large"]
    assert isinstance(models.get_model("LeNet", num_classes=3), models.LeNet)
    for call in (
        lambda: models.get_model("resnet17"),
        lambda: models.get_weight("ResNet18_Weights.V9"),
        lambda: models.get_weight("x"),
    ):
        with pytest.raises(ValueError, match="there (is|are) no"):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda w: models.resnet18(weights=w.DEFAULT),
        lambda w: models.get_model("resnet18", weights=w.IMAGENET1K_V1),
        lambda w: models.detection.fasterrcnn_resnet50_fpn(weights_backbone=w.DEFAULT),
        lambda w: models.segmentation.fcn_resnet50(weights_backbone=w.DEFAULT),
        lambda w: w.DEFAULT.get_state_dict(progress=True),
    ],
)
def test_nothing_is_downloaded(call: Any) -> None:
    with pytest.raises(
        ValueError, match=r"would have to be downloaded; get https.*resnet18-f37072fd.pth and pass weights"
    ):
        call(models.ResNet18_Weights)
    with pytest.raises(ValueError, match="download"):
        models.resnet18(weights="ResNet18_Weights.DEFAULT")


def test_transforms() -> None:
    PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture = PIL.fromarray(pixels)
    tensor = pydl.from_numpy(pixels.transpose(2, 0, 1).copy())
    for image in (picture, tensor, tensor[None]):
        made = _presets.ImageClassification(crop_size=16, resize_size=20, interpolation=InterpolationMode.BICUBIC)(
            image
        )
        small = F.to_dtype(F.pil_to_tensor(F.resize(picture, 20, "bicubic")), pydl.float32, True)[:, 2:18, 7:23]
        mean, std = (np.array(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        assert made.shape[-3:] == (3, 16, 16)
        np.testing.assert_allclose(made.reshape(3, 16, 16).numpy(), (small.numpy() - mean) / std, atol=0.02)
        np.testing.assert_allclose(
            _presets.ObjectDetection()(image).reshape(3, 40, 60).numpy(), tensor.numpy() / 255, atol=1e-6
        )
        assert _presets.SemanticSegmentation(resize_size=None)(image).shape[-2:] == (40, 60)
    assert models.EfficientNet_V2_L_Weights.DEFAULT.transforms().mean == [0.5] * 3
    assert models.VGG16_Weights.IMAGENET1K_FEATURES.transforms().std == [1 / 255] * 3
    assert "crop_size=[224]" in repr(models.Swin_T_Weights.DEFAULT.transforms())
