"""Linear maps, dropout and lookups."""

from __future__ import annotations

import pydl
from pydl import Tensor, _nn

__all__ = ["bilinear", "dropout", "embedding", "linear", "one_hot"]

linear = _nn.linear
"""``input @ weight.T + bias``: the operation of the core itself."""


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x1 @ A @ x2 + b`` for each output feature.

    Shapes: input1 `(*, m)`, input2 `(*, n)`, weight `(out, m, n)`, bias `(out)`, result `(*, out)`.

    Raises:
        RuntimeError: sizes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.bilinear(pydl.ones(1, 2), pydl.ones(1, 3), pydl.ones(4, 2, 3))
        tensor([[6., 6., 6., 6.]])
    """
    if input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(f"bilinear(): batch sizes must agree, got {tuple(input1.shape)} and {tuple(input2.shape)}")
    out, m, n = weight.shape
    if input1.shape[-1] != m or input2.shape[-1] != n:
        raise RuntimeError(f"bilinear(): features must be ({m}, {n}), got ({input1.shape[-1]}, {input2.shape[-1]})")
    first = input1.reshape(-1, m) @ weight.permute(1, 0, 2).reshape(m, out * n)
    result = (
        (first.reshape(-1, out, n) * input2.reshape(-1, 1, n))
        .sum(-1, dtype=first.dtype)
        .reshape(*input1.shape[:-1], out)
    )
    return result if bias is None else result + bias


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training each element becomes zero with probability ``p``, the others grow by ``1 / (1 - p)``.

    Raises:
        ValueError: ``p`` outside [0, 1].

    Example:
        >>> import pydl
        >>> pydl.nn.functional.dropout(pydl.ones(3), p=0.5, training=False)
        tensor([1., 1., 1.])
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0.0:
        return input
    return pydl.dropout_(input, p, training) if inplace else pydl.dropout(input, p, training)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of ``weight`` that ``input`` names; row ``padding_idx`` gets no gradient.

    Shapes: input any, weight `(rows, features)`, result `(*input, features)`. With ``max_norm`` longer rows among those
    used are shortened in place first.

    Raises:
        IndexError: a row that does not exist. ValueError: ``padding_idx`` outside the table.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.embedding(pydl.tensor([1, 0]), pydl.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[3., 4.],
                [1., 2.]])
    """
    rows = weight.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise ValueError(f"embedding(): padding_idx must be within num_embeddings {rows}, got {padding_idx}")
        padding_idx %= rows
    if max_norm is not None:
        with pydl.no_grad():
            used = input.unique()
            values = weight[used]
            norms = values.norm(norm_type, dim=-1, keepdim=True)
            weight[used] = pydl.where(norms > max_norm, values * (max_norm / (norms + 1e-7)), values)
    return pydl.embedding(weight, input, -1 if padding_idx is None else padding_idx, scale_grad_by_freq, sparse)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A new last dimension of size ``num_classes`` with a one at each index and zeros elsewhere, int64.

    Raises:
        RuntimeError: a negative index, or one not below ``num_classes``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.one_hot(pydl.tensor([0, 2]))
        tensor([[1, 0, 0],
                [0, 0, 1]])
    """
    if tensor.dtype != pydl.int64:
        raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype}")
    if tensor.numel() == 0 and num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    if tensor.numel() and int(tensor.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    largest = int(tensor.max()) if tensor.numel() else -1
    classes = largest + 1 if num_classes == -1 else num_classes
    if largest >= classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    if tensor.numel() * classes >= 2**60:
        raise RuntimeError(f"one_hot: {classes} classes for {tensor.numel()} indices do not fit in memory")
    return (tensor.unsqueeze(-1) == pydl.arange(classes)).to(pydl.int64)
