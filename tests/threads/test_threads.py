"""The number of threads: any time, from any thread, without a change of results."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import pydl


def test_set_num_threads_at_any_time() -> None:
    x = pydl.tensor(np.random.default_rng(0).standard_normal(400_000).astype(np.float32))
    expected = x.exp().sum().item()
    for n in (1, 4, 2, 16, 3, 1):
        pydl.set_num_threads(n)
        assert pydl.get_num_threads() == n
        assert x.exp().sum().item() == expected


@pytest.mark.parametrize("wrong", [0, -1, 2**40, "2", None, 1.5])
def test_set_num_threads_refuses(wrong: object) -> None:
    with pytest.raises((ValueError, TypeError, RuntimeError), match="set_num_threads|integer|int"):
        pydl.set_num_threads(wrong)


def test_omp_num_threads_is_honoured() -> None:
    code = "import pydl; print(pydl.get_num_threads())"
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == "1"


def test_threadpoolctl() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    x = pydl.ones(400_000)
    with threadpoolctl.threadpool_limits(1):
        assert (x + x).sum().item() == 800_000


def test_ops_from_many_python_threads() -> None:
    x = pydl.tensor(np.random.default_rng(1).standard_normal((200, 300)).astype(np.float32))
    expected = (x @ x.t()).numpy().tobytes()
    wrong: list[object] = []

    def work() -> None:
        for _ in range(20):
            w = x.clone().requires_grad_()
            (w * w).sum().backward()
            if (x @ x.t()).numpy().tobytes() != expected or not pydl.equal(w.grad, 2 * x):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_grad_mode_belongs_to_a_thread() -> None:
    seen: list[bool] = []
    with pydl.no_grad():
        t = threading.Thread(target=lambda: seen.append(pydl.is_grad_enabled()))
        t.start()
        t.join()
    assert seen == [True]


def test_backward_of_one_graph_from_two_threads() -> None:
    w = pydl.ones(1000, requires_grad=True)
    losses = [(w * k).sum() for k in (2.0, 3.0)]
    threads = [threading.Thread(target=loss.backward) for loss in losses]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert w.grad.tolist() == [5.0] * 1000
