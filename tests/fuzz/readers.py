"""Mutated files for every reader: ``python -m tests.fuzz.readers --count 100000 --seed 1``.

Every file has to load or to raise SerializationError, within a second, and may not run what it says.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import pickle
import random
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

import pydl

CANARY = os.path.join(tempfile.gettempdir(), f"pydl-canary-{os.getpid()}")
# A file as torch.save wrote it before 1.6, of {"w": torch.arange(3.)}
OLD = (
    "gAKKCmz8nEb5IGqoUBkugAJN6QMugAJ9cQAoWBAAAABwcm90b2NvbF92ZXJzaW9ucQFN6QNYDQAAAGxpdHRsZV9lbmRpYW5xAohYCgAAAHR5cGVfc2l6"
    "ZXNxA31xBChYBQAAAHNob3J0cQVLAlgDAAAAaW50cQZLBFgEAAAAbG9uZ3EHSwR1dS6AAn1xAFgBAAAAd3EBY3RvcmNoLl91dGlscwpfcmVidWlsZF90"
    "ZW5zb3JfdjIKcQIoKFgHAAAAc3RvcmFnZXEDY3RvcmNoCkZsb2F0U3RvcmFnZQpxBFgBAAAAMXEFWAMAAABjcHVxBksDTnRxB1FLAEsDhXEISwGFcQmJ"
    "Y2NvbGxlY3Rpb25zCk9yZGVyZWREaWN0CnEKKVJxC3RxDFJxDXMugAJdcQBYAQAAADFxAWEuAwAAAAAAAAAAAAAAAACAPwAAAEA="
)


class _Attack:
    def __reduce__(self) -> Any:
        return open, (CANARY, "w")


def _zip(obj: Any) -> bytes:
    file = io.BytesIO()
    pydl.save(obj, file)
    return file.getvalue()


def _attack() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": _Attack(), "b": [1, 2.0, "text"]}, protocol=2))
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def _resealed(data: bytes) -> bytes:
    """The entries without checksums of the whole, so that mutations reach the parser: stored anew after each."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return file.getvalue()


def seeds() -> dict[str, list[bytes]]:
    """A few valid files for each reader."""
    state = {"w": pydl.arange(6.0).reshape(2, 3), "b": pydl.ones(2, dtype=pydl.bfloat16), "n": [1, "a", None]}
    plain = {"w": pydl.arange(6.0).reshape(2, 3), "m": pydl.tensor([True, False])}
    safe, npz, small = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pydl.serialization.save_safetensors(plain, safe, {"by": "fuzz"})
    header = (
        b'{"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"e":{"dtype":"I64","shape":[0],"data_offsets":[8,8]}}'
    )
    small.write(len(header).to_bytes(8, "little") + header + bytes(8))
    np.savez(npz, w=np.arange(6.0).reshape(2, 3), m=np.array([True]))
    compressed = io.BytesIO()
    np.savez_compressed(compressed, w=np.zeros(100))
    old = base64.b64decode(OLD)
    return {
        "pt": [_zip(state), _resealed(_zip(state)), _attack()],
        "old pt": [old],
        "safetensors": [safe.getvalue(), small.getvalue()],
        "npz": [npz.getvalue(), compressed.getvalue()],
    }


TOKENS = [
    b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\xff" * 4, b"\xff" * 8, b"\0" * 8, b"\x7f\xff\xff\xff", b"(", b")", b"R", b".", b"c", b"Q",
    b"cos\nsystem\n", b"cbuiltins\neval\n", b'"shape":[', b"99999999999999999999", b"-1", b"]", b"}", b"\x8a\xff", b"J\xff\xff\xff\x7f",
    b"\x93NUMPY", b"'fortran_order': True", b"|O", b"X\xff\xff\xff\x7f", b"\x8d" + b"\xff" * 8,
]  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """The file with a few bytes changed, removed, doubled or exchanged for tokens of the formats."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(result) + 1)
        kind = rng.randrange(6)
        if kind == 0 and at < len(result):
            result[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(result):
            result[at] = rng.randrange(256)
        elif kind == 2:
            del result[at : at + rng.randrange(1, 40)]
        elif kind == 3:
            result[at:at] = result[at : at + rng.randrange(1, 40)]
        elif kind == 4:
            token = rng.choice(TOKENS)
            result[at : at + len(token)] = token
        else:
            result[at:at] = rng.choice(TOKENS)
    return bytes(result)


def inner(data: bytes, rng: random.Random) -> bytes:
    """A mutation within an entry of a zip file, with checksums that are right: those reach the parsers."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        names = old.namelist()
        chosen = rng.choice([n for n in names if n.endswith(("data.pkl", ".npy"))])
        for name in names:
            body = old.read(name)
            new.writestr(name, mutate(body, rng) if name == chosen else body)
    return file.getvalue()


def _too_slow(*_: Any) -> None:
    raise TimeoutError("a file took more than a second")


def run(reader: str, count: int, seed: int, report: Callable[[str], None]) -> Counter[str]:
    """Load `count` mutated files. Raises what a reader should not have raised."""
    rng = random.Random(f"{reader} {seed}")
    files, seen = seeds()[reader], Counter[str]()
    signal.signal(signal.SIGALRM, _too_slow)
    for number in range(count):
        base = rng.choice(files)
        data = inner(base, rng) if base.startswith(b"PK") and rng.random() < 0.6 else mutate(base, rng)
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        try:
            pydl.load(io.BytesIO(data))
            seen["loaded"] += 1
        except pydl.SerializationError:
            seen["refused"] += 1
        except BaseException:
            report(f"{reader}, file {number} of seed {seed}: {base64.b64encode(data).decode()}")
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if os.path.exists(CANARY):
            os.unlink(CANARY)
            raise AssertionError(f"{reader}, file {number} of seed {seed} ran code")
    return seen


def main() -> None:
    """Every reader in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for reader in seeds():
        start = time.perf_counter()
        seen = run(reader, options.count, options.seed, lambda text: print(text, file=sys.stderr))
        print(f"{reader}: {dict(seen)} in {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
