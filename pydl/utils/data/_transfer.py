"""Batches through a pipe: the structure pickled, the memory of tensors and arrays as raw bytes beside it."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pydl
from pydl import Tensor


def _rebuild(array: Any, is_bfloat16: bool, requires_grad: bool) -> Tensor:
    tensor = pydl.from_numpy(array)
    if is_bfloat16:
        tensor = tensor.view(pydl.bfloat16)
    return tensor.requires_grad_() if requires_grad else tensor


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not Tensor:
            return NotImplemented
        if obj.requires_grad and not obj.is_leaf:
            raise RuntimeError("DataLoader worker: a batch cannot carry a tensor with a graph; call detach() on it")
        tensor = obj.detach().contiguous()
        is_bfloat16 = tensor.dtype == pydl.bfloat16  # NumPy has no such type
        array = (tensor.view(pydl.int16) if is_bfloat16 else tensor).numpy()
        return _rebuild, (array, is_bfloat16, obj.requires_grad)


def send(connection: Any, obj: Any) -> None:
    """Write ``obj`` to the pipe. Nothing is written when it cannot be pickled."""
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(obj)
    raws = [buffer.raw() for buffer in buffers]
    connection.send_bytes(pickle.dumps([raw.nbytes for raw in raws]))
    connection.send_bytes(stream.getbuffer())
    for raw in raws:
        if raw.nbytes:
            connection.send_bytes(raw)


def receive(connection: Any) -> Any:
    """Read what :func:`send` wrote; arrays come back writable. Raises EOFError when the other side is gone."""
    sizes = pickle.loads(connection.recv_bytes())
    body = connection.recv_bytes()
    buffers = []
    for size in sizes:
        buffer = bytearray(size)
        if size:
            connection.recv_bytes_into(buffer)
        buffers.append(buffer)
    return pickle.loads(body, buffers=buffers)
