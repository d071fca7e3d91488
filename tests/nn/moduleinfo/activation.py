"""Activations."""

from __future__ import annotations

from moduleinfo import module

OPTIONS = {
    "ReLU": {}, "ReLU6": {}, "LeakyReLU": {"negative_slope": 0.3}, "ELU": {"alpha": 0.7}, "CELU": {"alpha": 1.7},
    "SELU": {}, "GELU": {}, "SiLU": {}, "Mish": {}, "Softplus": {"beta": 2.0}, "Sigmoid": {}, "Tanh": {},
    "LogSigmoid": {}, "Hardswish": {}, "Hardsigmoid": {}, "Hardtanh": {}, "Threshold": {"threshold": 0.2, "value": 3.0},
    "Softmax": {"dim": 1}, "LogSoftmax": {"dim": 0}, "Softmin": {"dim": 1}, "GLU": {}, "Hardshrink": {},
    "Softshrink": {}, "Softsign": {}, "Tanhshrink": {}, "PReLU": {"num_parameters": 6},
}  # fmt: skip
# PyTorch computes these two with float32 constants even in float64
COARSE = {"CELU", "Hardsigmoid"}

for _name, _options in OPTIONS.items():
    tolerance = (1e-5, 2e-7 if _name in COARSE else 1e-10)
    module(_name, lambda m: (m.real(4, 6, low=-5, high=5),), kwargs=_options, tolerance=tolerance)
module("GELU", lambda m: (m.real(4, 6, low=-4, high=4),), kwargs={"approximate": "tanh"}, label="tanh")
module("PReLU", lambda m: (m.real(2, 3),), label="shared")
module("Softmax2d", lambda m: (m.real(2, 3, 2, 2),))
module("RReLU", lambda m: (m.real(4, 6),), modes=("eval",))
module("Swish", lambda m: (m.real(4, 6),))
