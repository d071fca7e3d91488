"""Tensors of 8-bit integers that stand for real numbers: scale * (q - zero_point)."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor

__all__ = [
    "QuantizedDType",
    "QuantizedTensor",
    "dequantize",
    "fake_quantize_per_channel_affine",
    "fake_quantize_per_tensor_affine",
    "per_channel_affine",
    "per_channel_symmetric",
    "per_tensor_affine",
    "per_tensor_symmetric",
    "qint32",
    "qint8",
    "quantize_per_channel",
    "quantize_per_tensor",
    "quint8",
]


class QuantizedDType:
    """Type of the integers of a quantized tensor, see `pydl.qint8`, `pydl.quint8`, `pydl.qint32`."""

    def __init__(self, name: str, storage: pydl.dtype) -> None:
        limits = pydl.iinfo(storage)
        self.name, self.storage, self.min, self.max = name, storage, int(limits.min), int(limits.max)
        self.itemsize = storage.itemsize

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class QScheme:
    """How the scales of a quantized tensor are chosen."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


qint8 = QuantizedDType("qint8", pydl.int8)
quint8 = QuantizedDType("quint8", pydl.uint8)
qint32 = QuantizedDType("qint32", pydl.int32)
per_tensor_affine, per_channel_affine = QScheme("per_tensor_affine"), QScheme("per_channel_affine")
per_tensor_symmetric, per_channel_symmetric = QScheme("per_tensor_symmetric"), QScheme("per_channel_symmetric")


class QuantizedTensor:
    """Integers with their scale and zero point, of the whole tensor or per channel of `axis`.

    Made by :func:`pydl.quantize_per_tensor` and :func:`pydl.quantize_per_channel`; the integers are
    :meth:`int_repr`, the real numbers :meth:`dequantize`.

    >>> q = pydl.quantize_per_tensor(pydl.tensor([-1.0, 0.5, 2.0]), 0.1, 10, pydl.quint8)
    >>> q.int_repr(), q.dequantize()
    (tensor([ 0, 15, 30], dtype=torch.uint8), tensor([-1.0000,  0.5000,  2.0000]))
    """

    is_quantized = True

    def __init__(self, values: Tensor, scales: Any, zero_points: Any, axis: int | None, dtype: QuantizedDType) -> None:
        self._values, self._scales, self._zero_points, self._axis, self.dtype = values, scales, zero_points, axis, dtype

    @property
    def shape(self) -> Any:
        """Its sizes."""
        return self._values.shape

    def size(self, dim: int | None = None) -> Any:
        """Its sizes, or one of them."""
        return self._values.shape if dim is None else self._values.shape[dim]

    def dim(self) -> int:
        """Number of dimensions."""
        return self._values.dim()

    def numel(self) -> int:
        """Number of elements."""
        return self._values.numel()

    def qscheme(self) -> QScheme:
        """`pydl.per_tensor_affine` or `pydl.per_channel_affine`."""
        return per_tensor_affine if self._axis is None else per_channel_affine

    def int_repr(self) -> Tensor:
        """The integers."""
        return self._values

    def q_scale(self) -> Any:
        """The scale; of a per-channel quantization the scales, so that they broadcast to the integers."""
        return float(self._scales) if self._axis is None else self._scales.view(self._channels())

    def _channels(self) -> list[int]:
        return [-1 if d == self._axis else 1 for d in range(self.dim())]

    def q_zero_point(self) -> int:
        """The zero point of a per-tensor quantization; RuntimeError for one per channel."""
        self._require("q_zero_point", None)
        return int(self._zero_points)

    def q_per_channel_scales(self) -> Tensor:
        """The scales of a per-channel quantization; RuntimeError for one per tensor."""
        self._require("q_per_channel_scales", self._axis or 0)
        return self._scales

    def q_per_channel_zero_points(self) -> Tensor:
        """The zero points of a per-channel quantization; RuntimeError for one per tensor."""
        self._require("q_per_channel_zero_points", self._axis or 0)
        return self._zero_points

    def q_per_channel_axis(self) -> int:
        """The dim of the channels; RuntimeError for a per-tensor quantization."""
        self._require("q_per_channel_axis", self._axis or 0)
        return int(self._axis or 0)

    def _require(self, name: str, axis: int | None) -> None:
        if axis != self._axis:
            raise RuntimeError(f"{name}(): the tensor is quantized by {self.qscheme()}")

    def dequantize(self) -> Tensor:
        """The real numbers, float32."""
        scales, zeros = self._scales, self._zero_points
        if self._axis is not None:
            scales, zeros = scales.float().view(self._channels()), zeros.float().view(self._channels())
        return (self._values.float() - zeros) * scales

    def __repr__(self) -> str:
        where = f"axis={self._axis}, " if self._axis is not None else ""
        return (
            f"{self.dequantize()!r}"[:-1]
            + f", size={tuple(self.shape)}, dtype={self.dtype}, quantization_scheme={self.qscheme()}, {where}"
            f"scale={self._scales}, zero_point={self._zero_points})"
        )


