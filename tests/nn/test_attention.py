"""Attention beyond the generic tests: memory, threads, dropout, long sequences, extreme scores."""

import math

import numpy as np
import pytest

import pydl
from pydl.nn import functional as F


def attend(*args, **kwargs):
    return F.scaled_dot_product_attention(*args, **kwargs)


def made(*shape, seed=0, dtype=pydl.float32):
    values = np.random.default_rng(seed).normal(size=shape)
    return pydl.tensor(values.tolist(), dtype=dtype, requires_grad=True)


def exact(q, k, v, mask=None, causal=False):
    """In float64, with the matrix of all scores."""
    q, k, v = (t.detach().double().numpy() for t in (q, k, v))
    s = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])
    if causal:
        s = np.where(np.tril(np.ones(s.shape[-2:], bool)), s, -np.inf)
    if mask is not None:
        s = s + mask
    p = np.exp(s - s.max(-1, keepdims=True))
    return (p / p.sum(-1, keepdims=True)) @ v


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", [(300, 300), (47, 300), (600, 130), (1, 700)])
def test_many_tiles_are_accurate(lengths, causal):
    q, k, v = made(2, lengths[0], 24), made(2, lengths[1], 24, seed=1), made(2, lengths[1], 40, seed=2)
    got = attend(q, k, v, is_causal=causal).detach().numpy()
    np.testing.assert_allclose(got, exact(q, k, v, causal=causal), rtol=1e-5, atol=1e-6)


def test_large_scores_stay_accurate():
    q, k, v = made(1, 50, 16), made(1, 400, 16, seed=1), made(1, 400, 8, seed=2)
    bias = np.linspace(-300, 80, 400)
    got = attend(q, k, v, attn_mask=pydl.tensor(bias.tolist()).expand(50, 400)).detach().numpy()
    np.testing.assert_allclose(got, exact(q, k, v, bias), rtol=3e-5, atol=1e-5)
    # The maximum moves up in every block of keys.
    got = attend(q * 40, k, v).detach().numpy()
    np.testing.assert_allclose(got, exact(q * 40, k, v), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("values", [1e-34, 1e-13, 1.0, 1e13, 1e34])
@pytest.mark.parametrize("score", [12.0, 16.5, 16.8, 40.0])
@pytest.mark.parametrize("queries", [20, 150])  # only many are worth the look at how large scores can be
def test_scores_of_known_size_stay_accurate(queries, score, values):
    """Rows of keys along that of a query, so that scores reach the bound that their lengths give, from both sides."""
    q, v = pydl.ones(1, queries, 16) * 2, made(1, 300, 8, seed=2).detach().abs() * values
    k = pydl.ones(1, 300, 16) * pydl.linspace(-score / 8, score / 8, 300).reshape(1, 300, 1)
    got = attend(q, k, v).numpy()
    np.testing.assert_allclose(got, exact(q, k, v), rtol=2e-5)


@pytest.mark.parametrize("where", ["k", "v"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("queries", [20, 150])
def test_bad_key_or_value_spoils_what_sees_it(queries, where, bad):
    q, k, v = pydl.ones(1, queries, 4), pydl.ones(1, 40, 4), pydl.ones(1, 40, 2)
    {"k": k, "v": v}[where][0, 10, 1] = bad
    out = attend(q, k, v, is_causal=True)
    assert where == "v" or out[:, :10].isfinite().all()  # a hidden value counts zero times
    assert not out[:, 10:, 1].isfinite().any()


def test_not_a_number_reaches_its_row_alone():
    q = pydl.zeros(1, 3, 4)
    q[0, 1, 2] = float("nan")
    out = attend(q, pydl.ones(1, 5, 4), pydl.ones(1, 5, 2))
    assert out.isnan().any(-1).tolist() == [[False, True, False]]


def peak_of(length, causal):
    """Bytes beyond the inputs while a forward and backward pass runs."""
    q, k, v = (made(1, length, 16, seed=s) for s in range(3))
    weight = pydl.ones(1, length, 16)
    for _ in range(2):  # the second run is measured, with the allocator's lists filled
        pydl.reset_peak_memory_stats()
        before = pydl.memory_stats()["allocated_bytes"]
        (attend(q, k, v, is_causal=causal) * weight).sum().backward()
        peak = pydl.memory_stats()["peak_allocated_bytes"] - before
        q.grad = k.grad = v.grad = None
    return peak


@pytest.mark.parametrize("causal", [False, True])
def test_memory_grows_with_the_length_and_not_its_square(causal):
    small, large = peak_of(1024, causal), peak_of(4096, causal)
    assert large < 6 * max(small, 1 << 20)
    assert large < 4096 * 4096 * 4 / 3  # a third of one matrix of scores


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"dropout_p": 0.4}])
def test_threads_do_not_change_bits(batch, options):
    before, results = pydl.get_num_threads(), []
    q, k, v = made(batch, 230, 20), made(batch, 390, 20, seed=1), made(batch, 390, 24, seed=2)
    try:
        for threads in (1, 2, 3, 4):
            pydl.set_num_threads(threads)
            pydl.manual_seed(5)
            out = attend(q, k, v, **options)
            grads = pydl.autograd.grad((out * out).sum(), (q, k, v))
            results.append([t.detach().numpy() for t in (out, *grads)])
    finally:
        pydl.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_dropout_drops_weights_and_backward_draws_the_same():
    q, k = made(2, 60, 8, dtype=pydl.float64), made(2, 150, 8, seed=1, dtype=pydl.float64)
    v = pydl.eye(150, dtype=pydl.float64).expand(2, 150, 150)  # the result is the weights
    whole = attend(q, k, v)
    pydl.manual_seed(2)
    dropped = attend(q, k, v, dropout_p=0.3)
    kept = (dropped != 0).double()
    assert abs(kept.mean().item() - 0.7) < 0.02
    np.testing.assert_allclose(dropped.tolist(), (whole * kept / 0.7).tolist(), rtol=1e-10)
    expected = pydl.autograd.grad((whole * kept / 0.7).square().sum(), (q, k))
    for create_graph in (False, True):
        got = pydl.autograd.grad(dropped.square().sum(), (q, k), retain_graph=True, create_graph=create_graph)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a.tolist(), b.tolist(), rtol=1e-9, atol=1e-12)
    assert attend(q, k, v, dropout_p=1.0).abs().sum().item() == 0


def test_mask_that_needs_a_gradient():
    torch = pytest.importorskip("torch")
    results = []
    for lib in (pydl, torch):
        q, m = (lib.tensor(made(*s).tolist(), requires_grad=True) for s in ((3, 4), (3, 3)))
        out = lib.nn.functional.scaled_dot_product_attention(q, q, q, attn_mask=m)
        results.append([t.tolist() for t in lib.autograd.grad((out * out).sum(), (q, m))])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [(pydl.float16, 2e-3), (pydl.bfloat16, 2e-2)])
def test_half_types_compute_in_float32(dtype, tolerance):
    q, k, v = (made(2, 40, 8, seed=s).to(dtype) for s in range(3))
    out = attend(q, k, v)
    assert out.dtype == dtype
    np.testing.assert_allclose(out.float().tolist(), exact(q, k, v), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("layout", ["heads last", "sequence first", "broadcast", "transposed"])
def test_layouts(layout):
    base = [made(2, 70, 3, 8, seed=s) for s in range(3)]
    views = {
        "heads last": lambda t: t.transpose(1, 2),
        "sequence first": lambda t: t.permute(0, 2, 1, 3)[:, :, 3:],
        "broadcast": lambda t: t[:1, :, :1].transpose(1, 2).expand(2, 3, 70, 8),
        "transposed": lambda t: t.permute(0, 2, 3, 1).contiguous().transpose(2, 3),
    }
    q, k, v = (views[layout](t) for t in base)
    grads = []
    for inputs in ((q, k, v), [t.contiguous() for t in (q, k, v)]):
        out = attend(*inputs, is_causal=True)
        np.testing.assert_allclose(out.tolist(), exact(q, k, v, causal=True), rtol=1e-4, atol=1e-5)
        grads.append(pydl.autograd.grad((out * out).sum(), base, retain_graph=True))
    for a, b in zip(*grads, strict=True):
        np.testing.assert_allclose(a.tolist(), b.tolist(), rtol=1e-4, atol=1e-5)


def both(function):
    torch = pytest.importorskip("torch")
    return [function(lib) for lib in (pydl, torch)]


def test_encoder_without_gradients_zeroes_the_padding_as_torch_does():
    x = np.random.default_rng(0).normal(size=(2, 5, 4))
    padding = [[False] * 5, [False, False, False, True, True]]
    torch = pytest.importorskip("torch")
    reference = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), 2).eval()
    ours = pydl.nn.TransformerEncoder(pydl.nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), 2).eval()
    ours.load_state_dict({k: pydl.tensor(v.tolist()) for k, v in reference.state_dict().items()})
    for guard in ("no_grad", "enable_grad"):
        results = []
        for lib, net in ((pydl, ours), (torch, reference)):
            with getattr(lib, guard)():
                given = lib.tensor(x.tolist())
                out = net(given, src_key_padding_mask=lib.tensor(padding))
            results.append(out.detach().numpy())
        np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-5)
        assert (results[0][1, 3:] == 0).all() == (guard == "no_grad")


