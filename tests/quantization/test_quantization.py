"""Quantized tensors, observers, int8 layers: dynamic, calibrated, quantization-aware."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import nn, quantization
from pydl.nn import functional as F
from pydl.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

try:
    import torch
except ImportError:
    torch = None
needs_torch = pytest.mark.skipif(torch is None, reason="compares with torch")


def close(a: Any, b: Any, share: float) -> None:
    """Within a share of the spread of b."""
    a, b = a.detach().numpy(), b.detach().numpy()
    assert a.shape == b.shape
    assert np.abs(a - b).max() <= share * np.ptp(b), np.abs(a - b).max() / np.ptp(b)


# Tensors


@needs_torch
@pytest.mark.parametrize("kind", ["qint8", "quint8", "qint32"])
def test_quantized_tensors_are_those_of_torch(kind: str) -> None:
    x = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32) * 3
    ours = pydl.quantize_per_tensor(pydl.tensor(x), 0.03, 7, getattr(pydl, kind))
    theirs = torch.quantize_per_tensor(torch.tensor(x), 0.03, 7, getattr(torch, kind))
    assert np.array_equal(ours.int_repr().numpy(), theirs.int_repr().numpy())
    np.testing.assert_allclose(ours.dequantize().numpy(), theirs.dequantize().numpy(), rtol=1e-6)
    assert ours.q_scale() == theirs.q_scale() and ours.q_zero_point() == theirs.q_zero_point()
    scales, zeros = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07], [0, 1, 2, 3, 4, 5, 6]
    args = lambda lib: (lib.tensor(x), lib.tensor(scales), lib.tensor(zeros), 1, getattr(lib, kind))  # noqa: E731
    ours, theirs = pydl.quantize_per_channel(*args(pydl)), torch.quantize_per_channel(*args(torch))
    assert np.array_equal(ours.int_repr().numpy(), theirs.int_repr().numpy())
    np.testing.assert_allclose(ours.dequantize().numpy(), theirs.dequantize().numpy(), rtol=1e-6)
    assert ours.q_per_channel_axis() == 1 and ours.q_per_channel_scales().tolist() == pydl.tensor(scales).tolist()
    assert str(ours.qscheme()) == str(theirs.qscheme()) and str(ours.dtype) == str(theirs.dtype)


def test_quantized_tensor_refuses() -> None:
    x = pydl.rand(2, 3)
    with pytest.raises(ValueError, match="positive"):
        pydl.quantize_per_tensor(x, 0.0, 0, pydl.qint8)
    with pytest.raises(TypeError, match="floating"):
        pydl.quantize_per_tensor(x.long(), 1.0, 0, pydl.qint8)
    with pytest.raises(TypeError, match="dtype"):
        pydl.quantize_per_tensor(x, 1.0, 0, pydl.int8)
    with pytest.raises(pydl.ShapeError, match="scales"):
        pydl.quantize_per_channel(x, pydl.ones(2), pydl.zeros(2), 1, pydl.qint8)
    with pytest.raises(IndexError, match="axis"):
        pydl.quantize_per_channel(x, pydl.ones(2), pydl.zeros(2), 2, pydl.qint8)
    with pytest.raises(RuntimeError, match="per_tensor_affine"):
        pydl.quantize_per_tensor(x, 1.0, 0, pydl.qint8).q_per_channel_scales()


@needs_torch
def test_fake_quantization_is_that_of_torch() -> None:
    x = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    results = []
    for lib in (pydl, torch):
        a = lib.tensor(x, requires_grad=True)
        b = lib.tensor(x, requires_grad=True)
        y = lib.fake_quantize_per_tensor_affine(a, 0.01, 100, 0, 255)
        zeros = lib.zeros(4, dtype=lib.int32)
        z = lib.fake_quantize_per_channel_affine(b, lib.tensor([0.01, 0.02, 0.1, 0.005]), zeros, 0, -128, 127)
        (y.sum() + 2 * z.sum()).backward()
        results.append([v.detach().numpy() for v in (y, z, a.grad, b.grad)])
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


# Observers


def test_observers() -> None:
    pydl.manual_seed(0)
    batches = [pydl.randn(50, 3) * (i + 1) for i in range(4)]
    everything = pydl.cat(batches)
    for kind in (quantization.MinMaxObserver, quantization.HistogramObserver, quantization.MovingAverageMinMaxObserver):
        observer = kind()
        with pytest.raises(RuntimeError, match="must run on data"):
            observer.calculate_qparams()
        for batch in batches:
            assert observer(batch) is batch
        scale, zero = observer.calculate_qparams()
        assert 0 <= int(zero) <= 255 and 0 < float(scale) <= float(everything.max() - everything.min()) / 255 * 1.001
        again = kind()
        again.load_state_dict(observer.state_dict())
        assert [float(v) for v in again.calculate_qparams()] == [float(scale), float(zero)]
    channels = quantization.PerChannelMinMaxObserver(ch_axis=1)
    channels(everything)
    scale, zero = channels.calculate_qparams()
    assert pydl.allclose(scale, everything.abs().amax(0) / 127) and zero.eq(0).all()


def test_histogram_cuts_what_is_rare() -> None:
    """Its range rounds normal numbers with a smaller error than their full range."""
    x = pydl.tensor(np.random.default_rng(0).normal(size=200000).astype(np.float32))
    errors = []
    for kind in (quantization.HistogramObserver, quantization.MinMaxObserver):
        observer = kind()
        for part in x.split(20000):
            observer(part)
        scale, zero = observer.calculate_qparams()
        fake = pydl.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255)
        errors.append(float((fake - x).square().mean()))
    assert errors[0] < 0.9 * errors[1]


def test_moving_average() -> None:
    observer = quantization.MovingAverageMinMaxObserver(averaging_constant=0.1)
    for high in (1.0, 2.0, 3.0):
        observer(pydl.tensor([-high, high]))
    expected = 0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 3
    np.testing.assert_allclose(float(observer.max_val), expected, rtol=1e-6)


# Dynamic


def test_dynamic_linear() -> None:
    pydl.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    before = copy.deepcopy(model.state_dict())
    quantized = quantization.quantize_dynamic(model)
    assert all(pydl.equal(v, before[k]) for k, v in model.state_dict().items()) and isinstance(model[0], nn.Linear)
    x = pydl.randn(5, 3, 64)
    close(quantized(x), model(x), 0.02)
    weight = quantized[0].weight()
    w = model[0].weight
    scale = weight.q_per_channel_scales()
    assert pydl.allclose(scale, w.abs().amax(1) / 127)
    assert weight.int_repr().dtype == pydl.int8 and int(weight.int_repr().abs().max()) <= 127
    assert ((weight.dequantize() - w).abs() <= scale.unsqueeze(1) / 2 * 1.0001).all()
    assert pydl.equal(weight.int_repr() * weight.q_scale(), weight.dequantize())
    assert quantized[0].bias().equal(model[0].bias)


def test_dynamic_state_is_small_and_loads_again() -> None:
    pydl.manual_seed(0)
    model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 10))
    quantized = quantization.quantize_dynamic(model)
    sizes = []
    for m in (model, quantized):
        file = io.BytesIO()
        pydl.save(m.state_dict(), file)
        sizes.append(file.tell())
    assert sizes[1] < 0.3 * sizes[0]
    file.seek(0)
    other = quantization.quantize_dynamic(nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 10)))
    x = pydl.randn(2, 256)
    other(x)
    other.load_state_dict(pydl.load(file))
    assert pydl.equal(other(x), quantized(x))
    for again in (copy.deepcopy(quantized), pickle.loads(pickle.dumps(quantized))):
        assert pydl.equal(again(x), quantized(x))


def test_dynamic_selection() -> None:
    def make() -> Any:
        return nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.GRU(4, 4)))

    def kinds(model: Any) -> list[str]:
        return [type(m).__name__.removeprefix("DynamicQuantized") for m in (model[0], model[1][0], model[1][1])]

    quantize = quantization.quantize_dynamic
    assert kinds(quantize(make())) == ["Linear", "Linear", "GRU"] and kinds(make()) == ["Linear", "Linear", "GRU"]
    assert isinstance(quantize(make(), {nn.Linear})[1][1], nn.GRU)
    assert isinstance(quantize(make(), {"1"})[0], nn.Linear)
    assert isinstance(quantize(make(), {nn.Linear: quantization.default_dynamic_qconfig, "0": None})[0], nn.Linear)
    model = make()
    assert quantize(model, inplace=True) is model and not isinstance(model[0], nn.Linear)
    assert isinstance(quantize(nn.Linear(2, 2)), quantization.DynamicQuantizedLinear)
    with pytest.raises(RuntimeError, match="dtype"):
        quantize(make(), dtype=pydl.quint8)


def test_float16_weights() -> None:
    model = nn.Sequential(nn.Linear(8, 4))
    half = quantization.quantize_dynamic(model, dtype=pydl.float16)
    assert half[0].weight().dtype == pydl.float16
    x = pydl.randn(3, 8)
    close(half(x), model(x), 1e-3)


@pytest.mark.parametrize("x", [[float("nan")] * 4, [float("inf"), 1, 2, 3], [0.0] * 4, [3e38, -3e38, 0, 1]])
def test_any_numbers(x: Any) -> None:
    layer = quantization.quantize_dynamic(nn.Linear(4, 3))
    assert layer(pydl.tensor([x])).shape == (1, 3)


def test_layers_refuse() -> None:
    layer = quantization.quantize_dynamic(nn.Linear(4, 3))
    with pytest.raises(pydl.ShapeError, match="DynamicQuantizedLinear"):
        layer(pydl.rand(2, 5))
    assert layer(pydl.rand(0, 4)).shape == (0, 3)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True}, {"batch_first": True}, {"bias": False}]
)
def test_dynamic_recurrent(kind: str, options: Any) -> None:
    pydl.manual_seed(0)
    rnn = getattr(nn, kind)(12, 20, **options)
    quantized = quantization.quantize_dynamic(rnn)
    assert type(quantized).__name__ == f"DynamicQuantized{kind}"
    x = pydl.randn(7, 3, 12)

    def flat(result: Any) -> list[Any]:
        out, last = result
        out = pad_packed_sequence(out)[0] if hasattr(out, "data") and hasattr(out, "batch_sizes") else out
        return [out, *(last if isinstance(last, tuple) else (last,))]

    state = pydl.randn(options.get("num_layers", 1) * (2 if "bidirectional" in options else 1), 3, 20)
    if options.get("batch_first"):
        state = state[:, :1].expand(-1, 7, -1).contiguous()
    start = (state, state) if kind == "LSTM" else state
    for args in ((x,), (x, start), (x[:, 0],) if not options.get("batch_first") else (x[0],)):
        for a, b in zip(flat(quantized(*args)), flat(rnn(*args))):
            close(a, b, 0.03)
    lengths = pydl.tensor([4, 7, 2]) if not options.get("batch_first") else pydl.tensor([3, 1, 2, 3, 1, 1, 2])
    packed = pack_padded_sequence(x, lengths, options.get("batch_first", False), enforce_sorted=False)
    for a, b in zip(flat(quantized(packed)), flat(rnn(packed))):
        close(a, b, 0.03)
    with pytest.raises(pydl.ShapeError, match="DynamicQuantized"):
        quantized(pydl.randn(2, 3, 5))


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_dynamic_cells(kind: str) -> None:
    pydl.manual_seed(0)
    cell = getattr(nn, kind)(12, 20)
    quantized = quantization.quantize_dynamic(cell)
    x, h = pydl.randn(5, 12), pydl.randn(5, 20)
    for args in ((x,), (x[0],), (x, (h, h) if kind == "LSTMCell" else h)):
        ours, theirs = quantized(*args), cell(*args)
        for a, b in zip(ours if isinstance(ours, tuple) else (ours,), theirs if isinstance(ours, tuple) else (theirs,)):
            close(a, b, 0.03)


# Calibrated


class Net(nn.Module):
    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv1 = nn.Conv2d(1, hidden, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(hidden, hidden, 3, stride=2, padding=1)
        self.fc = nn.Linear(hidden * 16, 10)

    def forward(self, x: Any) -> Any:
        x = self.relu1(self.bn1(self.conv1(self.quant(x))))
        x = F.relu(self.conv2(x))
        return self.dequant(self.fc(x.flatten(1)))


CONVS = [
    nn.Conv2d(4, 6, 3),
    nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(0, 2), bias=False),
    nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2),
    nn.Conv2d(6, 6, 3, padding=1, groups=6),
    nn.Conv2d(4, 33, 2, padding="same"),
    nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"),
    nn.Conv2d(4, 6, 3, padding="same", padding_mode="circular"),
    nn.Conv1d(4, 6, 5, stride=2, padding=2),
    nn.Conv1d(4, 6, 3, padding="valid", dilation=2),
    nn.Linear(9, 6),
]


@pytest.mark.parametrize("layer", CONVS, ids=repr)
def test_int8_layer(layer: Any) -> None:
    """Equal to the float layer on the rounded input with the rounded weights, close to it on the plain ones."""
    pydl.manual_seed(0)
    size = (3, 9) if isinstance(layer, nn.Linear) else (2, layer.in_channels, *([10] * (layer.weight.dim() - 2)))
    model = nn.Sequential(layer).eval()
    model.qconfig = quantization.get_default_qconfig()
    prepared = quantization.prepare(model)
    x = pydl.randn(size)
    assert pydl.equal(prepared(x), model(x))
    int8 = quantization.convert(prepared)[0]
    out = int8(x)
    close(out, layer(x), 0.03)
    rounded = copy.deepcopy(layer)
    with pydl.no_grad():
        rounded.weight.copy_(int8.weight().dequantize())
        expected = rounded(pydl.fake_quantize_per_tensor_affine(x, int8.scale, int8.zero_point, 0, 255))
    np.testing.assert_allclose(out.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
    again = pickle.loads(pickle.dumps(int8))
    again.load_state_dict(copy.deepcopy(int8.state_dict()))
    assert pydl.equal(again(x), out)
    if not isinstance(layer, nn.Linear):
        assert pydl.equal(int8(x[0]), int8(x[:1])[0])
        with pytest.raises(pydl.ShapeError, match="QuantizedConv"):
            int8(x[:, :1])


def test_fusion_keeps_the_numbers() -> None:
    pydl.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5), nn.ReLU()
    )  # fmt: skip
    model(pydl.rand(8, 2, 6, 6))
    with pytest.raises(AssertionError, match="evaluation"):
        quantization.fuse_modules(model, ["0", "1", "2"])
    model.eval()
    fused = quantization.fuse_modules(model, [["0", "1", "2"], ["3", "4"], ["6", "7"]])
    x = pydl.rand(2, 2, 6, 6)
    assert pydl.allclose(fused(x), model(x), atol=1e-5)
    assert [type(fused[i]).__name__ for i in (0, 1, 3, 6)] == ["ConvReLU2d", "Identity", "ConvReLU2d", "LinearReLU"]
    assert isinstance(model[0], nn.Conv2d)
    with pytest.raises(NotImplementedError, match="Flatten"):
        quantization.fuse_modules(model, ["3", "5"])
    fused.qconfig = quantization.get_default_qconfig()
    prepared = quantization.prepare(fused)
    prepared(x)
    int8 = quantization.convert(prepared)
    assert int8[0].relu and int8[6].relu
    close(int8(x), model(x), 0.05)


def test_prepare_and_convert_say_what_is_missing() -> None:
    with pytest.warns(UserWarning, match="qconfig"):
        quantization.prepare(Net())
    model = Net().eval()
    model.qconfig = quantization.get_default_qconfig()
    model.conv2.qconfig = None
    prepared = quantization.prepare(model)
    with pytest.raises(RuntimeError, match=r"'?quant'? saw no data"):
        quantization.convert(prepared)
    prepared(pydl.rand(4, 1, 8, 8))
    converted = quantization.convert(prepared)
    assert type(converted.conv2) is nn.Conv2d and isinstance(converted.fc, quantization.QuantizedLinear)
    assert not any("qconfig" in m.__dict__ for m in converted.modules())
    with pytest.raises(AssertionError, match="training"):
        quantization.prepare_qat(model.eval())
    with pytest.raises(AssertionError, match="backend"):
        quantization.get_default_qconfig("tpu")


def digits() -> tuple[Any, Any, Any, Any]:
    datasets = pytest.importorskip("sklearn.datasets")
    data = datasets.load_digits()
    x = pydl.tensor((data.images[:, None] / 16).astype(np.float32))
    y = pydl.tensor(data.target)
    order = pydl.from_numpy(np.random.default_rng(0).permutation(len(x)))
    return x[order[:1200]], y[order[:1200]], x[order[1200:]], y[order[1200:]]


def train(model: Any, x: Any, y: Any, epochs: int, lr: float = 3e-3) -> None:
    optimizer = pydl.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)
    model.train()
    for _ in range(epochs):
        for part in pydl.randperm(len(x)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(x[part]), y[part]).backward()
            optimizer.step()
    model.eval()


def accuracy(model: Any, x: Any, y: Any) -> float:
    with pydl.no_grad():
        return float((model(x).argmax(1) == y).float().mean())


def test_int8_loses_less_than_a_point() -> None:
    pydl.manual_seed(0)
    x, y, test_x, test_y = digits()
    model = Net()
    train(model, x, y, 6)
    before = accuracy(model, test_x, test_y)
    assert before > 0.95
    fused = quantization.fuse_modules(model, ["conv1", "bn1", "relu1"])
    fused.qconfig = quantization.get_default_qconfig()
    prepared = quantization.prepare(fused)
    prepared(x[:256])
    int8 = quantization.convert(prepared)
    assert accuracy(int8, test_x, test_y) > before - 0.01
    assert accuracy(quantization.quantize_dynamic(model), test_x, test_y) > before - 0.01


def test_quantization_aware_training() -> None:
    pydl.manual_seed(0)
    x, y, test_x, test_y = digits()
    model = Net(8)
    model.qconfig = quantization.get_default_qat_qconfig()
    aware = quantization.prepare_qat(model.train())
    assert isinstance(aware.fc, quantization.QATLinear) and aware.fc.weight is not model.fc.weight
    train(aware, x, y, 8)
    rounded = accuracy(aware, test_x, test_y)
    int8 = quantization.convert(aware)
    assert rounded > 0.93 and abs(accuracy(int8, test_x, test_y) - rounded) < 0.01
    with pydl.no_grad():
        close(int8(test_x[:32]), aware(test_x[:32]), 0.01)
    aware.apply(quantization.disable_fake_quant)
    assert not pydl.equal(aware(test_x[:4]), int8(test_x[:4]))
    aware.apply(quantization.enable_fake_quant).apply(quantization.disable_observer)
    before = copy.deepcopy(aware.state_dict())
    aware.train()(100 * test_x[:4])
    assert pydl.equal(aware.state_dict()["fc.input_fake_quant.activation_post_process.max_val"],
                      before["fc.input_fake_quant.activation_post_process.max_val"])  # fmt: skip


def test_a_layer_used_twice_is_one_quantized_layer() -> None:
    layer = nn.Linear(4, 4)
    model = quantization.quantize_dynamic(nn.Sequential(layer, nn.ReLU(), layer))
    assert isinstance(model[2], quantization.DynamicQuantizedLinear) and model[0] is model[2]
    prepared = nn.Sequential(layer, nn.ReLU(), layer).eval()
    prepared.qconfig = quantization.get_default_qconfig()
    prepared = quantization.prepare(prepared)
    prepared(pydl.rand(8, 4))
    converted = quantization.convert(prepared)
    assert isinstance(converted[2], quantization.QuantizedLinear) and converted[0] is converted[2]


@pytest.mark.parametrize("dtype", [pydl.float16, pydl.bfloat16, pydl.float64])
def test_changing_the_dtype_of_an_int8_model(dtype: Any) -> None:
    """Its layers go on giving float32; what turns integers into numbers loses nothing."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 5)).eval()
    model.qconfig = quantization.get_default_qconfig()
    x = pydl.rand(2, 3, 8, 8)
    prepared = quantization.prepare(model)
    prepared(x)
    int8 = quantization.convert(prepared)
    want, scale = int8(x), int8[0].scale
    got = int8.to(dtype)(x.to(dtype))
    assert got.dtype == pydl.float32 and int8[0].scale == scale
    close(got, want, 0.05)
    layer = quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 3))).to(dtype)
    assert layer(x.to(dtype)).dtype == pydl.float32


