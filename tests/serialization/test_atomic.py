"""A save that is killed, or that finds the disk full, leaves the old file or the new one."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

import pydl

SAVER = """
import sys, pydl
path, step = sys.argv[1], 0
state = pydl.load(path)
print("ready", flush=True)
while True:
    step += 1
    value = float(step)
    pydl.save({"step": step, "w": pydl.full((150_000,), value)}, path, fsync=step % 8 == 0)
"""

LIMITED = """
import resource, signal, sys, pydl
path, limit = sys.argv[1], int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    pydl.save({"step": 1, "w": pydl.ones(5000)}, path)
    print("saved")
except OSError:
    print("failed")
"""


def check(path):
    state = pydl.load(path)
    assert (state["w"] == float(state["step"])).all()


@pytest.mark.parametrize("ending", [".pt"])
def test_killed_savers(tmp_path, full, ending):
    path = tmp_path / f"state{ending}"
    pydl.save({"step": 0, "w": pydl.zeros(150_000)}, path)
    chance = random.Random(5)
    for _ in range(200 if full else 8):
        with subprocess.Popen([sys.executable, "-c", SAVER, str(path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.0, 0.05))
            child.send_signal(signal.SIGKILL)
        check(path)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of file sizes as Linux has them")
def test_full_disks(tmp_path, full):
    path = tmp_path / "state.pt"
    pydl.save({"step": 0, "w": pydl.zeros(5000)}, path)
    size = path.stat().st_size
    seen = set()
    for i in range(200 if full else 6):
        limit = (i * size) // (190 if full else 5)
        answer = subprocess.run([sys.executable, "-c", LIMITED, str(path), str(limit)], capture_output=True, text=True)
        seen.add(answer.stdout.strip())
        check(path)
        assert os.listdir(tmp_path) == ["state.pt"]
    assert seen == {"failed", "saved"}
