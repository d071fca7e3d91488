"""An LSTM learns to write, character by character, from Python's language reference.

``python examples/char_lstm.py --steps 1500``
"""

from __future__ import annotations

from typing import Any

from _show import arguments, curves
from _text import load, sample, train

import pydl
from pydl import nn


class CharLSTM(nn.Module):
    """Embedding, LSTM, and a linear layer to the characters."""

    context = 64

    def __init__(self, characters: int, width: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, width)
        self.lstm = nn.LSTM(width, width, layers, batch_first=True)
        self.head = nn.Linear(width, characters)

    def forward(self, x: Any) -> Any:  # type: ignore[override]
        """(n, length) indices to (n, length, characters) logits."""
        return self.head(self.lstm(self.embedding(x))[0])


def main(
    steps: int = 600, width: int = 128, layers: int = 1, characters: int = 200_000, out: str | None = None
) -> float:
    """Train; returns the mean loss of the last tenth, in nats a character."""
    pydl.manual_seed(0)
    text, alphabet = load(characters)
    net = CharLSTM(len(alphabet), width, layers)
    losses = train(net, text, steps, 32, 64, 5e-3, "LSTM")
    tail = losses[-max(1, len(losses) // 10) :]
    final = sum(tail) / len(tail)
    print(f"loss {losses[0]:.2f} -> {final:.2f} nats a character ({len(alphabet)} characters)")
    print(sample(net, alphabet, "The ", 200))
    curves(out, {"LSTM": losses}, "step", "nats a character")
    return final


if __name__ == "__main__":
    main(**arguments(__doc__, steps=600, width=128, layers=1, characters=200_000, out="char_lstm.png"))
