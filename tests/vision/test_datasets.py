"""Readers of the original file formats, on small files of the same layout."""

import gzip
import os
import pickle
import random
import struct

import numpy as np
import pytest

import pydl
from pydl.vision.datasets import CIFAR10, CIFAR100, EMNIST, KMNIST, MNIST, FashionMNIST, VisionDataset, read_idx


def idx(array):
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


IMAGES = np.random.default_rng(0).integers(0, 256, size=(5, 28, 28)).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)


def write_mnist(folder, packed=False, part="train", prefix=""):
    folder.mkdir(parents=True, exist_ok=True)
    names = {"train": ("train", "train"), "test": ("t10k", "test")}[part]
    first = names[1] if prefix else names[0]
    for name, array in (("images-idx3-ubyte", IMAGES), ("labels-idx1-ubyte", LABELS)):
        data = idx(array)
        path = folder / f"{prefix}{first}-{name}{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(data) if packed else data)


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", "<i4", "<f4", "<f8"])
def test_idx_of_every_type(dtype, tmp_path):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    (tmp_path / "a").write_bytes(idx(array))
    found = read_idx(tmp_path / "a").numpy()
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST, KMNIST])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("part", ["train", "test"])
def test_mnist_and_its_family(kind, packed, part, tmp_path):
    pytest.importorskip("PIL", reason="Pillow is not installed")
    write_mnist(tmp_path / kind.__name__ / "raw", packed, part)
    data = kind(str(tmp_path), train=part == "train", target_transform=lambda label: -label)
    assert len(data) == 5
    np.testing.assert_array_equal(data.data.numpy(), IMAGES)
    assert data.targets.tolist() == LABELS.tolist()
    assert data.targets.dtype == pydl.int64
    image, label = data[2]
    assert image.size == (28, 28)
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), IMAGES[2])
    assert label == -4
    assert len(data.classes) == 10
    assert data.class_to_idx[data.classes[3]] == 3
    assert repr(data).startswith(f"Dataset {kind.__name__}\n    Number of datapoints: 5\n")
    with pytest.raises(IndexError):
        data[5]


def test_emnist_and_plain_folder(tmp_path):
    write_mnist(tmp_path, prefix="emnist-letters-")
    letters = EMNIST(tmp_path, split="letters")
    assert len(letters) == 5
    assert letters.class_to_idx["c"] == 3  # the file counts letters from one
    counts = {split: len(names) for split, names in EMNIST.classes_split_dict.items()}
    assert counts == {"byclass": 62, "bymerge": 47, "balanced": 47, "letters": 27, "digits": 10, "mnist": 10}
    with pytest.raises(ValueError):
        EMNIST(tmp_path, split="all")
    write_mnist(tmp_path)
    assert len(MNIST(tmp_path)) == 5


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(RuntimeError, match="not found"):
        MNIST(tmp_path)
    with pytest.raises(RuntimeError, match="downloads nothing"):
        MNIST(tmp_path, download=True)
    with pytest.raises(RuntimeError, match="not found"):
        CIFAR10(tmp_path)
    write_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[:4]))
    with pytest.raises(pydl.SerializationError, match="belong together"):
        MNIST(tmp_path)
    with pytest.raises(ValueError, match="transforms"):
        VisionDataset(tmp_path, transforms=len, transform=len)


def cifar_rows(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size=(n, 3072)).astype(np.uint8)


