"""Linear regression by minibatch gradient descent, from scratch and with modules.

``python examples/linear_regression.py --out linear.png``
"""

from __future__ import annotations

from typing import Any

from _show import arguments, batches, curves, progress

import pydl

TRUE_WEIGHT, TRUE_BIAS, NOISE = [2.0, -3.4], 4.2, 0.01


def data(count: int = 1000) -> tuple[Any, Any]:
    """Points, and a linear function of them with noise."""
    x = pydl.randn(count, 2)
    return x, x @ pydl.tensor(TRUE_WEIGHT) + TRUE_BIAS + NOISE * pydl.randn(count)


def by_hand(x: Any, y: Any, epochs: int, lr: float) -> tuple[Any, Any, list[float]]:
    """The update rule written out."""
    w = pydl.zeros(2, requires_grad=True)
    b = pydl.zeros(1, requires_grad=True)
    losses = []
    for _ in progress(range(epochs), "from scratch"):
        for batch in batches(len(x), 10):
            loss = ((x[batch] @ w + b - y[batch]) ** 2).mean() / 2
            loss.backward()
            with pydl.no_grad():
                for param in (w, b):
                    param -= lr * param.grad
                    param.grad.zero_()
        losses.append(((x @ w + b - y) ** 2).mean().item() / 2)
    return w.detach(), b.detach(), losses


def with_modules(x: Any, y: Any, epochs: int, lr: float) -> tuple[Any, Any, list[float]]:
    """The same with a layer, a loss, an optimizer and a loader."""
    loader = pydl.utils.data.DataLoader(pydl.utils.data.TensorDataset(x, y), batch_size=10, shuffle=True)
    net = pydl.nn.Linear(2, 1)
    optimizer = pydl.optim.SGD(net.parameters(), lr=lr)
    loss_of = pydl.nn.MSELoss()
    losses = []
    for _ in progress(range(epochs), "with modules"):
        for features, target in loader:
            optimizer.zero_grad()
            (loss_of(net(features).squeeze(1), target) / 2).backward()
            optimizer.step()
        with pydl.no_grad():
            losses.append(loss_of(net(x).squeeze(1), y).item() / 2)
    return net.weight.detach()[0], net.bias.detach(), losses


def main(epochs: int = 5, lr: float = 0.03, out: str | None = None) -> float:
    """Train both ways; returns the largest error of a coefficient."""
    pydl.manual_seed(0)
    x, y = data()
    lines, worst = {}, 0.0
    for name, train in (("from scratch", by_hand), ("with modules", with_modules)):
        w, b, lines[name] = train(x, y, epochs, lr)
        error = max((w - pydl.tensor(TRUE_WEIGHT)).abs().max().item(), abs(b.item() - TRUE_BIAS))
        print(f"{name}: weight {[round(v, 3) for v in w.tolist()]}, bias {b.item():.3f}, largest error {error:.4f}")
        worst = max(worst, error)
    curves(out, lines, "epoch", "loss", log=True)
    return worst


if __name__ == "__main__":
    main(**arguments(__doc__, epochs=5, lr=0.03, out="linear_regression.png"))
