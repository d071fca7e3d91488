"""NumPy in both directions: what is shared, what is copied, what mixes in arithmetic."""

from __future__ import annotations

import operator
import warnings

import numpy as np
import pytest

import pydl

DTYPES = "bool uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 float32 float64 complex64 complex128".split()


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_there_and_back_shares_memory(dtype, shape):
    array = np.ones(shape, dtype)
    t = pydl.from_numpy(array)
    assert str(t.dtype) == f"torch.{dtype}" and tuple(t.shape) == shape
    back = t.numpy()
    assert back.dtype == array.dtype and back.shape == shape
    if array.size:
        assert t.data_ptr() == array.ctypes.data == back.ctypes.data
        back[...] = 0
        assert not array.any()


def test_strides_are_kept():
    array = np.arange(24.0).reshape(4, 6)[::2, 1::2].T
    t = pydl.from_numpy(array)
    assert t.stride() == tuple(s // 8 for s in array.strides)
    assert t.tolist() == array.tolist()
    assert t.numpy().strides == array.strides


@pytest.mark.parametrize("make", [lambda: np.arange(4.0)[::-1], lambda: np.broadcast_to(np.ones(1), (3,))])
def test_what_cannot_be_shared_is_copied(make):
    array = make()
    t = pydl.from_numpy(array)
    assert t.tolist() == array.tolist()
    t[0] = 77
    assert array.flat[0] != 77


def test_read_only_is_never_aliased():
    array = np.ones(3)
    array.flags.writeable = False
    t = pydl.from_numpy(array)
    t.fill_(5)
    assert array.tolist() == [1, 1, 1]
    assert pydl.frombuffer(b"\x01\x02", dtype=pydl.uint8).fill_(0).tolist() == [0, 0]


def test_big_endian_is_refused():
    with pytest.raises(TypeError):
        pydl.from_numpy(np.ones(2, ">f8"))


def test_memory_outlives_the_array():
    t = pydl.from_numpy(np.arange(1000.0))
    assert t.sum().item() == 499500.0


OPERATORS = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.pow,
    operator.matmul,
    operator.lt,
    operator.eq,
]


@pytest.mark.parametrize("op", OPERATORS)
def test_operators_in_any_order(op):
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[2.0, 1.0], [1.0, 3.0]])
    expected = op(a, b)
    for x, y in [(pydl.from_numpy(a), b), (a, pydl.from_numpy(b)), (pydl.from_numpy(a), pydl.from_numpy(b))]:
        result = op(x, y)
        assert isinstance(result, pydl.Tensor)
        np.testing.assert_array_equal(result.numpy(), expected)


def test_gradient_through_mixed_operands():
    x = pydl.ones(3, dtype=pydl.float64, requires_grad=True)
    (np.arange(3.0) * x + x * np.ones(3)).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 3.0]


def test_numpy_scalars_are_numbers():
    t = pydl.ones(2)
    for scalar in (np.float32(2), np.float64(2), np.int64(2), np.uint8(2)):
        assert (t * scalar).tolist() == (scalar * t).tolist() == [2.0, 2.0]
        assert (t * scalar).dtype == pydl.float32


def test_asarray_and_memoryview():
    t = pydl.arange(6.0).reshape(2, 3)
    assert (
        np.asarray(t, copy=False).ctypes.data == t.data_ptr()
        if np.lib.NumpyVersion(np.__version__) >= "2.0.0"
        else True
    )
    assert np.array(t).ctypes.data != t.data_ptr()
    assert np.asarray(t, dtype=np.int32).dtype == np.int32
    view = memoryview(t)
    assert view.shape == (2, 3) and view.format == "f" and view.tolist() == t.tolist()


def test_requires_grad_must_be_detached():
    t = pydl.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="requires grad"):
        t.numpy()
    with pytest.raises(BufferError):
        memoryview(t)
    assert t.detach().numpy().tolist() == t.numpy(force=True).tolist() == [1.0, 1.0]


def test_ufuncs_give_arrays():
    assert np.sin(pydl.zeros(2)).tolist() == [0.0, 0.0]


def test_bfloat16_has_no_numpy_dtype():
    with pytest.raises(TypeError):
        pydl.ones(2, dtype=pydl.bfloat16).numpy()


def test_large_numbers_of_uint64_stay_positive():
    big = 2**64 - 2
    t = pydl.from_numpy(np.array([big], np.uint64))
    assert t.item() == int(t) == operator.index(t) == t.tolist()[0] == big and float(t) == float(big)
