"""Normalisation."""

from __future__ import annotations

from moduleinfo import module

SIZES = {1: (3,), 2: (3, 2), 3: (2, 3, 2)}

for _d, _sizes in SIZES.items():
    _batch, _instance = f"BatchNorm{_d}d", f"InstanceNorm{_d}d"
    module(_batch, lambda m, s=_sizes: (m.real(3, 2, *s),), args=(2,))
    module(_batch, lambda m, s=_sizes: (m.real(3, 2, *s),), args=(2,), kwargs={"momentum": None}, label="cumulative")
    module(
        _batch,
        lambda m, s=_sizes: (m.real(3, 2, *s),),
        args=(2,),
        kwargs={"track_running_stats": False, "affine": False},
        label="plain",
    )
    module(
        _batch, lambda m, s=_sizes: (m.real(3, 2, *s),), args=(2, 1e-3, 0.3), kwargs={"bias": False}, label="no-bias"
    )
    module(_instance, lambda m, s=_sizes: (m.real(3, 2, *s),), args=(2,))
    module(_instance, lambda m, s=_sizes: (m.real(2, *s),), args=(2,), kwargs={"affine": True}, label="one-sample")
    module(
        _instance,
        lambda m, s=_sizes: (m.real(3, 2, *s),),
        args=(2,),
        kwargs={"affine": True, "track_running_stats": True},
        label="running",
    )
module("BatchNorm1d", lambda m: (m.real(5, 3),), args=(3,), label="features")
module("SyncBatchNorm", lambda m: (m.real(4, 3),), args=(3,), modes=("eval",))
module("LayerNorm", lambda m: (m.real(4, 3),), args=(3,))
module("LayerNorm", lambda m: (m.real(2, 2, 3),), args=((2, 3), 1e-3), label="two-dims")
module("LayerNorm", lambda m: (m.real(4, 3),), args=(3,), kwargs={"bias": False}, label="no-bias")
module("LayerNorm", lambda m: (m.real(4, 3),), args=(3,), kwargs={"elementwise_affine": False}, label="plain")
module("RMSNorm", lambda m: (m.real(4, 3),), args=(3,))
module("RMSNorm", lambda m: (m.real(2, 2, 3),), args=((2, 3), 1e-3, False), label="plain")
module("GroupNorm", lambda m: (m.real(2, 4, 3),), args=(2, 4))
module("GroupNorm", lambda m: (m.real(2, 6),), args=(2, 6), kwargs={"affine": False}, label="features")
module("GroupNorm", lambda m: (m.real(2, 4, 2, 2),), args=(1, 4), kwargs={"bias": False}, label="no-bias")
module("LocalResponseNorm", lambda m: (m.real(2, 5, 3),), args=(2, 0.5), kwargs={"k": 2.0})
module("LocalResponseNorm", lambda m: (m.real(1, 2, 2, 2),), args=(5, 0.5, 0.5), label="wide")
# PyTorch's gradient is not that of its function: one channel, where it is
module("CrossMapLRN2d", lambda m: (m.real(2, 1, 2, 3),), args=(3, 0.5))
for _d, _sizes in SIZES.items():
    module(f"LazyBatchNorm{_d}d", lambda m, s=_sizes: (m.real(3, 2, *s),))
    module(f"LazyInstanceNorm{_d}d", lambda m, s=_sizes: (m.real(3, 2, *s),))
module("LazyBatchNorm1d", lambda m: (m.real(3, 2, 3),), kwargs={"affine": False, "momentum": None}, label="plain")
module("LazyInstanceNorm1d", lambda m: (m.real(3, 2, 3),), kwargs={"bias": False}, label="no-bias")
