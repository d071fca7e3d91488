"""8-bit layers against our own float32 ones: ``python -m benchmarks.int8 [threads]``. Medians in microseconds."""

from __future__ import annotations

import sys
import time
from typing import Any

import pydl
from pydl import nn, quantization


def median(layer: Any, x: pydl.Tensor, seconds: float = 0.4) -> float:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        layer(x)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e6


def calibrated(layer: nn.Module, x: pydl.Tensor) -> nn.Module:
    model = nn.Sequential(layer).eval()
    model.qconfig = quantization.default_per_channel_qconfig
    prepared = quantization.prepare(model)
    prepared(x)
    return quantization.convert(prepared)


CASES = [
    (nn.Linear(1024, 1024), (1, 1024)),
    (nn.Linear(1024, 1024), (32, 1024)),
    (nn.Linear(784, 256), (256, 784)),
    (nn.Linear(4096, 1024), (64, 4096)),
    (nn.Conv2d(64, 64, 3, padding=1), (1, 64, 56, 56)),
    (nn.Conv2d(64, 64, 3, padding=1), (8, 64, 56, 56)),
    (nn.Conv2d(256, 256, 3, padding=1), (1, 256, 14, 14)),
    (nn.Conv2d(512, 512, 3, padding=1), (1, 512, 7, 7)),
    (nn.Conv2d(256, 64, 1), (1, 256, 56, 56)),
    (nn.Conv2d(3, 64, 7, stride=2, padding=3), (1, 3, 224, 224)),
]


def main() -> None:
    pydl.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else pydl.get_num_threads())
    with pydl.no_grad():
        for layer, shape in CASES:
            x = pydl.randn(*shape)
            int8 = calibrated(layer, x)
            plain, quantized = median(layer, x), median(int8, x)
            print(f"{layer!r} on {shape}: float32 {plain:.0f} us, int8 {quantized:.0f} us, {plain / quantized:.2f}x")


if __name__ == "__main__":
    main()
