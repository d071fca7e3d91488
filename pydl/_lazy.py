"""Functions and methods that live in modules which are loaded when first used."""

from __future__ import annotations

import importlib
from typing import Any

from pydl._C import Tensor

_LINALG = "pydl.linalg._legacy"
_BOTH = (
    "cholesky cholesky_inverse cholesky_solve cross det geqrf inner inverse kron logdet lu lu_solve matrix_exp "
    "matrix_power orgqr ormqr pinverse qr slogdet svd triangular_solve vdot"
)
_FUNCTIONS = (
    "cdist chain_matmul frobenius_norm lobpcg lu_unpack norm_except_dim nuclear_norm pca_lowrank pdist svd_lowrank"
)

# Function of pydl -> its module; the methods of Tensor among them.
FUNCTIONS = {name: _LINALG for name in (_BOTH + " " + _FUNCTIONS).split()}
METHODS = {name: _LINALG for name in _BOTH.split()}
_NN = (
    "bilinear channel_shuffle cosine_similarity native_channel_shuffle pairwise_distance pixel_shuffle pixel_unshuffle"
)
FUNCTIONS |= {name: "pydl.nn.functional" for name in _NN.split()}
_LOSSES = (
    "affine_grid_generator binary_cross_entropy_with_logits cosine_embedding_loss ctc_loss embedding_renorm_ "
    "hinge_embedding_loss kl_div margin_ranking_loss poisson_nll_loss triplet_margin_loss"
)
FUNCTIONS |= {name: "pydl._losses" for name in _LOSSES.split()}
for _name in ("stft", "istft"):
    FUNCTIONS[_name] = METHODS[_name] = "pydl.fft._frames"
_RECURRENT = "gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell"
FUNCTIONS.update(dict.fromkeys(_RECURRENT.split(), "pydl._recurrent"))


def _method(name: str, module: str) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        function = getattr(importlib.import_module(module), name)
        setattr(Tensor, name, function)
        return function(self, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = f"See `pydl.{name}`."
    return method


for _name, _module in METHODS.items():
    setattr(Tensor, _name, _method(_name, _module))
