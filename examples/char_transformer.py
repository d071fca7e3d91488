"""A small Transformer learns to write from Python's language reference.

``python examples/char_transformer.py --steps 1500``
"""

from __future__ import annotations

from typing import Any

from _show import arguments, curves
from _text import load, sample, train

import pydl
from pydl import nn


class CharTransformer(nn.Module):
    """Causal self-attention over characters (Vaswani et al., NeurIPS 2017), normalised before each part."""

    def __init__(self, characters: int, width: int, layers: int, context: int) -> None:
        super().__init__()
        self.context = context
        self.embedding = nn.Embedding(characters, width)
        self.position = nn.Parameter(0.02 * pydl.randn(context, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, characters)

    def forward(self, x: Any) -> Any:  # type: ignore[override]
        """(n, length) indices to (n, length, characters) logits."""
        length = x.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        return self.head(self.encoder(self.embedding(x) + self.position[:length], mask=mask, is_causal=True))


def main(
    steps: int = 400, width: int = 96, layers: int = 2, characters: int = 200_000, out: str | None = None
) -> float:
    """Train; returns the mean loss of the last tenth, in nats a character."""
    pydl.manual_seed(0)
    text, alphabet = load(characters)
    net = CharTransformer(len(alphabet), width, layers, 64)
    losses = train(net, text, steps, 32, 64, 3e-3, "Transformer")
    tail = losses[-max(1, len(losses) // 10) :]
    final = sum(tail) / len(tail)
    print(f"loss {losses[0]:.2f} -> {final:.2f} nats a character ({len(alphabet)} characters)")
    print(sample(net, alphabet, "The ", 200))
    curves(out, {"Transformer": losses}, "step", "nats a character")
    return final


if __name__ == "__main__":
    main(**arguments(__doc__, steps=400, width=96, layers=2, characters=200_000, out="char_transformer.png"))
