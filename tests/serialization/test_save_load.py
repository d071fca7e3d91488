"""Files: round trips, PyTorch's own files, damage and malice."""

import collections
import io
import os
import pickle
import random
import zipfile

import pytest

import pydl

DTYPES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64",
    "complex128", "uint16", "uint32", "uint64",
]  # fmt: skip


def dump(obj):
    file = io.BytesIO()
    pydl.save(obj, file)
    return file.getvalue()


def read(data, **options):
    return pydl.load(io.BytesIO(data), **options)


def with_pickle(data, body):
    """The archive ``data`` with another data.pkl, checksums right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            name = info.filename
            new.writestr(name, body if name.endswith("data.pkl") else old.read(name))
    return out.getvalue()


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype(name):
    tensor = pydl.tensor([0, 1, 1]).to(getattr(pydl, name))
    back = read(dump(tensor))
    assert back.dtype == tensor.dtype
    assert back.tolist() == tensor.tolist()


def test_structure_comes_back():
    obj = {
        "list": [1, -5, 2.5, None, True, "text", b"bytes", 2**70, 1 + 2j],
        "tuple": (1, (2,)),
        "set": {3, 4},
        "ordered": collections.OrderedDict(a=1),
        "dtype": pydl.float16,
        "size": pydl.zeros(2, 3).shape,
        "scalar": pydl.tensor(3.0),
        "empty": pydl.zeros(0, 3),
    }
    back = read(dump(obj))
    for key in ("list", "tuple", "set", "ordered", "dtype", "size"):
        assert back[key] == obj[key]
        assert type(back[key]) is type(obj[key])
    assert back["scalar"].item() == 3.0
    assert tuple(back["empty"].shape) == (0, 3)


def test_views_share_memory():
    base = pydl.zeros(4, 4)
    back = read(dump({"base": base, "view": base[1:3, 1:3].t()}))
    back["base"][1, 2] = 7.0
    assert back["view"].tolist() == [[0.0, 0.0], [7.0, 0.0]]


def test_state_dict_with_parameters_and_metadata():
    layer = pydl.nn.Linear(3, 2)
    state = read(dump(layer.state_dict()))
    other = pydl.nn.Linear(3, 2)
    other.load_state_dict(state)
    assert other.weight.tolist() == layer.weight.tolist()
    assert state._metadata == layer.state_dict()._metadata
    parameter = read(dump(layer.weight))
    assert type(parameter) is pydl.nn.Parameter
    assert parameter.requires_grad


def test_torch_reads_ours():
    torch = pytest.importorskip("torch")
    obj = {"w": pydl.arange(6.0).reshape(2, 3).t(), "h": pydl.ones(2, dtype=pydl.bfloat16), "n": [1, "x"]}
    theirs = torch.load(io.BytesIO(dump(obj)), weights_only=True)
    assert theirs["w"].tolist() == obj["w"].tolist()
    assert tuple(theirs["w"].stride()) == (1, 3)
    assert theirs["h"].dtype == torch.bfloat16
    assert theirs["n"] == [1, "x"]


def test_we_read_torch():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    back = read(file.getvalue())
    for key, value in model.state_dict().items():
        assert back["model"][key].tolist() == value.tolist()
    assert back["optimizer"]["state"][0]["exp_avg"].tolist() == optimizer.state_dict()["state"][0]["exp_avg"].tolist()


def test_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "weights.pt"
    pydl.save({"a": 1}, path)
    before = path.read_bytes()
    with pytest.raises(Exception, match="pickle|local"):
        pydl.save({"a": lambda: 0}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["weights.pt"]


def test_path_and_same_bytes_twice(tmp_path):
    pydl.save(pydl.ones(3), tmp_path / "a.pt")
    first = (tmp_path / "a.pt").read_bytes()
    pydl.save(pydl.ones(3), tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_bytes() == first
    assert pydl.load(tmp_path / "a.pt").tolist() == [1, 1, 1]


class Evil:
    ran = False

    def __reduce__(self):
        return (setattr, (Evil, "ran", True))


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_in_a_file_runs(protocol):
    data = with_pickle(dump(1), pickle.dumps(Evil(), protocol))
    with pytest.raises(pydl.SerializationError):
        read(data)
    assert not Evil.ran


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b".",
        b"\x80\x02" + b"(" * 100000 + b".",
        b"\x80\x02)"
        + b"\x85" * 200000
        + b"q\x00}h\x00K\x01s.",  # a key of nested tuples: hashing would overflow the stack
        b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",  # 2 GiB for ten bytes
        b"\x80\x02X\xff\xff\xff\xff.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.",
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
    ],
)
def test_hostile_pickles(body):
    with pytest.raises(pydl.SerializationError):
        read(with_pickle(dump(1), body))


def test_view_outside_its_storage_is_refused():
    data = dump(pydl.zeros(4))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        body = archive.read("archive/data.pkl")
    for old, new in ((b"K\x04\x85", b"K\x05\x85"), (b"K\x01\x85", b"K\x09\x85")):
        assert old in body
        with pytest.raises(pydl.SerializationError, match="storage"):
            read(with_pickle(data, body.replace(old, new, 1)))


def test_flipped_bit_in_the_data_is_found():
    data = bytearray(dump(pydl.arange(1000)))
    data[len(data) // 2] ^= 1
    with pytest.raises(pydl.SerializationError):
        read(bytes(data))


def test_compressed_and_foreign_files():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02N.")
    for data in (out.getvalue(), b"", b"PK\x03\x04", b"no archive", pickle.dumps(1)):
        with pytest.raises(pydl.SerializationError):
            read(data)


@pytest.mark.parametrize("seed", range(5))
def test_damaged_files_raise_one_error(seed):
    """Random damage, in the archive and in the pickle alone: the object, or a SerializationError."""
    rng = random.Random(seed)
    data = dump({"a": pydl.arange(10.0), "b": [1, "x", (2.5, None)], "c": collections.OrderedDict(z=pydl.ones(2, 2))})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        body = archive.read("archive/data.pkl")
    failures = 0
    for round_ in range(150):
        source = bytearray(body if round_ % 2 else data)
        for _ in range(rng.choice([1, 2, 8])):
            source[rng.randrange(len(source))] = rng.randrange(256)
        try:
            read(with_pickle(data, bytes(source)) if round_ % 2 else bytes(source))
        except pydl.SerializationError:
            failures += 1
    assert failures > 50


def test_full_pickle_needs_trust():
    data = dump(pydl.nn.Linear(2, 2))
    with pytest.raises(pydl.SerializationError, match="weights_only"):
        read(data)
    assert read(data, weights_only=False).in_features == 2
