# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Batches from samples: one contiguous array, filled row by row without a Python object per element."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

import numpy as np
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.float cimport PyFloat_AsDouble
from cpython.long cimport PyLong_AsLongLong


def stack_floats(batch):
    """A float64 array of the numbers in ``batch``."""
    cdef Py_ssize_t i, n = len(batch)
    out = np.empty(n, dtype=np.float64)
    cdef double[::1] view = out
    for i in range(n):
        view[i] = PyFloat_AsDouble(batch[i])
    return out


def stack_ints(batch):
    """An int64 array of the numbers in ``batch``. Raises OverflowError for one that needs more bits."""
    cdef Py_ssize_t i, n = len(batch)
    out = np.empty(n, dtype=np.int64)
    cdef int64_t[::1] view = out
    for i in range(n):
        view[i] = PyLong_AsLongLong(batch[i])
    return out


def stack_rows(batch):
    """The equally shaped arrays of ``batch`` along a new first axis, in native byte order.

    Raises RuntimeError when shapes differ.
    """
    cdef Py_ssize_t i, n = len(batch), row
    cdef char* destination
    cdef Py_buffer target, source
    first = batch[0]
    shape, dtype = first.shape, first.dtype
    same = dtype.isnative
    for array in batch:
        if array.shape != shape:
            raise RuntimeError(
                f"stack expects each array to be equal size, but got {list(shape)} at entry 0 and {list(array.shape)}"
            )
        same = same and array.dtype == dtype and array.flags.c_contiguous
    row = first.nbytes
    if not same or row == 0 or dtype.kind in "mM":  # the buffer protocol has no dates
        stacked = np.stack(batch)
        return stacked.astype(stacked.dtype.newbyteorder("="), copy=False)
    out = np.empty((n, *shape), dtype=dtype)
    PyObject_GetBuffer(out, &target, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
    try:
        destination = <char*>target.buf
        for i in range(n):
            PyObject_GetBuffer(batch[i], &source, PyBUF_C_CONTIGUOUS)
            memcpy(destination + i * row, source.buf, row)
            PyBuffer_Release(&source)
    finally:
        PyBuffer_Release(&target)
    return out


def gather_rows(array, indices):
    """``array[indices]`` for a C-contiguous array and a sequence of int64 row numbers, negative ones from the end.

    Raises IndexError for a row that does not exist.
    """
    cdef Py_ssize_t i, n, row, rows = len(array)
    cdef int64_t k
    index_array = np.ascontiguousarray(indices, dtype=np.int64)
    cdef const int64_t[::1] index = index_array
    cdef Py_buffer source, target
    n = index.shape[0]
    if not array.flags.c_contiguous or array.dtype.kind in "mM":
        return array[index_array]
    out = np.empty((n, *array.shape[1:]), dtype=array.dtype)
    row = out.nbytes // n if n else 0
    PyObject_GetBuffer(array, &source, PyBUF_C_CONTIGUOUS)
    PyObject_GetBuffer(out, &target, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
    try:
        for i in range(n):
            k = index[i]
            if k < 0:
                k += rows
            if k < 0 or k >= rows:
                raise IndexError(f"index {index[i]} is out of bounds for {rows} rows")
            memcpy(<char*>target.buf + i * row, <char*>source.buf + k * row, row)
    finally:
        PyBuffer_Release(&source)
        PyBuffer_Release(&target)
    return out
