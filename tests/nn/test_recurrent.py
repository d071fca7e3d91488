"""Recurrent networks: functions, packed sequences, errors, threads, instruction sets' common behaviour."""

import io

import numpy as np
import pytest

import pydl
from pydl import nn
from pydl.nn.utils import rnn as ours


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * 0.5


def both(torch):
    """Each library with the packing functions of its own."""
    from torch.nn.utils import rnn as theirs

    return (pydl, ours), (torch, theirs)


SEQUENCES = [values(n, 2, seed=n) for n in (2, 5, 1, 3)]
PACKERS = {
    "pad": lambda lib, r, s: r.pad_sequence(s, padding_value=7.0),
    "pad batch first": lambda lib, r, s: r.pad_sequence(s, batch_first=True),
    "pad left": lambda lib, r, s: r.pad_sequence(s, padding_side="left"),
    "pack": lambda lib, r, s: tuple(r.pack_sequence(s, enforce_sorted=False)),
    "pack and pad": lambda lib, r, s: r.pad_packed_sequence(
        r.pack_sequence(s, enforce_sorted=False), padding_value=3.0
    ),
    "total length": lambda lib, r, s: r.pad_packed_sequence(
        r.pack_sequence(s, enforce_sorted=False), batch_first=True, total_length=9
    ),
    "unpack": lambda lib, r, s: r.unpack_sequence(r.pack_sequence(s, enforce_sorted=False)),
    "unpad": lambda lib, r, s: r.unpad_sequence(r.pad_sequence(s, True), lib.tensor([2, 5, 1, 3]), True),
    "sorted": lambda lib, r, s: tuple(r.pack_sequence([s[1], s[3], s[0], s[2]])),
    "lengths": lambda lib, r, s: tuple(r.pack_padded_sequence(r.pad_sequence(s[:2], True)[:, :3], [2, 1], True)),
}


@pytest.mark.parametrize("name", PACKERS)
def test_packing_is_torchs(name, torch):
    results = []
    for lib, r in both(torch):
        parts = [lib.tensor(s, dtype=lib.float64, requires_grad=True) for s in SEQUENCES]
        out = [t for t in PACKERS[name](lib, r, parts) if t is not None]
        floating = [t for t in out if t.requires_grad]
        sum((t * t).sum() for t in floating).backward()
        results.append([t.tolist() for t in out] + [p.grad.tolist() if p.grad is not None else None for p in parts])
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "call, error",
    [
        (lambda r, x: r.pack_padded_sequence(x, [4, 3, 0]), "greater than 0"),
        (lambda r, x: r.pack_padded_sequence(x, [3, 4, 1]), "sorted in decreasing order"),
        (lambda r, x: r.pack_padded_sequence(x, [3, 1]), "batch_size=3"),
        (lambda r, x: r.pack_padded_sequence(x, [[3, 1, 1]]), "1D"),
        (lambda r, x: r.pack_padded_sequence(x[:, :0], []), "empty"),
        (lambda r, x: r.pad_sequence([]), "empty list"),
        (lambda r, x: r.pad_sequence([x, x[:, :2]]), "size"),
        (lambda r, x: r.pad_sequence([x], padding_side="up"), "padding_side"),
        (lambda r, x: r.pad_sequence(5), "iterable"),
        (lambda r, x: r.pad_packed_sequence(r.pack_padded_sequence(x, [4, 2, 1]), total_length=2), "total_length"),
    ],
)
def test_packing_errors_are_torchs(call, error, torch):
    kinds = []
    for lib, r in both(torch):
        with pytest.raises(Exception, match=error) as caught:
            call(r, lib.ones(4, 3, 2))
        kinds.append(RuntimeError if isinstance(caught.value, RuntimeError) else type(caught.value))
    assert kinds[0] is kinds[1]


def test_length_beyond_the_input():
    with pytest.raises(RuntimeError, match="exceeds"):
        ours.pack_padded_sequence(pydl.ones(4, 3, 2), [5, 3, 1])


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
@pytest.mark.parametrize("sizes", [None, [3, 3, 1]])
def test_functions_are_torchs(name, sizes, torch):
    gates = {"lstm": 4, "gru": 3}.get(name, 1)
    weights = [values(gates * 2, 2, seed=i) if i % 4 < 2 else values(gates * 2, seed=i) for i in range(4)]
    x = values(4, 3, 2) if sizes is None else values(7, 2)
    results = []
    for lib in (pydl, torch):
        state, params = lib.tensor(values(1, 3, 2)), [lib.tensor(w) for w in weights]
        hx = (state, state * 2) if name == "lstm" else state
        head = (lib.tensor(x),) if sizes is None else (lib.tensor(x), lib.tensor(sizes))
        tail = (True, 1, 0.0, False, False) + ((False,) if sizes is None else ())
        out = getattr(lib, name)(*head, hx, params, *tail)
        cell = getattr(lib, name + "_cell")(
            lib.tensor(values(3, 2)), tuple(s[0] for s in hx) if name == "lstm" else hx[0], *params
        )
        results.append([t.numpy() for t in (*out, *(cell if name == "lstm" else [cell]))])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


LAYER_ERRORS = [
    (lambda n, lib: n.LSTM(0, 3), ValueError),
    (lambda n, lib: n.LSTM(2.5, 3), TypeError),
    (lambda n, lib: n.GRU(2, 3, proj_size=1), ValueError),
    (lambda n, lib: n.LSTM(2, 3, proj_size=3), ValueError),
    (lambda n, lib: n.RNN(2, 3, nonlinearity="gelu"), ValueError),
    (lambda n, lib: n.GRU(2, 3, dropout=1.5), ValueError),
    (lambda n, lib: n.GRU(2, 3, bias=1), TypeError),
    (lambda n, lib: n.GRU(2, 3)(lib.ones(2, 2, 2, 2)), ValueError),
    (lambda n, lib: n.GRU(2, 3)(lib.ones(2, 4)), RuntimeError),
    (lambda n, lib: n.GRU(2, 3)(lib.ones(0, 1, 2)), RuntimeError),
    (lambda n, lib: n.GRU(2, 3)(lib.ones(2, 2).double()), ValueError),
    (lambda n, lib: n.GRU(2, 3)(lib.ones(4, 5, 2), lib.ones(1, 4, 3)), RuntimeError),
    (lambda n, lib: n.LSTM(2, 3)(lib.ones(4, 2), (lib.ones(1, 1, 3), lib.ones(1, 1, 3))), RuntimeError),
    (lambda n, lib: n.LSTMCell(2, 3)(lib.ones(1, 1, 2)), ValueError),
    (lambda n, lib: n.GRUCell(2, 3)(lib.ones(1, 4)), RuntimeError),
    (lambda n, lib: n.RNNCell(2, 3, nonlinearity="gelu")(lib.ones(1, 2)), RuntimeError),
]


@pytest.mark.parametrize("call, error", LAYER_ERRORS)
def test_layer_errors_are_torchs(call, error, torch):
    for lib in (pydl, torch):
        with pytest.raises(error):
            call(lib.nn, lib)


def run(cls, **options):
    pydl.manual_seed(1)
    net = cls(40, 70, num_layers=2, **options)
    x = pydl.randn(6, 33, 40, requires_grad=True)
    out, _ = net(x)
    (out * out).sum().backward()
    return [out.detach().numpy(), x.grad.numpy(), *(p.grad.numpy() for p in net.parameters())]


@pytest.mark.parametrize("cls", [nn.RNN, nn.LSTM, nn.GRU])
def test_threads_do_not_change_bits(cls):
    before = pydl.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 4):
            pydl.set_num_threads(threads)
            results.append(run(cls, bidirectional=True, dropout=0.3))
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b)
    finally:
        pydl.set_num_threads(before)


