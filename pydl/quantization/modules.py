"""Layers with 8-bit weights, and the stubs where numbers become integers and back.

Between the layers of a converted model run float32 tensors whose values each layer rounds to the grid of its
calibrated input range, so that any code may stand between them.
"""

from __future__ import annotations

import copy
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.quantization.tensor import QuantizedTensor, fake_quantize_per_tensor_affine, qint8

__all__ = ["DeQuantStub", "Int8Layer", "QuantStub", "Quantize", "QuantizedConv1d", "QuantizedConv2d", "QuantizedLinear"]


def quantized_weight(weight: Tensor, scale: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Integers in [-127, 127] and their scales per output channel, by default max|w| / 127."""
    rows = weight.detach().float().reshape(weight.shape[0], -1)
    if scale is None:
        scale = rows.abs().amax(1) / 127 if rows.shape[1] else pydl.zeros(len(rows))
    scale = scale.float().expand(weight.shape[0]).clone()
    scale[(scale > 0).logical_not()] = 1.0
    values = (rows / scale.unsqueeze(1)).round().clamp(-127, 127).nan_to_num(0.0)
    return values.to(pydl.int8).reshape(weight.shape), scale


class _Calibrated(nn.Module):
    """Buffers that keep their dtype when that of the model is changed: they are exact, and the kernels' own."""

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        before = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, value in before.items():
            now = self._buffers[name]
            if value is not None and now is not None and now.dtype != value.dtype:
                self._buffers[name] = value.to(now.device)
        return self


class Int8Layer(_Calibrated):
    """What layers with 8-bit weights share: the integers, their scales and the bias as buffers."""

    _weight: Tensor
    _weight_scale: Tensor
    _bias: Tensor | None
    groups = 1

    def _set_weight(self, weight: Tensor, bias: Tensor | None, scale: Tensor | None = None) -> None:
        values, scale = quantized_weight(weight, scale)
        self.register_buffer("_weight", values)
        self.register_buffer("_weight_scale", scale)
        self.register_buffer("_bias", None if bias is None else bias.detach().float().clone())
        self._kernel: Any = None

    def weight(self) -> QuantizedTensor:
        """The weight as a quantized tensor, with ``int_repr()``, ``q_per_channel_scales()``, ``dequantize()``."""
        zeros = pydl.zeros(self._weight.shape[0], dtype=pydl.int64)
        return QuantizedTensor(self._weight, self._weight_scale, zeros, 0, qint8)

    def bias(self) -> Tensor | None:
        """The bias, float32, or None."""
        return self._bias

    def _operands(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Weights as the kernel reads them (laid out again when they were replaced), their sums, scales, bias."""
        weight, version = self._weight, self._weight._version
        if self._kernel is None or self._kernel[0] is not weight or self._kernel[1] != version:
            packed = pydl._int8_pack(weight, self.groups)  # type: ignore[attr-defined]
            sums = weight.int().reshape(weight.shape[0], -1).sum(1, dtype=pydl.int32)
            self._kernel = (weight, version, packed, sums)
        return self._kernel[2], self._kernel[3], self._weight_scale, self._bias

    def __getstate__(self) -> dict[str, Any]:
        # The layout is this processor's.
        return {**self.__dict__, "_kernel": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied = self.__new__(type(self))
        memo[id(self)] = copied
        copied.__dict__.update(copy.deepcopy(self.__getstate__(), memo))
        return copied


class _InputRule(_Calibrated):
    """Holds the scale and zero point of the input, found by an observer."""

    _input: Tensor

    def _set_input(self, observer: Any) -> None:
        scale, zero = observer.calculate_qparams()
        self.register_buffer("_input", pydl.tensor([float(scale), float(zero)], dtype=pydl.float64))

    @property
    def scale(self) -> float:
        """Scale of the input's integers."""
        return self._input[0].item()

    @property
    def zero_point(self) -> int:
        """Zero point of the input's integers."""
        return int(self._input[1].item())


def _scale_of(observer: Any, weight: Tensor) -> Tensor:
    if not observer.seen:
        observer(weight.detach())
    return observer.calculate_qparams()[0]


class QuantizedLinear(_InputRule, Int8Layer):
    """Linear layer with 8-bit weights and calibrated 8-bit inputs; made by :func:`pydl.quantization.convert`.

    (*, in_features) to (*, out_features), float32. `scale` and `zero_point` are those of its input.
    """

    def __init__(self, linear: nn.Linear, input_observer: Any, weight_observer: Any, relu: bool = False) -> None:
        super().__init__()
        self.in_features, self.out_features, self.relu = linear.in_features, linear.out_features, relu
        self._set_weight(linear.weight, linear.bias, _scale_of(weight_observer, linear.weight))
        self._set_input(input_observer)

    def forward(self, input: Tensor) -> Tensor:
        return linear(self, input, self.scale, self.zero_point)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, scale={self.scale:.6g}, "
            f"zero_point={self.zero_point}" + (", relu=True" if self.relu else "")
        )


def linear(layer: Any, input: Tensor, scale: float | None = None, zero: int = 0) -> Tensor:
    """The product of `input` with an int8 layer's weights."""
    if input.dim() == 0 or input.shape[-1] != layer.in_features:
        raise pydl.ShapeError(
            f"{type(layer).__name__}: input must be of size (*, {layer.in_features}), got {tuple(input.shape)}"
        )
    rows = input.detach().float().reshape(-1, layer.in_features)
    packed, sums, scales, bias = layer._operands()
    out = pydl._int8_linear(rows, packed, sums, scales, bias, scale, zero, layer.relu)  # type: ignore[attr-defined]
    return out.reshape(*input.shape[:-1], layer.out_features)


class _QuantizedConv(_InputRule, Int8Layer):
    """Convolution of `dims` spatial dims."""

    dims: int

    def __init__(self, conv: Any, input_observer: Any, weight_observer: Any, relu: bool = False) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.groups = conv.in_channels, conv.out_channels, conv.groups
        self.kernel_size, self.stride, self.dilation = conv.kernel_size, conv.stride, conv.dilation
        self.padding, self.padding_mode, self.relu = conv.padding, conv.padding_mode, relu
        # What F.pad adds first: a margin that is not zero, or one that differs from side to side.
        self._margin: list[int] = list(conv._reversed_padding_repeated_twice)
        self._set_weight(conv.weight, conv.bias, _scale_of(weight_observer, conv.weight))
        self._set_input(input_observer)

    def _float(self, x: Tensor) -> Tensor:
        """Few channels per group fill no group of 8-bit products: float32 products of the same integers are faster
        then."""
        x = fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, 0, 255)
        weight = self._weight.float() * self._weight_scale.view(-1, *[1] * (self._weight.dim() - 1))
        out = getattr(F, f"conv{self.dims}d")(x, weight, self._bias, self.stride, 0, self.dilation, self.groups)
        return F.relu(out) if self.relu else out

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (self.dims + 1, self.dims + 2) or input.shape[-self.dims - 1] != self.in_channels:
            raise pydl.ShapeError(
                f"{type(self).__name__}: input must have {self.in_channels} channels and {self.dims} spatial dims, got "
                f"{tuple(input.shape)}"
            )
        x = input.detach().float()
        single = x.dim() == self.dims + 1
        x = x.unsqueeze(0) if single else x
        margin, even = self._margin, self._margin[::2] == self._margin[1::2] and self.padding_mode == "zeros"
        padding = margin[::-2] if even else [0] * self.dims
        slim = self.groups > 1 and self.in_channels // self.groups < 4
        if not even or slim:
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            x, padding = F.pad(x, margin, mode=mode), [0] * self.dims
        out = self._float(x) if slim else self._int8(x, padding)
        return out.squeeze(0) if single else out

    def _int8(self, x: Tensor, padding: list[int]) -> Tensor:
        ones = 2 - self.dims
        packed, sums, scales, bias = self._operands()
        out = pydl._int8_conv(  # type: ignore[attr-defined]
            x.unsqueeze(2) if ones else x, packed, sums, scales, bias,
            [1] * ones + list(self.kernel_size), [1] * ones + list(self.stride), [0] * ones + padding,
            [1] * ones + list(self.dilation), self.groups, self.scale, self.zero_point, self.relu,
        )  # fmt: skip
        return out.squeeze(2) if ones else out

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={tuple(self.kernel_size)}, "
            f"stride={tuple(self.stride)}, scale={self.scale:.6g}, zero_point={self.zero_point}"
            + (f", groups={self.groups}" if self.groups > 1 else "")
            + (", relu=True" if self.relu else "")
        )


