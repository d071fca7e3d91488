"""How tensors are printed: golden strings, and PyTorch itself over random cases."""

import random

import pytest

import pydl
from pydl import _tensor_str

GOLDEN = [
    (lambda: pydl.tensor([1.0, 2.5, -3.0]), "tensor([ 1.0000,  2.5000, -3.0000])"),
    (lambda: pydl.tensor([1.0, -2.0]), "tensor([ 1., -2.])"),
    (lambda: pydl.tensor([1.0, 1e5]), "tensor([1.0000e+00, 1.0000e+05])"),
    (lambda: pydl.tensor([0.00001]), "tensor([1.0000e-05])"),
    (lambda: pydl.tensor([float("nan"), float("inf"), 1.0]), "tensor([nan, inf, 1.])"),
    (lambda: pydl.tensor(3), "tensor(3)"),
    (lambda: pydl.tensor(True), "tensor(True)"),
    (lambda: pydl.zeros(0), "tensor([])"),
    (lambda: pydl.zeros(2, 0), "tensor([], size=(2, 0))"),
    (lambda: pydl.tensor([1], dtype=pydl.int32), "tensor([1], dtype=torch.int32)"),
    (lambda: pydl.tensor([1 + 2j, -1j]), "tensor([1.+2.j, -0.-1.j])"),
    (lambda: pydl.ones(2, requires_grad=True), "tensor([1., 1.], requires_grad=True)"),
    (lambda: pydl.ones(2, 2), "tensor([[1., 1.],\n        [1., 1.]])"),
    (lambda: pydl.zeros(1, 2, 1), "tensor([[[0.],\n         [0.]]])"),
    (lambda: pydl.arange(2000), "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"),
]


@pytest.fixture(autouse=True)
def restore():
    yield
    _tensor_str.set_printoptions(profile="default")


@pytest.mark.parametrize("make, text", GOLDEN)
def test_golden(make, text):
    assert _tensor_str._str(make()) == text


def test_options():
    _tensor_str.set_printoptions(precision=2, threshold=5, edgeitems=1)
    assert _tensor_str._str(pydl.tensor([1.234] * 6)) == "tensor([1.23,  ..., 1.23])"
    with _tensor_str.printoptions(sci_mode=True, profile="default"):
        assert _tensor_str._str(pydl.tensor([2.0])) == "tensor([2.0000e+00])"
    assert _tensor_str.get_printoptions()["precision"] == 2


DTYPES = [
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool", "complex64", "complex128",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(250))
def test_like_torch(seed):
    torch = pytest.importorskip("torch")
    rng = random.Random(seed)
    shape = [rng.choice([0, 1, 2, 3, 5, 9, 12, 40]) for _ in range(rng.randrange(4))]
    name = rng.choice(DTYPES)
    scale = rng.choice([1, 1, 10, 1e3, 1e6, 1e-3, 1e-6, 1e9])
    whole = rng.random() < 0.3

    def number():
        if rng.random() < 0.02 and "float" in name:
            return rng.choice([float("inf"), float("-inf"), float("nan"), 0.0, -0.0])
        value = rng.gauss(0, 1) * scale
        value = float(round(value)) if whole else value
        if name in ("int64", "int32"):
            return int(value) % 2**31
        if name == "uint8":
            return int(abs(value)) % 256
        return complex(value, rng.gauss(0, 1)) if "complex" in name else value

    def nested(sizes):
        return [nested(sizes[1:]) for _ in range(sizes[0])] if sizes else number()

    data = nested(shape)
    options = {}
    if rng.random() < 0.4:
        options = {
            "precision": rng.choice([None, 2, 6]),
            "threshold": rng.choice([None, 10, 100]),
            "edgeitems": rng.choice([None, 1, 2]),
            "linewidth": rng.choice([None, 40, 120]),
            "sci_mode": rng.choice([None, True, False]),
        }
    torch.set_printoptions(profile="default")
    try:
        torch.set_printoptions(**options)
        _tensor_str.set_printoptions(**options)
        ours = pydl.tensor(data, dtype=getattr(pydl, name)).reshape(shape)
        theirs = torch.tensor(data, dtype=getattr(torch, name)).reshape(shape)
        assert _tensor_str._str(ours) == torch._tensor_str._str(theirs)
    finally:
        torch.set_printoptions(profile="default")
