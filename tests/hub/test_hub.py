"""Weights from files of all formats, the report, and freezing."""

from __future__ import annotations

import copy
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import hub, nn

try:
    import torch
except ImportError:
    torch = None


def make() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 5))


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(pydl.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


# A writer of the little of Protocol Buffers that an ONNX file of weights needs


def number(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def chunk(field: int, data: bytes) -> bytes:
    return number(field << 3 | 2) + number(len(data)) + data


CODES = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7, "float16": 10, "float64": 11, "bool": 9, "int32": 6}


def tensor_proto(name: str, array: Any, raw: bool = True) -> bytes:
    out = b"".join(number(1 << 3) + number(n) for n in array.shape) + number(2 << 3) + number(CODES[str(array.dtype)])
    out += chunk(8, name.encode())
    if raw:
        return out + chunk(9, array.tobytes())
    if array.dtype in (np.float32, np.float64):
        return out + chunk(4 if array.dtype == np.float32 else 10, array.tobytes())
    values = array.view(np.uint16) if array.dtype == np.float16 else array
    return out + chunk(7 if array.dtype == np.int64 else 5, b"".join(number(int(v)) for v in values.reshape(-1)))


def onnx_file(tensors: dict[str, Any], raw: bool = True) -> bytes:
    graph = b"".join(chunk(5, tensor_proto(k, v, raw)) for k, v in tensors.items())
    return number(1 << 3) + number(8) + chunk(2, b"maker") + chunk(7, chunk(2, b"graph") + graph)


def write(kind: str, state: dict[str, Any], path: Path) -> Path:
    path = path / f"weights{kind}"
    if kind == ".onnx":
        path.write_bytes(onnx_file({k: v.numpy() for k, v in state.items()}))
    else:
        pydl.save(state, path)
    return path


@pytest.mark.parametrize("kind", [".pt", ".safetensors", ".npz", ".onnx"])
def test_formats(kind: str, tmp_path: Path) -> None:
    pydl.manual_seed(0)
    old, new = make(), make()
    path = write(kind, old.state_dict(), tmp_path)
    report = hub.load_weights(new, path, strict=True)
    assert same(old, new)
    assert report.loaded == list(old.state_dict()) and not (report.missing or report.unexpected or report.misshaped)
    for source in (str(path), io.BytesIO(path.read_bytes()), old.state_dict(), {"state_dict": old.state_dict()}):
        new = make()
        hub.load_weights(new, source, strict=True)
        assert same(old, new)


@pytest.mark.skipif(torch is None, reason="files of torch")
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("around", [None, "model", "state_dict"])
def test_files_of_torch(zipped: bool, around: str | None, tmp_path: Path) -> None:
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten(), torch.nn.Linear(8, 5)
    )
    state = net.state_dict() if around is None else {around: net.state_dict(), "epoch": 3}
    torch.save(state, tmp_path / "net.pth", _use_new_zipfile_serialization=zipped)
    model = make()
    hub.load_weights(model, tmp_path / "net.pth", strict=True)
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 4)).astype(np.float32)
    theirs = net.eval()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(model.eval()(pydl.tensor(x)).detach().numpy(), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("raw", [True, False])
def test_onnx_dtypes(dtype: str, raw: bool, tmp_path: Path) -> None:
    values = (np.arange(6).reshape(2, 3) - (2 if dtype[0] in "fi" else 0)).astype(dtype)
    path = tmp_path / "a.onnx"
    path.write_bytes(onnx_file({"w": values, "one": values[0, 0], "none": values[:0]}, raw))

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, shape in (("w", (2, 3)), ("one", ()), ("none", (0, 3))):
                self.register_buffer(name, pydl.zeros(shape, dtype=getattr(pydl, dtype)))

    model = Holder()
    hub.load_weights(model, path, strict=True)
    assert np.array_equal(model.w.numpy(), values) and model.one.item() == values[0, 0]


def test_onnx_library_agrees(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    w = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    tensors = [onnx.numpy_helper.from_array(w, "weight"), onnx.helper.make_tensor("bias", 1, [3], [1.0, 2.0, 3.0])]
    graph = onnx.helper.make_graph([], "g", [], [], tensors)
    onnx.save(onnx.helper.make_model(graph), tmp_path / "m.onnx")
    model = nn.Linear(2, 3)
    hub.load_weights(model, tmp_path / "m.onnx", strict=True)
    assert np.array_equal(model.weight.detach().numpy(), w) and model.bias.tolist() == [1, 2, 3]


def test_report_and_strict() -> None:
    model = make()
    before = copy.deepcopy(model.state_dict())
    source = {**make().state_dict(), "3.weight": pydl.zeros(7, 8), "extra": pydl.ones(2)}
    del source["0.bias"]
    with pytest.raises(RuntimeError, match=r"0\.bias(.|\n)*extra(.|\n)*3\.weight: \(7, 8\) in the file, \(5, 8\)"):
        hub.load_weights(model, source, strict=True)
    assert all(pydl.equal(v, before[k]) for k, v in model.state_dict().items())
    report = hub.load_weights(model, source)
    assert report.missing == ["0.bias"] and report.unexpected == ["extra"]
    assert report.misshaped == [("3.weight", (7, 8), (5, 8))]
    assert str(report).splitlines()[0] == "7 loaded, 1 missing, 1 unexpected, 1 misshaped"
    assert pydl.equal(model.state_dict()["0.bias"], before["0.bias"])


def test_names_and_heads() -> None:
    pydl.manual_seed(0)
    old = make()
    inside = {f"module.{k}": v for k, v in old.state_dict().items()}
    new = make()
    hub.load_weights(new, inside, strict=True, prefix="module.")
    assert same(old, new)
    other = {k.replace("0.", "stem.").replace("1.", "norm."): v for k, v in old.state_dict().items()}
    for rename in ({"stem": "0", "norm.": "1."}, lambda k: k.replace("stem", "0").replace("norm", "1")):
        new = make()
        hub.load_weights(new, other, strict=True, rename=rename)
        assert same(old, new)
    new = make()
    head = new[3].weight.clone()
    report = hub.load_weights(new, {**old.state_dict(), "3.weight": pydl.zeros(1000, 8)}, True, replace_head="3")
    assert pydl.equal(new[3].weight, head) and "3.bias" not in report.loaded
    with pytest.raises(AttributeError):
        hub.load_weights(new, {}, replace_head="head")
    with pytest.raises(ValueError, match="two entries"):
        hub.load_weights(new, {"a": head, "b": head}, rename={"b": "a"})


def test_the_models_dtype_stays() -> None:
    model = nn.Linear(2, 3).double()
    hub.load_weights(model, {"weight": pydl.ones(3, 2, dtype=pydl.float16)})
    assert model.weight.dtype == pydl.float64 and model.weight.eq(1).all()


def test_lazy_modules_get_their_size() -> None:
    model = nn.LazyLinear(3)
    hub.load_weights(model, {"weight": pydl.ones(3, 2), "bias": pydl.zeros(3)}, strict=True)
    assert model.weight.shape == (3, 2)


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch hacked",)


def test_no_code_runs(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"weight": Hostile()}))
    model = nn.Linear(2, 3)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(pydl.SerializationError):
        hub.load_weights(model, "evil.pt")
    assert not (tmp_path / "hacked").exists()
    assert all(pydl.equal(v, before[k]) for k, v in model.state_dict().items())
    with pytest.raises(pydl.SerializationError, match="state dict"):
        pydl.save([1, 2], "list.pt")
        hub.load_weights(model, "list.pt")


