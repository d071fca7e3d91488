"""Other formats: PyTorch's old one, safetensors, npz; names that the user allows; checksums."""

import collections
import fractions
import io
import json
import os
import pickle
import struct

import numpy as np
import pytest

import pydl
from pydl.serialization import load_safetensors, save_safetensors

STATE = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bias": np.array([1.5, -2.0]),
    "count": np.array(7, dtype=np.int64),
    "mask": np.array([True, False]),
    "empty": np.zeros((0, 3), dtype=np.float16),
    "z": np.array([1 + 2j], dtype=np.complex64),
}


def tensors(lib=pydl):
    return {name: lib.from_numpy(value.copy()) for name, value in STATE.items()}


def same(found, expected=STATE):
    assert list(found) == list(expected) or set(found) == set(expected)
    for name, value in expected.items():
        got = found[name].numpy()
        assert got.dtype == value.dtype
        np.testing.assert_array_equal(got, value)


def dumped(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(obj):
    return dumped(lambda file: pydl.save(obj, file))


def safe(obj, **options):
    return dumped(lambda file: save_safetensors(obj, file, **options))


def npz(obj, tmp_path):
    pydl.save(obj, tmp_path / "state.npz")
    return (tmp_path / "state.npz").read_bytes()


def old(obj):
    torch = pytest.importorskip("torch")
    return dumped(lambda file: torch.save(obj, file, _use_new_zipfile_serialization=False))


def test_old_format_of_torch():
    torch = pytest.importorskip("torch")
    state = tensors(torch)
    state["shared"] = state["weight"].T
    state["half"] = torch.tensor([1.5], dtype=torch.bfloat16)
    found = pydl.load(io.BytesIO(old(state)))
    same({name: found[name] for name in STATE})
    assert found["shared"].tolist() == STATE["weight"].T.tolist()
    assert found["shared"].data_ptr() == found["weight"].data_ptr()
    assert found["half"].tolist() == [1.5]
    layer = torch.nn.Linear(3, 2)
    found = pydl.load(io.BytesIO(old(layer.state_dict())))
    assert isinstance(found, collections.OrderedDict)
    assert found["weight"].tolist() == layer.weight.tolist()
    assert pydl.load(io.BytesIO(old([1, "a", None]))) == [1, "a", None]


def test_old_format_that_lies():
    data = old(tensors(pytest.importorskip("torch")))
    for cut in (20, len(data) // 2, len(data) - 1):
        with pytest.raises(pydl.SerializationError):
            pydl.load(io.BytesIO(data[:cut]))
    huge = data.replace(b"K\x06N", b"J\xff\xff\xff\x7fN", 1)  # the count of a storage
    assert huge != data
    with pytest.raises(pydl.SerializationError):
        pydl.load(io.BytesIO(huge))


def test_safetensors_round_trip(tmp_path):
    found, metadata = load_safetensors(io.BytesIO(safe(tensors(), metadata={"by": "test"})))
    same(found)
    assert metadata == {"by": "test"}
    state = {**tensors(), "bf": pydl.tensor([1.0, -3.0], dtype=pydl.bfloat16), "u": pydl.tensor([3]).to(pydl.uint16)}
    pydl.save(state, tmp_path / "state.safetensors")
    found = pydl.load(tmp_path / "state.safetensors")
    same({name: found[name] for name in STATE})
    assert found["bf"].dtype == pydl.bfloat16
    assert found["bf"].tolist() == [1.0, -3.0]
    assert found["u"].tolist() == [3]
    found["bias"][0] = 9.0  # memory of its own, writable
    transposed = {"t": tensors()["weight"].T}
    assert load_safetensors(io.BytesIO(safe(transposed)))[0]["t"].tolist() == STATE["weight"].T.tolist()


def test_safetensors_with_the_reference():
    reference = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    state = {name: value for name, value in STATE.items() if value.dtype.kind != "c"}
    found = reference.load(safe({name: pydl.from_numpy(value.copy()) for name, value in state.items()}))
    for name, value in state.items():
        np.testing.assert_array_equal(found[name], value)
    same(pydl.load(io.BytesIO(reference.save(state))), state)


def with_header(header, body=b"\0" * 8):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
BAD_HEADERS = {
    "hole": {"a": {**ONE, "shape": [1], "data_offsets": [0, 4]}},
    "overlap": {"a": ONE, "b": {**ONE, "shape": [1], "data_offsets": [4, 8]}},
    "too long": {"a": {**ONE, "shape": [3], "data_offsets": [0, 12]}},
    "size": {"a": {**ONE, "shape": [3]}},
    "wraps": {"a": {**ONE, "shape": [2**61, 8]}},
    "negative": {"a": {**ONE, "shape": [-1, -2]}},
    "fraction": {"a": {**ONE, "shape": [2.0]}},
    "bool": {"a": {**ONE, "shape": [True, 2]}},
    "dtype": {"a": {**ONE, "dtype": "F31"}},
    "dtype list": {"a": {**ONE, "dtype": ["F32"]}},
    "more": {"a": {**ONE, "extra": 1}},
    "list": {"a": [1]},
    "metadata": {"__metadata__": {"a": 1}, "b": ONE},
    "no text": b"\xff\xfe{}",
    "twice": b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
    "nan": b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}',
    "deep": b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}",
    "array": b"[1]     ",
}


