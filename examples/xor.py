"""A multilayer perceptron solves XOR, which the perceptron cannot. ``python examples/xor.py``"""

from __future__ import annotations

import warnings
from typing import Any

from _show import arguments, plot, progress

import pydl
from pydl.linear_model import ConvergenceWarning, Perceptron

X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
Y = [0, 1, 1, 0]


def main(steps: int = 500, out: str | None = None) -> list[int]:
    """Train both; returns the four predictions of the network."""
    pydl.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        perceptron = Perceptron(max_iter=100).fit(X, Y)
    right, epochs = perceptron.score(X, Y), perceptron.n_iter_
    print(f"perceptron: {right:.0%} right after {epochs} epochs, converged: {perceptron.converged_}")
    x, y = pydl.tensor(X), pydl.tensor(Y).float().unsqueeze(1)
    net = pydl.nn.Sequential(pydl.nn.Linear(2, 8), pydl.nn.Tanh(), pydl.nn.Linear(8, 1))
    optimizer = pydl.optim.Adam(net.parameters(), lr=0.05)
    loss_of = pydl.nn.BCEWithLogitsLoss()
    for _ in progress(range(steps), "XOR"):
        optimizer.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
    predictions = (net(x) > 0).int().flatten().tolist()
    print(f"network: loss {loss.item():.4f}, predictions {predictions}")

    def draw(figure: Any) -> None:
        line = pydl.linspace(-0.5, 1.5, 101)
        first, second = pydl.meshgrid(line, line, indexing="xy")
        with pydl.no_grad():
            height = net(pydl.stack([first, second], dim=-1)).squeeze(-1).sigmoid()
        axes = figure.add_subplot()
        axes.contourf(line.numpy(), line.numpy(), height.numpy(), levels=20, cmap="RdBu")
        axes.scatter([a for a, _ in X], [b for _, b in X], c=Y, cmap="RdBu", edgecolors="black")
        axes.set(title="probability of 1")

    plot(out, draw, (4.5, 4.0))
    return predictions


if __name__ == "__main__":
    main(**arguments(__doc__, steps=500, out="xor.png"))