def test_observers_leave_out_what_is_not_finite() -> None:
    for factory in (
        quantization.MinMaxObserver,
        quantization.MovingAverageMinMaxObserver,
        quantization.PerChannelMinMaxObserver,
        quantization.HistogramObserver,
    ):
        observer = factory()
        observer(pydl.tensor([[1.0, float("nan"), -2.0], [3.0, float("inf"), float("-inf")]]))
        assert observer.seen and observer.calculate_qparams()[0].isfinite().all()


def test_recurrent_layers_check_their_state() -> None:
    cell = quantization.quantize_dynamic(nn.Sequential(nn.GRUCell(3, 4)))[0]
    with pytest.raises(pydl.ShapeError, match="hx"):
        cell(pydl.rand(5, 3), pydl.rand(1, 4))
    lstm = quantization.quantize_dynamic(nn.Sequential(nn.LSTM(3, 4, bidirectional=True)))[0]
    out, (h, c) = lstm(pydl.rand(5, 0, 3))
    assert out.shape == (5, 0, 8) and h.shape == c.shape == (2, 0, 4)


def test_zero_points_are_in_the_range_of_the_integers() -> None:
    for zero in (-1, 256):
        with pytest.raises(RuntimeError, match="zero_point"):
            pydl.quantize_per_tensor(pydl.ones(2), 0.1, zero, pydl.quint8)
        with pytest.raises(RuntimeError, match="zero_points"):
            pydl.quantize_per_channel(pydl.ones(1, 2), pydl.ones(1), pydl.tensor([zero]), 0, pydl.quint8)


