"""Writes the API reference: ``python -m pydl._dev.docs FOLDER [--support]``.

One page per public function and class, an index per namespace and, with ``--support`` (which needs the tests beside
the package), the table of what each op takes: op by dtype, forward, backward and double backward, found by running the
samples of the tests. Functions of the op table are described from their registration, the rest by Sphinx's autodoc.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import pathlib
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pydl
from pydl._dev.catalogue_docs import write_catalogue

NAMESPACES = [
    "pydl",
    "pydl.Tensor",
    "pydl.linalg",
    "pydl.fft",
    "pydl.special",
    "pydl.signal.windows",
    "pydl.random",
    "pydl.distributions",
    "pydl.autograd",
    "pydl.autograd.functional",
    "pydl.nn",
    "pydl.nn.functional",
    "pydl.nn.init",
    "pydl.nn.utils",
    "pydl.nn.utils.rnn",
    "pydl.optim",
    "pydl.optim.lr_scheduler",
    "pydl.optim.swa_utils",
    "pydl.utils.data",
    "pydl.utils.dlpack",
    "pydl.nn.blocks",
    "pydl.nn.utils.parametrizations",
    "pydl.nn.utils.prune",
    "pydl.losses",
    "pydl.vision.ops",
    "pydl.vision.models",
    "pydl.vision.models.detection",
    "pydl.vision.models.segmentation",
    "pydl.vision.models.keypoint",
    "pydl.vision.transforms",
    "pydl.vision.transforms.functional",
    "pydl.vision.datasets",
    "pydl.vision.io",
    "pydl.vision.utils",
    "pydl.vision.filters",
    "pydl.vision.feature_extraction",
    "pydl.geometric",
    "pydl.attribution",
    "pydl.compress",
    "pydl.quantization",
    "pydl.search",
    "pydl.ensemble",
    "pydl.linear_model",
    "pydl.svm",
    "pydl.models",
    "pydl.text",
    "pydl.hub",
    "pydl.catalogue",
    "pydl.serialization",
]
DTYPES = (
    *"bool uint8 uint16 uint32 uint64 int8 int16 int32 int64".split(),
    *"float16 bfloat16 float32 float64 complex64 complex128".split(),
)


def resolve(path: str) -> Any:
    """The module or class of that dotted name, None if there is none."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        owner, _, name = path.rpartition(".")
        return getattr(importlib.import_module(owner), name, None) if owner == "pydl" else None


def is_op(value: Any) -> bool:
    return hasattr(value, "signatures")


def public(space: Any) -> Iterator[tuple[str, Any]]:
    """Documented callables of a namespace, by name."""
    names = getattr(space, "__all__", None) or [n for n in dir(space) if not n.startswith("_")]
    for name in sorted(set(names)):
        value = getattr(space, name, None)
        if inspect.ismodule(value) or not callable(value) or (name.startswith("_") or not value.__doc__):
            continue
        if inspect.isclass(space) or is_op(value) or str(getattr(value, "__module__", "")).startswith("pydl"):
            yield name, value


def escape(text: str) -> str:
    """Prose for reStructuredText: what stands in backticks is code, marks elsewhere mean themselves."""
    spans = text.replace("``", "`").split("`")  # text, code, text, ...
    for i, span in enumerate(spans):
        spans[i] = f"``{span}``" if i % 2 else re.sub(r"([*|]|_\b)", r"\\\1", span)
    return "".join(spans)


def escape_lines(lines: list[str]) -> None:
    """The same in place for the lines of a whole docstring, whose examples stay as they are."""
    start = 0
    for end in range(len(lines) + 1):
        if end == len(lines) or not lines[end].strip():
            paragraph = lines[start:end]
            if paragraph and not paragraph[0].lstrip().startswith(">>>"):
                example = next(
                    (i for i, line in enumerate(paragraph) if line.lstrip().startswith(">>>")), len(paragraph)
                )
                lines[start : start + example] = escape("\n".join(paragraph[:example])).splitlines()
            start = end + 1


def literal(text: str) -> str:
    """A docstring for reStructuredText, with its Example section as a code block."""
    body = textwrap.dedent(text).strip("\n")
    prose, _, example = body.partition("\nExample:\n")
    lines = escape(prose).splitlines()
    if example:
        lines += ["", ".. code-block:: pycon", "", *textwrap.indent(textwrap.dedent(example), "   ").splitlines()]
    return "\n".join(lines)


def op_page(path: str, op: Any) -> list[str]:
    owner = path.rpartition(".")[0]
    lines = []
    for signature, flags, doc in op.signatures:
        arguments = signature[signature.index("(") :].replace(" -> ", " → ")
        lines += [".. code-block:: text", "", f"   {owner}.{path.rpartition('.')[2]}{arguments}", ""]
        forms = [word for bit, word in ((2, "as a method"), (4, "in place"), (8, "with ``out=``")) if flags & bit]
        if forms:
            lines += [f"Also {', '.join(forms)}.", ""]
        lines += [literal(doc), ""]
    return lines


