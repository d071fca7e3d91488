"""A forked child works, also after a parallel op in the parent."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

import pydl


def wait(pid: int, seconds: float) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -signal.SIGKILL


def in_child(x: object, expected: bytes) -> int:
    y = (x * 2).exp().sum(0)  # type: ignore[operator]
    (x @ x.t()).sum().backward()  # type: ignore[attr-defined,operator]
    return 0 if y.detach().numpy().tobytes() == expected else 3


def test_children_after_a_parallel_op(full: bool) -> None:
    pydl.set_num_threads(max(2, pydl.get_num_threads()))
    x = pydl.tensor(np.random.default_rng(0).standard_normal((600, 500)).astype(np.float32)).requires_grad_()
    expected = (x * 2).exp().sum(0).detach().numpy().tobytes()
    (x @ x.t()).sum().backward()  # the pool is up
    for n in range(200 if full else 20):
        pid = os.fork()
        if pid == 0:
            code = 4
            try:
                code = in_child(x, expected)
            finally:
                os._exit(code)
        assert wait(pid, 60) == 0, f"child {n}"
        if n % 10 == 0:
            (x * 2).exp().sum(0)  # the parent goes on between


def test_child_of_a_child() -> None:
    x = pydl.ones(400_000)
    (x + x).sum()
    pid = os.fork()
    if pid == 0:
        code = 4
        try:
            (x + x).sum()
            inner = os.fork()
            if inner == 0:
                os._exit(0 if (x + x).sum().item() == 800_000 else 3)
            code = wait(inner, 30)
        finally:
            os._exit(code)
    assert wait(pid, 60) == 0
