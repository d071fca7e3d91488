"""Softmax regression on scikit-learn's handwritten digits. ``python examples/softmax_regression.py``"""

import pydl


def main(epochs: int = 20) -> float:
    """Train; returns the test accuracy."""
    from sklearn.datasets import load_digits

    pydl.manual_seed(0)
    digits = load_digits()
    x = pydl.from_numpy(digits.data).float() / 16
    y = pydl.from_numpy(digits.target).long()
    order = pydl.randperm(len(x))
    train, test = order[:1400], order[1400:]
    loader = pydl.utils.data.DataLoader(pydl.utils.data.TensorDataset(x[train], y[train]), batch_size=32, shuffle=True)
    net = pydl.nn.Linear(64, 10)
    optimizer = pydl.optim.SGD(net.parameters(), lr=0.5, weight_decay=1e-4)
    loss_of = pydl.nn.CrossEntropyLoss()
    for _ in range(epochs):
        for features, label in loader:
            optimizer.zero_grad()
            loss_of(net(features), label).backward()
            optimizer.step()
    with pydl.no_grad():
        accuracy = (net(x[test]).argmax(1) == y[test]).float().mean().item()
    print(f"test accuracy {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    main()
