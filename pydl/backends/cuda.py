"""Switches of CUDA, which this build does not use."""

from __future__ import annotations

from types import SimpleNamespace

__all__ = ["is_built", "matmul"]

# TF32 rounds float32 products to 10 bits on NVIDIA's tensor cores; on the CPU products are float32.
matmul = SimpleNamespace(
    allow_tf32=False, allow_fp16_reduced_precision_reduction=True, allow_bf16_reduced_precision_reduction=True
)


def is_built() -> bool:
    """Whether this build has CUDA kernels: no.

    >>> pydl.backends.cuda.is_built()
    False
    """
    return False