ERRORS = [
    (lambda lib: lib.nn.MultiheadAttention(0, 1), ValueError),
    (lambda lib: lib.nn.MultiheadAttention(5, 2), AssertionError),
    (lambda lib: lib.nn.MultiheadAttention(4, 2)(*[lib.ones(3, 2, 5)] * 3), AssertionError),
    (lambda lib: lib.nn.MultiheadAttention(4, 2)(lib.ones(3, 4), lib.ones(3, 1, 4), lib.ones(3, 1, 4)), AssertionError),
    (lambda lib: lib.nn.MultiheadAttention(4, 2)(lib.ones(4), lib.ones(4), lib.ones(4)), AssertionError),
    (lambda lib: lib.nn.MultiheadAttention(4, 2)(*[lib.ones(3, 2, 4)] * 3, is_causal=True), RuntimeError),
    (lambda lib: lib.nn.MultiheadAttention(4, 2)(*[lib.ones(3, 2, 4)] * 3, attn_mask=lib.ones(2, 3)), RuntimeError),
    (
        lambda lib: lib.nn.MultiheadAttention(4, 2)(*[lib.ones(3, 2, 4)] * 3, attn_mask=lib.ones(3, 3).int()),
        AssertionError,
    ),
    (
        lambda lib: lib.nn.MultiheadAttention(4, 2)(*[lib.ones(3, 2, 4)] * 3, key_padding_mask=lib.ones(3, 3)),
        AssertionError,
    ),
    (lambda lib: lib.nn.TransformerEncoderLayer(4, 2, activation="selu"), RuntimeError),
    (lambda lib: lib.nn.Transformer(4, 2, 1, 1, 6)(lib.ones(3, 2, 4), lib.ones(3, 1, 4)), RuntimeError),
    (lambda lib: lib.nn.Transformer(4, 2, 1, 1, 6)(lib.ones(3, 2, 5), lib.ones(3, 2, 4)), RuntimeError),
]


@pytest.mark.parametrize("call, error", ERRORS)
def test_errors_are_torchs(call, error):
    def attempt(lib):
        with pytest.raises(error):
            call(lib)

    both(attempt)


def test_static_keys():
    def run(lib):
        x = [
            lib.tensor(np.random.default_rng(s).normal(size=z).tolist())
            for s, z in enumerate([(3, 2, 4), (12, 4), (4, 4), (4, 5, 2)])
        ]
        out = lib.nn.functional.multi_head_attention_forward(
            x[0], x[0], x[0], 4, 2, x[1], None, None, None, False, 0.0, x[2], None, static_k=x[3], static_v=x[3] * 2
        )
        return [t.numpy() for t in out]

    for a, b in zip(*both(run), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_attention_with_dropped_weights_draws_anew():
    x = pydl.ones(6, 1, 8)
    net = pydl.nn.MultiheadAttention(8, 2, dropout=0.5)
    first, second = (net(x, x, x, need_weights=False)[0] for _ in range(2))
    assert not pydl.equal(first, second)
    net.eval()
    assert pydl.equal(*(net(x, x, x, need_weights=False)[0] for _ in range(2)))


def test_backends_and_masks_of_nn_attention():
    from pydl.nn import attention
    from pydl.nn.attention import bias

    q = made(2, 3, 4)
    with attention.sdpa_kernel([attention.SDPBackend.MATH, attention.SDPBackend.FLASH_ATTENTION]):
        plain = attend(q, q, q, is_causal=True)
    np.testing.assert_array_equal(attend(q, q, q, attn_mask=bias.causal_upper_left(3, 3)).tolist(), plain.tolist())
    with pytest.raises(AssertionError):
        attention.sdpa_kernel("math").__enter__()
    with pytest.raises(AssertionError):
        bias.causal_lower_right(2, 3, 4)
    corner = bias.causal_lower_right(2, 3)
    assert corner.tolist() == [[True, True, False], [True, True, True]]
    assert (corner.variant, corner.seq_len_q, corner.seq_len_kv) == (bias.CausalVariant.LOWER_RIGHT, 2, 3)
    with pytest.warns(UserWarning, match="no key"):
        assert bias.causal_lower_right(3, 2).tolist()[0] == [False, False]
    with pytest.raises(AssertionError):
        bias.CausalBias(1, 2, 3)


def test_transformer_model_moves_both_ways():
    import io

    torch = pytest.importorskip("torch")

    def model(lib):
        layer = lib.nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, norm_first=True)
        return lib.nn.Sequential(
            lib.nn.Embedding(30, 16),
            lib.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
            lib.nn.Linear(16, 30),
        ).eval()

    text = np.random.default_rng(0).integers(0, 30, (3, 12)).tolist()
    for source, target in ((torch, pydl), (pydl, torch)):
        giver, taker = model(source), model(target)
        file = io.BytesIO()
        source.save(giver.state_dict(), file)
        file.seek(0)
        taker.load_state_dict(target.load(file, weights_only=True))
        a, b = (net(lib.tensor(text)).detach().numpy() for net, lib in ((giver, source), (taker, target)))
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
