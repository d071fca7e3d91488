"""Softmax regression on scikit-learn's handwritten digits. ``python examples/softmax_regression.py``"""

from __future__ import annotations

from _images import load
from _show import arguments, curves, progress

import pydl


def main(epochs: int = 20, out: str | None = None) -> float:
    """Train; returns the test accuracy."""
    pydl.manual_seed(0)
    train_x, train_y, test_x, test_y = load("digits")
    train = pydl.utils.data.TensorDataset(train_x.flatten(1), train_y)
    loader = pydl.utils.data.DataLoader(train, batch_size=32, shuffle=True)
    net = pydl.nn.Linear(64, 10)
    optimizer = pydl.optim.SGD(net.parameters(), lr=0.5, weight_decay=1e-4)
    loss_of = pydl.nn.CrossEntropyLoss()
    lines: dict[str, list[float]] = {"training": [], "test": []}
    for _ in progress(range(epochs), "softmax regression"):
        for features, label in loader:
            optimizer.zero_grad()
            loss_of(net(features), label).backward()
            optimizer.step()
        with pydl.no_grad():
            for name, x, y in (("training", train_x, train_y), ("test", test_x, test_y)):
                lines[name].append((net(x.flatten(1)).argmax(1) == y).float().mean().item())
    print(f"test accuracy {lines['test'][-1]:.2%} after {epochs} epochs")
    curves(out, lines, "epoch", "accuracy")
    return lines["test"][-1]


if __name__ == "__main__":
    main(**arguments(__doc__, epochs=20, out="softmax_regression.png"))
