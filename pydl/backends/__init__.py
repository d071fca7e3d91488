"""PyTorch's switches of its libraries. pydl's kernels are its own: switches are kept and told, and change nothing."""

from __future__ import annotations

from pydl.backends import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum, quantized

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum", "quantized"]
