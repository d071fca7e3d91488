"""Every technique of pydl by name: where it is, its formula, its source, an example.

On the command line, in English or Chinese::

    python -m pydl.catalogue channel attention
    python -m pydl.catalogue 通道注意力
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Entry", "entries", "find", "resolve"]

_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Entry:
    """A technique.

    Attributes:
        id: of the list behind the catalogue.
        name, zh: in English and Chinese.
        group: the page of the documentation.
        api: its public names, the first the most important.
        formula, use, source: what it computes, what it is for, who described it.
        example: a script among the examples, or ``''``; the docstring of the first name has one too.

    >>> entry = pydl.catalogue.find("dropout")[0]
    >>> entry.id, entry.name, entry.api, entry.file
    ('T005', 'Dropout', ('pydl.nn.Dropout', 'pydl.nn.AlphaDropout'), 'pydl/nn/modules/dropout.py')
    """

    id: str
    name: str
    zh: str
    group: str
    api: tuple[str, ...]
    formula: str
    use: str
    source: str
    example: str = ""

    @property
    def file(self) -> str:
        """Where the first name is written: a path below the package, or ``'C++'``."""
        return source_of(self.api[0])

    def doc_example(self) -> str:
        """The lines of the first docstring that can be run."""
        for name in self.api:
            doc = inspect.getdoc(resolve(name)) or ""
            lines = [line.strip() for line in doc.splitlines() if line.strip().startswith((">>>", "..."))]
            if lines:
                return "\n".join(lines)
        return ""

    def __str__(self) -> str:
        rows = [f"{self.name} ({self.zh})  [{self.id}]"]
        rows += [f"  {'api' if i == 0 else '':8}{name}" for i, name in enumerate(self.api)]
        rows += [
            f"  {'formula':8}{self.formula}",
            f"  {'use':8}{self.use}",
            f"  {'source':8}{self.source}",
            f"  {'file':8}{self.file}",
        ]
        rows += [f"  {'script':8}{self.example}"] if self.example else []
        code = self.doc_example().splitlines()
        return "\n".join(rows + [f"  {'example' if i == 0 else '':8}{line}" for i, line in enumerate(code)])


def entries() -> list[Entry]:
    """All techniques, in the order of the list.

    >>> len(pydl.catalogue.entries())
    210
    """
    tables: list[dict[str, Any]] = []
    for line in _FILE.read_text("utf-8").splitlines():
        # Tables of JSON values, the part of TOML that is used here: Python 3.10 has no reader for the whole.
        if header := re.fullmatch(r"\[(\w+)\]", line):
            tables.append({"id": header[1]})
        elif line and not line.startswith("#"):
            key, _, value = line.partition(" = ")
            tables[-1][key] = json.loads(value)
    return [Entry(**{**t, "api": tuple(t["api"])}) for t in tables]


def resolve(name: str) -> Any:
    """The object of a dotted public name.

    >>> pydl.catalogue.resolve("pydl.nn.ReLU") is pydl.nn.ReLU
    True
    """
    parts = name.split(".")
    value: Any = importlib.import_module(parts[0])
    for i, part in enumerate(parts[1:], 2):
        try:
            value = getattr(value, part)
        except AttributeError:
            value = importlib.import_module(".".join(parts[:i]))
    return value


def source_of(name: str) -> str:
    """The file of a public name below the package, or ``'C++'``.

    >>> pydl.catalogue.source_of("pydl.nn.Linear"), pydl.catalogue.source_of("pydl.softmax")
    ('pydl/nn/modules/linear.py', 'C++')
    """
    try:
        path = Path(inspect.getsourcefile(inspect.unwrap(resolve(name))) or "")
    except TypeError:
        return "C++"
    # The package may lie in two places: a checkout before the installed one on sys.path serves a part of it.
    roots = (Path(p) for p in sys.modules[__package__].__path__)
    root = next((p for p in roots if path.is_relative_to(p)), path.parent)
    return "pydl/" + path.relative_to(root).as_posix()


def _words(text: str) -> list[str]:
    """Lower-case words; of Chinese every pair of characters that follow each other."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower())
    for run in re.findall(r"[\u4e00-\u9fff]+", text):
        words += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
    return words


def _score(query: list[str], entry: Entry) -> float:
    title = _words(entry.name) + _words(entry.zh)
    rest = _words(" ".join((*entry.api, entry.id, entry.source, entry.group)))
    joined = " ".join(entry.api).lower().replace("_", "")
    total = 0.0
    for word in query:
        if word in title:
            total += 4
        elif any(t.startswith(word) or word.startswith(t) and len(t) > 3 for t in title):
            total += 3
        elif word in rest or len(word) > 2 and word in joined:
            total += 2
    # Of equal hits the entry whose name says little else
    return total - 0.01 * len(title) if total else 0.0


def find(words: str, most: int = 8) -> list[Entry]:
    """The entries that fit some words best, in English or Chinese; ids and public names count too.

    >>> [e.name for e in pydl.catalogue.find("channel attention", 2)]
    ['Channel attention']
    >>> pydl.catalogue.find("感知机")[0].api
    ('pydl.linear_model.Perceptron',)
    """
    query = _words(words)
    scored = [(_score(query, e), -i, e) for i, e in enumerate(entries())]
    best = sorted((s for s in scored if s[0] > 0), reverse=True)
    return [e for score, _, e in best if score >= best[0][0] / 2][:most]


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        for entry in entries() if not arguments else []:
            print(f"{entry.id}  {entry.name} ({entry.zh}): {entry.api[0]}")
        return 0
    found = find(" ".join(arguments))
    if not found:
        print(f"nothing is called {' '.join(arguments)!r}; without words the whole list is shown", file=sys.stderr)
        return 1
    print(found[0])
    for entry in found[1:]:
        print(f"\nalso: {entry.name} ({entry.zh}): {', '.join(entry.api)}")
    return 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except BrokenPipeError:  # `| head`
        sys.stderr.close()
        status = 0
    raise SystemExit(status)