def test_cifar10_python_and_binary(tmp_path):
    pytest.importorskip("PIL", reason="Pillow is not installed")
    python, binary = tmp_path / "p" / "cifar-10-batches-py", tmp_path / "b" / "cifar-10-batches-bin"
    for folder in (python, binary):
        folder.mkdir(parents=True)
    for k, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        rows, labels = cifar_rows(2, k), [k % 10, 9]
        (python / name).write_bytes(pickle.dumps({"data": rows, "labels": labels, "batch_label": "x"}, protocol=2))
        lines = np.hstack([np.array(labels, np.uint8)[:, None], rows])
        (binary / f"{name}.bin").write_bytes(lines.tobytes())
    for train in (True, False):
        ours = [CIFAR10(tmp_path / kind, train=train) for kind in ("p", "b")]
        assert ours[0].targets == ours[1].targets
        np.testing.assert_array_equal(ours[0].data, ours[1].data)
        assert ours[0].data.shape == (10 if train else 2, 32, 32, 3)
        image, label = ours[0][1]
        assert (image.mode, image.size, label) == ("RGB", (32, 32), 9)
        first = cifar_rows(2, 0 if train else 5)[0]
        np.testing.assert_array_equal(ours[0].data[0], first.reshape(3, 32, 32).transpose(1, 2, 0))
    assert ours[0].class_to_idx["truck"] == 9


def test_cifar100(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    rows = cifar_rows(3)
    body = {"data": rows, "fine_labels": [99, 0, 5], "coarse_labels": [1, 2, 3]}
    (folder / "train").write_bytes(pickle.dumps(body, protocol=2))
    assert CIFAR100(tmp_path).classes[7] == "7"
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"n{i}" for i in range(100)]}, protocol=2))
    data = CIFAR100(tmp_path)
    assert data.targets == [99, 0, 5]
    assert data.classes[99] == "n99"


def test_pickles_as_python_2_wrote_them(tmp_path):
    """The published files are such: strings of bytes, whose array comes as text."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    raw = cifar_rows(2).tobytes()
    body = (
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        b"(K\x01(K\x02M\x00\x0ctcnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        b"K\x00tb\x89T" + struct.pack("<I", len(raw)) + raw + b"tbU\x06labels](K\x03K\x07eu."
    )
    assert pickle.loads(body, encoding="latin1")["labels"] == [3, 7]
    (folder / "test_batch").write_bytes(body)
    data = CIFAR10(tmp_path, train=False)
    assert data.targets == [3, 7]
    np.testing.assert_array_equal(data.data.transpose(0, 3, 1, 2).reshape(2, -1), cifar_rows(2))


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_pickles_run_nothing(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    canary = tmp_path / "canary"
    for name in (f"data_batch_{i}" for i in range(1, 6)):
        (folder / name).write_bytes(pickle.dumps({"data": Attack(str(canary)), "labels": [1]}, protocol=2))
    with pytest.raises(pydl.SerializationError, match="mentions"):
        CIFAR10(tmp_path)
    assert not canary.exists()


@pytest.mark.parametrize("kind", ["idx", "gzip", "pickle", "binary"])
def test_damaged_files(kind, tmp_path, full):
    rng = random.Random(1)
    folder = tmp_path / ("cifar-10-batches-bin" if kind == "binary" else "cifar-10-batches-py")
    folder.mkdir()
    good = {
        "idx": idx(IMAGES[:, :3, :3]),
        "gzip": gzip.compress(idx(IMAGES[:, :3, :3])),
        "pickle": pickle.dumps({"data": cifar_rows(1), "labels": [3]}, protocol=2),
        "binary": bytes([3]) + cifar_rows(1).tobytes(),
    }[kind]
    for _ in range(4000 if full else 400):
        data = bytearray(good)
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(min(len(data), 200))
            change = rng.randrange(3)
            if change == 0:
                data[at] = rng.randrange(256)
            elif change == 1:
                del data[at : at + rng.randrange(1, 9)]
            else:
                data[at:at] = bytes(rng.choices(range(256), k=4))
        path = (
            tmp_path / "file"
            if kind in ("idx", "gzip")
            else folder / ("test_batch.bin" if kind == "binary" else "test_batch")
        )
        path.write_bytes(data)
        try:
            if kind in ("idx", "gzip"):
                read_idx(path)
            else:
                CIFAR10(tmp_path, train=False)
        except pydl.SerializationError:
            pass
    assert os.path.exists(path)