def page(path: str, value: Any) -> str:
    lines = [path, "=" * len(path), ""]
    if is_op(value):
        lines += op_page(path, value)
    elif inspect.isclass(value):
        # The fields of a named tuple stand among its attributes already.
        members = [] if hasattr(value, "_fields") else ["   :members:", "   :member-order: bysource"]
        lines += [f".. autoclass:: {path}", *members, ""]
    elif path.startswith("pydl.Tensor."):
        lines += [literal(value.__doc__), ""]
    else:
        lines += [f".. autofunction:: {path}", ""]
    return "\n".join(lines)


def summary(value: Any) -> str:
    """The first sentence of what it does."""
    text = value.signatures[0][2] if is_op(value) else inspect.cleandoc(value.__doc__)
    line = next((line for line in text.strip().splitlines() if line.strip()), "")
    return literal(line)


def write_reference(folder: pathlib.Path) -> int:
    """Writes all pages; returns their number."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[int, str] = {}  # what stands in several namespaces has one page
    index = ["Reference", "=========", "", ".. toctree::", "   :maxdepth: 1", ""]
    for space_name in NAMESPACES:
        space = resolve(space_name)
        if space is None:
            continue
        rows = [space_name, "=" * len(space_name), "", ".. toctree::", "   :hidden:", ""]
        table = ["", ".. list-table::", "   :widths: 30 70", ""]
        for name, value in public(space):
            path = f"{space_name}.{name}"
            # Names that differ by case alone share a file on some systems.
            file = f"{path}-class" if inspect.isclass(value) else path
            if id(value) not in files:
                files[id(value)] = file
                (folder / f"{file}.rst").write_text(page(path, value))
                rows.append(f"   {file}")
            table += [f"   * - :doc:`{name} <{files[id(value)]}>`", f"     - {summary(value)}"]
        (folder / f"{space_name}.rst").write_text("\n".join([*rows, *table, ""]))
        index.append(f"   {space_name}")
    (folder / "index.rst").write_text("\n".join([*index, ""]))
    return len(files)


def depth(info: Any, dtype: str) -> str:
    """What works on samples of `dtype`: ``f``, ``fb``, ``fbb`` (forward, backward, double backward) or nothing."""
    reached = ""
    source = "float32" if dtype.endswith("float16") else dtype  # NumPy has no bfloat16

    def convert(array: Any) -> Any:
        return pydl.tensor(array).to(getattr(pydl, dtype)) if array.dtype == source else pydl.tensor(array)

    try:
        samples = info.sample_list(source)[:4]
    except (ArithmeticError, TypeError, ValueError):  # NumPy cannot make them: the op has no meaning for this dtype
        return ""
    for sample in samples:
        try:
            given = sample.map(convert)
            tensors = [
                a for a in given.args if isinstance(a, pydl.Tensor) and (a.is_floating_point() or a.is_complex())
            ]
            for tensor in tensors:
                tensor.requires_grad_()
            out = info.op(*given.args, **given.kwargs)
            reached = max(reached, "f")
            first = next((o for o in (out if isinstance(out, tuple | list) else [out]) if o.requires_grad), None)
            if first is None or not tensors:
                continue
            # Squares, so that a linear op has a second derivative to run through.
            grads = pydl.autograd.grad(
                (first * first.conj()).abs().sum(), tensors, create_graph=True, allow_unused=True
            )
            reached = max(reached, "fb")
            live = [g for g in grads if g is not None and g.requires_grad]
            if live:
                pydl.autograd.grad([(g * g.conj()).abs().sum() for g in live], tensors, allow_unused=True)
                reached = "fbb"
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
            continue
    return reached


def write_support(folder: pathlib.Path) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests"))
    ops = importlib.import_module("opinfo").OPS
    title = "What each op takes"
    head = ["op", *DTYPES]
    lines = [title, "=" * len(title), ""]
    lines += ["Found by running the samples of the tests: f forward, b backward, b again double backward.", ""]
    lines += [".. list-table::", "   :header-rows: 1", ""]
    for row in [head, *([f"``{info.name}``", *(depth(info, d) or "·" for d in DTYPES)] for info in ops)]:
        lines += [("   * - " if i == 0 else "     - ") + cell for i, cell in enumerate(row)]
    (folder / "support.rst").write_text("\n".join([*lines, ""]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pydl._dev.docs", description="Writes the API reference.")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--support", action="store_true", help="also the table of dtypes and derivatives")
    arguments = parser.parse_args()
    print(write_reference(arguments.folder), "pages")
    print(write_catalogue(arguments.folder.parent / "catalogue"), "techniques")
    if arguments.support:
        write_support(arguments.folder)


if __name__ == "__main__":
    main()