@pytest.mark.parametrize("kind", BAD_HEADERS)
def test_malformed_safetensors(kind):
    with pytest.raises(pydl.SerializationError):
        load_safetensors(io.BytesIO(with_header(BAD_HEADERS[kind])))


def test_plain_safetensors_header():
    assert load_safetensors(io.BytesIO(with_header({"a": ONE})))[0]["a"].tolist() == [0.0, 0.0]
    for length in (0, 2**63, 200_000_000):
        with pytest.raises(pydl.SerializationError):
            load_safetensors(io.BytesIO(struct.pack("<Q", length) + b"{}"))


def test_npz_both_ways(tmp_path):
    data = npz(tensors(), tmp_path)
    with np.load(io.BytesIO(data)) as found:
        for name, value in STATE.items():
            np.testing.assert_array_equal(found[name], value)
            assert found[name].dtype == value.dtype
    same(pydl.load(io.BytesIO(data)))
    for save in (np.savez, np.savez_compressed):
        fortran = dumped(
            lambda file, save=save: save(file, a=np.asfortranarray(STATE["weight"]), b=np.array([1], ">i4"))
        )
        found = pydl.load(io.BytesIO(fortran))
        assert found["a"].tolist() == STATE["weight"].tolist()
        assert found["b"].tolist() == [1]


def test_npz_refuses_objects(tmp_path):
    for bad in (np.array([{}], dtype=object), np.array(["text"])):
        with pytest.raises(pydl.SerializationError):
            pydl.load(io.BytesIO(dumped(lambda file, bad=bad: np.savez(file, a=bad))))
    with pytest.raises(TypeError, match="bfloat16"):
        pydl.save({"a": pydl.ones(1, dtype=pydl.bfloat16)}, tmp_path / "a.npz")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_only_dictionaries_of_tensors(ending, tmp_path):
    for bad in ([pydl.ones(1)], {1: pydl.ones(1)}, {"a": object()}):
        with pytest.raises(TypeError):
            pydl.save(bad, tmp_path / f"a{ending}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["zip", "safetensors", "npz"])
def test_every_flipped_bit_is_found(kind, tmp_path):
    """In files that pydl wrote: headers, padding, names, tensors, the checksum itself."""
    state = {"w": pydl.arange(5.0), "n": pydl.tensor([True])}
    data = {"zip": zipped, "safetensors": safe, "npz": lambda s: npz(s, tmp_path)}[kind](state)
    passed = []
    for position in range(len(data)):
        broken = bytearray(data)
        broken[position] ^= 1 << (position * 5 % 8)
        try:
            pydl.load(io.BytesIO(bytes(broken)))
            passed.append(position)
        except pydl.SerializationError:
            pass
    assert passed == []


class Point:
    """A class of the user's."""

    def __init__(self, x):
        self.x = x


def with_object(obj):
    """A file of PyTorch's layout that holds the object."""
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(obj, protocol=4))
    return file.getvalue()


def test_names_that_the_user_allows():
    data = with_object({"point": Point(3), "half": fractions.Fraction(1, 2)})
    with pytest.raises(pydl.SerializationError, match=r"add_safe_globals.*weights_only=False"):
        pydl.load(io.BytesIO(data))
    assert len(pydl.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data))) == 2
    with pydl.serialization.safe_globals([Point, fractions.Fraction]):
        found = pydl.load(io.BytesIO(data))
        assert pydl.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data)) == []
    assert found["point"].x == 3
    assert found["half"] == fractions.Fraction(1, 2)
    with pytest.raises(pydl.SerializationError):
        pydl.load(io.BytesIO(data))
    pydl.serialization.add_safe_globals([(Point, f"{Point.__module__}.Point")])
    try:
        assert pydl.serialization.get_safe_globals() == [Point]
        assert pydl.load(io.BytesIO(with_object(Point(4)))).x == 4
    finally:
        pydl.serialization.clear_safe_globals()
    with pytest.raises(ValueError):
        pydl.serialization.add_safe_globals([(Point,)])


def test_whole_modules(tmp_path):
    net = pydl.nn.Sequential(pydl.nn.Linear(2, 3), pydl.nn.ReLU())
    pydl.save(net, tmp_path / "net.pt")
    with pytest.raises(pydl.SerializationError, match="trust"):
        pydl.load(tmp_path / "net.pt")
    again = pydl.load(tmp_path / "net.pt", weights_only=False)
    x = pydl.randn(4, 2)
    assert pydl.equal(again(x), net(x))
