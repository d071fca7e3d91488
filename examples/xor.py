"""A multilayer perceptron solves XOR, which no single linear unit can. ``python examples/xor.py``"""

import pydl


def main(steps: int = 500) -> list[int]:
    """Train; returns the four predictions."""
    pydl.manual_seed(0)
    x = pydl.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = pydl.tensor([[0.0], [1.0], [1.0], [0.0]])
    net = pydl.nn.Sequential(pydl.nn.Linear(2, 8), pydl.nn.Tanh(), pydl.nn.Linear(8, 1))
    optimizer = pydl.optim.Adam(net.parameters(), lr=0.05)
    loss_of = pydl.nn.BCEWithLogitsLoss()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
    predictions = (net(x) > 0).int().flatten().tolist()
    print(f"loss {loss.item():.4f}  predictions {predictions}")
    return predictions


if __name__ == "__main__":
    main()
