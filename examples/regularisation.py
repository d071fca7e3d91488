"""What dropout and weight decay do to a network that could learn its few samples by heart.

``python examples/regularisation.py --out regularisation.png``
"""

from __future__ import annotations

from typing import Any

from _images import load
from _show import arguments, batches, curves, progress

import pydl
from pydl import nn

STUDIES = {"plain": (0.0, 0.0), "dropout 0.5": (0.5, 0.0), "weight decay 0.05": (0.0, 0.05), "both": (0.5, 0.05)}


def parameter_groups(net: Any, decay: float) -> list[dict[str, Any]]:
    """Weights decay, biases do not."""
    weights = [p for p in net.parameters() if p.ndim > 1]
    biases = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]


def train(dropout: float, decay: float, samples: int, epochs: int, title: str) -> tuple[list[float], float, float]:
    """Test accuracies by epoch, the last training accuracy, and the norm of the weights."""
    pydl.manual_seed(1)
    train_x, train_y, test_x, test_y = load("digits")
    x, y = train_x[:samples].flatten(1), train_y[:samples]
    hidden = [nn.Linear(64, 256), nn.ReLU(), nn.Dropout(dropout), nn.Linear(256, 256), nn.ReLU(), nn.Dropout(dropout)]
    net = nn.Sequential(*hidden, nn.Linear(256, 10))
    optimizer = pydl.optim.AdamW(parameter_groups(net, decay), lr=2e-3)
    accuracies = []
    for _ in progress(range(epochs), title):
        net.train()
        for batch in batches(samples, 25):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
        net.eval()
        with pydl.no_grad():
            accuracies.append((net(test_x.flatten(1)).argmax(1) == test_y).float().mean().item())
    with pydl.no_grad():
        learned = (net(x).argmax(1) == y).float().mean().item()
    norm = nn.utils.get_total_norm([p.detach() for p in net.parameters() if p.ndim > 1]).item()
    return accuracies, learned, norm


def main(samples: int = 100, epochs: int = 60, out: str | None = None) -> dict[str, float]:
    """All four studies; returns the test accuracies."""
    lines, result = {}, {}
    for name, (dropout, decay) in STUDIES.items():
        lines[name], learned, norm = train(dropout, decay, samples, epochs, name)
        result[name] = lines[name][-1]
        print(f"{name:18} training {learned:.1%}  test {result[name]:.1%}  norm of the weights {norm:.2f}")
    curves(out, lines, "epoch", f"test accuracy after {samples} samples")
    return result


if __name__ == "__main__":
    main(**arguments(__doc__, samples=100, epochs=60, out="regularisation.png"))