def _rounded(input: Tensor, scale: Any, zero: Any, low: int, high: int) -> Tensor:
    """Integers as floats: half to even, like torch."""
    return (input * (1.0 / scale)).round().add_(zero).clamp_(low, high)


def _checked(op: str, input: Tensor, scale: Any, zero: Any, dtype: Any) -> None:
    if not isinstance(input, Tensor) or not input.is_floating_point():
        raise TypeError(f"{op}(): input must be a floating-point tensor, got {getattr(input, 'dtype', type(input))}")
    if not isinstance(dtype, QuantizedDType):
        raise TypeError(f"{op}(): dtype must be pydl.qint8, pydl.quint8 or pydl.qint32, got {dtype}")
    if not bool((pydl.as_tensor(scale) > 0).all()):
        raise ValueError(f"{op}(): scales must be positive, got {scale}")
    zeros = pydl.as_tensor(zero)
    if not bool(((zeros >= dtype.min) & (zeros <= dtype.max)).all()):
        name = "zero_point" if zeros.dim() == 0 else "zero_points"
        raise RuntimeError(f"{op}(): {name} must be in [{dtype.min}, {dtype.max}], got {zero}")


def quantize_per_tensor(input: Tensor, scale: Any, zero_point: Any, dtype: QuantizedDType) -> QuantizedTensor:
    """round(input / scale) + zero_point, cut to the range of ``dtype`` (`pydl.qint8`, `pydl.quint8`, `pydl.qint32`).

    Raises ``TypeError`` for an input that is not floating or another dtype, ``ValueError`` for a scale that is not
    positive, ``RuntimeError`` for a zero point out of range.

    >>> pydl.quantize_per_tensor(pydl.tensor([-1.0, 0.26, 99.0]), 0.5, 3, pydl.qint8).int_repr()
    tensor([  1,   4, 127], dtype=torch.int8)
    """
    _checked("quantize_per_tensor", input, scale, zero_point, dtype)
    scale, zero_point = float(scale), int(zero_point)
    values = _rounded(input.detach().float(), scale, zero_point, dtype.min, dtype.max).to(dtype.storage)
    return QuantizedTensor(values, scale, zero_point, None, dtype)


def quantize_per_channel(
    input: Tensor, scales: Tensor, zero_points: Tensor, axis: int, dtype: QuantizedDType
) -> QuantizedTensor:
    """:func:`quantize_per_tensor` with a scale and a zero point for each index of dim ``axis``.

    >>> x = pydl.tensor([[-1.0, 0.5], [10.0, 20.0]])
    >>> pydl.quantize_per_channel(x, pydl.tensor([0.5, 10.0]), pydl.tensor([0, 0]), 0, pydl.qint8).int_repr()
    tensor([[-2,  1],
            [ 1,  2]], dtype=torch.int8)
    """
    _checked("quantize_per_channel", input, scales, zero_points, dtype)
    if not -input.dim() <= axis < input.dim():
        raise IndexError(f"quantize_per_channel(): axis must be in [{-input.dim()}, {input.dim() - 1}], got {axis}")
    axis %= input.dim()
    if tuple(scales.shape) != (input.shape[axis],) or scales.shape != zero_points.shape:
        raise pydl.ShapeError(
            f"quantize_per_channel(): scales and zero_points must be of size ({input.shape[axis]},), got "
            f"{tuple(scales.shape)} and {tuple(zero_points.shape)}"
        )
    sizes = [-1 if d == axis else 1 for d in range(input.dim())]
    scale, zero = scales.detach().float().view(sizes), zero_points.detach().float().view(sizes)
    values = _rounded(input.detach().float(), scale, zero, dtype.min, dtype.max).to(dtype.storage)
    return QuantizedTensor(values, scales.detach(), zero_points.detach(), axis, dtype)


