"""A convolution needs little memory beyond its operands and results, and a steady step no new pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

CHILD = """
import json, resource, sys
import pydl

def status(key):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key)) * 1024

shape, weight_shape, options = json.loads(sys.argv[1])
pydl.set_num_threads(2)
warm = pydl.rand(1, 4, 9, 9, requires_grad=True)
pydl.conv2d(warm, pydl.rand(20, 4, 3, 3, requires_grad=True)).sum().backward()
before = status("VmRSS")
x = pydl.rand(*shape).requires_grad_()
w = pydl.rand(*weight_shape).requires_grad_()
y = pydl.conv2d(x, w, None, *options)
g = pydl.ones_like(y)
y.backward(g)
peak = status("VmHWM") - before
tensors = 4 * 2 * (x.numel() + w.numel() + y.numel())
del y

def step():
    x.grad = w.grad = None
    pydl.conv2d(x, w, None, *options).backward(g)

for _ in range(2):
    step()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2):
    step()
print(json.dumps([peak, tensors, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults]))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads /proc")
@pytest.mark.parametrize(
    "shape, weight, options",
    [
        ((16, 64, 112, 112), (64, 64, 3, 3), (1, 1)),
        ((4, 2048, 7, 7), (2048, 2048, 3, 3), (1, 1)),
        ((32, 128, 56, 56), (256, 128, 3, 3), (2, 1)),
        ((32, 256, 56, 56), (64, 256, 1, 1), ()),
        ((32, 128, 56, 56), (128, 1, 3, 3), (1, 1, 1, 128)),
    ],
    ids=["3x3", "large weight", "stride", "1x1", "depthwise"],
)
def test_forward_and_backward_without_column_matrix(
    shape: tuple[int, ...], weight: tuple[int, ...], options: tuple[int, ...]
) -> None:
    out = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps([shape, weight, options])],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    )
    peak, tensors, faults = json.loads(out.stdout)
    assert peak <= 1.2 * tensors, f"{peak / tensors:.2f} times the tensors"
    assert faults < 50, faults
