"""What the examples share: a progress bar, batches, a plot. tqdm and matplotlib are used where they are installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import pydl


def progress(items: Iterable[Any], title: str) -> Iterable[Any]:
    """``items`` with a bar on the terminal."""
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, desc=title, leave=False, file=sys.stderr, disable=None)


def batches(count: int, size: int) -> Iterator[Any]:
    """Shuffled indices of one epoch."""
    order = pydl.randperm(count)
    for start in range(0, count, size):
        yield order[start : start + size]


def plot(path: str | None, draw: Any, size: tuple[float, float] = (6.0, 4.0)) -> None:
    """Let ``draw(figure)`` draw, and save the figure at ``path``, if there is one and matplotlib."""
    if path is None:
        return
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=size, layout="constrained")
    draw(figure)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"plot: {path}")


def curves(path: str | None, lines: dict[str, list[float]], x: str, y: str, log: bool = False) -> None:
    """A plot of lines by name."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for name, values in lines.items():
            axes.plot(range(1, len(values) + 1), values, label=name)
        axes.set(xlabel=x, ylabel=y, yscale="log" if log else "linear")
        if len(lines) > 1:
            axes.legend()
        axes.grid(alpha=0.3)

    plot(path, draw)


def arguments(doc: str | None, **defaults: Any) -> dict[str, Any]:
    """Command-line options with the names, types and defaults given."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    for name, default in defaults.items():
        kind = str if default is None else type(default)
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=f"default: {default}")
    return vars(parser.parse_args())
