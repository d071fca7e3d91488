"""Word vectors in every format, damaged files, vocabularies, tokenisers."""

from __future__ import annotations

import gzip
import io
import random
import struct
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import text
from pydl.text import Vectors, Vocab, load_vectors

WORDS = ["the", "New York", "été", "0.5", "the", "naïve"]
NUMBERS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def content(format: str) -> bytes:
    lines = b"".join(
        w.encode()
        + b" "
        + b" ".join(repr(float(x)).encode() for x in row)
        + (b" \n" if format == "fasttext" else b"\n")
        for w, row in zip(WORDS, NUMBERS)
    )
    if format == "glove":
        return lines
    if format in ("word2vec", "fasttext"):
        return b"6 4\n" + lines
    if format == "word2vec-bin":
        names = [w.replace(" ", "_") for w in WORDS]
        return b"6 4\n" + b"".join(
            n.encode() + b" " + row.astype("<f4").tobytes() + b"\n" for n, row in zip(names, NUMBERS)
        )
    file = io.BytesIO()
    np.save(file, NUMBERS)
    return file.getvalue()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("format", ["glove", "word2vec", "fasttext", "word2vec-bin", "npy"])
def test_formats(format: Any, said: bool, packed: bool, tmp_path: Any) -> None:
    data = content(format)
    (tmp_path / "a").write_bytes(gzip.compress(data) if packed else data)
    words = ["the", "New York", "été", "0.5", "the", "naïve"] if format == "npy" else None
    vectors = load_vectors(tmp_path / "a", format if said else "auto", words=words)
    assert vectors.dim == 4
    assert vectors.vectors.dtype == pydl.float32
    if format != "npy":
        assert vectors.itos == [w.replace(" ", "_") if "bin" in format else w for w in WORDS[:4]] + ["naïve"]
    np.testing.assert_allclose(vectors["été"].numpy(), NUMBERS[2], rtol=1e-6)
    np.testing.assert_allclose(vectors["naïve"].numpy(), NUMBERS[5], rtol=1e-6)
    np.testing.assert_allclose(vectors["the"].numpy(), NUMBERS[0], rtol=1e-6)  # the first of both
    two = load_vectors(tmp_path / "a", format if said else "auto", 2, words)
    assert len(two) == 2
    if format != "npy":
        some = load_vectors(tmp_path / "a", words=["naïve", "absent"])
        assert some.itos == ["naïve"]


def test_vectors() -> None:
    v = Vectors(["a", "b", "C"], pydl.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]))
    assert len(v) == 3
    assert "a" in v
    assert "x" not in v
    assert v["x"].tolist() == [0, 0]
    assert v.get_vecs_by_tokens(["b", "x"]).tolist() == [[1, 1], [0, 0]]
    assert v.get_vecs_by_tokens("b").tolist() == [1, 1]
    assert v.get_vecs_by_tokens(["A", "C"], lower_case_backup=True).tolist() == [[1, 0], [0, 0]]
    assert v.get_vecs_by_tokens([]).shape == (0, 2)
    (first, second) = v.most_similar("a")
    assert first == ("b", pytest.approx(0.5**0.5))
    assert second == ("C", 0.0)
    assert v.most_similar(pydl.tensor([0.0, 2.0]), k=1)[0][0] == "b"
    own = Vectors(["a"], pydl.ones(1, 2), unk_init=lambda word: pydl.full((2,), float(len(word))))
    assert own["xyz"].tolist() == [3, 3]
    table = v.to_embedding()
    assert not table.weight.requires_grad
    assert table(pydl.tensor([1])).tolist() == [[1, 1]]
    for vocab in (["<unk>", "b"], Vocab(["<unk>", "b"]), {"b": 1, "<unk>": 0}):
        assert v.to_embedding(vocab, freeze=False).weight.tolist() == [[0, 0], [1, 1]]
    with pytest.raises(KeyError, match="x"):
        v.most_similar("x")
    with pytest.raises(pydl.ShapeError):
        v.most_similar(pydl.ones(3))
    with pytest.raises(pydl.ShapeError):
        Vectors(["a"], pydl.ones(2, 2))
    with pytest.raises(pydl.ShapeError, match="unk_init"):
        Vectors(["a"], pydl.ones(1, 2), unk_init=lambda word: pydl.ones(3))["b"]
    with pytest.raises(ValueError):
        v.to_embedding({"a": 1})
    with pytest.raises(ValueError):
        v.most_similar("a", -1)


@pytest.mark.parametrize("data, line", [
    (b"", 1), (b"\n", 1), (b"a\n", 1), (b"a 1 2\nb 1\n", 2), (b"a 1 2\nb 1 x\n", 2), (b"a 1 2\n\nb 1 2\n", 2), (b"a 1 2\n 1 2\n", 2),
    (b"2 2\na 1 2\n", 3), (b"2 3\na 1 2\nb 1 2\n", 2), (b"0 3\n", 1), (b"3 0\n", 1), (b"9999999999999999 999999999999999999\na 1\n", 2),
    (b"99999999999 2\na 1 2\n", 3), (b"\xff 1 2\n", 1), (b"a 1e999999 x\n", 1), (b"1 99999999999\nabc ", 2), (b"a" * (1 << 25), 1),
])  # fmt: skip
def test_damaged_text(data: bytes, line: int, tmp_path: Any) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(pydl.SerializationError, match=f"line {line}:"):
        load_vectors(tmp_path / "a")


