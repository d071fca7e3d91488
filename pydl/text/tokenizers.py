"""Texts into tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["get_tokenizer", "ngrams_iterator"]


def _basic_english(text: str) -> list[str]:
    lowered = text.lower().replace("<br />", " ").replace('"', "").replace(";", " ").replace(":", " ")
    return re.sub(r"([.,!?()'])", r" \1 ", lowered).split()


_KINDS: dict[str, Callable[[str], list[str]]] = {"basic_english": _basic_english, "split": str.split, "char": list}


def get_tokenizer(tokenizer: Any) -> Callable[[str], list[str]]:
    """A function from texts to lists of tokens.

    Args:
        tokenizer: ``"basic_english"``: small letters, punctuation marks ``.,!?()'`` by themselves, quotation marks,
            colons and semicolons left out; ``"split"`` or ``None``: at white space; ``"char"``: characters; or a
            function, which is returned.

    Raises:
        ValueError: another name.

    Example:
        >>> from pydl.text import get_tokenizer
        >>> get_tokenizer("basic_english")("It isn't: over!")
        ['it', 'isn', "'", 't', 'over', '!']
    """
    if tokenizer is None:
        return str.split
    if callable(tokenizer):
        return tokenizer
    if tokenizer not in _KINDS:
        raise ValueError(f"get_tokenizer(): tokenizer must be one of {list(_KINDS)} or a function, got {tokenizer!r}")
    return _KINDS[tokenizer]


def ngrams_iterator(token_list: list[str], ngrams: int) -> Iterator[str]:
    """The tokens, then all pairs of neighbours joined by a space, then triples, up to ``ngrams``.

    Raises:
        ValueError: ``ngrams`` below 1.

    Example:
        >>> from pydl.text import ngrams_iterator
        >>> list(ngrams_iterator(["a", "b", "c"], 2))
        ['a', 'b', 'c', 'a b', 'b c']
    """
    if ngrams < 1:
        raise ValueError(f"ngrams_iterator(): ngrams must be at least 1, got {ngrams}")
    for size in range(1, min(ngrams, len(token_list)) + 1):
        for start in range(len(token_list) - size + 1):
            yield " ".join(token_list[start : start + size])
