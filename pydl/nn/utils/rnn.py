"""Sequences of different lengths: padded to one tensor, packed without padding, and back.

A packed batch holds the first elements of all sequences, then the second ones of those that have a second one, and so
on; the sequences are sorted by length, longest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pydl
from pydl import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class PackedSequence_(NamedTuple):
    """The fields of `PackedSequence`."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(PackedSequence_):
    """A batch of sequences without padding; made by `pack_padded_sequence` and `pack_sequence`.

    Attributes:
        data: elements, (sum of lengths, *).
        batch_sizes: how many sequences have an element at each step, int64.
        sorted_indices: which of the given sequences stands at each place; ``None``: they came sorted.
        unsorted_indices: the inverse of it.

    Example:
        >>> import pydl
        >>> from pydl.nn.utils.rnn import pack_sequence
        >>> pack_sequence([pydl.tensor([1, 2]), pydl.tensor([3])]).batch_sizes
        tensor([2, 1])
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, list | tuple) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same batch with its data converted as by ``Tensor.to``."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        return type(self)(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same batch: there is no other device."""
        return self.to(*args, device="cpu", **kwargs)

    def double(self) -> PackedSequence:
        """The data as float64."""
        return self.to(dtype=pydl.float64)

    def float(self) -> PackedSequence:
        """The data as float32."""
        return self.to(dtype=pydl.float32)

    def half(self) -> PackedSequence:
        """The data as float16."""
        return self.to(dtype=pydl.float16)

    def long(self) -> PackedSequence:
        """The data as int64."""
        return self.to(dtype=pydl.int64)

    def int(self) -> PackedSequence:
        """The data as int32."""
        return self.to(dtype=pydl.int32)

    def short(self) -> PackedSequence:
        """The data as int16."""
        return self.to(dtype=pydl.int16)

    def char(self) -> PackedSequence:
        """The data as int8."""
        return self.to(dtype=pydl.int8)

    def byte(self) -> PackedSequence:
        """The data as uint8."""
        return self.to(dtype=pydl.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the data lie on a GPU: no."""
        return False

    def is_pinned(self) -> bool:
        """Whether the data lie in pinned memory: no."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes ``permutation``; ``None`` for ``None``.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.rnn.invert_permutation(pydl.tensor([2, 0, 1]))
        tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    output = pydl.empty_like(permutation)
    return output.scatter_(0, permutation, pydl.arange(permutation.numel(), dtype=permutation.dtype))


def _places(lengths: Tensor, steps: int) -> Tensor:
    """The packed elements' places in a padded (steps, batch) tensor seen flat."""
    present = pydl.arange(steps).unsqueeze(1) < lengths.unsqueeze(0)
    return present.reshape(-1).nonzero().reshape(-1)


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch.

    Args:
        input: (steps, batch, *), with ``batch_first`` (batch, steps, *).
        lengths: of each sequence, between 1 and ``steps``.
        enforce_sorted: whether the sequences must come longest first; they are sorted otherwise. Default: ``True``.

    Raises:
        RuntimeError: lengths that do not fit, or are not sorted where they should be.

    Example:
        >>> import pydl
        >>> padded = pydl.tensor([[1, 2], [3, 0]])
        >>> pydl.nn.utils.rnn.pack_padded_sequence(padded, [2, 1], batch_first=True).data
        tensor([1, 3, 2])
    """
    counts = pydl.as_tensor(lengths).to(dtype=pydl.int64)
    if counts.dim() != 1:
        raise RuntimeError(f"'lengths' argument should be a 1D CPU int64 tensor, but got {counts.dim()}D cpu tensor")
    if input.dim() < 2:
        raise IndexError(f"pack_padded_sequence(): input must have at least 2 dimensions, got {input.dim()}")
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    batch_dim = 0 if batch_first else 1
    batch, steps = input.shape[batch_dim], input.shape[1 - batch_dim]
    if counts.numel() != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {counts.numel()} (batch_size={batch})"
        )
    sorted_indices = None
    if not enforce_sorted:
        counts, sorted_indices = pydl.sort(counts, descending=True)
        input = input.index_select(batch_dim, sorted_indices)
    if bool((counts[1:] > counts[:-1]).any()):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to have the sequences sorted."
        )
    if int(counts[-1]) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if int(counts[0]) > steps:
        raise RuntimeError(f"pack_padded_sequence(): a length of {int(counts[0])} exceeds the {steps} steps of input")
    longest = int(counts[0])
    if batch_first:
        input = input.transpose(0, 1)
    rows = input.reshape(steps * batch, *input.shape[2:])
    data = rows.index_select(0, _places(counts, longest))
    batch_sizes = (pydl.arange(longest).unsqueeze(1) < counts.unsqueeze(0)).sum(1)
    return PackedSequence(data, batch_sizes, sorted_indices, None)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The inverse of `pack_padded_sequence`: the padded batch, in the order it had before packing, and its lengths.

    Args:
        padding_value: what stands after the end of a sequence. Default: 0.
        total_length: steps of the result, at least the longest length, which is the default.

    Raises:
        ValueError: ``total_length`` is too short.

    Example:
        >>> import pydl
        >>> from pydl.nn.utils.rnn import pack_sequence
        >>> packed = pack_sequence([pydl.tensor([1, 2]), pydl.tensor([3])])
        >>> pydl.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
        (tensor([[1, 2],
                [3, 0]]), tensor([2, 1]))
    """
    sizes = sequence.batch_sizes
    longest, batch = sizes.shape[0], int(sizes[0])
    steps = longest if total_length is None else total_length
    if steps < longest:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {longest}"
        )
    data = sequence.data
    lengths = (sizes.unsqueeze(0) > pydl.arange(batch).unsqueeze(1)).sum(1)
    blank = data.new_full((steps * batch, *data.shape[1:]), padding_value)
    padded = blank.index_copy(0, _places(lengths, longest), data).reshape(steps, batch, *data.shape[1:])
    if batch_first:
        padded = padded.transpose(0, 1)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(0 if batch_first else 1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return padded, lengths


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack sequences (length, *) of different lengths, padded to the longest: (steps, batch, *).

    Args:
        batch_first: gives (batch, steps, *). Default: ``False``.
        padding_side: ``"right"`` pads after the end, ``"left"`` before the beginning.

    Raises:
        RuntimeError: no sequences, trailing sizes that differ, an unknown side.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.rnn.pad_sequence([pydl.tensor([1, 2]), pydl.tensor([3])], batch_first=True)
        tensor([[1, 2],
                [3, 0]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    parts = list(sequences)
    if not parts:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    first = parts[0]
    for part in parts:
        if part.dim() == 0 or part.shape[1:] != first.shape[1:]:
            raise pydl.ShapeError(
                f"pad_sequence(): sequences must have equal sizes but for the first, got {tuple(first.shape)} and "
                f"{tuple(part.shape)}"
            )
    longest = max(part.shape[0] for part in parts)
    padded = []
    for part in parts:
        part = part.to(first.dtype)
        missing = longest - part.shape[0]
        if missing:
            blank = part.new_full((missing, *part.shape[1:]), padding_value)
            part = pydl.cat([blank, part] if padding_side == "left" else [part, blank])
        padded.append(part)
    return pydl.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded batch, each with its own length.

    Raises:
        ValueError: not one length for each sequence.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.rnn.unpad_sequence(pydl.tensor([[1, 2], [3, 0]]), pydl.tensor([2, 1]), batch_first=True)
        [tensor([1, 2]), tensor([3])]
    """
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    step = pydl.arange(batch.shape[1])
    return [sequence[step < length] for sequence, length in zip(batch, lengths, strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences (length, *), see `pack_padded_sequence`.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.rnn.pack_sequence([pydl.tensor([1, 2]), pydl.tensor([3])]).data
        tensor([1, 3, 2])
    """
    lengths = pydl.tensor([part.shape[0] for part in sequences], dtype=pydl.int64)
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch, in the order that they had before packing.

    Example:
        >>> import pydl
        >>> from pydl.nn.utils.rnn import pack_sequence
        >>> pydl.nn.utils.rnn.unpack_sequence(pack_sequence([pydl.tensor([1, 2]), pydl.tensor([3])]))
        [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
