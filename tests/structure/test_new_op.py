"""The scaffold of a new op: what it writes compiles, and it overwrites nothing."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCAFFOLD = ROOT / "pydl" / "_dev" / "new_op.py"
pytestmark = pytest.mark.skipif(not (ROOT / "cpp").is_dir(), reason="no C++ sources beside the tests")
SIGNATURE = "cube_sum(input: Tensor, other: Tensor, *, scale: float = 1.0, dim: int | Size | None = None) -> Tensor"


@pytest.fixture
def new_op():
    spec = importlib.util.spec_from_file_location("new_op", SCAFFOLD)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiles(path, *options):
    command = ["c++", "-std=c++20", "-fsyntax-only", "-Wall", f"-I{ROOT / 'cpp'}", *options, str(path)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
@pytest.mark.parametrize(
    "signature, kernel",
    [
        ("cube_sum(input: Tensor, other: Tensor) -> Tensor", True),
        (SIGNATURE, False),
        ("halves(input: Tensor) -> (Tensor, Tensor)", False),
    ],
)
def test_scaffold_compiles(new_op, tmp_path, signature, kernel):
    for folder in ("cpp/ops/pointwise", "cpp/kernels/pointwise", "cpp/kernels/cpu/pointwise", "tests/opinfo"):
        (tmp_path / folder).mkdir(parents=True)
    written = new_op.files("pointwise", signature, kernel)
    new_op.write(tmp_path, written)
    name = signature.partition("(")[0]
    isa = ["-DPYDL_ISA=baseline", "-DPYDL_ISA_LEVEL=0"]
    for path in written:
        if path.endswith(".cpp"):
            result = compiles(tmp_path / path, f"-I{tmp_path / 'cpp'}", *(isa if ".kernel." in path else []))
            assert result.returncode == 0, result.stderr
    assert f'op("{name}"' in (tmp_path / "tests/opinfo/pointwise.py").read_text()
    with pytest.raises(FileExistsError, match=name):
        new_op.write(tmp_path, written)


def test_bad_requests(new_op, tmp_path):
    for signature in ("gcd", "gcd(input)", "gcd(input: Tensr)"):
        with pytest.raises(ValueError, match="new_op"):
            new_op.files("pointwise", signature, False)
    with pytest.raises(FileNotFoundError, match="families"):
        new_op.write(tmp_path, new_op.files("no_such_family", SIGNATURE, False))
