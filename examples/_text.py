"""A real text for the character models: the language reference that Python's ``help()`` shows."""

from __future__ import annotations

from typing import Any

import pydl


def load(length: int) -> tuple[Any, list[str]]:
    """The first ``length`` characters as indices, and the alphabet."""
    from pydoc_data.topics import topics

    text = "".join(topics[name] for name in sorted(topics))[:length]
    alphabet = sorted(set(text))
    place = {character: i for i, character in enumerate(alphabet)}
    return pydl.tensor([place[character] for character in text]), alphabet


def windows(text: Any, count: int, length: int) -> tuple[Any, Any]:
    """Random stretches (count, length), and the same one character later."""
    starts = pydl.randint(0, len(text) - length - 1, (count, 1))
    at = starts + pydl.arange(length)
    return text[at], text[at + 1]


def sample(net: Any, alphabet: list[str], start: str, count: int, temperature: float = 0.7) -> str:
    """``start`` continued by ``count`` characters."""
    place = {character: i for i, character in enumerate(alphabet)}
    written = [place[c] for c in start]
    net.eval()
    with pydl.no_grad():
        for _ in range(count):
            logits = net(pydl.tensor([written[-net.context :]]))[0, -1]
            written.append(int(pydl.multinomial((logits / temperature).softmax(0), 1)))
    return "".join(alphabet[i] for i in written)


def train(net: Any, text: Any, steps: int, batch: int, length: int, lr: float, title: str) -> list[float]:
    """Cross entropy (nats a character) by step."""
    from _show import progress

    optimizer = pydl.optim.AdamW(net.parameters(), lr=lr)
    schedule = pydl.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    losses = []
    net.train()
    for _ in progress(range(steps), title):
        x, y = windows(text, batch, length)
        loss = pydl.nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        pydl.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses
