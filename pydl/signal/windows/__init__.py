"""Window functions.

Each gives a vector of ``M`` values of the given dtype (the default one); with ``sym=False`` a window of ``M + 1``
points without its last, for use with a discrete Fourier transform. Formulas: F. J. Harris, "On the use of windows for
harmonic analysis with the discrete Fourier transform", Proc. IEEE 66 (1978).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pydl
from pydl import Tensor

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann",
    "kaiser", "nuttall",
]  # fmt: skip


def _window(name: str, M: int, sym: bool, options: dict[str, Any], f: Callable[[Tensor, int], Tensor]) -> Tensor:
    """``f(k, n - 1)`` for k = 0 .. M - 1, computed in float64, where n counts the points of the symmetric window."""
    dtype = options.pop("dtype", None) or pydl.get_default_dtype()
    requires_grad = options.pop("requires_grad", False)
    device, layout = options.pop("device", None), options.pop("layout", None)
    if options:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(options))}'")
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    if M < 0:
        raise RuntimeError(f"{name} requires non-negative window length, got M={M}")
    pydl.zeros(0, device=device, layout=layout)  # refuses what it must
    if M <= 1:
        return pydl.ones(M, dtype=dtype, requires_grad=requires_grad)
    k = pydl.arange(M, dtype=pydl.float64)
    return f(k, M - 1 if sym else M).to(dtype).requires_grad_(requires_grad)


def bartlett(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """The triangle 1 - abs(2 k / (M - 1) - 1).

    Example:
        >>> import pydl
        >>> pydl.signal.windows.bartlett(3)
        tensor([0., 1., 0.])
    """
    return _window("bartlett", M, sym, options, lambda k, last: 1 - (2 * k / last - 1).abs())


def general_cosine(M: int, *, a: Sequence[float], sym: bool = True, **options: Any) -> Tensor:
    """The sum of (-1)^i a_i cos(2 pi i k / (M - 1)).

    Raises:
        TypeError: for coefficients that are no sequence.
        ValueError: for none at all.

    Example:
        >>> import pydl
        >>> pydl.signal.windows.general_cosine(3, a=[0.5, 0.5])
        tensor([0., 1., 0.])
    """
    if not isinstance(a, (list, tuple)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")

    def f(k: Tensor, last: int) -> Tensor:
        total = pydl.zeros_like(k)
        for i, c in enumerate(a):
            total += (-1) ** i * c * (k * (2 * math.pi * i / last)).cos()
        return total

    return _window("general_cosine", M, sym, options, f)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Tensor:
    """alpha - (1 - alpha) cos(2 pi k / (M - 1)).

    Example:
        >>> import pydl
        >>> pydl.signal.windows.general_hamming(3, alpha=0.5)
        tensor([0., 1., 0.])
    """
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, **options)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """0.54 - 0.46 cos(2 pi k / (M - 1)).

    Example:
        >>> import pydl
        >>> pydl.signal.windows.hamming(3)
        tensor([0.0800, 1.0000, 0.0800])
    """
    return general_hamming(M, sym=sym, **options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """0.5 - 0.5 cos(2 pi k / (M - 1)).

    Example:
        >>> import pydl
        >>> pydl.signal.windows.hann(3)
        tensor([0., 1., 0.])
    """
    return general_hamming(M, alpha=0.5, sym=sym, **options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """0.42 - 0.5 cos(2 pi k / (M - 1)) + 0.08 cos(4 pi k / (M - 1)).

    Example:
        >>> import pydl
        >>> pydl.signal.windows.blackman(3).round(decimals=3).abs()
        tensor([0., 1., 0.])
    """
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, **options)


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Nuttall's four-term window (IEEE Trans. ASSP 29 (1981)), coefficients 0.3635819, 0.4891775, 0.1365995, 0.0106411.

    Example:
        >>> import pydl
        >>> pydl.signal.windows.nuttall(3)
        tensor([3.6280e-04, 1.0000e+00, 3.6280e-04])
    """
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, **options)


def cosine(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """sin(pi (k + 1/2) / M), the half wave of a sine.

    Example:
        >>> import pydl
        >>> pydl.signal.windows.cosine(2)
        tensor([0.7071, 0.7071])
    """
    return _window("cosine", M, sym, options, lambda k, last: ((k + 0.5) * (math.pi / (last + 1))).sin())


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """exp(-abs(k - center) / tau); the center is the middle by default and may be set for ``sym=False`` only.

    Raises:
        ValueError: for tau not above 0, or a center of a symmetric window.

    Example:
        >>> import pydl
        >>> pydl.signal.windows.exponential(3)
        tensor([0.3679, 1.0000, 0.3679])
    """
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def f(k: Tensor, last: int) -> Tensor:
        return (-(k - (last / 2 if center is None else center)).abs() / tau).exp()

    return _window("exponential", M, sym, options, f)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """exp(-((k - (M - 1) / 2) / std)^2 / 2).

    Raises:
        ValueError: for std not above 0.

    Example:
        >>> import pydl
        >>> pydl.signal.windows.gaussian(3)
        tensor([0.6065, 1.0000, 0.6065])
    """
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return _window("gaussian", M, sym, options, lambda k, last: (-(((k - last / 2) / std) ** 2) / 2).exp())


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Tensor:
    """I0(beta sqrt(1 - (2 k / (M - 1) - 1)^2)) / I0(beta), with the modified Bessel function I0.

    Raises:
        ValueError: for a negative beta.

    Example:
        >>> import pydl
        >>> pydl.signal.windows.kaiser(3, beta=0.)
        tensor([1., 1., 1.])
    """
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    whole = lambda k, last: pydl.kaiser_window(last + 1, False, beta, dtype=pydl.float64)[: k.numel()]  # noqa: E731
    return _window("kaiser", M, sym, options, whole)