def test_damaged_others(tmp_path: Any) -> None:
    path = tmp_path / "a"
    for data, format in (
        (b"2 2\nab " + struct.pack("<2f", 1, 2), "word2vec-bin"), (b"1 2\n" + b"a" * 100000, "word2vec-bin"), (b"1 4\nab " + b"1234", "word2vec-bin"),
        (b"999999999999 999999999999\nab 1234", "word2vec-bin"), (b"\x93NUMPY\x01\x00", "npy"), (content("npy")[:100], "npy"), (b"a b c\n", "word2vec"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 9), }".ljust(128) + b"\n", "npy"),
        (gzip.compress(content("glove"))[:40], "auto"), (gzip.compress(content("glove"))[:-4] + b"abcd", "auto"),
    ):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises((pydl.SerializationError, MemoryError)):
            load_vectors(path, format, words=["a", "b"] if format == "npy" else None)
    path.write_bytes(content("npy"))
    with pytest.raises(ValueError, match="words="):
        load_vectors(path)
    with pytest.raises(pydl.SerializationError, match="one row"):
        load_vectors(path, words=["a"])
    for options in ({"format": "bin"}, {"max_vectors": -1}):
        with pytest.raises(ValueError):
            load_vectors(path, **options)
    with pytest.raises(FileNotFoundError):
        load_vectors(tmp_path / "none")


@pytest.mark.parametrize("format", ["glove", "word2vec", "word2vec-bin", "npy", "gzip"])
def test_changed_bytes(format: str, tmp_path: Any, full: bool) -> None:
    rng = random.Random(0)
    good = gzip.compress(content("glove")) if format == "gzip" else content(format)
    for _ in range(2000 if full else 200):
        data = bytearray(good)
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(len(data))
            if rng.random() < 0.5:
                data[at] = rng.randrange(256)
            else:
                del data[at : at + rng.randrange(1, 9)]
        (tmp_path / "a").write_bytes(data)
        try:
            load_vectors(tmp_path / "a", words=WORDS if format == "npy" else None)
        except (pydl.SerializationError, MemoryError):
            pass
        except ValueError as error:
            assert "words=" in str(error)  # it looks like .npy, or no longer so


def test_vocabulary() -> None:
    v = text.build_vocab_from_iterator([["b", "a", "c"], ["b", "c", "<pad>"]], min_freq=2, specials=["<unk>", "<pad>"])
    assert v.get_itos() == ["<unk>", "<pad>", "b", "c"]
    assert v(["c", "b"]) == v.lookup_indices(["c", "b"]) == [3, 2]
    assert v.lookup_tokens([2, 0]) == ["b", "<unk>"]
    with pytest.raises(RuntimeError, match="default index"):
        v["zzz"]
    v.set_default_index(v["<unk>"])
    assert v["zzz"] == 0 == v.get_default_index()
    v.insert_token("x", 1)
    v.append_token("y")
    assert v.get_itos() == ["<unk>", "x", "<pad>", "b", "c", "y"]
    assert v.get_stoi()["c"] == 4
    assert len(v) == 6
    for call in (
        lambda: v.append_token("x"),
        lambda: v.insert_token("q", 99),
        lambda: v.lookup_token(6),
        lambda: v.lookup_token(-1),
    ):
        with pytest.raises(RuntimeError):
            call()
    assert text.vocab({"a": 1, "b": 2}, 1, ["<u>"], special_first=False).get_itos() == ["a", "b", "<u>"]
    assert text.build_vocab_from_iterator([["a", "b", "b"]], specials=["<u>"], max_tokens=2).get_itos() == ["<u>", "b"]
    for call in (
        lambda: Vocab(["a", "a"]),
        lambda: text.build_vocab_from_iterator([["a"]], specials=["b"], max_tokens=1),
    ):
        with pytest.raises(ValueError):
            call()


def test_tokenizers() -> None:
    english = text.get_tokenizer("basic_english")
    assert english('You can, now; do "this" (or: that)!') == [
        "you",
        "can",
        ",",
        "now",
        "do",
        "this",
        "(",
        "or",
        "that",
        ")",
        "!",
    ]
    assert text.get_tokenizer(None)(" a  b ") == text.get_tokenizer("split")("a b") == ["a", "b"]
    assert text.get_tokenizer("char")("ab") == ["a", "b"]
    assert text.get_tokenizer(str.upper)("a") == "A"
    assert list(text.ngrams_iterator(["a", "b", "c"], 9)) == ["a", "b", "c", "a b", "b c", "a b c"]
    with pytest.raises(ValueError):
        text.get_tokenizer("spacy")
    with pytest.raises(ValueError):
        list(text.ngrams_iterator(["a"], 0))
