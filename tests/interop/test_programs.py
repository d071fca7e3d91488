"""Programs written for torch and torchvision run when the two names stand for pydl and pydl.vision."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pydl

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
MAPPED = """
import runpy, sys, pydl, pydl.vision
sys.modules["torch"], sys.modules["torchvision"] = pydl, pydl.vision
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program(path: Path, tmp_path: Path) -> None:
    root = str(Path(pydl.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", MAPPED, str(path)],
        cwd=tmp_path, env={"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
