"""DLPack to and from NumPy, torch and JAX: shared memory, all four arguments, lifetimes, hostile capsules."""

from __future__ import annotations

import ctypes
import gc
from typing import Any

import numpy as np
import pytest

import pydl

DTYPES = "bool uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 float32 float64 complex64 complex128".split()
GEOMETRIES = [
    lambda a: a,
    lambda a: a[::2, 1:],
    lambda a: a.T,
    lambda a: a[:0],
    lambda a: a[1, 2],
    lambda a: a[:, None],
]


def sample(dtype: str) -> np.ndarray:
    return (np.arange(24).reshape(4, 6) % 2 if dtype == "bool" else np.arange(24).reshape(4, 6)).astype(dtype)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_there_and_back(dtype: str, geometry: Any) -> None:
    array = geometry(sample(dtype))
    array = np.asarray(array)
    t = pydl.from_dlpack(array)
    assert str(t.dtype) == f"torch.{dtype}" and tuple(t.shape) == array.shape
    back = np.from_dlpack(t)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    if array.size:
        assert t.data_ptr() == array.ctypes.data == back.ctypes.data


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_torch_there_and_back(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: exchanges with it are skipped")
    theirs = torch.arange(24).reshape(4, 6).to(getattr(torch, dtype))[1:, ::2]
    ours = pydl.from_dlpack(theirs)
    assert str(ours.dtype) == str(theirs.dtype) and ours.data_ptr() == theirs.data_ptr()
    assert (
        ours.stride() == theirs.stride() and ours.to(pydl.complex128).tolist() == theirs.to(torch.complex128).tolist()
    )
    again = torch.from_dlpack(ours)
    assert again.data_ptr() == theirs.data_ptr() and again.dtype == theirs.dtype
    assert torch.utils.dlpack.from_dlpack(pydl.utils.dlpack.to_dlpack(ours)).data_ptr() == theirs.data_ptr()
    assert pydl.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(theirs)).data_ptr() == theirs.data_ptr()


def test_jax_there_and_back() -> None:
    jax = pytest.importorskip("jax", reason="jax is not installed: exchanges with it are skipped")
    theirs = jax.numpy.arange(6.0).reshape(2, 3)
    ours = pydl.from_dlpack(theirs)
    assert ours.tolist() == theirs.tolist()
    assert jax.numpy.from_dlpack(ours).tolist() == theirs.tolist()


def test_writes_are_seen_on_both_sides() -> None:
    t = pydl.zeros(3)
    array = np.from_dlpack(t)
    t.fill_(2)
    assert array.tolist() == [2, 2, 2]
    source = np.zeros(3)
    pydl.from_dlpack(source)[1] = 7
    assert source.tolist() == [0, 7, 0]


def test_arguments() -> None:
    t = pydl.ones(3)
    assert tuple(t.__dlpack_device__()) == (1, 0)
    assert '"dltensor"' in repr(t.__dlpack__()) and '"dltensor_versioned"' in repr(t.__dlpack__(max_version=(1, 0)))
    assert '"dltensor"' in repr(t.__dlpack__(max_version=(0, 8)))
    assert pydl.from_dlpack(t.__dlpack__(copy=True)).data_ptr() != t.data_ptr()
    assert pydl.from_dlpack(t.__dlpack__(copy=False, dl_device=(1, 0), stream=None)).data_ptr() == t.data_ptr()
    with pytest.raises(BufferError, match="dl_device"):
        t.__dlpack__(dl_device=(2, 0))
    with pytest.raises(RuntimeError, match="stream"):
        t.__dlpack__(stream=5)
    with pytest.raises(TypeError):
        t.__dlpack__(None)
    with pytest.raises(BufferError, match="require gradient"):
        pydl.ones(1, requires_grad=True).__dlpack__()


def test_from_dlpack_arguments() -> None:
    array = np.ones(3)
    assert pydl.from_dlpack(array, copy=True).data_ptr() != array.ctypes.data
    assert pydl.from_dlpack(array, copy=False, device="cpu").data_ptr() == array.ctypes.data
    assert pydl.from_dlpack(array, device=pydl.device("cpu")).tolist() == [1, 1, 1]
    with pytest.raises(RuntimeError):
        pydl.from_dlpack(array, device="cuda")
    with pytest.raises(RuntimeError, match="invalid capsule"):
        pydl.from_dlpack(3)


def test_read_only_and_reversed_memory_is_copied() -> None:
    array = np.arange(4.0)
    array.flags.writeable = False
    pydl.from_dlpack(array).fill_(9)
    assert array.tolist() == [0, 1, 2, 3]
    with pytest.raises(BufferError, match="read-only"):
        pydl.from_dlpack(array, copy=False)
    turned = np.arange(6.0).reshape(2, 3)[::-1, ::-1]
    assert pydl.from_dlpack(turned).tolist() == turned.tolist()
    with pytest.raises(BufferError, match="backwards"):
        pydl.from_dlpack(turned, copy=False)


