"""Word vectors from the files of GloVe, word2vec and fastText."""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NoReturn

import numpy as np

import pydl
from pydl import Tensor
from pydl.nn import Embedding

__all__ = ["Vectors", "load_vectors"]

_FORMATS = ("auto", "glove", "word2vec", "word2vec-bin", "fasttext", "npy")
# A longer line or word is no word with its vector
_LONGEST_LINE = 1 << 24
_LONGEST_WORD = 1 << 16
_CHUNK = 1 << 20


class Vectors:
    """Words with their vectors.

    ``vectors["word"]`` is (D,); of unknown words ``unk_init(word)``, or zeros.

    Args:
        itos: words. vectors: (V, D).
        unk_init: makes the vector of an unknown word. Default: zeros.

    Attributes:
        itos: words. stoi: their rows. vectors: (V, D), float32. dim: D.

    Raises:
        ShapeError: other numbers of words and rows.

    Example:
        >>> import pydl
        >>> vectors = pydl.text.Vectors(["king", "queen", "oak"], pydl.tensor([[1.0, 0.2], [1.0, 0.1], [0.0, 1.0]]))
        >>> vectors["queen"], vectors["rook"]
        (tensor([1.0000, 0.1000]), tensor([0., 0.]))
        >>> [word for word, _ in vectors.most_similar("king", k=2)]
        ['queen', 'oak']
    """

    def __init__(self, itos: Sequence[str], vectors: Tensor, unk_init: Callable[[str], Tensor] | None = None) -> None:
        if vectors.dim() != 2 or len(vectors) != len(itos):
            raise pydl.ShapeError(
                f"Vectors: vectors must be ({len(itos)}, D), one row for each word, got {tuple(vectors.shape)}"
            )
        self.itos = list(itos)
        self.stoi: dict[str, int] = {}
        for k, word in enumerate(self.itos):
            self.stoi.setdefault(word, k)
        self.vectors = vectors.float()
        self.dim = vectors.shape[1]
        self.unk_init = unk_init

    def __len__(self) -> int:
        return len(self.itos)

    def __contains__(self, token: object) -> bool:
        return token in self.stoi

    def __getitem__(self, token: str) -> Tensor:
        if token in self.stoi:
            return self.vectors[self.stoi[token]]
        if self.unk_init is None:
            return pydl.zeros(self.dim)
        made = pydl.as_tensor(self.unk_init(token), dtype=pydl.float32)
        if tuple(made.shape) != (self.dim,):
            raise pydl.ShapeError(f"Vectors: unk_init must give ({self.dim},), got {tuple(made.shape)}")
        return made

    def get_vecs_by_tokens(self, tokens: str | Sequence[str], lower_case_backup: bool = False) -> Tensor:
        """The vectors of several words, (T, D), or of one, (D,).

        Args:
            tokens: words. lower_case_backup: look for unknown words in small letters too. Default: ``False``.
        """
        if isinstance(tokens, str):
            return self[tokens.lower() if lower_case_backup and tokens not in self else tokens]
        found = [self.get_vecs_by_tokens(token, lower_case_backup) for token in tokens]
        return pydl.stack(found) if found else pydl.zeros(0, self.dim)

    def most_similar(self, word: str | Tensor, k: int = 10) -> list[tuple[str, float]]:
        """The k words whose vectors have the largest cosine with a word's, which is left out, or with a vector (D,).

        Raises:
            KeyError: the word is unknown. ShapeError: a vector of another shape. ValueError: ``k`` below 0.
        """
        if k < 0:
            raise ValueError(f"Vectors: k must not be negative, got {k}")
        if isinstance(word, str) and word not in self:
            raise KeyError(f"Vectors: the word {word!r} is unknown")
        query = self[word] if isinstance(word, str) else word.float()
        if tuple(query.shape) != (self.dim,):
            raise pydl.ShapeError(f"Vectors: a vector must be ({self.dim},), got {tuple(query.shape)}")
        # A vector of zeros is like no other
        lengths = self.vectors.norm(dim=1) * query.norm()
        cosines = self.vectors @ query / pydl.where(lengths > 0, lengths, 1.0)
        if isinstance(word, str):
            cosines[self.stoi[word]] = -pydl.inf
        values, rows = cosines.topk(min(k, len(self) - isinstance(word, str)))
        return [(self.itos[row], value) for row, value in zip(rows.tolist(), values.tolist())]

    def to_embedding(self, vocab: Any = None, freeze: bool = True) -> Embedding:
        """An embedding whose rows are these vectors, or those of a vocabulary's words in its order.

        Args:
            vocab: a :class:`Vocab`, a list of words, or numbers by word. Default: these words.
            freeze: the vectors are not trained. Default: ``True``.
        """
        if vocab is None:
            return Embedding.from_pretrained(self.vectors.clone(), freeze=freeze)
        if hasattr(vocab, "get_itos"):
            words = vocab.get_itos()
        elif isinstance(vocab, dict):
            words = sorted(vocab, key=vocab.__getitem__)
            if [vocab[word] for word in words] != list(range(len(words))):
                raise ValueError("Vectors: a vocab that is a dict must number its words from 0 without gaps")
        else:
            words = list(vocab)
        return Embedding.from_pretrained(self.get_vecs_by_tokens(words).clone(), freeze=freeze)


