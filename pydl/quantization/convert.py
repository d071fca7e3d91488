"""From float models to int8 ones: dynamic, calibrated and quantization-aware."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pydl
from pydl import nn
from pydl.quantization import dynamic
from pydl.quantization.fuse import ConvReLU1d, ConvReLU2d, LinearReLU
from pydl.quantization.modules import Quantize, QuantizedConv1d, QuantizedConv2d, QuantizedLinear, QuantStub
from pydl.quantization.qat import QATConv1d, QATConv2d, QATLinear
from pydl.quantization.tensor import qint8

__all__ = ["convert", "prepare", "prepare_qat", "quantize", "quantize_dynamic", "quantize_qat"]

_INT8: dict[type, Any] = {
    nn.Linear: QuantizedLinear, nn.Conv1d: QuantizedConv1d, nn.Conv2d: QuantizedConv2d,
    nn.blocks.PointwiseConv2d: QuantizedConv2d,
}  # fmt: skip
_AWARE: dict[type, Any] = {
    nn.Linear: QATLinear, nn.Conv1d: QATConv1d, nn.Conv2d: QATConv2d, nn.blocks.PointwiseConv2d: QATConv2d,
}  # fmt: skip
_WITH_RELU = (LinearReLU, ConvReLU1d, ConvReLU2d)
_DYNAMIC: dict[type, Any] = {
    nn.Linear: dynamic.DynamicQuantizedLinear,
    nn.LSTM: dynamic.DynamicQuantizedLSTM,
    nn.GRU: dynamic.DynamicQuantizedGRU,
    nn.LSTMCell: dynamic.DynamicQuantizedLSTMCell,
    nn.RNNCell: dynamic.DynamicQuantizedRNNCell,
    nn.GRUCell: dynamic.DynamicQuantizedGRUCell,
}


def _replaced(
    module: nn.Module,
    change: Callable[[str, nn.Module], nn.Module | None],
    prefix: str = "",
    done: dict[nn.Module, nn.Module | None] | None = None,
) -> None:
    """Puts `change(name, child)` in the place of every module below, whose children are left alone where it gives
    one. A module with several names is changed once, by the first."""
    done = {} if done is None else done
    for name, child in list(module._modules.items()):
        if child is None:
            continue
        path = f"{prefix}{name}"
        if child not in done:
            new = done[child] = change(path, child)
            if new is None:
                _replaced(child, change, path + ".", done)
            elif new is not child:
                new.train(child.training)
        setattr(module, name, done[child] or child)


def _whole(model: nn.Module, change: Callable[[str, nn.Module], nn.Module | None]) -> nn.Module:
    """`_replaced`, the model itself among them."""
    holder = nn.Sequential(model)
    _replaced(holder, lambda name, child: change(name.partition(".")[2], child))
    return holder[0]


def quantize_dynamic(
    model: nn.Module, qconfig_spec: Any = None, dtype: Any = qint8, mapping: Any = None, inplace: bool = False
) -> nn.Module:
    """Weights become 8-bit now, activations at run time with one scale per call; float32 in and out.

    Args:
        model: left as it is unless inplace.
        qconfig_spec: which layers: a set of types or dotted names (of a layer, or of a module with all its layers),
            or a dict from them to a qconfig, of which None leaves the layer alone. Default: Linear, LSTM, GRU,
            LSTMCell, GRUCell, RNNCell.
        dtype: `pydl.qint8` (default), or `pydl.float16` for weights in half precision.
        mapping: from types of float layers to types of quantized ones, default the ones above.
        inplace: default False.

    Weights are symmetric per output channel: scale = max|w| / 127. A quantized Linear has ``weight()``, with
    ``int_repr()``, ``q_per_channel_scales()`` and ``dequantize()``. Raises ``RuntimeError`` for another dtype.

    >>> model = pydl.quantization.quantize_dynamic(pydl.nn.Sequential(pydl.nn.Linear(8, 4), pydl.nn.ReLU()))
    >>> model
    Sequential(
      (0): DynamicQuantizedLinear(in_features=8, out_features=4, dtype=torch.qint8)
      (1): ReLU()
    )
    """
    if dtype not in (qint8, pydl.float16):
        raise RuntimeError(f"quantize_dynamic(): dtype must be pydl.qint8 or pydl.float16, got {dtype}")
    mapping = _DYNAMIC if mapping is None else mapping
    spec = dict.fromkeys(mapping, True) if qconfig_spec is None else qconfig_spec
    spec = spec if isinstance(spec, dict) else dict.fromkeys(spec, True)
    if not inplace:
        model = copy.deepcopy(model)

    def wanted(name: str, kind: type) -> bool:
        parts = name.split(".")
        for end in range(len(parts), 0, -1):  # the nearest name, then the type
            if ".".join(parts[:end]) in spec:
                return spec[".".join(parts[:end])] is not None
        return spec.get(kind) is not None

    def change(name: str, child: nn.Module) -> nn.Module | None:
        kind = mapping.get(type(child))
        return kind.from_float(child, dtype) if kind is not None and wanted(name, type(child)) else None

    return _whole(model, change)


def _spread(module: nn.Module, qconfig: Any = None) -> bool:
    """Gives every module the qconfig of its parent unless it has one. Whether there is any."""
    qconfig = module.__dict__.get("qconfig", qconfig)
    module.qconfig = qconfig
    found = [_spread(child, qconfig) for child in module.children()]
    return qconfig is not None or any(found)


def _observe(module: nn.Module, args: tuple[Any, ...]) -> None:
    module.input_observer(args[0])


def _configured(name: str, model: nn.Module, inplace: bool) -> nn.Module:
    model = model if inplace else copy.deepcopy(model)
    if not _spread(model):
        warnings.warn(
            f"{name}(): no module has a qconfig, so nothing will be quantized; set model.qconfig first", stacklevel=3
        )
    return model


def prepare(
    model: nn.Module,
    inplace: bool = False,
    allow_list: Any = None,
    observer_non_leaf_module_list: Any = None,
    prepare_custom_config_dict: Any = None,
) -> nn.Module:
    """Adds observers for calibration: run data through the result in evaluation mode, then :func:`convert`.

    Args:
        model: whose ``qconfig`` (:class:`pydl.quantization.QConfig`) spreads to the modules below that have none of
            their own; None leaves a module as it is.
        inplace: default False.
        allow_list, observer_non_leaf_module_list, prepare_custom_config_dict: accepted, without effect.

    Linear, Conv1d, Conv2d (also fused with a ReLU), PointwiseConv2d and QuantStub are observed at their input. All
    other layers, also Conv3d, transposed convolutions and other subclasses, stay as they are, in float32. Warns where
    no module has a qconfig.

    >>> model = pydl.nn.Sequential(pydl.quantization.QuantStub(), pydl.nn.Linear(4, 2)).eval()
    >>> model.qconfig = pydl.quantization.get_default_qconfig()
    >>> prepared = pydl.quantization.prepare(model)
    >>> _ = prepared(pydl.rand(16, 4))
    >>> [type(m).__name__ for m in pydl.quantization.convert(prepared)]
    ['Quantize', 'QuantizedLinear']
    """
    model = _configured("prepare", model, inplace)
    for module in model.modules():
        if type(module) in (*_INT8, QuantStub) and module.qconfig is not None:
            module.input_observer = module.qconfig.activation()
            module.register_forward_pre_hook(_observe)
    return model


def prepare_qat(model: nn.Module, mapping: Any = None, inplace: bool = False) -> nn.Module:
    """Fake quantization for training, as :func:`prepare` does it for calibration.

    Args:
        model: in train mode (``AssertionError`` otherwise), with a ``qconfig`` of fake quantizations.
        mapping: from types of float layers to types for training, default those of Linear, Conv1d, Conv2d.
        inplace: default False.

    The gradient goes straight through the rounding; values that are cut get gradient 0.

    >>> model = pydl.nn.Sequential(pydl.nn.Linear(4, 2))
    >>> model.qconfig = pydl.quantization.get_default_qat_qconfig()
    >>> model = pydl.quantization.prepare_qat(model)
    >>> model(pydl.rand(8, 4)).sum().backward()
    >>> type(pydl.quantization.convert(model.eval())[0]).__name__
    'QuantizedLinear'
    """
    if not model.training:
        raise AssertionError("prepare_qat(): works on models in training mode; call model.train() first")
    model = _configured("prepare_qat", model, inplace)
    mapping = _AWARE if mapping is None else mapping

    def change(name: str, child: nn.Module) -> nn.Module | None:
        kind = mapping.get(type(child))
        if kind is not None and child.qconfig is not None:
            return kind.from_float(child)
        if type(child) is QuantStub and child.qconfig is not None:
            child.input_observer = child.qconfig.activation()
            child.register_forward_pre_hook(_observe)
        return None

    return _whole(model, change)


def _int8(name: str, layer: Any, relu: bool = False) -> nn.Module | None:
    """The int8 form of an observed or quantization-aware layer, None for any other."""
    observer = layer._modules.get("input_observer", layer._modules.get("input_fake_quant"))
    if observer is None:
        return None
    if not observer.seen:
        raise RuntimeError(f"convert(): {name or type(layer).__name__!r} saw no data: run the model on data first")
    if isinstance(layer, QuantStub):
        return Quantize(observer)
    kind = next(made for base, made in _INT8.items() if isinstance(layer, base))
    weight = layer._modules.get("weight_fake_quant")
    return kind(layer, observer, layer.qconfig.weight() if weight is None else weight, relu)


def convert(module: nn.Module, mapping: Any = None, inplace: bool = False, remove_qconfig: bool = True) -> nn.Module:
    """Makes int8 layers of those that :func:`prepare` or :func:`prepare_qat` observed; the others stay in float32.

    Args:
        module: the prepared model after it saw data.
        mapping: from types of float layers to types of int8 ones, default those of Linear, Conv1d, Conv2d.
        inplace: default False.
        remove_qconfig: takes ``qconfig`` off all modules, default True.

    Raises ``RuntimeError`` that names the layer where one saw no data.

    >>> model = pydl.nn.Sequential(pydl.nn.Conv2d(1, 2, 3), pydl.nn.ReLU()).eval()
    >>> model.qconfig = pydl.quantization.get_default_qconfig()
    >>> prepared = pydl.quantization.prepare(model)
    >>> _ = prepared(pydl.rand(4, 1, 8, 8))
    >>> pydl.quantization.convert(prepared)(pydl.rand(4, 1, 8, 8)).shape
    torch.Size([4, 2, 6, 6])
    """
    module = module if inplace else copy.deepcopy(module)

    def change(name: str, child: nn.Module) -> nn.Module | None:
        if isinstance(child, _WITH_RELU):
            new = _int8(f"{name}.0", child[0], True)
        else:
            new = _int8(name, child)
        kind = None if mapping is None else mapping.get(type(child))
        return new if new is None or kind is None else kind.from_float(child)

    module = _whole(module, change)
    if remove_qconfig:
        for each in module.modules():
            each.__dict__.pop("qconfig", None)
    return module


def quantize(
    model: nn.Module, run_fn: Callable[..., Any], run_args: Any, mapping: Any = None, inplace: bool = False
) -> Any:
    """:func:`prepare`, ``run_fn(model, *run_args)`` for calibration in evaluation mode, :func:`convert`.

    >>> model = pydl.nn.Sequential(pydl.nn.Linear(4, 2))
    >>> model.qconfig = pydl.quantization.get_default_qconfig()
    >>> pydl.quantization.quantize(model, lambda m, x: m(x), [pydl.rand(8, 4)])[0].weight().dtype
    torch.qint8
    """
    model = prepare(model if inplace else copy.deepcopy(model), inplace=True)
    model.eval()
    run_fn(model, *run_args)
    return convert(model, mapping, inplace=True)


def quantize_qat(model: nn.Module, run_fn: Callable[..., Any], run_args: Any, inplace: bool = False) -> Any:
    """:func:`prepare_qat`, ``run_fn(model, *run_args)`` for training, :func:`convert`.

    >>> model = pydl.nn.Sequential(pydl.nn.Linear(4, 2))
    >>> model.qconfig = pydl.quantization.get_default_qat_qconfig()
    >>> pydl.quantization.quantize_qat(model, lambda m, x: m(x), [pydl.rand(8, 4)])[0].weight().dtype
    torch.qint8
    """
    model = model if inplace else copy.deepcopy(model)
    model.train()
    model = prepare_qat(model, inplace=True)
    run_fn(model, *run_args)
    return convert(model.eval(), inplace=True)
