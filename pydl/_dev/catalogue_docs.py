"""Pages of the documentation about the techniques of the catalogue: one per group, and an index by name."""

from __future__ import annotations

import pathlib
from typing import Any

from pydl import catalogue
from pydl._dev.pictures import PICTURES

TITLES = {
    "tensors": "Tensors and derivatives",
    "classic": "Classic models",
    "layers": "Layers",
    "convolution": "Convolution",
    "pooling": "Pooling",
    "activations": "Activations",
    "normalisation": "Normalisation",
    "regularisation": "Regularisation",
    "recurrent": "Recurrent networks",
    "attention": "Attention",
    "blocks": "Composite layers",
    "vision": "Images",
    "detection": "Detection and keypoints",
    "segmentation": "Segmentation",
    "geometric": "Graphs, meshes, point clouds",
    "generative": "Generative models",
    "regression-losses": "Losses for numbers",
    "classification-losses": "Losses for classes",
    "segmentation-losses": "Losses for masks",
    "embedding-losses": "Losses for embeddings",
    "generative-losses": "Losses for generated images",
    "information-losses": "Losses between distributions",
    "detection-losses": "Losses for detectors and point clouds",
    "initialisation": "Initialisation",
    "optimisation": "Optimisation",
    "schedules": "Learning rates",
    "training": "Training",
    "transfer": "Transfer learning",
    "attribution": "Explanation",
    "compression": "Compression",
    "ensembles": "Ensembles",
    "search": "Search",
}


def _heading(text: str, mark: str) -> list[str]:
    # Characters of Chinese are twice as wide
    return [text, mark * sum(2 if ord(c) > 0x2E80 else 1 for c in text), ""]


def _code(lines: list[str]) -> list[str]:
    return [".. code-block:: pycon", "", *(f"   {line}" for line in lines), ""]


def _section(entry: Any) -> list[str]:
    rows = [f".. _{entry.id}:", "", *_heading(f"{entry.name} ({entry.zh})", "-")]
    rows += [f"Use it {entry.use}.", "", ".. code-block:: text", "", f"   {entry.formula}", ""]
    names = ", ".join(f"``{name}``" for name in entry.api)
    rows += [f"* API: {names}", f"* Source: {entry.source}", f"* File: ``{entry.file}``"]
    rows += [f"* Script: ``{entry.example}``"] if entry.example else []
    example = entry.doc_example().splitlines()
    return [*rows, "", *(_code(example) if example else [])]


def write_catalogue(folder: pathlib.Path) -> int:
    """Writes the pages and their pictures; returns the number of entries."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = catalogue.entries()
    groups = {name: [e for e in entries if e.group == name] for name in TITLES}
    for name, members in groups.items():
        picture = PICTURES[name]
        picture.draw(folder / f"{name}.png")
        rows = [*_heading(TITLES[name], "="), f".. image:: {name}.png", f"   :alt: {picture.caption}", ""]
        rows += [picture.caption, ""]
        for entry in members:
            rows += _section(entry)
        (folder / f"{name}.rst").write_text("\n".join(rows), "utf-8")
    index = [*_heading("Catalogue", "="), ".. toctree::", "   :maxdepth: 1", "", *(f"   {name}" for name in groups), ""]
    index += [*_heading("By name", "-"), ".. list-table::", "   :widths: 40 30 30", ""]
    for entry in sorted(entries, key=lambda e: (e.name.lower(), e.id)):
        index += [f"   * - :ref:`{entry.name} <{entry.id}>`", f"     - {entry.zh}", f"     - ``{entry.api[0]}``"]
    (folder / "index.rst").write_text("\n".join([*index, ""]), "utf-8")
    return len(entries)
