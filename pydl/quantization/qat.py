"""Layers for quantization-aware training: the input and the weight are rounded as they will be, in float32."""

from __future__ import annotations

from typing import Any

from pydl import Tensor, nn

__all__ = ["QATConv1d", "QATConv2d", "QATLinear"]


class _Aware:
    """Takes the parameters of a float layer over, with the fake quantizations of its qconfig."""

    @classmethod
    def from_float(cls, layer: Any) -> Any:
        """This layer with the same parameters; ``layer.qconfig`` says which fake quantizations it gets."""
        made = cls.__new__(cls)
        made.__dict__.update(layer.__dict__)
        made._modules = dict(layer._modules)  # type: ignore[attr-defined]
        made.qconfig = layer.qconfig  # type: ignore[attr-defined]
        made.input_fake_quant = layer.qconfig.activation()  # type: ignore[attr-defined]
        made.weight_fake_quant = layer.qconfig.weight()  # type: ignore[attr-defined]
        return made


class QATLinear(_Aware, nn.Linear):
    """Linear layer on a rounded input and a rounded weight; made by :func:`pydl.quantization.prepare_qat`."""

    def forward(self, input: Tensor) -> Tensor:
        return nn.functional.linear(self.input_fake_quant(input), self.weight_fake_quant(self.weight), self.bias)


class QATConv1d(_Aware, nn.Conv1d):
    """Conv1d on a rounded input and a rounded weight; made by :func:`pydl.quantization.prepare_qat`."""

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(self.input_fake_quant(input), self.weight_fake_quant(self.weight), self.bias)


class QATConv2d(_Aware, nn.Conv2d):
    """Conv2d on a rounded input and a rounded weight; made by :func:`pydl.quantization.prepare_qat`."""

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(self.input_fake_quant(input), self.weight_fake_quant(self.weight), self.bias)
