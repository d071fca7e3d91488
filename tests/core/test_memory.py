"""Out of memory is an exception; nothing leaks; a steady training step asks the system for nothing."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import pydl
from pydl import _C


def train_step(w1: pydl.Tensor, w2: pydl.Tensor, x: pydl.Tensor, y: pydl.Tensor) -> float:
    loss = (((x @ w1).clamp(min=0) @ w2 - y) ** 2).mean()
    g1, g2 = pydl.autograd.grad(loss, [w1, w2])
    with pydl.no_grad():
        w1.sub_(g1, alpha=0.01)
        w2.sub_(g2, alpha=0.01)
    return loss.item()


def tensors(n: int = 64) -> list[pydl.Tensor]:
    rng = np.random.default_rng(0)
    w1, w2, x, y = (
        pydl.tensor(rng.standard_normal(s).astype(np.float32) * 0.1) for s in ((n, n), (n, 8), (32, n), (32, 8))
    )
    return [w1.requires_grad_(), w2.requires_grad_(), x, y]


@pytest.mark.skipif(
    "san.so" in os.environ.get("LD_PRELOAD", ""), reason="under a sanitizer every block comes from the system"
)
def test_steady_step_makes_no_system_allocation(tmp_path: Path) -> None:
    """In a process of its own: after a fork in another test every page that is written faults once more."""
    paths = [str(Path(pydl.__file__).parents[1]), str(Path(__file__).parent), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", "import test_memory; test_memory.steady_steps()"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def steady_steps() -> None:
    parts = tensors(256)
    for _ in range(5):
        train_step(*parts)
    before, faults = pydl.memory_stats()["system_allocations"], resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        train_step(*parts)
    assert pydl.memory_stats()["system_allocations"] == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults <= 50  # one a step would be a page of ours


def test_training_does_not_leak() -> None:
    parts = tensors()
    train_step(*parts)
    gc.collect()
    before = pydl.memory_stats()["allocated_bytes"]
    for _ in range(200):
        train_step(*parts)
    assert pydl.memory_stats()["allocated_bytes"] == before


def test_a_graph_is_freed_without_the_cycle_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        before = pydl.memory_stats()["allocated_bytes"]
        x = pydl.ones(1000, requires_grad=True)
        y = x
        for _ in range(20):
            y = (y * 2).exp().sin() + x
        y.sum().backward()
        del x, y
        assert pydl.memory_stats()["allocated_bytes"] == before
    finally:
        gc.enable()


def test_every_allocation_may_fail() -> None:
    """The k-th allocation of a step fails, for each k: an exception each time, and everything works afterwards."""
    parts = tensors()
    expected = train_step(*[p.detach().clone().requires_grad_(p.requires_grad) for p in parts])
    gc.collect()
    held = pydl.memory_stats()["allocated_bytes"]
    failed = 0
    for k in range(1, 201):
        copies = [p.detach().clone().requires_grad_(p.requires_grad) for p in parts]
        _C._fail_allocation_after(k)
        try:
            train_step(*copies)
        except pydl.OutOfMemoryError:
            failed += 1
        else:
            _C._fail_allocation_after(0)
            break
        finally:
            _C._fail_allocation_after(0)
        assert train_step(*[p.detach().clone().requires_grad_(p.requires_grad) for p in parts]) == expected
        del copies
        gc.collect()
        assert pydl.memory_stats()["allocated_bytes"] == held, f"allocation {k} leaks when it fails"
    else:
        pytest.fail("a step makes more than 200 allocations")
    assert failed >= 5


def test_out_of_memory_under_a_limit() -> None:
    code = textwrap.dedent("""
        import resource, pydl
        x = pydl.ones(10)
        with open("/proc/self/status") as f:
            now = next(int(line.split()[1]) for line in f if line.startswith("VmSize")) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (now + (256 << 20),) * 2)
        kept = []
        try:
            while True:
                kept.append(pydl.ones(4 << 20))
        except pydl.OutOfMemoryError as e:
            assert isinstance(e, MemoryError) and isinstance(e, RuntimeError)
        assert 5 < len(kept) < 20, len(kept)
        del kept
        pydl.empty_cache()
        assert pydl.ones(4 << 20).sum().item() == 4 << 20
        assert (x + x).tolist() == [2.0] * 10
        print("usable")
    """)
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert out.stdout.strip() == "usable", out.stderr


@pytest.mark.parametrize("size", [(2**40,), (2**62,), (2**31, 2**31), (2**63 - 1,)])
def test_absurd_sizes(size: tuple[int, ...]) -> None:
    with pytest.raises((pydl.OutOfMemoryError, pydl.ShapeError)):
        pydl.empty(size, dtype=pydl.float64)
