"""Every technique of the catalogue: importable, documented, tested, with an example; the search finds them."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pydl
from pydl import catalogue

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
ENTRIES = catalogue.entries()
# Documented on the pages of the language or by the op table, whose examples tests/structure runs
ATTRIBUTES = {"pydl.Tensor", "pydl.Tensor.T", "pydl.Tensor.mT"}


@pytest.fixture(scope="module")
def words() -> set[str]:
    """Every name that stands in a test, or that a table of tests is made of."""
    sys.path.insert(0, str(TESTS / "nn"))
    from moduleinfo import CASES

    found = {w for path in TESTS.rglob("*.py") for w in re.findall(r"\w+", path.read_text())}
    return found | {case.name for case in CASES} | set(pydl.vision.models.PARAMETER_COUNTS)


def test_ids() -> None:
    ids = [e.id for e in ENTRIES]
    assert len(ids) == len(set(ids)) == 210
    numbers = {"A": 22, "D": 25, "L": 44}
    expected = {f"{k}{i:02d}" for k, n in numbers.items() for i in range(1, n + 1)} | {
        f"T{i:03d}" for i in range(1, 120)
    }
    assert set(ids) == expected


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.id)
def test_entry(entry: catalogue.Entry, words: set[str]) -> None:
    assert re.search("[\u4e00-\u9fff]", entry.zh)
    assert entry.formula and entry.use and entry.source and entry.group
    for name in entry.api:
        value = catalogue.resolve(name)
        doc = "".join(s[2] for s in value.signatures) if hasattr(value, "signatures") else inspect.getdoc(value) or ""
        assert name in ATTRIBUTES or len(doc) > 20, f"{name} is not documented"
        assert name.rpartition(".")[2] in words, f"{name} stands in no test"
        if name not in ATTRIBUTES:
            assert ">>>" in doc, f"{name} has no example"
    assert catalogue.source_of(entry.api[0])
    if entry.example:
        assert (ROOT / entry.example).exists()


def test_groups_have_pages() -> None:
    pages = pytest.importorskip("pydl._dev.catalogue_docs")
    assert {e.group for e in ENTRIES} == set(pages.TITLES) == set(pages.PICTURES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.id)
def test_own_names_find_an_entry(entry: catalogue.Entry) -> None:
    """In either language and by id; several entries may share a name."""
    for query in (entry.name, entry.zh, entry.id):
        found = catalogue.find(query, 12)
        assert any(set(f.api) & set(entry.api) for f in found), query


@pytest.mark.parametrize(
    ("query", "api"),
    [
        ("channel attention", "pydl.nn.blocks.ChannelAttention"),
        ("dice", "pydl.losses.DiceLoss"),
        ("感知机", "pydl.linear_model.Perceptron"),
        ("图卷积", "pydl.geometric.GCNConv"),
        ("nms", "pydl.vision.ops.nms"),
        ("layer norm", "pydl.nn.LayerNorm"),
        ("GradCAM", "pydl.attribution.GradCAM"),
    ],
)
def test_search(query: str, api: str) -> None:
    assert api in catalogue.find(query)[0].api


def test_command_line(tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pydl.catalogue", *words], capture_output=True, text=True, encoding="utf-8", cwd=tmp_path,
            env={"PYTHONPATH": str(Path(pydl.__file__).parents[1]), "PYTHONIOENCODING": "utf-8", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    found = run("通道注意力")
    assert found.returncode == 0 and "pydl.nn.blocks.ChannelAttention" in found.stdout and ">>>" in found.stdout
    assert run("xyzzy").returncode == 1
    assert len(run().stdout.splitlines()) > 210


def test_toml() -> None:
    """The small reader agrees with the standard library's, where there is one."""
    tomllib = pytest.importorskip("tomllib")
    tables = tomllib.loads(Path(catalogue.__file__).with_suffix(".toml").read_text("utf-8"))
    assert [e.id for e in ENTRIES] == list(tables)
    for entry in ENTRIES:
        assert all(getattr(entry, k) == (tuple(v) if k == "api" else v) for k, v in tables[entry.id].items())
