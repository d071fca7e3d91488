"""Printing tensors the way PyTorch prints them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

import pydl

__all__ = ["get_printoptions", "printoptions", "set_printoptions"]


@dataclass
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=math.inf),
}
_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors are printed.

    Args:
        precision: digits after the point. Default: 4.
        threshold: tensors with more elements are shown by their edges. Default: 1000.
        edgeitems: how many at each edge. Default: 3.
        linewidth: characters in a line. Default: 80.
        profile: ``"default"``, ``"short"`` or ``"full"`` sets all of these first.
        sci_mode: ``True`` or ``False`` fixes scientific notation on or off; ``None`` chooses by the values.

    Example:
        >>> import pydl
        >>> pydl.set_printoptions(precision=2)
        >>> pydl.tensor([1.12345])
        tensor([1.12])
        >>> pydl.set_printoptions(profile="default")
    """
    if profile is not None and profile in _PROFILES:
        chosen = _PROFILES[profile]
        for name in ("precision", "threshold", "edgeitems", "linewidth"):
            setattr(_options, name, getattr(chosen, name))
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in given.items():
        if value is not None:
            setattr(_options, name, value)
    _options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options in force, by the names of :func:`set_printoptions`."""
    return {field.name: getattr(_options, field.name) for field in fields(_options)}


class printoptions:
    """Options for the time of a ``with`` block; arguments as in :func:`set_printoptions`."""

    def __init__(self, **kwargs: Any) -> None:
        self._wanted = kwargs
        self._saved = _options

    def __enter__(self) -> None:
        self._saved = replace(_options)
        set_printoptions(**self._wanted)

    def __exit__(self, *exc: object) -> None:
        for field in fields(_options):
            setattr(_options, field.name, getattr(self._saved, field.name))


class _Format:
    """One format for all real numbers of a tensor: plain, whole ("3.") or scientific, and its width."""

    def __init__(self, values: Any) -> None:
        self.floating = values.dtype.kind == "f"
        self.whole = True
        self.scientific = False
        self.width = 1
        flat = values.reshape(-1)
        if not self.floating:
            self.width = max((len(str(value)) for value in flat.tolist()), default=1)
            return
        flat = flat.astype(np.float64)
        flat = flat[np.isfinite(flat) & (flat != 0)]
        if flat.size == 0:
            return
        low, high = np.abs(flat).min(), np.abs(flat).max()
        self.whole = bool((flat == np.ceil(flat)).all())
        wide = bool(high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4)
        self.scientific = wide if _options.sci_mode is None else _options.sci_mode
        # Rounding can lengthen any value's text, so all are tried.
        self.width = max(len(self._text(value)) for value in flat.tolist())

    def _text(self, value: Any) -> str:
        if not self.floating:
            return str(value)
        if self.scientific:
            return f"{value:.{_options.precision}e}"
        if self.whole:
            return f"{value:.0f}" + ("." if math.isfinite(value) else "")
        return f"{value:.{_options.precision}f}"

    def __call__(self, value: Any) -> str:
        return self._text(value).rjust(self.width)


class _ComplexFormat:
    """A format for real parts and one for imaginary parts."""

    def __init__(self, values: Any) -> None:
        self.real = _Format(values.real)
        self.imag = _Format(values.imag)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value: complex) -> str:
        imag = self.imag(value.imag).lstrip() + "j"
        return self.real(value.real) + ("" if imag[0] in "+-" else "+") + imag


def _shown(tensor: Any, summarize: bool) -> Any:
    """The elements that will be printed, as a NumPy array; long dimensions are cut to their edges."""
    tensor = tensor.detach()
    if tensor.is_complex():
        tensor = tensor.resolve_conj()
    if tensor.dtype == pydl.bfloat16:
        tensor = tensor.float()
    array = tensor.numpy()
    if summarize:
        edge = _options.edgeitems
        for axis, size in enumerate(array.shape):
            if size > 2 * edge:
                rows = [*range(edge), *range(size - edge, size)]
                array = array.take(rows, axis)
    return array


def _render(array: Any, cut: list[bool], indent: int, text: Any) -> str:
    """``array`` in nested brackets; where ``cut`` says so, the middle of an axis is dots."""
    if array.ndim == 0:
        return text(array.item())
    edge = _options.edgeitems
    if array.ndim == 1:
        return _render_row([text(value) for value in array.tolist()], cut[0], indent, text.width)
    parts = [_render(row, cut[1:], indent + 1, text) for row in array]
    if cut[0]:
        parts.insert(edge, "...")
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def _render_row(items: list[str], cut: bool, indent: int, width: int) -> str:
    if cut:
        items.insert(_options.edgeitems, " ..." if _options.edgeitems else "...")
    per_line = max(1, (_options.linewidth - indent) // (width + 2))
    lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _contents(tensor: Any, indent: int) -> str:
    summarize = tensor.numel() > _options.threshold
    array = _shown(tensor, summarize)
    cut = [summarize and size > 2 * _options.edgeitems for size in tensor.shape]
    if summarize and not _options.edgeitems and tensor.dim() == 1:
        cut = [True]
    text = _ComplexFormat(array) if array.dtype.kind == "c" else _Format(array)
    return _render(array, cut, indent, text)


def _dtype_is_plain(dtype: Any) -> bool:
    """Whether a literal of the printed values would have this dtype anyway."""
    default = pydl.get_default_dtype()
    default_complex = pydl.complex128 if default == pydl.float64 else pydl.complex64
    return dtype in (default, default_complex, pydl.int64, pydl.bool)


def _suffixes(tensor: Any) -> list[str]:
    empty = tensor.numel() == 0
    result = []
    if (empty and tensor.dim() != 1) or (not empty and not _options.edgeitems):
        result.append(f"size={tuple(tensor.shape)}")
    if (tensor.dtype != pydl.get_default_dtype()) if empty else not _dtype_is_plain(tensor.dtype):
        result.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        name = type(tensor.grad_fn).__name__
        if name == "CppFunction":
            name = tensor.grad_fn.name().rpartition("::")[2]
        result.append(f"grad_fn=<{name}>")
    elif tensor.requires_grad:
        result.append("requires_grad=True")
    return result


def _str(tensor: Any, *, tensor_contents: str | None = None) -> str:
    """The text of ``repr(tensor)``; ``tensor_contents`` replaces the printed values."""
    prefix = "tensor("
    indent = len(prefix)
    contents = tensor_contents
    if contents is None:
        contents = "[]" if tensor.numel() == 0 else _contents(tensor, indent)
    text = prefix + contents
    column = len(text) - text.rfind("\n") + 1
    for suffix in _suffixes(tensor):
        if column + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"