@pytest.mark.parametrize("cls", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("dtype, tolerance", [("float16", 4e-3), ("bfloat16", 3e-2)])
def test_half_types_compute_in_float32(cls, dtype, tolerance):
    pydl.manual_seed(0)
    exact = cls(5, 7)
    half = cls(5, 7).to(getattr(pydl, dtype))
    half.load_state_dict(exact.state_dict())
    exact.load_state_dict(half.state_dict())
    x = pydl.randn(4, 2, 5).to(getattr(pydl, dtype))
    out, reference = half(x)[0], exact(x.float())[0]
    assert out.dtype == x.dtype
    out.sum().backward()
    reference.sum().backward()
    np.testing.assert_allclose(out.float().tolist(), reference.tolist(), atol=tolerance)
    for a, b in zip(half.parameters(), exact.parameters(), strict=True):
        assert a.grad.dtype == a.dtype
        np.testing.assert_allclose(a.grad.float().tolist(), b.grad.tolist(), rtol=tolerance, atol=tolerance)


def test_dropout_between_layers_alone():
    pydl.manual_seed(0)
    net = nn.GRU(3, 4, num_layers=2, dropout=1.0)
    x = pydl.randn(2, 2, 3)
    out, _ = net(x)
    nothing, _ = pydl.gru(
        pydl.zeros(2, 2, 4), pydl.zeros(1, 2, 4), net.all_weights[1], True, 1, 0.0, False, False, False
    )
    np.testing.assert_array_equal(out.tolist(), nothing.tolist())
    assert not np.array_equal(net.eval()(x)[0].tolist(), out.tolist())


def test_an_output_written_over_is_noticed():
    net = nn.LSTM(2, 3)
    out, _ = net(pydl.ones(2, 1, 2))
    base = out * 1
    out.detach().zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        base.sum().backward()


LONG = {
    "padded": lambda x: x,
    "packed": lambda x: ours.pack_padded_sequence(x, [*range(30, 14, -1)]),
}


def gradients(net, x, weight, create_graph):
    """Of the outputs, weighted or just summed: by the kernels, or by the composition that has a graph of its own."""
    out, state = net(x)
    out = out.data if isinstance(out, ours.PackedSequence) else out
    loss = out.sum() if weight is None else (out * weight.reshape(-1)[: out.numel()].reshape(out.shape)).sum()
    last = state[1] if isinstance(state, tuple) else state
    return pydl.autograd.grad(loss + (last * last).sum(), list(net.parameters()), create_graph=create_graph)


@pytest.mark.parametrize("shape", LONG)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "cls, options", [(nn.RNN, {}), (nn.LSTM, {}), (nn.LSTM, {"proj_size": 9}), (nn.GRU, {}), (nn.GRU, {"bias": False})]
)
def test_long_batches_have_the_gradients_of_the_composition(cls, options, weighted, shape):
    # More rows than a block of the weights' gradient takes, panels and strips that are not full.
    pydl.manual_seed(0)
    net = cls(11, 37, num_layers=2, bidirectional=True, **options)
    x, weight = pydl.randn(30, 16, 11), pydl.randn(30, 16, 74) if weighted else None
    double = cls(11, 37, num_layers=2, bidirectional=True, **options).double()
    double.load_state_dict(net.state_dict())
    wide = weight.double() if weighted else None
    exact = gradients(double, LONG[shape](x.double()), wide, create_graph=True)
    for a, b in zip(gradients(double, LONG[shape](x.double()), wide, create_graph=False), exact, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-10)
    for a, b in zip(gradients(net, LONG[shape](x), weight, create_graph=False), exact, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), atol=1e-5 * float(abs(b).max()))


@pytest.mark.parametrize("needed", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"])
@pytest.mark.parametrize("cls", [nn.LSTM, nn.GRU])
def test_a_gradient_alone_is_that_of_all(cls, needed):
    pydl.manual_seed(0)
    net, x = cls(20, 40), pydl.randn(30, 16, 20)
    net(x)[0].sum().backward()
    expected = getattr(net, needed).grad
    net.zero_grad()
    for name, p in net.named_parameters():
        p.requires_grad_(name == needed)
    net(x)[0].sum().backward()
    np.testing.assert_array_equal(getattr(net, needed).grad.numpy(), expected.numpy())


def test_no_gradient_where_none_is_needed():
    net = nn.LSTM(2, 3)
    for name, p in net.named_parameters():
        p.requires_grad_(name == "weight_hh_l0")
    net(pydl.ones(3, 1, 2))[1][1].sum().backward()
    assert [p.grad is not None for p in net.parameters()] == [False, True, False, False]


def test_character_model_moves_both_ways(torch):
    def model(lib):
        class Model(lib.nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = lib.nn.Embedding(30, 8)
                self.lstm = lib.nn.LSTM(8, 16, num_layers=2, bidirectional=True, batch_first=True)
                self.head = lib.nn.Linear(32, 30)

            def forward(self, x):
                return self.head(self.lstm(self.embed(x))[0])

        return Model().eval()

    text = np.random.default_rng(0).integers(0, 30, (3, 12))
    for source, target in ((torch, pydl), (pydl, torch)):
        giver, taker = model(source), model(target)
        file = io.BytesIO()
        source.save(giver.state_dict(), file)
        file.seek(0)
        taker.load_state_dict(target.load(file, weights_only=True))
        a, b = (m(lib.tensor(text.tolist())).detach().numpy() for m, lib in ((giver, source), (taker, target)))
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
