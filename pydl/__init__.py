"""pydl: deep learning on CPUs with PyTorch's interface and NumPy as the only dependency.

``import pydl as torch`` runs code that was written for PyTorch.
"""

from __future__ import annotations

import builtins
from typing import Any

from pydl._check_install import calm_openmp, check_install

check_install()
_calm = calm_openmp()

try:
    from pydl import _C
except ImportError:
    # A source checkout that stands before the installed package on sys.path: the compiled modules are in the latter.
    import os
    import sys

    __path__[:0] = [
        p for p in (os.path.join(entry, "pydl") for entry in sys.path) if os.path.isdir(p) and p not in __path__
    ]
    from pydl import _C
_calm()

from pydl._C import (
    Generator,
    OutOfMemoryError,
    ShapeError,
    Size,
    Tensor,
    _engine_backward,
    _engine_grad,
    _announce_module,
    _FunctionBase,
    _ModuleBase,
    _set_grad_enabled,
    _set_inference_mode,
    as_tensor,
    bfloat16,
    bool,
    cdouble,
    cfloat,
    chalf,
    channels_last,
    channels_last_3d,
    complex32,
    complex64,
    complex128,
    contiguous_format,
    default_generator,
    device,
    double,
    dtype,
    empty_cache,
    float,
    float16,
    float32,
    float64,
    from_numpy,
    frombuffer,
    get_default_dtype,
    get_num_threads,
    half,
    int,
    int8,
    int16,
    int32,
    int64,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference_mode_enabled,
    long,
    memory_format,
    memory_stats,
    preserve_format,
    promote_types,
    reset_peak_memory_stats,
    result_type,
    set_default_dtype,
    set_num_threads,
    short,
    tensor,
    uint8,
    uint16,
    uint32,
    uint64,
)
from pydl._version import __version__

# Every op with the Function flag: the op table is the list.
globals().update({name: op for name, op in vars(_C.functions).items() if not name.startswith("__")})
# For the Python layer alone: fused optimizer steps.
globals().update({name: op for name, op in vars(_C.private).items() if not name.startswith("__")})

_nn = _C.nn  # kernels behind pydl.nn.functional
max_pool1d_with_indices = _nn.max_pool1d_with_indices

from pydl._dlpack import from_dlpack, to_dlpack
from pydl._errors import SerializationError
from pydl._tensor import (
    adjoint,
    e,
    finfo,
    iinfo,
    inf,
    is_complex,
    is_conj,
    is_floating_point,
    is_inference,
    is_neg,
    is_tensor,
    layout,
    nan,
    newaxis,
    numel,
    pi,
    strided,
)
from pydl.functional import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block_diag,
    broadcast_shapes,
    broadcast_tensors,
    cartesian_prod,
    einsum,
    isin,
    meshgrid,
    tensordot,
    unique,
    unique_consecutive,
)
from pydl._memory import (
    asarray,
    can_cast,
    get_device,
    is_storage,
    thread_safe_generator,
    typename,
)
from pydl._numeric import gradient, histogram, histogramdd
from pydl._settings import (
    are_deterministic_algorithms_enabled,
    compiled_with_cxx11_abi,
    get_default_device,
    get_deterministic_debug_mode,
    get_float32_matmul_precision,
    get_num_interop_threads,
    is_deterministic_algorithms_warn_only_enabled,
    is_warn_always_enabled,
    set_default_device,
    set_default_tensor_type,
    set_deterministic_debug_mode,
    set_float32_matmul_precision,
    set_flush_denormal,
    set_num_interop_threads,
    set_warn_always,
    use_deterministic_algorithms,
)
from pydl._tensor import UntypedStorage
from pydl.random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from pydl import autograd, special
from pydl.autograd import enable_grad, inference_mode, no_grad, set_grad_enabled


def set_anomaly_enabled(mode: builtins.bool, check_nan: builtins.bool = True) -> None:
    """Switch anomaly detection in this thread, see `pydl.autograd.detect_anomaly`."""
    _C._set_anomaly(mode, check_nan)


from pydl import _lazy

# Loaded when first used: what a program does not touch costs it no import time.
_LAZY_MODULES = (
    "amp",
    "array_api",
    "attribution",
    "backends",
    "catalogue",
    "compress",
    "cuda",
    "demo",
    "distributions",
    "ensemble",
    "fft",
    "func",
    "geometric",
    "hub",
    "jit",
    "linalg",
    "linear_model",
    "losses",
    "models",
    "multiprocessing",
    "nn",
    "optim",
    "quantization",
    "search",
    "serialization",
    "signal",
    "svm",
    "testing",
    "text",
    "utils",
    "version",
    "vision",
)
_QUANTIZED = (
    "dequantize fake_quantize_per_channel_affine fake_quantize_per_tensor_affine per_channel_affine "
    "per_channel_symmetric per_tensor_affine per_tensor_symmetric qint32 qint8 quantize_per_channel "
    "quantize_per_tensor quint8"
)
_LAZY_NAMES = {
    "GradScaler": "amp",
    "autocast": "amp",
    "vmap": "func",
    **dict.fromkeys(("compile", "get_autocast_dtype", "is_autocast_enabled"), "_eager"),
    **dict.fromkeys(_QUANTIZED.split(), "quantization.tensor"),
    **dict.fromkeys(("conv_tbc", "embedding_bag", "native_dropout"), "_native"),
    "load": "serialization",
    "save": "serialization",
    "set_printoptions": "_tensor_str",
    "show_config": "_config",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LAZY_MODULES:
        return importlib.import_module(f"pydl.{name}")
    if name in _LAZY_NAMES:
        value = getattr(importlib.import_module(f"pydl.{_LAZY_NAMES[name]}"), name)
        globals()[name] = value
        return value
    if name.endswith(("Tensor", "Storage")):
        from pydl import _legacy

        if name in _legacy.NAMES or name == "TypedStorage":
            globals()[name] = value = _legacy.get(name) if name in _legacy.NAMES else _legacy.TypedStorage
            return value
    if name in _lazy.FUNCTIONS:
        value = getattr(importlib.import_module(_lazy.FUNCTIONS[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'pydl' has no attribute {name!r}")


from pydl import _alias, _interop

_interop.connect()
_alias.install()


def __dir__() -> list[str]:
    names = {*globals(), *_LAZY_MODULES, *_LAZY_NAMES, *_lazy.FUNCTIONS}
    return sorted(name for name in names if not name.startswith("_") or name == "__version__")
