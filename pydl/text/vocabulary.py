"""Tokens and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Vocab", "build_vocab_from_iterator", "vocab"]


class Vocab:
    """Numbers of tokens and tokens of numbers, with the methods of torchtext's class.

    Args:
        tokens: in the order of their numbers.

    Raises:
        ValueError: a token comes twice.

    Example:
        >>> from pydl.text import Vocab
        >>> words = Vocab(["<unk>", "a", "b"])
        >>> words.set_default_index(0)
        >>> words(["b", "x", "a"]), words.lookup_token(2), "x" in words
        ([2, 0, 1], 'b', False)
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._itos = list(tokens)
        self._stoi = {token: k for k, token in enumerate(self._itos)}
        if len(self._stoi) != len(self._itos):
            twice = next(token for token, count in Counter(self._itos).items() if count > 1)
            raise ValueError(f"Vocab: the token {twice!r} comes twice")
        self._default: int | None = None

    def __len__(self) -> int:
        return len(self._itos)

    def __contains__(self, token: object) -> bool:
        return token in self._stoi

    def __getitem__(self, token: str) -> int:
        """The token's number, or the default index.

        Raises:
            RuntimeError: the token is unknown and there is no default.
        """
        found = self._stoi.get(token, self._default)
        if found is None:
            raise RuntimeError(f"Token {token!r} not found and default index is not set")
        return found

    def __call__(self, tokens: Sequence[str]) -> list[int]:
        """The tokens' numbers."""
        return [self[token] for token in tokens]

    lookup_indices = __call__

    def lookup_token(self, index: int) -> str:
        """The token of a number.

        Raises:
            RuntimeError: there is none.
        """
        if not 0 <= index < len(self):
            raise RuntimeError(f"Specified index {index} is out of bounds for vocab of size {len(self)}")
        return self._itos[index]

    def lookup_tokens(self, indices: Iterable[int]) -> list[str]:
        """The tokens of numbers."""
        return [self.lookup_token(index) for index in indices]

    def set_default_index(self, index: int | None) -> None:
        """What unknown tokens get; ``None``: an error."""
        self._default = index

    def get_default_index(self) -> int | None:
        """What unknown tokens get."""
        return self._default

    def insert_token(self, token: str, index: int) -> None:
        """A new token; those from this number on move up.

        Raises:
            RuntimeError: the token is there already, or the number is out of range.
        """
        if token in self:
            raise RuntimeError(f"Token {token!r} already exists in the Vocab with index {self._stoi[token]}")
        if not 0 <= index <= len(self):
            raise RuntimeError(f"Specified index {index} is out of bounds for vocab of size {len(self)}")
        self._itos.insert(index, token)
        self._stoi = {known: k for k, known in enumerate(self._itos)}

    def append_token(self, token: str) -> None:
        """A new token at the end.

        Raises:
            RuntimeError: the token is there already.
        """
        self.insert_token(token, len(self))

    def get_itos(self) -> list[str]:
        """All tokens in order."""
        return list(self._itos)

    def get_stoi(self) -> dict[str, int]:
        """All numbers by token."""
        return dict(self._stoi)


def vocab(
    ordered_dict: Mapping[str, int],
    min_freq: int = 1,
    specials: Sequence[str] | None = None,
    special_first: bool = True,
) -> Vocab:
    """A vocabulary of the tokens whose count is at least ``min_freq``, in the order given.

    Args:
        ordered_dict: counts by token. min_freq: Default: 1.
        specials: tokens that are always there. special_first: before the others. Default: ``True``.

    Example:
        >>> from pydl.text import vocab
        >>> vocab({"a": 3, "b": 1}, min_freq=2, specials=["<unk>"]).get_itos()
        ['<unk>', 'a']
    """
    extra = list(specials or [])
    kept = [token for token, count in ordered_dict.items() if count >= min_freq and token not in extra]
    return Vocab(extra + kept if special_first else kept + extra)


def build_vocab_from_iterator(
    iterator: Iterable[Iterable[str]],
    min_freq: int = 1,
    specials: Sequence[str] | None = None,
    special_first: bool = True,
    max_tokens: int | None = None,
) -> Vocab:
    """A vocabulary of the tokens of many texts, the most frequent first, equally frequent ones in alphabetical order.

    Args:
        iterator: lists of tokens.
        min_freq: count that a token needs. Default: 1.
        specials: tokens that are always there. special_first: before the others. Default: ``True``.
        max_tokens: most tokens, with the special ones. Default: ``None``.

    Raises:
        ValueError: ``max_tokens`` not greater than the number of special tokens.

    Example:
        >>> from pydl.text import build_vocab_from_iterator
        >>> build_vocab_from_iterator([["b", "a"], ["b"]], specials=["<unk>"]).get_itos()
        ['<unk>', 'b', 'a']
    """
    counts: Counter[str] = Counter()
    for tokens in iterator:
        counts.update(tokens)
    extra = list(specials or [])
    for token in extra:
        counts.pop(token, None)
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    if max_tokens is not None:
        if max_tokens <= len(extra):
            raise ValueError(f"max_tokens must be greater than the {len(extra)} specials, got {max_tokens}")
        ordered = ordered[: max_tokens - len(extra)]
    return vocab(dict(ordered), min_freq, extra, special_first)