class _Reader:
    """Reads a file of words and numbers, and says where it fails."""

    def __init__(self, path: str, file: Any, encoding: str) -> None:
        self.path = path
        self.file = file
        self.encoding = encoding
        self.line = 0

    def refuse(self, reason: str) -> NoReturn:
        raise pydl.SerializationError(f"load_vectors(): {self.path!r}, line {self.line}: {reason}")

    def next_line(self) -> bytes:
        """Without its end; empty at the end of the file."""
        self.line += 1
        text = self.file.readline(_LONGEST_LINE)
        if len(text) == _LONGEST_LINE and not text.endswith(b"\n"):
            self.refuse("the line is too long")
        return text

    def word(self, raw: bytes) -> str:
        try:
            return raw.decode(self.encoding)
        except UnicodeDecodeError as error:
            self.refuse(f"the word is not {self.encoding}: {error}")

    def numbers(self, fields: list[bytes]) -> array[float]:
        try:
            return array("f", map(float, fields))
        except (ValueError, OverflowError) as error:
            self.refuse(str(error))

    def exactly(self, count: int) -> bytes:
        """So many bytes, read in parts: a header may promise more than there is memory."""
        parts, left = [], count
        while left:
            part = self.file.read(min(left, _CHUNK))
            if not part:
                self.refuse("the file ends within a vector")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def header(self) -> tuple[int, int]:
        """Words and numbers of each."""
        fields = self.next_line().split()
        if len(fields) != 2 or not all(field.isdigit() and len(field) < 19 for field in fields):
            self.refuse("expected a header of two numbers, words and dimensions")
        count, dim = int(fields[0]), int(fields[1])
        if count < 1 or dim < 1:
            self.refuse(f"expected positive numbers of words and dimensions, got {count} and {dim}")
        return count, dim


class _Found:
    """The words and numbers so far."""

    def __init__(self, most: int | None, wanted: set[str] | None) -> None:
        self.most = most
        self.wanted = wanted
        self.words: dict[str, None] = {}
        self.values = array("f")

    def full(self) -> bool:
        return self.most is not None and len(self.words) >= self.most

    def add(self, word: str, numbers: array[float]) -> None:
        if word not in self.words and (self.wanted is None or word in self.wanted):
            self.words[word] = None
            self.values.extend(numbers)


def _read_text(reader: _Reader, found: _Found, count: int | None, dim: int | None) -> int:
    """Lines of a word, which may hold spaces, and numbers. Returns D."""
    read = 0
    while not found.full() and (count is None or read < count):
        text = reader.next_line()
        if not text:
            if count is not None:
                reader.refuse(f"the file ends after {read} of {count} words")
            break
        fields = text.rstrip(b" \r\n").split(b" ")
        if dim is None:
            dim = _trailing_numbers(fields)
            if dim < 1:
                reader.refuse("expected a word and numbers")
        if len(fields) <= dim or not any(fields[:-dim]):
            reader.refuse(f"expected a word and {dim} numbers, got {len(fields)} fields")
        found.add(reader.word(b" ".join(fields[:-dim])), reader.numbers(fields[-dim:]))
        read += 1
    return dim or 0


def _trailing_numbers(fields: list[bytes]) -> int:
    count = 0
    for field in reversed(fields[1:]):
        try:
            float(field)
        except ValueError:
            break
        count += 1
    return count


def _read_binary(reader: _Reader, found: _Found) -> int:
    count, dim = reader.header()
    for _ in range(count):
        if found.full():
            break
        reader.line += 1
        raw = bytearray()
        while (byte := reader.file.read(1)) != b" ":
            if not byte:
                reader.refuse(f"the file ends after {reader.line - 2} of {count} words")
            raw += byte
            if len(raw) > _LONGEST_WORD:
                reader.refuse("the word is too long")
        numbers = array("f")
        numbers.frombytes(np.frombuffer(reader.exactly(4 * dim), dtype="<f4").astype(np.float32).tobytes())
        found.add(reader.word(bytes(raw).lstrip(b"\n")), numbers)
    return dim


