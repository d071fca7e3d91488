"""Linear regression by minibatch descent, by hand and by modules: ``python examples/linear_regression.py``"""

import pydl


def data(n: int = 1000) -> tuple[pydl.Tensor, pydl.Tensor, pydl.Tensor, float]:
    """Inputs, targets with noise, and the weights and bias behind them."""
    weight, bias = pydl.tensor([2.0, -3.4]), 4.2
    x = pydl.randn(n, 2)
    return x, x @ weight + bias + 0.01 * pydl.randn(n), weight, bias


def by_hand(
    x: pydl.Tensor, y: pydl.Tensor, epochs: int = 3, lr: float = 0.03, batch: int = 10
) -> tuple[pydl.Tensor, pydl.Tensor]:
    """Weights and bias, updated with nothing but tensors and autograd."""
    w = (0.01 * pydl.randn(2)).requires_grad_()
    b = pydl.zeros(1, requires_grad=True)
    for _ in range(epochs):
        for rows in pydl.randperm(len(x)).split(batch):
            loss = ((x[rows] @ w + b - y[rows]) ** 2).mean() / 2
            loss.backward()
            with pydl.no_grad():
                for p in (w, b):
                    p -= lr * p.grad
                    p.grad.zero_()
    return w.detach(), b.detach()


def with_modules(x: pydl.Tensor, y: pydl.Tensor, epochs: int = 3) -> pydl.nn.Linear:
    """The same with a layer, a loss, an optimizer and a loader."""
    loader = pydl.utils.data.DataLoader(pydl.utils.data.TensorDataset(x, y[:, None]), batch_size=10, shuffle=True)
    net = pydl.nn.Linear(2, 1)
    optimizer = pydl.optim.SGD(net.parameters(), lr=0.03)
    loss_of = pydl.nn.MSELoss()
    for _ in range(epochs):
        for features, target in loader:
            optimizer.zero_grad()
            loss_of(net(features), target).backward()
            optimizer.step()
    return net


def main() -> float:
    """Train both; returns the largest error of a weight."""
    pydl.manual_seed(0)
    x, y, weight, bias = data()
    w, b = by_hand(x, y)
    net = with_modules(x, y)
    errors = [
        (w - weight).abs().max(),
        (b - bias).abs().max(),
        (net.weight - weight).abs().max(),
        (net.bias - bias).abs().max(),
    ]
    error = max(e.item() for e in errors)
    print(f"true {weight.tolist()} {bias}  by hand {w.tolist()} {b.item():.4f}  largest error {error:.4f}")
    return error


if __name__ == "__main__":
    main()
