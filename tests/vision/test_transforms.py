"""Every transform on tensors, arrays, Pillow images and whole samples; random ones by what they draw."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

import pydl
from pydl.vision import transforms as T
from pydl.vision import tv_tensors as tv
from pydl.vision.transforms import functional as F

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (3, 20, 24), dtype=np.uint8)

# Of a name: the arguments, and the size (H, W) of what comes out of (20, 24); None: the same
GEOMETRY = {
    "CenterCrop": ((8,), (8, 8)), "ElasticTransform": ((10.0, 1.0), None), "Pad": ((2,), (24, 28)), "RandomAffine": ((20, (0.1, 0.1), (0.8, 1.2), 10), None),
    "RandomCrop": (((8, 9),), (8, 9)), "RandomHorizontalFlip": ((), None), "RandomPerspective": ((0.5, 1.0), None), "RandomResize": ((10, 11), (10, 12)),
    "RandomResizedCrop": ((7,), (7, 7)), "RandomRotation": ((30,), None), "RandomShortestSize": ((10,), (10, 12)), "RandomVerticalFlip": ((), None),
    "RandomZoomOut": ((0, (2.0, 2.0), 1.0), (40, 48)), "Resize": (((5, 6),), (5, 6)), "ScaleJitter": (((10, 12), (1.0, 1.0)), (8, 10)),
}  # fmt: skip
COLOUR = {
    "AugMix": (), "AutoAugment": (), "ColorJitter": (0.5, 0.5, 0.5, 0.2), "GaussianBlur": (3,), "Grayscale": (3,), "JPEG": (50,), "RGB": (), "RandAugment": (),
    "RandomAdjustSharpness": (2.0, 1.0), "RandomAutocontrast": (1.0,), "RandomChannelPermutation": (), "RandomEqualize": (1.0,), "RandomErasing": (1.0,),
    "RandomGrayscale": (1.0,), "RandomInvert": (1.0,), "RandomPhotometricDistort": (), "RandomPosterize": (4, 1.0), "RandomSolarize": (128, 1.0),
    "TrivialAugmentWide": (), "Identity": (),
}  # fmt: skip
# Tested by themselves below
OTHERS = {
    "AutoAugmentPolicy", "ClampBoundingBoxes", "ClampKeyPoints", "Compose", "ConvertBoundingBoxFormat", "ConvertImageDtype", "CutMix", "FiveCrop", "GaussianNoise",
    "InterpolationMode", "Lambda", "LinearTransformation", "MixUp", "MultiScaleBatch", "Normalize", "PILToTensor", "RandomApply", "RandomChoice", "RandomIoUCrop",
    "RandomOrder", "SanitizeBoundingBoxes", "SanitizeKeyPoints", "SetClampingMode", "TenCrop", "ToDtype", "ToImage", "ToPILImage", "ToPureTensor", "ToTensor",
    "Transform", "UniformTemporalSubsample", "functional",
}  # fmt: skip
AUTOMATIC = ("AugMix", "AutoAugment", "RandAugment", "TrivialAugmentWide")


def image() -> Any:
    return pydl.from_numpy(BYTES.copy())


def pillow() -> Any:
    return PIL.fromarray(BYTES.transpose(1, 2, 0).copy())


def seeded(seed: int, call: Any) -> Any:
    pydl.manual_seed(seed)
    return call()


def test_every_transform_is_tested() -> None:
    assert set(T.__all__) == {*GEOMETRY, *COLOUR, *OTHERS}
    assert set(T.v2.__all__) == {*T.__all__, *T.v2._queries.__all__}
    assert T.v2.Resize is T.Resize is T.transforms.Resize
    assert T.autoaugment.AutoAugmentPolicy is T.AutoAugmentPolicy


@pytest.mark.parametrize("name", sorted({**GEOMETRY, **COLOUR}))
def test_images_of_every_kind(name: str) -> None:
    args, size = GEOMETRY[name] if name in GEOMETRY else (COLOUR[name], None)
    transform = getattr(T, name)(*args)
    assert name in repr(transform)
    assert repr(copy.deepcopy(transform)) == repr(pickle.loads(pickle.dumps(transform))) == repr(transform)
    for seed in range(4):
        found = seeded(seed, lambda: transform(image()))
        assert tuple(found.shape[-2:]) == (size or (20, 24))
        assert found.dtype == pydl.uint8
        assert found.equal(seeded(seed, lambda: transform(image())))
        array = seeded(seed, lambda: transform(np.ascontiguousarray(BYTES.transpose(1, 2, 0))))
        np.testing.assert_array_equal(array.transpose(2, 0, 1), found.numpy())
        kind = seeded(seed, lambda: transform(tv.Image(image())))
        assert type(kind) is tv.Image
        assert kind.equal(found)
        picture = seeded(seed, lambda: transform(pillow()))
        assert picture.size == tuple(found.shape[-2:][::-1])
        if name not in AUTOMATIC and name not in ("RandomAffine", "RandomRotation", "RandomPerspective"):
            difference = np.abs(np.asarray(picture).astype(int).transpose(2, 0, 1) - found.numpy()).max()
            assert difference <= (12 if name in ("ColorJitter", "RandomPhotometricDistort", "JPEG") else 2), (
                name,
                seed,
            )


@pytest.mark.parametrize("name", sorted({**GEOMETRY, **COLOUR}))
def test_whole_samples_move_alike(name: str) -> None:
    args, size = GEOMETRY[name] if name in GEOMETRY else (COLOUR[name], None)
    transform = getattr(T, name)(*args)
    sample = {
        "image": tv.Image(image()),
        "target": OrderedDict(
            boxes=tv.BoundingBoxes([[2.0, 3, 12, 15], [0, 0, 24, 20]], format="XYXY", canvas_size=(20, 24)),
            masks=tv.Mask(pydl.ones(2, 20, 24, dtype=pydl.uint8)), points=tv.KeyPoints([[2.0, 3]], canvas_size=(20, 24)), labels=pydl.tensor([1, 2]),
        ),
        "name": "x", "tuple": (1, [2.5, None]),
    }  # fmt: skip
    if name in AUTOMATIC:
        with pytest.raises(TypeError, match="not supported"):
            transform(sample)
        return
    made = seeded(1, lambda: transform(sample))
    assert list(made) == list(sample)
    assert made["tuple"] == (1, [2.5, None])
    assert made["name"] == "x"
    target = made["target"]
    assert type(target) is OrderedDict
    assert target["labels"] is sample["target"]["labels"]
    expected = size or (20, 24)
    assert (
        tuple(made["image"].shape[-2:])
        == tuple(target["masks"].shape[-2:])
        == target["boxes"].canvas_size
        == target["points"].canvas_size
        == expected
    )
    assert [type(target[key]).__name__ for key in ("boxes", "masks", "points")] == [
        "BoundingBoxes",
        "Mask",
        "KeyPoints",
    ]
    if name in COLOUR:
        for key in ("boxes", "masks", "points"):
            assert target[key] is sample["target"][key]


def test_which_tensors_are_images() -> None:
    flip = T.RandomHorizontalFlip(1.0)
    x, y = pydl.arange(6).reshape(1, 2, 3), pydl.arange(6).reshape(1, 2, 3) + 10
    first, second = flip(x, y)
    assert first.equal(x.flip(-1))
    assert second is y
    first, second = flip([x, tv.Image(y)])
    assert first is x
    assert second.equal(y.flip(-1))
    pair = namedtuple("pair", "a b")
    assert flip(pair(tv.Image(x), 3)).a.equal(x.flip(-1))
    assert flip({"label": np.array([1, 2])})["label"].tolist() == [1, 2]
    assert T.RandomHorizontalFlip(0.0)(x) is x


def test_containers() -> None:
    add, double = (lambda x: x + 1), (lambda x: x * 2)
    x = pydl.ones(1, 1, 1)
    assert T.Compose([add, double])(x).item() == 4
    assert T.Compose([T.CenterCrop(1), T.Identity()])(x, 5) == (x, 5)
    assert T.RandomApply([add, double], p=1.0)(x).item() == 4
    assert T.RandomApply([add, double], p=0.0)(x) is x
    found = {seeded(k, lambda: T.RandomOrder([add, double])(x)).item() for k in range(20)}
    assert found == {3.0, 4.0}
    pydl.manual_seed(0)
    drawn = [T.RandomChoice([add, double], p=[3, 1])(x * 4).item() for _ in range(400)]
    assert 0.68 < np.mean(np.array(drawn) == 5.0) < 0.82
    for kind in (T.Compose, T.RandomApply, T.RandomChoice, T.RandomOrder):
        with pytest.raises(ValueError):
            kind([])
        with pytest.raises(TypeError):
            kind(add)
    with pytest.raises(ValueError):
        T.RandomChoice([add], p=[1, 2])
    with pytest.raises(ValueError):
        T.RandomApply([add], p=1.5)
    with pytest.raises(TypeError):
        T.Lambda(3)
    assert T.Lambda(len, str)(["ab", 3]) == [2, 3]
    assert "len" in repr(T.Lambda(len))


def test_conversions() -> None:
    made = T.Compose([T.ToTensor(), T.Normalize([0.5] * 3, [0.5] * 3)])(pillow())
    np.testing.assert_allclose(made.numpy(), BYTES / np.float32(127.5) - 1, atol=1e-6)
    assert T.ToTensor()((pillow(), 3))[1] == 3
    for bad in (pydl.zeros(3, 2, 2), {"a": 1, "b": 2}, 3):
        with pytest.raises(TypeError):
            T.ToTensor()(bad)
    assert T.PILToTensor()(pillow()).equal(image())
    assert np.array_equal(np.asarray(T.ToPILImage()(image())), np.asarray(pillow()))
    assert type(T.ToImage()(pillow())) is tv.Image
    assert type(T.ToPureTensor()(tv.Image(image()))) is pydl.Tensor
    assert T.ConvertImageDtype()(image()).max() <= 1
    sample = {"image": tv.Image(image()), "mask": tv.Mask(pydl.ones(2, 2, dtype=pydl.uint8)), "n": pydl.ones(1)}
    made = T.ToDtype({tv.Image: pydl.float32, tv.Mask: pydl.int64, "others": None}, scale=True)(sample)
    assert (made["image"].dtype, made["mask"].dtype) == (pydl.float32, pydl.int64)
    assert made["mask"].max() == 1
    assert T.ToDtype(pydl.float32, scale=True)(sample)["mask"].dtype == pydl.uint8
    with pytest.raises(ValueError, match="others"):
        T.ToDtype({tv.Mask: pydl.int64})(sample)
    with pytest.raises(ValueError):
        T.ToDtype("float32")
    with pytest.raises(ValueError, match="std"):
        T.Normalize([0.5], [0.0])
    for transform in (T.Normalize([0.5], [0.5]), T.LinearTransformation(pydl.eye(2), pydl.zeros(2))):
        with pytest.raises(TypeError, match="PIL"):
            transform(pillow())
    with pytest.raises(TypeError):
        T.Normalize([0.5], [0.5])(image())
    matrix, mean = RNG.normal(size=(12, 12)), RNG.normal(size=12)
    x = RNG.normal(size=(2, 3, 2, 2))
    white = T.LinearTransformation(pydl.from_numpy(matrix), pydl.from_numpy(mean))(pydl.from_numpy(x))
    np.testing.assert_allclose(white.numpy(), ((x.reshape(2, 12) - mean) @ matrix).reshape(x.shape))
    with pytest.raises(ValueError):
        T.LinearTransformation(pydl.eye(3), pydl.zeros(2))
    with pytest.raises(ValueError, match="PIL"):
        T.GaussianNoise()(pillow())
    assert T.UniformTemporalSubsample(2)(pydl.zeros(5, 3, 2, 2)).shape == (2, 3, 2, 2)


def test_crops_of_several() -> None:
    assert [tuple(part.shape) for part in T.FiveCrop(5)(image())] == [(3, 5, 5)] * 5
    ten = T.TenCrop((5, 6), vertical_flip=True)(image())
    assert ten[5].equal(image().flip(-2)[:, :5, :6])
    with pytest.raises(TypeError):
        T.FiveCrop(5)(tv.Mask(pydl.zeros(8, 8)))
    with pytest.raises(ValueError, match="bigger"):
        T.FiveCrop(25)(image())


def test_random_crops_lie_everywhere() -> None:
    pydl.manual_seed(0)
    assert T.RandomCrop(np.int64(3))(image()).shape == (3, 3, 3)
    places = {T.RandomCrop.get_params(image(), (18, 22))[:2] for _ in range(300)}
    assert places == {(i, j) for i in range(3) for j in range(3)}
    with pytest.raises(ValueError, match="larger"):
        T.RandomCrop(30)(image())
    assert T.RandomCrop(30, pad_if_needed=True)(image()).shape == (3, 30, 30)
    assert T.RandomCrop(26, padding=[1, 2, 3, 4])(image()).shape == (3, 26, 26)
    with pytest.raises(ValueError):
        T.RandomCrop(3, padding=(1, 2, 3))
    parts = np.array([T.RandomResizedCrop.get_params(image(), (0.2, 0.6), (0.5, 2.0)) for _ in range(500)])
    share, ratio = parts[:, 2] * parts[:, 3] / 480, parts[:, 3] / parts[:, 2]
    assert (parts[:, 0] + parts[:, 2]).max() <= 20
    assert (parts[:, 1] + parts[:, 3]).max() <= 24
    assert 0.17 < share.min() < 0.25 < 0.5 < share.max() < 0.64
    assert 0.45 < ratio.min() < 0.6 < 1.6 < ratio.max() < 2.3
    assert T.RandomResizedCrop.get_params(pydl.zeros(1, 10, 100), (1.0, 1.0), (0.5, 2.0)) == (0, 40, 10, 20)


def test_random_colours_and_maps_are_in_range() -> None:
    pydl.manual_seed(0)
    drawn = [T.ColorJitter.get_params((0.5, 1.5), None, (0.2, 0.3), (-0.1, 0.1)) for _ in range(300)]
    assert {tuple(row[0].tolist()) for row in drawn[:200]} >= {(0, 1, 2, 3), (3, 2, 1, 0)}
    values = np.array([[row[1], row[3], row[4]] for row in drawn])
    np.testing.assert_allclose(values.mean(0), [1, 0.25, 0], atol=0.05)
    assert (values >= [0.5, 0.2, -0.1]).all()
    assert (values <= [1.5, 0.3, 0.1]).all()
    assert drawn[0][2] is None
    jitter = T.ColorJitter(brightness=1.5, hue=(0.1, 0.2))
    assert (jitter.brightness, jitter.contrast, jitter.hue) == ((0.0, 2.5), None, (0.1, 0.2))
    for bad in ({"brightness": -1}, {"hue": 0.6}, {"contrast": (2, 1)}):
        with pytest.raises(ValueError):
            T.ColorJitter(**bad)
    with pytest.raises(TypeError):
        T.ColorJitter(saturation="a")
    maps = [T.RandomAffine.get_params((-10, 20), (0.1, 0.5), (0.5, 2), (1, 2, 3, 4), (100, 10)) for _ in range(300)]
    assert max(abs(m[1][0]) for m in maps) in (9, 10)
    assert max(abs(m[1][1]) for m in maps) in (4, 5)
    assert all(-10 <= m[0] <= 20 and 0.5 <= m[2] <= 2 and 1 <= m[3][0] <= 2 and 3 <= m[3][1] <= 4 for m in maps)
    start, end = T.RandomPerspective.get_params(20, 10, 0.5)
    assert start == [[0, 0], [19, 0], [19, 9], [0, 9]]
    assert np.abs(np.array(start) - end).max(0).tolist() <= [5, 2]
    for make in (lambda: T.RandomRotation(-3), lambda: T.RandomRotation([1, 2, 3]), lambda: T.RandomAffine(3, translate=(2, 0)), lambda: T.RandomAffine(3, scale=(0, 1)),
                 lambda: T.RandomPerspective(2.0), lambda: T.RandomHorizontalFlip(2.0), lambda: T.Resize((1, 2, 3)), lambda: T.Resize(None), lambda: T.Resize(3, "x"),
                 lambda: T.Pad((1, 2, 3)), lambda: T.Pad(1, padding_mode="x"), lambda: T.GaussianBlur(4), lambda: T.GaussianBlur(3, (2, 1)), lambda: T.JPEG(0),
                 lambda: T.RandomErasing(scale=(-1, 1)), lambda: T.RandomErasing(value="x"), lambda: T.RandAugment(-1), lambda: T.RandAugment(magnitude=40),
                 lambda: T.AugMix(severity=11), lambda: T.RandomZoomOut(side_range=(0.5, 1)), lambda: T.SanitizeBoundingBoxes(0), lambda: T.SetClampingMode("x"),
                 lambda: T.MixUp(alpha=0.0), lambda: T.CenterCrop((1, 2, 3))):  # fmt: skip
        with pytest.raises(ValueError):
            make()
    with pytest.raises(TypeError):
        T.Pad(1, fill="a")


def test_erasing() -> None:
    pydl.manual_seed(0)
    shares = []
    for _ in range(200):
        made = T.RandomErasing(1.0, (0.1, 0.3), (0.5, 2.0), value=[9.0, 8.0, 7.0])(pydl.zeros(3, 20, 24))
        shares.append((made[0] == 9).float().mean().item())
        assert made[1].eq(8).equal(made[0].eq(9))
    assert 0.07 < min(shares) < 0.14 < 0.25 < max(shares) < 0.33
    noise = T.RandomErasing(1.0, (0.5, 0.5), value="random")(pydl.zeros(3, 40, 40))
    assert noise[noise != 0].std() > 0.9
    with pytest.raises(ValueError, match="channels"):
        T.RandomErasing(1.0, value=[1.0, 2.0])(pydl.zeros(3, 8, 8))


@pytest.mark.parametrize("policy", list(T.AutoAugmentPolicy))
def test_policies(policy: Any) -> None:
    auto = T.AutoAugment(policy)
    assert len(auto.policies) == 25
    for row in auto.policies:
        assert len(row) == 2
        for name, probability, at in row:
            assert 0 <= probability <= 1
            assert 0 <= at <= 9
            auto._operation(name, image(), 0.3)
    for _ in range(20):
        assert auto(image()).shape == (3, 20, 24)
    assert T.TrivialAugmentWide()(pydl.rand(3, 8, 8)).dtype == pydl.float32


def test_images_of_a_batch_are_mixed_differently() -> None:
    pydl.manual_seed(0)
    batch = pydl.rand(6, 3, 1, 1).expand(6, 3, 8, 8) * 0.5 + 0.25
    mixed = T.AugMix(all_ops=True, mixture_width=1, chain_depth=1)(batch)
    assert mixed.shape == batch.shape
    # Of one operation on all of them: the shares of the original are drawn for each
    share = T.AugMix(mixture_width=1, chain_depth=1)
    share._operation = lambda name, image, magnitude: image * 0  # type: ignore[method-assign]
    parts = (share(batch) / batch).mean((1, 2, 3))
    assert len({round(v, 4) for v in parts.tolist()}) == 6
    video = (share(tv.Video(batch)) / batch).mean((1, 2, 3))
    assert len({round(v, 4) for v in video.tolist()}) == 1


def test_mixtures() -> None:
    pydl.manual_seed(0)
    x, y = pydl.rand(4, 3, 8, 8), pydl.tensor([0, 1, 2, 1])
    images, labels = T.MixUp(alpha=0.5, num_classes=3)(x, y)
    share = labels[0, 0].item()
    np.testing.assert_allclose(images.numpy(), share * x.numpy() + (1 - share) * np.roll(x.numpy(), 1, 0), atol=1e-6)
    np.testing.assert_allclose(
        labels.numpy(), share * np.eye(3)[y] + (1 - share) * np.roll(np.eye(3)[y], 1, 0), atol=1e-6
    )
    made = T.CutMix(num_classes=3)({"image": x, "label": y})
    kept = (made["image"] == x).all(dim=1)
    assert kept[0].equal(kept[1])
    np.testing.assert_allclose(made["label"][0, 0].item(), kept[0].float().mean().item(), atol=1e-6)
    soft = T.MixUp(labels_getter=lambda batch: batch[2])([1, x, pydl.eye(4)])
    np.testing.assert_allclose(soft[2].sum(1).numpy(), 1, rtol=1e-6)
    for bad in ((x, pydl.tensor([0, 1])), (x[0], y), (x, y.reshape(2, 2, 1)), (pillow(), y), (x, [1, 2, 3, 4])):
        with pytest.raises(ValueError):
            T.MixUp(num_classes=3)(*bad)
    with pytest.raises(ValueError, match="num_classes"):
        T.MixUp()(x, y)


def test_detection_transforms() -> None:
    boxes = tv.BoundingBoxes([[2.0, 3, 12, 15], [15, 5, 22, 18]], format="XYXY", canvas_size=(20, 24))
    sample = {
        "image": tv.Image(image()),
        "boxes": boxes,
        "labels": pydl.tensor([5, 6]),
        "masks": tv.Mask(pydl.ones(2, 20, 24)),
    }
    whole = 0
    for seed in range(30):
        made = seeded(seed, lambda: T.Compose([T.RandomIoUCrop(), T.SanitizeBoundingBoxes()])(sample))
        count = len(made["boxes"])
        assert 1 <= count == len(made["labels"]) == len(made["masks"])
        assert made["boxes"].canvas_size == tuple(made["image"].shape[1:]) == tuple(made["masks"].shape[1:])
        assert set(made["labels"].tolist()) <= {5, 6}
        whole += made["image"].shape == (3, 20, 24)
    assert 0 < whole < 20
    with pytest.raises(TypeError):
        T.RandomIoUCrop()({"image": tv.Image(image())})
    none = tv.BoundingBoxes(pydl.zeros(0, 4), format="XYXY", canvas_size=(20, 24))
    assert T.RandomIoUCrop()(tv.Image(image()), none)[1].shape == (0, 4)
    with pytest.raises(ValueError, match="labels"):
        T.SanitizeBoundingBoxes()({**sample, "labels": pydl.tensor([1])})
    assert len(T.SanitizeBoundingBoxes(min_size=8, labels_getter=None)(boxes)) == 1
    assert T.ConvertBoundingBoxFormat("xywh")(boxes).tolist()[0] == [2, 3, 10, 12]
    assert T.SetClampingMode(None)(boxes).clamping_mode is None
    assert T.ClampBoundingBoxes()(boxes).equal(boxes)
    points = tv.KeyPoints([[-1.0, 3], [4, 5]], canvas_size=(8, 8))
    assert T.ClampKeyPoints()(points)[0].tolist() == [0, 3]
    kept = T.SanitizeKeyPoints(labels_getter="default")({"points": points, "labels": pydl.tensor([1, 2])})
    assert kept["labels"].tolist() == [2]
    with pytest.raises(ValueError, match="No BoundingBoxes"):
        T.SanitizeBoundingBoxes(labels_getter=None)(image())


def test_own_transform_and_kind() -> None:
    class Depth(tv.TVTensor):
        pass

    @F.register_kernel(F.resize, Depth)
    def resize_depth(depth: Any, size: Any, **_: Any) -> Any:
        return "resized"

    assert T.Resize(5)(pydl.zeros(1, 2, 2).as_subclass(Depth)) == "resized"
    kept = pydl.zeros(1, 2, 2).as_subclass(Depth)
    assert T.CenterCrop(1)(kept) is kept
    with pytest.raises(ValueError):
        F.register_kernel(len, Depth)
    with pytest.raises(TypeError):
        F.register_kernel(F.resize, int)
    with pytest.raises(NotImplementedError):
        T.Transform()(image())


def test_multi_scale_batches() -> None:
    def samples(count: int) -> list[Any]:
        target = {
            "boxes": pydl.tensor([[0.0, 0, 12, 10]]),
            "masks": pydl.ones(1, 10, 12, dtype=pydl.uint8),
            "labels": pydl.tensor([1]),
        }
        return [(pydl.rand(3, 10, 12), dict(target)) for _ in range(count)]

    collate = T.MultiScaleBatch([8, (6, 4)], every=2, order="cycle")
    sizes = []
    for _ in range(5):
        images, targets = collate(samples(3))
        sizes.append(tuple(images.shape))
        assert targets[0]["boxes"].tolist() == [[0, 0, images.shape[3], images.shape[2]]]
        assert targets[0]["masks"].shape[1:] == images.shape[2:]
    assert sizes == [(3, 3, 8, 8)] * 2 + [(3, 3, 6, 4)] * 2 + [(3, 3, 8, 8)]
    generator = pydl.Generator()
    drawn = []
    for _ in range(2):
        generator.manual_seed(3)
        random = T.MultiScaleBatch([4, 6, 8], every=3, generator=generator)
        drawn.append([random([(pydl.rand(1, 5, 5), 2)])[0].shape[2] for _ in range(60)])
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == {4, 6, 8}
    assert all(len(set(drawn[0][k : k + 3])) == 1 for k in range(0, 60, 3))
    one = pydl.rand(3, 9, 7)
    np.testing.assert_array_equal(T.MultiScaleBatch([5])([(one, 0)])[0][0].numpy(), F.resize(one, [5, 5]).numpy())
    assert T.MultiScaleBatch([5], collate_fn=len)(samples(2))[1] == 2
    own = {"boxes": tv.BoundingBoxes([[0, 0, 7, 9]], format="XYWH", canvas_size=(9, 7))}
    assert T.MultiScaleBatch([5])([(one, own)])[1][0]["boxes"].tolist() == [[0, 0, 5, 5]]
    loader = pydl.utils.data.DataLoader(
        [(pydl.rand(3, 8, 8), k) for k in range(6)],
        batch_size=2,
        collate_fn=T.MultiScaleBatch([4, 8], every=1, order="cycle"),
    )
    assert [x.shape[2] for x, _ in loader] == [4, 8, 4]
    for bad in (
        {"sizes": []},
        {"sizes": [0]},
        {"sizes": [3], "every": 0},
        {"sizes": [3], "order": "x"},
        {"sizes": [(1, 2, 3)]},
    ):
        with pytest.raises(ValueError, match="MultiScaleBatch"):
            T.MultiScaleBatch(**bad)
    with pytest.raises(pydl.ShapeError, match="C, H, W"):
        collate([(pydl.zeros(4, 4), 0)])