def _guess(start: bytes) -> str:
    """The format of a file that begins so."""
    if start.startswith(b"\x93NUMPY"):
        return "npy"
    first, _, rest = start.partition(b"\n")
    fields = first.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        return "glove"
    second = rest.split(b"\n", 1)[0].rstrip(b" \r").split(b" ")
    return "word2vec" if _trailing_numbers(second) == int(fields[1]) else "word2vec-bin"


def _npy(data: bytes) -> np.ndarray:
    """The array in a .npy file; a header that promises more than follows allocates nothing."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its version is {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    left = len(data) - file.tell()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != left:
        raise ValueError(f"its header promises {dtype} of shape {shape}, and {left} bytes follow")
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape, order="F" if fortran else "C")


def _read_npy(path: str, file: Any, words: Iterable[str] | None, most: int | None) -> tuple[list[str], Any]:
    if words is None:
        raise ValueError("load_vectors(): a .npy file holds no words; give them as words=")
    names = list(words)
    try:
        values = _npy(file.read())
    except MemoryError:
        raise
    except Exception as error:  # NumPy's reader of headers raises what Python's own tokenizer does
        raise pydl.SerializationError(f"load_vectors(): {path!r} is no readable .npy file: {error}") from None
    if values.ndim != 2 or values.dtype.kind != "f" or len(values) != len(names):
        raise pydl.SerializationError(
            f"load_vectors(): {path!r} must hold ({len(names)}, D) floats, one row for each word, got {values.dtype} "
            f"of shape {values.shape}"
        )
    return names[:most], pydl.from_numpy(np.ascontiguousarray(values[:most], dtype=np.float32))


def load_vectors(
    path: Any,
    format: Literal["auto", "glove", "word2vec", "word2vec-bin", "fasttext", "npy"] = "auto",
    max_vectors: int | None = None,
    words: Iterable[str] | None = None,
    unk_init: Callable[[str], Tensor] | None = None,
    encoding: str = "utf-8",
) -> Vectors:
    """Word vectors in a file, which may be gzipped.

    Args:
        path: of the file.
        format: ``"glove"``: lines of a word, which may hold spaces, and numbers; ``"word2vec"`` and ``"fasttext"``: the
            same after a line with the numbers of words and dimensions; ``"word2vec-bin"``: that line, then a word, a
            space, float32 numbers (little endian); ``"npy"``: NumPy's format. Default: ``"auto"``, by content.
        max_vectors: most words read. Default: all.
        words: of ``"npy"``: those of the rows; of other formats: those that are kept.
        unk_init: makes the vectors of unknown words. Default: zeros.
        encoding: of the words. Default: UTF-8.

    Raises:
        SerializationError: damaged, truncated or of another format; it names the line. ValueError: another ``format``.
        OSError: the file cannot be read.

    Source: Pennington et al., "GloVe", EMNLP 2014; Mikolov et al., "Efficient estimation of word representations",
    ICLR 2013; Bojanowski et al., "Enriching word vectors with subword information", TACL 5, 2017.

    Example:
        >>> import os, tempfile, pydl
        >>> path = os.path.join(tempfile.mkdtemp(), "glove.txt")
        >>> with open(path, "w") as file:
        ...     _ = file.write("cat 1.0 0.5\\nNew York 0.0 2.0\\n")
        >>> pydl.text.load_vectors(path)["New York"]
        tensor([0., 2.])
    """
    if format not in _FORMATS:
        raise ValueError(f"load_vectors(): format must be one of {_FORMATS}, got {format!r}")
    if max_vectors is not None and max_vectors < 0:
        raise ValueError(f"load_vectors(): max_vectors must not be negative, got {max_vectors}")
    name = os.fspath(path)
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: Any = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw  # type: ignore[arg-type]
        try:
            return _loaded(name, file, format, max_vectors, words, unk_init, encoding)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise pydl.SerializationError(f"load_vectors(): {name!r} is a damaged gzip file: {error}") from None


def _loaded(path: str, file: Any, format: str, most: int | None, words: Any, unk_init: Any, encoding: str) -> Vectors:
    if format == "auto":
        format = _guess(_start(file))
    if format == "npy":
        names, values = _read_npy(path, file, words, most)
        return Vectors(names, values, unk_init)
    reader = _Reader(path, file, encoding)
    found = _Found(most, None if words is None else set(words))
    if format == "word2vec-bin":
        dim = _read_binary(reader, found)
    elif format == "glove":
        dim = _read_text(reader, found, None, None)
    else:
        dim = _read_text(reader, found, *reader.header())
    if dim == 0 and most != 0:
        reader.refuse("the file holds no vectors")
    values = np.frombuffer(found.values, dtype=np.float32).reshape(len(found.words), dim).copy()
    return Vectors(list(found.words), pydl.from_numpy(values), unk_init)


def _start(file: Any) -> bytes:
    """What a file begins with; it is read from its begin again."""
    start = file.read(_CHUNK)
    file.seek(0)
    return start
