"""Networks with 8-bit weights and activations: torch.ao.quantization's names, int8 kernels underneath."""

from __future__ import annotations

from pydl.quantization.convert import convert, prepare, prepare_qat, quantize, quantize_dynamic, quantize_qat
from pydl.quantization.dynamic import (
    DynamicQuantizedGRU,
    DynamicQuantizedGRUCell,
    DynamicQuantizedLinear,
    DynamicQuantizedLSTM,
    DynamicQuantizedLSTMCell,
    DynamicQuantizedRNNCell,
)
from pydl.quantization.fake import (
    FakeQuantize,
    default_fake_quant,
    default_per_channel_weight_fake_quant,
    disable_fake_quant,
    disable_observer,
    enable_fake_quant,
    enable_observer,
)
from pydl.quantization.fuse import ConvReLU1d, ConvReLU2d, LinearReLU, fuse_modules
from pydl.quantization.modules import (
    DeQuantStub,
    Quantize,
    QuantizedConv1d,
    QuantizedConv2d,
    QuantizedLinear,
    QuantStub,
)
from pydl.quantization.observers import (
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    ObserverBase,
    PerChannelMinMaxObserver,
    default_observer,
    default_per_channel_weight_observer,
    default_weight_observer,
)
from pydl.quantization.qat import QATConv1d, QATConv2d, QATLinear
from pydl.quantization.qconfig import (
    QConfig,
    default_dynamic_qconfig,
    default_per_channel_qconfig,
    default_qat_qconfig,
    default_qconfig,
    float16_dynamic_qconfig,
    get_default_qat_qconfig,
    get_default_qconfig,
    per_channel_dynamic_qconfig,
)
from pydl.quantization.tensor import QuantizedTensor

__all__ = [
    "ConvReLU1d",
    "ConvReLU2d",
    "DeQuantStub",
    "DynamicQuantizedGRU",
    "DynamicQuantizedGRUCell",
    "DynamicQuantizedLSTM",
    "DynamicQuantizedLSTMCell",
    "DynamicQuantizedLinear",
    "DynamicQuantizedRNNCell",
    "FakeQuantize",
    "HistogramObserver",
    "LinearReLU",
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "ObserverBase",
    "PerChannelMinMaxObserver",
    "QATConv1d",
    "QATConv2d",
    "QATLinear",
    "QConfig",
    "QuantStub",
    "Quantize",
    "QuantizedConv1d",
    "QuantizedConv2d",
    "QuantizedLinear",
    "QuantizedTensor",
    "convert",
    "default_dynamic_qconfig",
    "default_fake_quant",
    "default_observer",
    "default_per_channel_qconfig",
    "default_per_channel_weight_fake_quant",
    "default_per_channel_weight_observer",
    "default_qat_qconfig",
    "default_qconfig",
    "default_weight_observer",
    "disable_fake_quant",
    "disable_observer",
    "enable_fake_quant",
    "enable_observer",
    "float16_dynamic_qconfig",
    "fuse_modules",
    "get_default_qat_qconfig",
    "get_default_qconfig",
    "per_channel_dynamic_qconfig",
    "prepare",
    "prepare_qat",
    "quantize",
    "quantize_dynamic",
    "quantize_qat",
]