def test_the_switches_of_fake_quantization_are_state() -> None:
    model = nn.Sequential(quantization.FakeQuantize())
    model(pydl.rand(10))
    model.apply(quantization.disable_observer).apply(quantization.disable_fake_quant)
    again = nn.Sequential(quantization.FakeQuantize())
    again.load_state_dict(model.state_dict())
    x = pydl.rand(10) * 100
    assert again(x) is x and pydl.equal(again[0].calculate_qparams()[0], model[0].calculate_qparams()[0])


def test_fake_quantization_of_half_precision() -> None:
    """With the smallest scale 1 / scale is beyond float16, and its products with integers are beyond bfloat16."""
    scale = float(np.finfo(np.float32).eps)
    x = pydl.tensor([0.0, 1e-5, 2e-5]).half()
    got = pydl.fake_quantize_per_channel_affine(
        x.unsqueeze(0), pydl.tensor([scale]), pydl.tensor([0]), 0, 0, 255
    ).squeeze(0)
    assert got.dtype == pydl.float16 and pydl.allclose(got.float(), x.float(), rtol=0.02, atol=1e-7)
    y = pydl.arange(256).bfloat16() * 0.5
    assert pydl.equal(pydl.fake_quantize_per_tensor_affine(y, 0.5, 3, 3, 258), y)


@pytest.mark.parametrize("aware", [False, True])
def test_pointwise_convolutions_are_quantized(aware: bool) -> None:
    model = nn.Sequential(nn.blocks.PointwiseConv2d(8, 6), nn.ConvTranspose2d(6, 2, 2))
    x = pydl.rand(2, 8, 5, 5)
    model.qconfig = (quantization.get_default_qat_qconfig if aware else quantization.get_default_qconfig)()
    prepared = quantization.prepare_qat(model) if aware else quantization.prepare(model.eval())
    prepared(x)
    int8 = quantization.convert(prepared.eval())
    assert isinstance(int8[0], quantization.QuantizedConv2d)
    assert type(int8[1]) is nn.ConvTranspose2d  # has no 8-bit form
    close(int8(x), model.eval()(x), 0.05)