def test_damaged_onnx_files(tmp_path: Path, full: bool) -> None:
    data = onnx_file({"weight": np.ones((3, 2), np.float32), "bias": np.ones(3, np.float32)}, raw=False)
    rng = np.random.default_rng(0)
    copies = [data[:end] for end in range(len(data))]
    for _ in range(100000 if full else 2000):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 5)):
            damaged[at] = rng.integers(0, 256)
        copies.append(bytes(damaged))
    path = tmp_path / "m.onnx"
    for damaged in copies:
        path.write_bytes(damaged)
        try:
            hub.load_weights(nn.Linear(2, 3), path)
        except (pydl.SerializationError, ValueError, RuntimeError) as error:
            assert str(error)


def test_freeze() -> None:
    model = nn.ModuleDict({"body": make(), "head": nn.Linear(5, 2)})
    assert hub.freeze(model, "body.*", except_="body.3.bias") == [
        "body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias", "body.3.weight"
    ]  # fmt: skip
    assert {n for n, p in model.named_parameters() if p.requires_grad} == {"body.3.bias", "head.weight", "head.bias"}
    assert model.train()["body"][1].training
    assert hub.freeze(model, ["body"], freeze_norm=True)[-1] == "body.3.bias"
    assert not model.train()["body"][1].training and model["head"].training
    kept = model["body"][1].running_mean.clone()
    model["body"](pydl.rand(4, 1, 4, 4))
    assert pydl.equal(model["body"][1].running_mean, kept)
    again = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    assert not again.train()["body"][1].training
    assert len(hub.unfreeze(model)) == len(list(model.parameters())) and model["body"][1].training
    assert hub.freeze(model) == [n for n, _ in model.named_parameters()]
    with pytest.raises(ValueError, match="fits no"):
        hub.freeze(model, "boddy")


def test_names_that_change_places() -> None:
    model = pydl.nn.ModuleDict({"a": pydl.nn.Linear(2, 2), "b": pydl.nn.Linear(2, 2)})
    a, b = (model[k].weight.detach().clone() for k in "ab")
    hub.load_weights(model, model.state_dict(), rename={"a": "b", "b": "a"})
    assert pydl.equal(model["a"].weight, b) and pydl.equal(model["b"].weight, a)