def dequantize(tensor: QuantizedTensor | Tensor) -> Tensor:
    """The real numbers of a quantized tensor; a tensor of floats comes back as it is.

    >>> pydl.dequantize(pydl.quantize_per_tensor(pydl.tensor([1.0]), 0.5, 0, pydl.qint8))
    tensor([1.])
    """
    return tensor.dequantize() if isinstance(tensor, QuantizedTensor) else tensor


class _Fake(pydl.autograd.Function):
    """Quantize and back. The rounding is passed straight through by the gradient (Bengio et al. 2013), what was cut
    is not."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, scale: Any, zero: Any, low: int, high: int) -> Tensor:
        # 16-bit floats hold neither all scales nor all integers.
        wide = input.float() if input.dtype in (pydl.float16, pydl.bfloat16) else input
        q = (wide * (1.0 / scale)).round().add_(zero)
        ctx.save_for_backward((q >= low) & (q <= high))
        return q.clamp_(low, high).sub_(zero).mul_(scale).to(input.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None, None


def _range(op: str, quant_min: int, quant_max: int) -> None:
    if quant_min > quant_max:
        raise ValueError(f"{op}(): quant_min must be at most quant_max, got {quant_min} and {quant_max}")


def fake_quantize_per_tensor_affine(
    input: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int
) -> Tensor:
    """What ``input`` becomes when it is quantized and back, for training (Jacob et al. 2018).

    (clamp(round(input / scale) + zero_point, quant_min, quant_max) - zero_point) * scale; the gradient is 1 inside
    the range, 0 where the value was cut.

    >>> x = pydl.tensor([0.12, 0.26, 9.0], requires_grad=True)
    >>> y = pydl.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 15)
    >>> y.sum().backward()
    >>> y.detach(), x.grad
    (tensor([0.1000, 0.3000, 1.5000]), tensor([1., 1., 0.]))
    """
    _range("fake_quantize_per_tensor_affine", quant_min, quant_max)
    return _Fake.apply(input, float(scale), int(zero_point), quant_min, quant_max)


def fake_quantize_per_channel_affine(
    input: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int
) -> Tensor:
    """:func:`fake_quantize_per_tensor_affine` with a scale and a zero point for each index of dim ``axis``.

    >>> x = pydl.tensor([[0.12], [12.0]])
    >>> pydl.fake_quantize_per_channel_affine(x, pydl.tensor([0.1, 5.0]), pydl.tensor([0, 0]), 0, -128, 127)
    tensor([[ 0.1000],
            [10.0000]])
    """
    _range("fake_quantize_per_channel_affine", quant_min, quant_max)
    if not -input.dim() <= axis < input.dim():
        raise IndexError(
            f"fake_quantize_per_channel_affine(): axis must be in [{-input.dim()}, {input.dim() - 1}], got {axis}"
        )
    axis %= input.dim()
    if tuple(scale.shape) != (input.shape[axis],) or tuple(zero_point.shape) != (input.shape[axis],):
        raise pydl.ShapeError(
            f"fake_quantize_per_channel_affine(): scale and zero_point must be of size ({input.shape[axis]},), got "
            f"{tuple(scale.shape)} and {tuple(zero_point.shape)}"
        )
    sizes = [-1 if d == axis else 1 for d in range(input.dim())]
    wide = pydl.promote_types(input.dtype, pydl.float32)
    scale, zero_point = scale.to(wide).view(sizes), zero_point.to(wide).view(sizes)
    return _Fake.apply(input, scale, zero_point, quant_min, quant_max)