def test_a_capsule_is_consumed_once() -> None:
    for version in (None, (1, 0)):
        capsule = pydl.ones(2).__dlpack__(max_version=version)
        assert pydl.from_dlpack(capsule).tolist() == [1, 1]
        with pytest.raises(RuntimeError, match="consumed only once"):
            pydl.from_dlpack(capsule)


class Old:
    """A producer of DLPack 0.x."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, stream: Any = None) -> Any:
        return self.array.__dlpack__()

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


def test_old_producers_and_other_devices() -> None:
    array = np.arange(3.0)
    assert pydl.from_dlpack(Old(array)).data_ptr() == array.ctypes.data
    assert pydl.from_dlpack(Old(array), copy=True).data_ptr() != array.ctypes.data

    class Elsewhere(Old):
        def __dlpack_device__(self) -> Any:
            return (2, 0)

    with pytest.raises(BufferError, match="device type 2"):
        pydl.from_dlpack(Elsewhere(array))


def test_memory_lives_as_long_as_anyone_needs_it() -> None:
    array = np.from_dlpack(pydl.arange(100000).clone())
    gc.collect()
    assert array.sum() == 4999950000
    t = pydl.from_dlpack(np.arange(100000))
    gc.collect()
    assert t.sum().item() == 4999950000


def rss() -> int:
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


def test_nothing_leaks() -> None:
    t, array = pydl.zeros(1000), np.zeros(1000)

    def rounds(n: int) -> None:
        for _ in range(n):
            t.__dlpack__()  # dropped without a consumer
            t.__dlpack__(max_version=(1, 0))
            np.from_dlpack(t)
            pydl.from_dlpack(array)
            pydl.from_dlpack(t)

    rounds(2000)
    before = rss()
    rounds(20000)
    assert rss() - before < 1 << 20


# ---- capsules made by hand -------------------------------------------------------------------------------------


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]  # fmt: skip


class Managed(ctypes.Structure):
    _fields_ = [("tensor", DLTensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", DLTensor),
    ]  # fmt: skip


KEEP: list[Any] = []
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype = ctypes.py_object
new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
DATA = (ctypes.c_float * 6)(*range(6))


def by_hand(shape: Any = (6,), strides: Any = None, version: Any = None, **fields: Any) -> Any:
    sizes = (ctypes.c_int64 * max(len(shape), 1))(*shape)
    steps = None if strides is None else (ctypes.c_int64 * len(strides))(*strides)
    values = {
        "data": ctypes.addressof(DATA),
        "device_type": 1,
        "ndim": len(shape),
        "code": 2,
        "bits": 32,
        "lanes": 1,
        **fields,
    }
    tensor = DLTensor(shape=sizes, strides=steps, **values)
    if version is None:
        managed, name = Managed(tensor=tensor), b"dltensor"
    else:
        managed, name = Versioned(major=version[0], minor=version[1], tensor=tensor), b"dltensor_versioned"
    KEEP.extend([managed, sizes, steps, name])
    return new_capsule(ctypes.addressof(managed), name, None)


def test_capsules_made_by_hand() -> None:
    assert pydl.from_dlpack(by_hand()).tolist() == [0, 1, 2, 3, 4, 5]
    assert pydl.from_dlpack(by_hand((2, 3), (3, 1), (1, 3))).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert pydl.from_dlpack(by_hand((2,), (2,), byte_offset=4)).tolist() == [1, 3]
    assert pydl.from_dlpack(by_hand((3,), byte_offset=4, code=0, bits=8)).shape == (3,)
    assert pydl.from_dlpack(by_hand((2,), byte_offset=2)).shape == (2,)  # not aligned: copied
    assert pydl.from_dlpack(by_hand((0, 3), data=None)).shape == (0, 3)
    assert pydl.from_dlpack(by_hand(())).item() == 0


@pytest.mark.parametrize(
    "capsule",
    [
        lambda: by_hand(device_type=2),
        lambda: by_hand(code=9),
        lambda: by_hand(bits=24),
        lambda: by_hand(lanes=4),
        lambda: by_hand(ndim=-1),
        lambda: by_hand(ndim=1000),
        lambda: by_hand(data=None),
        lambda: by_hand((-1,)),
        lambda: by_hand((2**62, 2**62)),
        lambda: by_hand((2**40,), (2**60,)),
        lambda: by_hand((3,), (-(2**62),)),
        lambda: by_hand(version=(2, 0)),
        lambda: new_capsule(ctypes.addressof(DATA), b"something", None),
    ],
)
def test_hostile_capsules_raise(capsule: Any) -> None:
    with pytest.raises((BufferError, RuntimeError)):
        pydl.from_dlpack(capsule())
