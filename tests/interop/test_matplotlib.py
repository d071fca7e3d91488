"""Tensors go straight into matplotlib."""

from __future__ import annotations

from typing import Any

import pytest

import pydl

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

GRID = pydl.meshgrid(pydl.linspace(0, 1, 5), pydl.linspace(0, 1, 6), indexing="xy")
CALLS: dict[str, Any] = {
    "plot of columns": lambda a: a.plot(pydl.rand(5, 3)),
    "plot over x": lambda a: a.plot(pydl.arange(5.0), pydl.rand(5, 2), label=pydl.tensor(1)),
    "list of numbers": lambda a: a.plot([pydl.tensor(1.0), pydl.tensor(2.0)]),
    "contour": lambda a: a.contour(*GRID, pydl.rand(6, 5)),
    "contourf": lambda a: a.contourf(*GRID, pydl.rand(6, 5), levels=pydl.linspace(0, 1, 4)),
    "quiver": lambda a: a.quiver(*(pydl.rand(2, 2) for _ in range(4))),
    "scatter": lambda a: a.scatter(*pydl.rand(2, 5), c=pydl.rand(5), s=pydl.rand(5)),
    "hist": lambda a: a.hist(pydl.rand(50, 3), bins=pydl.linspace(0, 1, 11)),
    "bar": lambda a: a.bar(pydl.arange(3), pydl.rand(3), yerr=pydl.rand(3)),
    "imshow": lambda a: a.imshow(pydl.rand(4, 4, 3)),
    "pcolormesh": lambda a: a.pcolormesh(*GRID, pydl.rand(6, 5)),
    "fill between": lambda a: a.fill_between(pydl.arange(3.0), pydl.rand(3), pydl.rand(3)),
    "boxplot": lambda a: a.boxplot([pydl.rand(5), pydl.rand(4)]),
    "semilogy": lambda a: a.semilogy(pydl.rand(4)),
    "hexbin": lambda a: a.hexbin(pydl.rand(30), pydl.rand(30)),
    "lines": lambda a: (a.axhline(pydl.tensor(1.0)), a.text(pydl.tensor(1.0), pydl.tensor(0.5), "a")),
    "limits": lambda a: a.set(xlim=pydl.tensor([0.0, 2.0]), xticks=pydl.arange(3)),
}


@pytest.mark.parametrize("name", CALLS)
def test_call(name: str) -> None:
    figure, axes = plt.subplots()
    CALLS[name](axes)
    figure.canvas.draw()
    plt.close(figure)


def test_three_dimensions() -> None:
    figure = plt.figure()
    axes = figure.add_subplot(projection="3d")
    axes.plot_surface(*GRID, pydl.rand(6, 5))
    axes.plot(pydl.rand(3), pydl.rand(3), pydl.rand(3))
    figure.canvas.draw()
    plt.close(figure)


@pytest.mark.parametrize("kind", [float, int, complex])
def test_conversion_of_several_elements(kind: Any) -> None:
    """The class of the error is how matplotlib tells rows from numbers."""
    for t in (pydl.zeros(3), pydl.zeros(0)):
        with pytest.raises(ValueError, match="only one element tensors"):
            kind(t)
