"""Words: vectors from files, vocabularies, simple tokenisers."""

from pydl.text.tokenizers import get_tokenizer, ngrams_iterator
from pydl.text.vectors import Vectors, load_vectors
from pydl.text.vocabulary import Vocab, build_vocab_from_iterator, vocab

__all__ = [
    "Vectors", "Vocab", "build_vocab_from_iterator", "get_tokenizer", "load_vectors", "ngrams_iterator", "vocab",
]  # fmt: skip
