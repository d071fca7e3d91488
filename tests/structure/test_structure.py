"""The rules of the house, checked: layers, file sizes, symbols, docstrings, the cost of an import."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pydl
from pydl import _C

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ["core", "simd", "kernels", "autograd", "ops", "bindings"]
# What a layer may include; the arrow core -> simd -> kernels -> autograd -> ops -> bindings with its narrower parts.
ALLOWED = {
    "core": {"core"},
    "simd": {"simd", "core/half.h"},
    "kernels": {"simd", "kernels", "core/dtype.h", "core/half.h", "core/cpu_info.h", "core/scalar.h"},
    "autograd": {"core", "autograd"},
    "ops": {"core", "simd", "kernels", "autograd", "ops"},
    "bindings": {"core", "simd", "kernels", "autograd", "ops", "bindings"},
}
cpp = pytest.mark.skipif(not (ROOT / "cpp").is_dir(), reason="no C++ sources beside the tests")


def sources(*patterns: str) -> list[Path]:
    return sorted(p for pattern in patterns for p in ROOT.glob(pattern))


@cpp
@pytest.mark.parametrize("layer", LAYERS)
def test_includes_follow_the_arrow(layer: str) -> None:
    wrong = []
    for path in sources(f"cpp/{layer}/**/*.h", f"cpp/{layer}/**/*.cpp"):
        for included in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE):
            if included.split("/")[0] in LAYERS and not any(
                included == a or included.startswith(a + "/") for a in ALLOWED[layer]
            ):
                wrong.append(f"{path.relative_to(ROOT)} includes {included}")
    assert not wrong, "\n".join(wrong)


@cpp
def test_only_the_bindings_know_python() -> None:
    wrong = [
        str(p)
        for layer in LAYERS[:-1]
        for p in sources(f"cpp/{layer}/**/*.h", f"cpp/{layer}/**/*.cpp")
        if re.search(r"#\s*include\s+<(Python\.h|pybind11)", p.read_text())
    ]
    assert not wrong, wrong


@cpp
def test_openmp_lives_in_one_file() -> None:
    wrong = [
        str(p.relative_to(ROOT))
        for p in sources("cpp/**/*.h", "cpp/**/*.cpp")
        if re.search(r"#\s*pragma omp|<omp\.h>", p.read_text()) and p.name not in ("parallel.cpp", "module.cpp")
    ]
    assert not [p for p in wrong if not p.startswith(("cpp/tests", "cpp/core/parallel"))], wrong


@pytest.mark.parametrize("package", ["nn", "optim", "utils", "demo", "losses", "compress", "ensemble", "search"])
def test_python_layers_use_the_public_api(package: str) -> None:
    wrong = []
    for path in sources(f"pydl/{package}/**/*.py"):
        if re.search(
            r"^\s*(from pydl import .*\b_C\b|from pydl\._C|import pydl\._C)|pydl\._C\b", path.read_text(), re.MULTILINE
        ):
            wrong.append(str(path.relative_to(ROOT)))
    assert not wrong, wrong


def test_files_stay_small() -> None:
    long = [
        f"{p.relative_to(ROOT)}: {n}"
        for p in sources("cpp/**/*.h", "cpp/**/*.cpp", "pydl/**/*.py", "tests/**/*.py", "benchmarks/**/*.py")
        if (n := p.read_text().count("\n")) > 800
    ]
    assert not long, long


def test_no_placeholders() -> None:
    word = "TO" + "DO"
    found = [
        str(p.relative_to(ROOT))
        for p in sources("cpp/**/*.h", "cpp/**/*.cpp", "pydl/**/*.py", "tests/**/*.py")
        if p.name != "new_op.py"  # whose text it is to write them
        if word in p.read_text() or "FIX" + "ME" in p.read_text()
    ]
    assert not found, found


@cpp
def test_kernel_objects_define_nothing_shared() -> None:
    """A weak symbol would let the linker pick one instruction set's copy for all: SIGILL on older machines."""
    objects = sources(
        "build/CMakeFiles/pydl_kernels_*.dir/**/*.o", "build-release/CMakeFiles/pydl_kernels_*.dir/**/*.o"
    )
    if not objects:
        pytest.skip("no build directory")
    out = subprocess.run(["nm", "-A", *map(str, objects)], capture_output=True, text=True, check=True).stdout
    weak = [
        line.split("/")[-1] for line in out.splitlines() if re.search(r" [WVu] ", line) and not re.search(r" w ", line)
    ]
    assert not weak, weak[:20]


PUBLIC = sorted(
    {
        (place, name)
        for place in ("functions", "nn", "linalg", "special")
        for name, op in vars(getattr(_C, place)).items()
        if hasattr(op, "signatures") and not name.startswith("_")
    }
)


@pytest.mark.parametrize("place, name", [p for p in PUBLIC if not p[1].endswith("_")], ids=lambda v: v)
def test_docstring_and_its_example(place: str, name: str) -> None:
    op = getattr(getattr(_C, place), name)
    doc = "".join(s[2] for s in op.signatures)
    assert len(doc.strip()) > 10, f"{name} has no docstring"
    # What stands in `nn` is called through the functions of pydl.nn.functional, which have the examples.
    assert place == "nn" or ">>>" in doc, f"{name} has no example"
    test = doctest.DocTestParser().get_doctest(
        textwrap.dedent(op.__doc__.partition("\n")[2]), {"pydl": pydl, "F": None}, name, None, 0
    )
    report: list[str] = []
    pydl.manual_seed(0)
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS).run(test, out=report.append)
    assert not report, "".join(report)


BUDGET = """
import json, sys
sys.path[:] = [p for p in sys.path if p]
def rss():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
before, memory = set(sys.modules), rss()
events = []
def hook(event, args):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "socket.connect", "socket.bind"):
        events.append(event)
    if event == "open" and isinstance(args[1], str) and any(c in args[1] for c in "wax+"):
        events.append(f"{event} {args[0]}")
sys.addaudithook(hook)
sys.dont_write_bytecode = True
import pydl
print(json.dumps([len(set(sys.modules) - before), (rss() - memory) / 1024, events]))
"""


def test_import_budget() -> None:
    import json

    out = subprocess.run(
        [sys.executable, "-c", BUDGET],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    )
    modules, mebibytes, events = json.loads(out.stdout)
    assert modules <= 200, modules
    assert mebibytes <= 25, mebibytes
    assert not events, events