class QuantizedConv1d(_QuantizedConv):
    """Conv1d with 8-bit weights and calibrated 8-bit inputs; made by :func:`pydl.quantization.convert`.

    (N, in, L) or (in, L), float32 in and out. `scale` and `zero_point` are those of its input.
    """

    dims = 1


class QuantizedConv2d(_QuantizedConv):
    """Conv2d with 8-bit weights and calibrated 8-bit inputs; made by :func:`pydl.quantization.convert`.

    (N, in, H, W) or (in, H, W), float32 in and out. `scale` and `zero_point` are those of its input.
    """

    dims = 2


class QuantStub(nn.Module):
    """Where float input becomes quantized after :func:`pydl.quantization.convert`; the identity before.

    Args:
        qconfig: its own :class:`pydl.quantization.QConfig`, default that of the model.

    >>> pydl.quantization.QuantStub()(pydl.tensor([0.1234]))
    tensor([0.1234])
    """

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig is not None:
            self.qconfig = qconfig

    def forward(self, x: Tensor) -> Tensor:
        return x


class DeQuantStub(nn.Module):
    """Where quantized numbers become float ones again; the identity, as layers give float32.

    Args:
        qconfig: taken and kept, without effect.

    >>> pydl.quantization.DeQuantStub()(pydl.tensor([0.5]))
    tensor([0.5000])
    """

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig is not None:
            self.qconfig = qconfig

    def forward(self, x: Any) -> Tensor:
        return pydl.dequantize(x)  # type: ignore[attr-defined]


class Quantize(_InputRule):
    """Rounds to the 8-bit grid of a calibrated range: what :func:`pydl.quantization.convert` makes of a
    :class:`QuantStub`."""

    def __init__(self, observer: Any) -> None:
        super().__init__()
        self._set_input(observer)

    def forward(self, x: Tensor) -> Tensor:
        return fake_quantize_per_tensor_affine(x.detach().float(), self.scale, self.zero_point, 0, 255)

    def extra_repr(self) -> str:
        return f"scale={self.scale:.6g}, zero_point={self.zero_point}, dtype=torch.quint8"
