"""Data sets of folders, VOC and COCO, on small files of the same layout."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import pydl
from pydl.vision import datasets, tv_tensors
from pydl.vision import transforms as T

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def save(path: Any, width: int = 6, height: int = 4, colour: Any = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.new("RGB", (width, height), colour).save(path)


def test_folders(tmp_path: Any) -> None:
    for name in ("b/2.png", "b/1.JPG", "a/deep/3.png", "c/no.txt"):
        if name.endswith("txt"):
            (tmp_path / "c").mkdir()
            (tmp_path / name).write_text("x")
        else:
            save(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="classes c"):
        datasets.ImageFolder(tmp_path)
    data = datasets.ImageFolder(str(tmp_path), transform=T.ToTensor(), target_transform=lambda k: -k, allow_empty=True)
    assert data.classes == ["a", "b", "c"]
    assert data.class_to_idx == {"a": 0, "b": 1, "c": 2}
    assert [path.split("/")[-1] for path, _ in data.imgs] == ["3.png", "1.JPG", "2.png"]
    assert data.targets == [0, 1, 1]
    image, label = data[1]
    assert image.shape == (3, 4, 6)
    assert label == -1
    assert "Number of datapoints: 3" in repr(data)
    texts = datasets.DatasetFolder(
        str(tmp_path), len, is_valid_file=lambda path: path.endswith("txt"), allow_empty=True
    )
    assert len(texts) == 1
    with pytest.raises(ValueError):
        datasets.DatasetFolder(str(tmp_path), len)
    with pytest.raises(FileNotFoundError):
        datasets.ImageFolder(tmp_path / "c")
    (tmp_path / "a/deep/3.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    with pytest.raises(pydl.SerializationError, match=r"3\.png"):
        data[0]


def test_fake_data() -> None:
    data = datasets.FakeData(4, (3, 5, 6), 7, transform=T.ToTensor())
    assert len(data) == 4
    assert data[1][0].equal(data[1][0])
    assert not data[1][0].equal(data[2][0])
    assert all(0 <= data[k][1] < 7 for k in range(4))
    with pytest.raises(IndexError):
        data[4]
    grey = datasets.FakeData(2, (1, 5, 6), random_offset=3)
    assert grey[0][0].mode == "L"


XML = """<annotation><filename>{}.jpg</filename><size><width>6</width><height>4</height></size>
<object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>3</ymax></bndbox><part><name>head</name></part></object>{}
</annotation>"""
OBJECT = "<object><name>dog</name><bndbox><xmin>2</xmin><ymin>0</ymin><xmax>5</xmax><ymax>4</ymax></bndbox></object>"


def write_voc(root: Any) -> Any:
    folder = root / "VOCdevkit" / "VOC2012"
    for split in ("Main", "Segmentation"):
        (folder / "ImageSets" / split).mkdir(parents=True)
        (folder / "ImageSets" / split / "train.txt").write_text("one\ntwo\n")
    (folder / "Annotations").mkdir()
    (folder / "SegmentationClass").mkdir()
    for name, more in (("one", ""), ("two", OBJECT)):
        save(folder / "JPEGImages" / f"{name}.jpg")
        (folder / "Annotations" / f"{name}.xml").write_text(XML.format(name, more))
        mask = PIL.fromarray(np.array([[0, 8, 255, 0, 0, 0]] * 4, np.uint8))
        mask.putpalette(list(range(256)) * 3)
        mask.save(folder / "SegmentationClass" / f"{name}.png")
    return folder


def test_voc(tmp_path: Any) -> None:
    folder = write_voc(tmp_path)
    for root in (tmp_path, tmp_path / "VOCdevkit", folder):
        assert len(datasets.VOCDetection(root)) == 2
    data = datasets.VOCDetection(str(tmp_path))
    image, target = data[0]
    assert image.size == (6, 4)
    (thing,) = target["annotation"]["object"]
    assert thing["name"] == "cat"
    assert thing["bndbox"] == {"xmin": "1", "ymin": "1", "xmax": "4", "ymax": "3"}
    assert len(data[1][1]["annotation"]["object"]) == 2
    masks = datasets.VOCSegmentation(tmp_path, transform=T.PILToTensor(), target_transform=np.asarray)
    assert masks[0][1].tolist() == [[0, 8, 255, 0, 0, 0]] * 4
    assert masks[0][0].shape == (3, 4, 6)
    assert masks.masks[0].endswith("SegmentationClass/one.png")
    assert data.annotations[1].endswith("two.xml")
    both = datasets.VOCSegmentation(tmp_path, transforms=lambda a, b: (a.size, b.size))
    assert both[1] == ((6, 4), (6, 4))
    for make, error in ((lambda: datasets.VOCDetection(tmp_path / "x"), RuntimeError), (lambda: datasets.VOCDetection(tmp_path, download=True), RuntimeError),
                        (lambda: datasets.VOCDetection(tmp_path, year="1999"), ValueError), (lambda: datasets.VOCDetection(tmp_path, image_set="test"), ValueError),
                        (lambda: datasets.VOCDetection(tmp_path, image_set="val"), FileNotFoundError)):  # fmt: skip
        with pytest.raises(error):
            make()


@pytest.mark.parametrize(
    "text",
    [
        "<annotation>",
        "",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>&b;</annotation>",
        "\x00",
        "<a>" * 5000 + "</a>" * 5000,
    ],
)
def test_hostile_xml(tmp_path: Any, text: str) -> None:
    folder = write_voc(tmp_path)
    (folder / "Annotations" / "one.xml").write_text(text)
    with pytest.raises(pydl.SerializationError):
        datasets.VOCDetection(tmp_path)[0]
    (folder / "ImageSets" / "Main" / "train.txt").write_text("../../one\n")
    with pytest.raises(pydl.SerializationError, match="no file name"):
        datasets.VOCDetection(tmp_path)


def packed(counts: list[int]) -> str:
    """COCO's run lengths as text, written after the format's description."""
    text = ""
    for k, count in enumerate(counts):
        value = count - counts[k - 2] if k > 2 else count
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != -1 if bits & 16 else value != 0
            text += chr((bits | 32 if more else bits) + 48)
    return text


def write_coco(root: Any, **changes: Any) -> Any:
    save(root / "a.jpg")
    save(root / "b.jpg", colour="blue")
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2:5] = 1
    counts = np.diff(np.flatnonzero(np.diff(np.r_[2, mask.T.ravel(), 2])))
    body = {
        "images": [{"id": 7, "file_name": "b.jpg", "height": 4, "width": 6}, {"id": 3, "file_name": "a.jpg", "height": 4, "width": 6}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": 10, "image_id": 3, "category_id": 2, "bbox": [1, 1, 2, 2], "iscrowd": 0, "segmentation": [[2, 1, 5, 1, 5, 3, 2, 3]], "caption": "x"},
            {"id": 11, "image_id": 3, "category_id": 1, "bbox": [0, 0, 6, 4], "iscrowd": 1, "segmentation": {"size": [4, 6], "counts": counts.tolist()}, "caption": "y"},
            {"id": 12, "image_id": 7, "category_id": 1, "bbox": [0, 0, 6, 4], "iscrowd": 1, "segmentation": {"size": [4, 6], "counts": packed(counts.tolist())}, "caption": "z"},
        ],
    }  # fmt: skip
    body.update(changes)
    (root / "a.json").write_text(json.dumps(body))
    return root / "a.json", mask


def test_coco(tmp_path: Any) -> None:
    path, mask = write_coco(tmp_path)
    data = datasets.CocoDetection(tmp_path, path, transform=T.ToTensor())
    assert data.ids == [3, 7]
    image, target = data[0]
    assert image.shape == (3, 4, 6)
    assert [a["id"] for a in target] == [10, 11]
    coco = data.coco
    assert coco.getCatIds("dog") == [2]
    assert coco.getAnnIds(catIds=[1]) == [11, 12]
    assert coco.getAnnIds(iscrowd=0) == [10]
    assert coco.getAnnIds(imgIds=7, catIds=2) == []
    assert coco.loadImgs(7)[0]["file_name"] == "b.jpg"
    assert coco.loadCats([1])[0]["name"] == "cat"
    assert coco.getImgIds() == [7, 3]
    for key in (10, 11, 12):
        np.testing.assert_array_equal(coco.annToMask(coco.anns[key]), mask)
    captions = datasets.CocoCaptions(tmp_path, path)
    assert captions[0][1] == ["x", "y"]
    with pytest.raises(ValueError):
        data["a"]
    with pytest.raises(IndexError):
        data[2]


def test_run_lengths_as_text() -> None:
    from pydl.vision.datasets.coco import _run_counts

    rng = np.random.default_rng(0)
    for _ in range(50):
        counts = rng.integers(0, rng.choice([5, 40, 5000]), rng.integers(1, 20)).tolist()
        assert _run_counts(packed(counts)) == counts


def test_hostile_coco(tmp_path: Any) -> None:
    path, _ = write_coco(tmp_path)
    good = path.read_text()
    for text in (
        "",
        "[]",
        "[" * 100000,
        good[:-9],
        '{"images": [{"a": 1}]}',
        '{"images": 3}',
        '{"images": [{"id": 1}, {"id": "x"}]}',
        '{"images": [{"id": [1]}]}',
    ):
        path.write_text(text)
        with pytest.raises(pydl.SerializationError):
            datasets.COCO(path)
    path, _ = write_coco(
        tmp_path, images=[{"id": 3, "file_name": "../../etc/passwd", "height": 1 << 40, "width": 1 << 40}]
    )
    data = datasets.CocoDetection(tmp_path, path)
    with pytest.raises(pydl.SerializationError, match="out of"):
        data[0]
    with pytest.raises(pydl.SerializationError, match="size"):
        data.coco.annToMask(data.coco.anns[10])
    path, _ = write_coco(tmp_path)
    coco = datasets.COCO(path)
    for counts in ([24, 1], [-1, 25], "~~~", "o" * 40, [1]):
        with pytest.raises(pydl.SerializationError):
            coco.annToMask({**coco.anns[11], "segmentation": {"size": [4, 6], "counts": counts}})


def test_targets_that_transforms_move(tmp_path: Any) -> None:
    path, mask = write_coco(tmp_path)
    flip = T.RandomHorizontalFlip(1.0)
    coco = datasets.wrap_dataset_for_transforms_v2(
        datasets.CocoDetection(tmp_path, path, transforms=flip), target_keys="all"
    )
    _, target = coco[0]
    assert target["boxes"].tolist() == [[3, 1, 5, 3], [0, 0, 6, 4]]
    assert target["labels"].tolist() == [2, 1]
    np.testing.assert_array_equal(target["masks"][1].numpy(), mask[:, ::-1])
    assert target["image_id"] == 3
    assert len(coco) == 2
    assert coco.ids == [3, 7]
    write_voc(tmp_path)
    voc = datasets.wrap_dataset_for_transforms_v2(datasets.VOCDetection(tmp_path))
    assert voc[1][1]["labels"].tolist() == [8, 12]
    assert voc[1][1]["boxes"].canvas_size == (4, 6)
    segmentation = datasets.wrap_dataset_for_transforms_v2(datasets.VOCSegmentation(tmp_path, transforms=flip))
    assert type(segmentation[0][1]) is tv_tensors.Mask
    assert segmentation[0][1][0].tolist() == [0, 0, 0, 255, 8, 0]
    with pytest.raises(TypeError):
        datasets.wrap_dataset_for_transforms_v2([1, 2])
