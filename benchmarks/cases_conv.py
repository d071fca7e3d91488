"""Convolutions and poolings, forward and backward."""

from __future__ import annotations

from benchmarks.case import Case

_STEP = """
for t in (w, b):
    t.requires_grad_()
def step():
    y = f(x)
    y.backward(torch.ones_like(y))
"""


def _conv(
    name: str,
    x: str,
    w: str,
    options: str,
    bar: float,
    *,
    channels: int,
    function: str = "conv2d",
    input_grad: bool = True,
) -> Case:
    setup = f"x = torch.rand({x}); w = torch.rand({w}); b = torch.rand({channels})\n"
    setup += f"x.requires_grad_({input_grad})\nf = lambda x: torch.{function}(x, w, b{options})" + _STEP
    return Case(name, setup, "step()", bar)


def _forward(name: str, x: str, w: str, options: str, bar: float) -> Case:
    setup = f"x = torch.rand({x}); w = torch.rand({w}); torch.set_grad_enabled(False)"
    return Case(name, setup, f"torch.conv2d(x, w, None{options})", bar)


def _pool(name: str, x: str, call: str, bar: float) -> Case:
    setup = f"x = torch.rand({x}, requires_grad=True)\nf = lambda x: torch.nn.functional.{call}"
    setup += "\ndef step():\n    y = f(x)\n    y.backward(torch.ones_like(y))"
    return Case(name, setup, "step()", bar)


CONV_CASES = [
    _conv("conv 3x3 64 56px b8", "8, 64, 56, 56", "64, 64, 3, 3", ", 1, 1", 1.1, channels=64),
    _conv("conv 3x3 512 7px b8", "8, 512, 7, 7", "512, 512, 3, 3", ", 1, 1", 1.1, channels=512),
    _conv("conv 3x3 s2 128-256 28px b8", "8, 128, 28, 28", "256, 128, 3, 3", ", 2, 1", 1.1, channels=256),
    _forward("conv 3x3 64 56px b1 forward", "1, 64, 56, 56", "64, 64, 3, 3", ", 1, 1", 1.0),
    _forward("conv 3x3 512 7px b1 forward", "1, 512, 7, 7", "512, 512, 3, 3", ", 1, 1", 1.0),
    _forward("conv 3x3 s2 128-256 b1 forward", "1, 128, 28, 28", "256, 128, 3, 3", ", 2, 1", 1.0),
    _conv("conv 7x7 s2 3-64 224px b8", "8, 3, 224, 224", "64, 3, 7, 7", ", 2, 3", 1.5, channels=64, input_grad=False),
    _conv("conv 1x1 256-64 56px b8", "8, 256, 56, 56", "64, 256, 1, 1", "", 1.5, channels=64),
    _conv("conv depthwise 3x3 128 56px b8", "8, 128, 56, 56", "128, 1, 3, 3", ", 1, 1, 1, 128", 1.5, channels=128),
    _conv("conv grouped 128 28px b8", "8, 128, 28, 28", "128, 16, 3, 3", ", 1, 1, 1, 8", 1.5, channels=128),
    _conv("conv dilated 64 28px b8", "8, 64, 28, 28", "64, 64, 3, 3", ", 1, 2, 2", 1.5, channels=64),
    _conv("conv LeNet 5x5 1-6 b256", "256, 1, 28, 28", "6, 1, 5, 5", ", 1, 2", 1.5, channels=6, input_grad=False),
    _conv("conv LeNet 5x5 6-16 b256", "256, 6, 14, 14", "16, 6, 5, 5", "", 1.5, channels=16),
    _conv("conv1d k5 64-128 b16", "16, 64, 1024", "128, 64, 5", ", 1, 2", 1.5, channels=128, function="conv1d"),
    _conv("conv3d 16-32 b2", "2, 16, 16, 28, 28", "32, 16, 3, 3, 3", ", 1, 1", 1.5, channels=32, function="conv3d"),
    _conv(
        "conv transposed 4x4 s2 64-32 b8",
        "8, 64, 28, 28",
        "64, 32, 4, 4",
        ", 2, 1",
        1.5,
        channels=32,
        function="conv_transpose2d",
    ),
    _pool("max pool 3x3 s2 64 112px b8", "8, 64, 112, 112", "max_pool2d(x, 3, 2, 1)", 4),
    _pool("avg pool 3x3 s2 64 112px b8", "8, 64, 112, 112", "avg_pool2d(x, 3, 2, 1)", 4),
    _pool("max pool 3d 2x2x2", "4, 16, 16, 56, 56", "max_pool3d(x, 2)", 4),
    _pool("adaptive avg pool to 1", "8, 512, 14, 14", "adaptive_avg_pool2d(x, 1)", 1),
]
