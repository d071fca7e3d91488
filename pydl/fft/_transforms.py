"""The discrete Fourier transforms: NumPy's FFT with derivatives of our own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.autograd import Function
from pydl.linalg._checks import check_tensor, deliver, tensor, wrap_dim

__all__ = [
    "fft", "fft2", "fftn", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn", "ihfft", "ihfft2", "ihfftn", "irfft",
    "irfft2", "irfftn", "rfft", "rfft2", "rfftn",
]  # fmt: skip

_np: Any = np.fft


# ---- the three transforms --------------------------------------------------------------------------------------
# Sums without a factor, then times `scale`. The adjoint of each is one of the others, so they differentiate each other.


def _run(
    run: Any, x: Tensor, dims: tuple[int, ...], forward: bool, scale: float, points: int, sizes: Any = None
) -> Any:
    """The sums of NumPy's transform ``run`` over ``dims``, of ``points`` points, times ``scale``.

    NumPy computes in float32 only where it divides by the number of points: its other factor is an integer, with which
    complex64 promotes to complex128. So it divides, and the factor is made up for.
    """
    divides = x.dtype in (pydl.float32, pydl.complex64)
    norm = "forward" if forward == divides else "backward"
    found = run(x.detach().numpy(), sizes, axes=dims, norm=norm)
    factor = scale * points if divides else scale
    if factor != 1:  # as real numbers: a complex product would make NaN of infinity
        parts = [found]
        if found.dtype.kind == "c":
            parts = [found.view(found.real.dtype)] if found.flags.c_contiguous else [found.real, found.imag]
        for part in parts:
            part *= factor
    return found


class _Complex(Function):
    """sum x_k exp(-+ 2 pi i j k / n): minus for `forward`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dims: tuple[int, ...], scale: float, forward: bool) -> Tensor:
        ctx.plan = dims, scale, forward
        points = math.prod(x.shape[d] for d in dims)
        return tensor(_run(_np.fftn if forward else _np.ifftn, x, dims, forward, scale, points), x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        dims, scale, forward = ctx.plan
        return _Complex.apply(grad, dims, scale, not forward), None, None, None


class _FromReal(Function):
    """The forward transform of real numbers: of the last of `dims` only the first n // 2 + 1 elements."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dims: tuple[int, ...], scale: float) -> Tensor:
        ctx.plan = dims, scale, x.shape[dims[-1]]
        points = math.prod(x.shape[d] for d in dims)
        return tensor(_run(_np.rfftn, x, dims, True, scale, points), x.dtype.to_complex())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        dims, scale, n = ctx.plan
        return _Complex.apply(resized(grad, (n,), dims[-1:]), dims, scale, False).real, None, None


class _ToReal(Function):
    """The inverse transform, to n real numbers along the last of `dims`, of half of a Hermitian spectrum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dims: tuple[int, ...], scale: float, n: int) -> Tensor:
        ctx.plan = dims, scale, n
        sizes = [x.shape[d] for d in dims[:-1]] + [n]
        return tensor(_run(_np.irfftn, x, dims, False, scale, math.prod(sizes), sizes), x.dtype.to_real())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        dims, scale, n = ctx.plan
        half = _FromReal.apply(grad, dims, scale)
        # Every element that has a mirror image counts twice.
        weights = pydl.full((n // 2 + 1,), 2.0, dtype=grad.dtype)
        weights[0] = 1.0
        if n % 2 == 0:
            weights[-1] = 1.0
        shape = [1] * grad.dim()
        shape[dims[-1]] = -1
        return half * weights.reshape(shape), None, None, None


# ---- arguments -------------------------------------------------------------------------------------------------


def resized(x: Tensor, sizes: Any, dims: Any) -> Tensor:
    """``x`` cut, or filled up with zeros, to ``sizes`` along ``dims``."""
    for n, d in zip(sizes, dims):
        have = x.shape[d]
        if n < have:
            x = x.narrow(d, 0, n)
        elif n > have:
            shape = list(x.shape)
            shape[d] = n - have
            x = pydl.cat([x, pydl.zeros(shape, dtype=x.dtype)], d)
    return x


def _prepared(op: str, input: Any, real: bool) -> Tensor:
    """``input`` in a floating type, complex unless ``real``."""
    check_tensor(op, input, "input")
    if input.dtype in (pydl.float16, pydl.bfloat16, pydl.complex32):
        raise RuntimeError(f"{op}(): Unsupported dtype {input.dtype}")
    if real and input.is_complex():
        raise RuntimeError(f"{op}(): expects a real input tensor, but got {input.dtype}")
    if not (input.is_floating_point() or input.is_complex()):
        input = input.to(pydl.get_default_dtype())
    return input if real else input.to(input.dtype.to_complex())


def _plan(op: str, x: Tensor, s: Any, dim: Any) -> tuple[tuple[int, ...], list[int]]:
    """The dims to transform, from the front, and their sizes."""
    sizes = None if s is None else [s] if isinstance(s, int) else [int(v) for v in s]
    if dim is None:
        count = x.dim() if sizes is None else len(sizes)
        if count > x.dim():
            raise RuntimeError(f"{op}(): Got shape with {count} values but input tensor only has {x.dim()} dimensions.")
        dims = tuple(range(x.dim() - count, x.dim()))
    else:
        dims = tuple(wrap_dim(op, d, x.dim()) for d in ([dim] if isinstance(dim, int) else dim))
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"{op}(): FFT dims must be unique")
    if sizes is None:
        sizes = [-1] * len(dims)
    if len(sizes) != len(dims):
        raise RuntimeError(
            f"{op}(): When given, dim and shape arguments must have the same length, got {len(dims)} and {len(sizes)}"
        )
    if x.dim() == 0 and dims:
        raise RuntimeError(f"{op}(): expected a tensor of at least 1 dimension")
    return dims, [x.shape[d] if n == -1 else n for n, d in zip(sizes, dims)]


def _check_sizes(op: str, sizes: Any) -> None:
    for n in sizes:
        if n < 1:
            raise RuntimeError(f"{op}(): Invalid number of data points ({n}) specified")


def _scale(op: str, norm: Any, sizes: Any, forward: bool) -> float:
    if norm not in (None, "backward", "forward", "ortho"):
        raise RuntimeError(f'{op}(): Invalid normalization mode: "{norm}"')
    n = math.prod(sizes)
    if norm == "ortho":
        return 1 / math.sqrt(n)
    return 1 / n if (norm == "forward") == forward else 1.0


def _c2c(op: str, input: Any, s: Any, dim: Any, norm: Any, forward: bool, out: Any) -> Tensor:
    x = _prepared(op, input, False)
    dims, sizes = _plan(op, x, s, dim)
    _check_sizes(op, sizes)
    if not dims:
        return deliver(op, x.clone(), out)
    return deliver(op, _Complex.apply(resized(x, sizes, dims), dims, _scale(op, norm, sizes, forward), forward), out)


def _r2c(op: str, input: Any, s: Any, dim: Any, norm: Any, forward: bool, out: Any) -> Tensor:
    """Real to half a spectrum; without ``forward`` that of the inverse transform, its conjugate."""
    x = _prepared(op, input, True)
    dims, sizes = _plan(op, x, s, dim)
    if not dims:
        raise RuntimeError(f"{op}(): must transform at least one axis")
    _check_sizes(op, sizes)
    x = resized(x, sizes, dims)
    scale = _scale(op, norm, sizes, forward)
    if forward:
        return deliver(op, _FromReal.apply(x, dims, scale), out)
    # Only the last dim is of real numbers; along the others the inverse is the plain one.
    half = _FromReal.apply(x, dims[-1:], scale).conj()
    return deliver(op, _Complex.apply(half, dims[:-1], 1.0, False) if len(dims) > 1 else half, out)


def _c2r(op: str, input: Any, s: Any, dim: Any, norm: Any, forward: bool, out: Any) -> Tensor:
    """Half a spectrum to real numbers; with ``forward`` by the forward transform."""
    x = _prepared(op, input, False)
    dims, sizes = _plan(op, x, s, dim)
    if not dims:
        raise RuntimeError(f"{op}(): must transform at least one axis")
    given = None if s is None else s if isinstance(s, int) else list(s)[-1]
    n = 2 * (x.shape[dims[-1]] - 1) if given is None or given == -1 else given
    sizes[-1] = n
    _check_sizes(op, sizes)
    x = resized(x, [*sizes[:-1], n // 2 + 1], dims)
    scale = _scale(op, norm, sizes, forward)
    if not forward:
        return deliver(op, _ToReal.apply(x, dims, scale, n), out)
    if len(dims) > 1:
        x = _Complex.apply(x, dims[:-1], 1.0, True)
    return deliver(op, _ToReal.apply(x.conj(), dims[-1:], scale, n), out)


# ---- the public functions --------------------------------------------------------------------------------------

_TEXT = {
    "fft": ("The discrete Fourier transform along one dim, complex.", "ones(2)", "tensor([2.+0.j, 0.+0.j])"),
    "ifft": ("The inverse of `fft`, complex.", "ones(2)", "tensor([1.+0.j, 0.+0.j])"),
    "rfft": (
        "The first n // 2 + 1 elements of the transform of real numbers; the others are their conjugates.",
        "ones(3)", "tensor([3.+0.j, 0.+0.j])",
    ),
    "irfft": (
        "The inverse of `rfft`: n real numbers, by default 2 * (size - 1).", "ones(2)", "tensor([1., 0.])",
    ),
    "hfft": (
        "The real transform of a Hermitian signal given by its first half: n numbers, by default 2 * (size - 1).",
        "ones(2)", "tensor([2., 0.])",
    ),
    "ihfft": ("The inverse of `hfft`: n // 2 + 1 complex numbers.", "ones(2)", "tensor([1.-0.j, 0.-0.j])"),
}  # fmt: skip
_RULES = {"fft": (_c2c, True), "ifft": (_c2c, False), "rfft": (_r2c, True), "irfft": (_c2r, False),
          "hfft": (_c2r, True), "ihfft": (_r2c, False)}  # fmt: skip
_COMMON = """
    Real input gives results of the matching precision: float32 and complex64, float64 and complex128; integers
    count as the default dtype. {sizes} cuts the input or fills it up with zeros, -1 leaves a dim as it is. ``norm``:
    'backward' (the default) divides the inverse by the number of points, 'forward' the forward transform, 'ortho'
    both by its root. Derivatives of any order.

    Raises:
        RuntimeError: for sizes below 1, repeated dims, another norm, or input that should be real and is complex.
        IndexError: for a dim out of range.

    Example:
        >>> import pydl
        >>> pydl.fft.{name}(pydl.{argument})
        {result}
    """


def _one(name: str) -> Any:
    run, forward = _RULES[name]
    op = f"fft.{name}"

    def transform(
        input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None
    ) -> Tensor:
        if not isinstance(dim, int):
            raise TypeError(f"{op}(): argument 'dim' must be int, not {type(dim).__name__}")
        return run(op, input, n, dim, norm, forward, out)

    text, argument, result = _TEXT[name]
    return _finished(transform, name, text, "``n``", argument, result)


def _many(name: str, two: bool) -> Any:
    base = name.rstrip("n2")
    run, forward = _RULES[base]
    op = f"fft.{name}"

    def transform_n(
        input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Any = None
    ) -> Tensor:
        return run(op, input, s, dim, norm, forward, out)

    def transform_2(
        input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *, out: Any = None
    ) -> Tensor:
        return run(op, input, s, dim, norm, forward, out)

    where = "the last two dims" if two else "all dims, or the last len(s)"
    text = f"`{base}` over several dims, by default {where}. The last of them is the one of real or half size, if any."
    shape, result = (2, 2), (2, 2)
    if run is not _c2c:
        shape, result = ((2, 4), (2, 3)) if run is _r2c else ((2, 3), (2, 4))
    argument = f"ones{shape}).shape"
    made = _finished(transform_2 if two else transform_n, name, text, "``s``", argument, f"torch.Size({list(result)})")
    made.__doc__ = made.__doc__.replace(".shape)", ".shape")
    return made


def _finished(function: Any, name: str, text: str, sizes: str, argument: str, result: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text}\n" + _COMMON.format(name=name, sizes=sizes, argument=argument, result=result)
    return function


fft, ifft, rfft, irfft, hfft, ihfft = (_one(name) for name in _RULES)
fftn, ifftn, rfftn, irfftn, hfftn, ihfftn = (_many(f"{name}n", False) for name in _RULES)
fft2, ifft2, rfft2, irfft2, hfft2, ihfft2 = (_many(f"{name}2", True) for name in _RULES)
