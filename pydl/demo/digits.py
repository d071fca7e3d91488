"""A classifier of handwritten digits, trained on scikit-learn's 1,797 images of 8 x 8 pixels."""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import Any

import matplotlib

matplotlib.use("Agg")  # files only, no display

import matplotlib.pyplot as plt  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from tqdm import tqdm  # noqa: E402

import pydl  # noqa: E402
from pydl import nn  # noqa: E402
from pydl.utils.data import DataLoader, TensorDataset  # noqa: E402

GOAL = 0.97


def _shifted(images: Any, down: int, right: int) -> Any:
    """The images moved by whole pixels, with empty pixels where they came from."""
    moved = pydl.zeros_like(images)
    size = images.shape[1]
    rows, columns = (slice(max(0, k), size + min(0, k)) for k in (down, right))
    source_rows, source_columns = (slice(max(0, -k), size + min(0, -k)) for k in (down, right))
    moved[:, rows, columns] = images[:, source_rows, source_columns]
    return moved


def _data() -> tuple[Any, Any]:
    """Training part and test part (every fifth image, the same for every seed), pixels scaled to [0, 1]."""
    digits = load_digits()
    images = pydl.tensor(digits.images / 16.0, dtype=pydl.float32)
    labels = pydl.tensor(digits.target, dtype=pydl.int64)
    held_out = pydl.arange(len(labels)) % 5 == 4
    train, classes = images[~held_out], labels[~held_out]
    # Each training image also moved by one pixel in four directions: an MLP does not know that this changes nothing.
    moves = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
    augmented = pydl.cat([_shifted(train, down, right) for down, right in moves])
    return TensorDataset(augmented, pydl.cat([classes] * len(moves))), TensorDataset(images[held_out], labels[held_out])


def _model() -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 512),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(512, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, 10),
    )


def _accuracy(model: nn.Module, data: Any) -> float:
    model.eval()
    right = 0
    with pydl.no_grad():
        for images, labels in DataLoader(data, batch_size=512):
            right += int((model(images).argmax(1) == labels).sum().item())
    return right / len(data)


def _train_epoch(model: nn.Module, loader: Any, optimizer: Any, title: str) -> float:
    """One round; returns the mean loss."""
    loss_function = nn.CrossEntropyLoss()
    model.train()
    total = 0.0
    with tqdm(loader, desc=title, unit="batch", leave=False, file=sys.stderr) as bar:
        for step, (images, labels) in enumerate(bar, 1):
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
            bar.set_postfix(loss=f"{total / step:.3f}")
    return total / len(loader)


def _plot(history: list[tuple[float, float, float]], model: nn.Module, test: Any, path: str) -> None:
    """The learning curve, and the first test images with what the model takes them for."""
    losses, train, accuracy = zip(*history)
    epochs = range(1, len(history) + 1)
    figure = plt.figure(figsize=(11, 4))
    panels: Any = figure.subfigures(1, 2)
    left, right = panels
    axes = left.subplots()
    axes.plot(epochs, train, label="train accuracy")
    axes.plot(epochs, accuracy, label="test accuracy")
    axes.plot(epochs, losses, label="train loss", linestyle=":")
    axes.set_xlabel("epoch")
    axes.set_ylim(0, 1.02)
    axes.legend()
    images, labels = next(iter(DataLoader(test, batch_size=15)))
    with pydl.no_grad():
        guesses = model(images).argmax(1).tolist()
    for cell, image, label, guess in zip(right.subplots(3, 5).flat, images.tolist(), labels.tolist(), guesses):
        cell.imshow(image, cmap="gray_r")
        cell.set_title(str(guess), color="green" if guess == label else "red")
        cell.axis("off")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _peak_memory_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def run(epochs: int = 12, out: str = ".", seed: int = 0) -> int:
    """Train, print the progress, write ``digits.pt`` and ``digits.png`` into ``out``.

    Returns:
        0 when the test accuracy reached 97 %, else 1.
    """
    if epochs < 1:
        print(f"--epochs must be at least 1, got {epochs}", file=sys.stderr)
        return 2
    os.makedirs(out, exist_ok=True)
    start = time.perf_counter()
    pydl.manual_seed(seed)
    generator = pydl.Generator()
    generator.manual_seed(seed)
    train, test = _data()
    model = _model()
    optimizer = pydl.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = pydl.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs, eta_min=1e-5)
    loader = DataLoader(train, batch_size=64, shuffle=True, generator=generator)
    history = []
    for epoch in range(1, epochs + 1):
        loss = _train_epoch(model, loader, optimizer, f"epoch {epoch}/{epochs}")
        schedule.step()
        history.append((loss, _accuracy(model, train), _accuracy(model, test)))
        print(f"epoch {epoch:3d}  loss {loss:.4f}  train {history[-1][1]:7.2%}  test {history[-1][2]:7.2%}", flush=True)
    seconds = time.perf_counter() - start
    weights, picture = os.path.join(out, "digits.pt"), os.path.join(out, "digits.png")
    pydl.save(model.state_dict(), weights)
    _plot(history, model, test, picture)
    reached = history[-1][2]
    print(f"test accuracy {reached:.2%} after {seconds:.1f} s; peak memory {_peak_memory_mib():.0f} MiB")
    print(f"weights: {weights}   plot: {picture}")
    return 0 if reached >= GOAL else 1
