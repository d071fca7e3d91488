"""Programs that must end with the same numbers in pydl and in PyTorch: views, in-place writes, hooks, accumulation.

Each scenario takes the library as ``T`` and returns tensors or plain values. The expected values are PyTorch's where it is
installed; a scenario's own assertions run everywhere.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest

import pydl


def _leaf(T: Any, *shape: int, dtype: Any = None) -> Any:
    n = 1
    for s in shape:
        n *= s
    return (T.arange(n, dtype=T.float64) * 0.37 - 0.9).sin().reshape(shape).clone().requires_grad_()


def write_to_row(T):
    x = _leaf(T, 3, 4)
    y = x * 2
    y[1] = y[0] * 3
    (y * y).sum().backward()
    return x.grad


def write_leaf_into_buffer(T):
    w = _leaf(T, 2, 3)
    buffer = T.zeros(4, 3, dtype=T.float64)
    buffer[1:3] = w
    buffer[0] = w[1] * 2
    (buffer**2).sum().backward()
    return w.grad, buffer.detach(), buffer.requires_grad


def inplace_on_view_of_view(T):
    x = _leaf(T, 4, 4)
    y = x * 1.5
    part = y[1:3].t()[0:2]
    part.mul_(part.exp())
    (y.sin() * y).sum().backward()
    return x.grad


def view_sees_later_write_to_base(T):
    x = _leaf(T, 6)
    y = x * 2
    v = y.view(2, 3)
    y.mul_(3)
    (v * v).sum().backward()
    return x.grad


def sibling_view_sees_write(T):
    x = _leaf(T, 6)
    y = x + 1
    a, b = y[:4], y[2:]
    a.mul_(2)
    (b * T.arange(4, dtype=T.float64)).sum().backward()
    return x.grad


def chain_of_inplace(T):
    x = _leaf(T, 5)
    y = x.clone()
    y.mul_(2).add_(1).sin_().pow_(2).div_(3)
    y.sum().backward()
    return x.grad


def transposed_inplace_add(T):
    x = _leaf(T, 3, 3)
    y = x * 1
    y.t().add_(y.clone())
    (y * y).sum().backward()
    return x.grad


def expand_and_reduce(T):
    x = _leaf(T, 3, 1)
    (x.expand(3, 4) * T.arange(4, dtype=T.float64)).sum().backward()
    return x.grad


def select_diagonal_unfold(T):
    x = _leaf(T, 5, 5)
    (x.diagonal(1) ** 2).sum().backward()
    (x.unfold(0, 3, 1) ** 2).sum().backward()
    x.select(1, 2).sum().backward()
    return x.grad


def as_strided_overlapping(T):
    x = _leaf(T, 6)
    (x.as_strided((3, 3), (1, 1)) ** 2).sum().backward()
    return x.grad


def indexing_with_gradients(T):
    x = _leaf(T, 4, 5)
    i = T.tensor([0, 2, 2, 3])
    a = (x[i] * 2).sum() + (x[:, [1, 1, 4]] ** 2).sum() + x[x > 0].sum() + (x[1:, ::2] ** 3).sum() + x[..., -1].prod()
    a.backward()
    return x.grad


def masked_assignment(T):
    x = _leaf(T, 4, 4)
    y = x * 2
    y[y > 0.5] = 0
    y[T.tensor([0, 1]), T.tensor([2, 3])] = x[3, :2]
    (y * y).sum().backward()
    return x.grad


def split_unbind_cat(T):
    x = _leaf(T, 6, 2)
    a, b, c = x.split(2)
    rows = x.unbind(0)
    (T.cat([c * 2, a * b]) ** 2).sum().backward()
    T.stack([rows[0], rows[5] * 2]).sum().backward()
    return x.grad


def accumulation_and_retain(T):
    x = _leaf(T, 3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


def double_backward(T):
    x = _leaf(T, 4)
    (g,) = T.autograd.grad((x.sin() * x**3).sum(), x, create_graph=True)
    (h,) = T.autograd.grad((g * g).sum(), x, create_graph=True)
    h.sum().backward()
    return g.detach(), h.detach(), x.grad


def double_backward_matmul(T):
    a, b = _leaf(T, 3, 4), _leaf(T, 4, 2)
    out = (a @ b).tanh()
    ga, gb = T.autograd.grad(out.sum(), (a, b), create_graph=True)
    (ga.pow(2).sum() + gb.sin().sum()).backward()
    return a.grad, b.grad


def grad_of_intermediate(T):
    x = _leaf(T, 3)
    y = x * 2
    z = (y**2).sum()
    return T.autograd.grad(z, [y, x])


def unused_input(T):
    x, y = _leaf(T, 2), _leaf(T, 2)
    g = T.autograd.grad((x * 2).sum(), [x, y], allow_unused=True)
    return g[0], g[1] is None


def backward_inputs(T):
    x, y = _leaf(T, 2), _leaf(T, 2)
    z = (x * y).sum()
    z.backward(inputs=[x])
    return x.grad, y.grad is None


def tensor_hooks(T):
    x = _leaf(T, 3)
    seen = []
    y = x * 2
    handle = y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(g.clone()))
    x.register_hook(lambda g: g + 1)
    y.sum().backward(retain_graph=True)
    handle.remove()
    y.sum().backward()
    return x.grad, seen


def retain_grad(T):
    x = _leaf(T, 3)
    y = x * 2
    y.retain_grad()
    z = y * y
    z.sum().backward()
    return x.grad, y.grad, y.retains_grad, y.is_leaf


def post_accumulate_hook(T):
    x = _leaf(T, 3)
    seen = []
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.clone()))
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    return seen


def node_hooks(T):
    x = _leaf(T, 3)
    y = x.exp()
    seen = []
    y.grad_fn.register_prehook(lambda g: (g[0] * 2,))
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs[0].clone(), outputs[0].clone())))
    y.sum().backward()
    return x.grad, seen


def detach_and_data(T):
    x = _leaf(T, 3)
    y = x * 2
    d = y.detach()
    d += 1
    (x.data).mul_(2)
    return y.detach(), d, d.requires_grad, x.detach()


def no_grad_inside(T):
    x = _leaf(T, 3)
    with T.no_grad():
        y = x * 2
        with T.enable_grad():
            z = x * 3
    return y.requires_grad, z.requires_grad, y.grad_fn is None


def broadcasting_gradients(T):
    a, b, c = _leaf(T, 3, 1, 4), _leaf(T, 5, 1), _leaf(T, 1)
    ((a * b + c) / (b.abs() + 2)).sum().backward()
    return a.grad, b.grad, c.grad


def mixed_dtypes(T):
    a = _leaf(T, 3)
    b = T.arange(3, dtype=T.float32, requires_grad=True)
    (a * b).sum().backward()
    return a.grad, b.grad, b.grad.dtype == T.float32


def complex_gradients(T):
    z = T.tensor([1 + 2j, -0.5 + 1j], dtype=T.complex128, requires_grad=True)
    (z * z.conj()).real.sum().backward()
    first = z.grad.clone()
    z.grad = None
    (z.exp().abs() + (z * (2 - 1j)).imag).sum().backward()
    return first, z.grad


def max_and_ties(T):
    x = T.tensor([1.0, 3.0, 3.0, 2.0], dtype=T.float64, requires_grad=True)
    x.max().backward()
    first = x.grad.clone()
    x.grad = None
    x.max(0).values.backward()
    second = x.grad.clone()
    x.grad = None
    T.maximum(x, T.full((4,), 2.0, dtype=T.float64)).sum().backward()
    return first, second, x.grad


def custom_function(T):
    class Scale(T.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            ctx.save_for_backward(x)
            ctx.k = k
            return x * x * k, x.sum()

        @staticmethod
        def backward(ctx, g, h):
            (x,) = ctx.saved_tensors
            return 2 * x * ctx.k * g + h, None

    x = _leaf(T, 4)
    a, b = Scale.apply(x, 3.0)
    (g,) = T.autograd.grad((a * b).sum(), x, create_graph=True)
    (g * g).sum().backward()
    return g.detach(), x.grad, type(a.grad_fn).__name__


def custom_function_in_place(T):
    class Twice(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = _leaf(T, 3)
    y = x * 1
    z = Twice.apply(y)
    (z * y).sum().backward()
    return x.grad, z is y


def non_differentiable_output(T):
    class Both(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            i = x.argmax(0, keepdim=True)
            ctx.mark_non_differentiable(i)
            return x * 2, i

        @staticmethod
        def backward(ctx, g, _):
            return g * 2

    x = _leaf(T, 3)
    y, i = Both.apply(x)
    y.sum().backward()
    return x.grad, i, i.requires_grad


def prod_with_zeros(T):
    results = []
    for values in ([1.0, 2.0, 3.0], [0.0, 2.0, 3.0], [0.0, 0.0, 3.0]):
        x = T.tensor(values, dtype=T.float64, requires_grad=True)
        x.prod().backward()
        results.append(x.grad)
    return results


def set_item_with_broadcast(T):
    x = _leaf(T, 4)
    y = T.zeros(3, 4, dtype=T.float64)
    y[:] = x
    y[1:, None, :2] = x[2]
    (y**2).sum().backward()
    return x.grad


SCENARIOS = [
    f for name, f in list(globals().items()) if getattr(f, "__module__", None) == __name__ and not name.startswith("_")
]


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(_close, a, b))
    if isinstance(a, (float, complex)):
        return abs(a - b) <= 1e-10 * (1 + abs(b))
    return a == b


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda f: f.__name__)
def test_same_as_torch(scenario):
    ours = _plain(scenario(pydl))
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    theirs = _plain(scenario(torch))
    assert _close(ours, theirs), f"pydl: {ours}\ntorch: {theirs}"


def _refused(T: Any, program: Any) -> str:
    with pytest.raises(RuntimeError) as error:
        program(T)
    return str(error.value)


def _leaf_written(T):
    x = _leaf(T, 3)
    x.mul_(2)


def _view_of_leaf_written(T):
    x = _leaf(T, 3)
    x[0] = 1


def _saved_was_changed(T):
    x = _leaf(T, 3)
    y = x.exp()
    y.add_(1)
    y.sum().backward()


def _second_time(T):
    x = _leaf(T, 3)
    y = (x * x).sum()
    y.backward()
    y.backward()


def _not_scalar(T):
    (_leaf(T, 3) * 2).backward()


def _no_graph(T):
    T.ones(1).backward()


def _unbind_written(T):
    x = _leaf(T, 3) * 1
    a, b, c = x.unbind(0)
    a.mul_(2)


def _not_reachable(T):
    x, y = _leaf(T, 2), _leaf(T, 2)
    T.autograd.grad((x * 2).sum(), [y])


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (_leaf_written, "leaf Variable that requires grad"),
        (_view_of_leaf_written, "view of a leaf Variable"),
        (_saved_was_changed, "modified by an inplace operation"),
        (_second_time, "second time"),
        (_not_scalar, "only for scalar outputs"),
        (_no_graph, "does not require grad"),
        (_unbind_written, "multiple views"),
        (_not_reachable, "not have been used"),
    ],
    ids=lambda v: v.__name__.strip("_") if callable(v) else "",
)
def test_refused(program, words):
    assert words in _refused(pydl, program)


def test_million_ops_backward_and_free():
    x = pydl.ones(1, requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y + 1.0
    y.backward()
    assert x.grad.tolist() == [1.0]
    del y


def test_million_ops_freed_without_backward():
    x = pydl.ones(1, requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y * 1.0
    del y
    assert x.grad is None


def test_training_leaves_no_memory_behind():
    x = pydl.ones(8, 8, requires_grad=True)

    def step():
        y = (x @ x).tanh() * 2
        y[0] = 1
        (y * y).sum().backward()
        x.grad = None

    step()
    gc.collect()
    before = pydl.memory_stats()["allocated_bytes"]
    for _ in range(50):
        step()
    gc.collect()
    assert pydl.memory_stats()["allocated_bytes"] == before


def test_graph_without_cycles():
    gc.collect()
    gc.disable()
    try:
        before = pydl.memory_stats()["allocated_bytes"]
        x = pydl.ones(4, requires_grad=True)
        y = x.exp().sigmoid().tanh()
        z = (y * y).sum()
        z.backward(create_graph=True)
        x.grad = None
        del x, y, z
        assert pydl.memory_stats()["allocated_bytes"] == before
    finally:
        gc.enable()


def test_anomaly_mode_names_the_forward_line():
    with pydl.autograd.detect_anomaly(check_nan=True):
        x = pydl.zeros(1, requires_grad=True)
        y = (x * 0).sqrt() * 0  # the line to be named
        with pytest.raises(RuntimeError, match="the line to be named"):
            y.sum().backward()


def test_inference_mode():
    with pydl.inference_mode():
        y = pydl.ones(2) * 2
    assert not y.requires_grad and y.is_inference()
    x = pydl.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved"):
        x * y


def test_exception_from_a_hook_reaches_the_caller():
    x = pydl.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_backward_in_many_threads():
    import threading

    w = pydl.ones(64, 64, dtype=pydl.float64, requires_grad=True)
    results: list[Any] = [None] * 8

    def run(i: int) -> None:
        (g,) = pydl.autograd.grad(((w * (i + 1)) @ w).sum(), w)
        results[i] = g

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, g in enumerate(results):
        assert bool((g == 128 * (i + 1)).all())


def test_flags_without_a_truth_value_raise():
    x = pydl.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="ambiguous"):
        x.sum().backward(None, pydl.ones(2))
    with pytest.raises(RuntimeError, match="ambiguous"):
        pydl.tensor([1.0], requires_grad=pydl.ones(2))
