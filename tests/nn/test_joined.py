"""Batch normalisation and relu in a row take one pass over memory: nothing but the time may tell."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import pydl
from pydl import nn

SHAPES = [(4, 6, 9, 11), (3, 5, 64, 70), (2, 3, 1, 1), (300, 4, 5, 5), (2, 1, 33, 1), (2, 3, 2, 5, 4)]


def pair(shape: tuple[int, ...], follower: type, dtype: Any, training: bool, **options: Any) -> tuple[Any, Any]:
    """The same two layers twice: free to be joined, and kept apart by a hook that does nothing."""
    pydl.manual_seed(len(shape) + shape[0])
    norm = (nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm3d)(shape[1], **options)
    joined = nn.Sequential(norm, follower()).to(dtype)
    with pydl.no_grad():
        for tensor in (norm.weight, norm.bias, norm.running_mean):
            if tensor is not None:
                tensor.copy_(3 * pydl.randn(shape[1]))
    joined.train(training)
    apart = copy.deepcopy(joined)
    apart[1].register_forward_pre_hook(lambda module, args: None)
    return joined, apart


@pytest.mark.parametrize("follower", [nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [pydl.float32, pydl.float64, pydl.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bits_are_those_of_two_steps(shape: Any, dtype: Any, training: bool, follower: type) -> None:
    joined, apart = pair(shape, follower, dtype, training)
    x = pydl.randn(shape).to(dtype)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [net(value) for net, value in zip((joined, apart), inputs)]
    assert pydl.equal(*outputs)
    grad = pydl.randn(shape).to(dtype)
    for out in outputs:
        out.backward(grad)
    assert pydl.equal(inputs[0].grad, inputs[1].grad)
    for a, b in zip(joined.parameters(), apart.parameters()):
        assert pydl.equal(a.grad, b.grad)
    for a, b in zip(joined.buffers(), apart.buffers()):
        assert pydl.equal(a, b)
    assert outputs[0].grad_fn.name() == outputs[1].grad_fn.name()


@pytest.mark.parametrize("options", [{"affine": False}, {"bias": False}, {"track_running_stats": False}])
def test_without_some_of_the_tensors(options: dict[str, bool]) -> None:
    joined, apart = pair((4, 3, 5, 6), nn.ReLU, pydl.float32, True, **options)
    x = pydl.randn(4, 3, 5, 6)
    assert pydl.equal(joined(x), apart(x))


def test_channels_last_and_special_values() -> None:
    joined, apart = pair((2, 3, 4, 4), nn.ReLU, pydl.float32, False)
    x = pydl.randn(2, 3, 4, 4)
    x[0, 0, 0] = pydl.tensor([float("nan"), float("inf"), -float("inf"), -0.0])
    for value in (x, x.contiguous(memory_format=pydl.channels_last)):
        value = value.clone().requires_grad_()
        outputs = joined(value), apart(value)
        assert pydl.equal(outputs[0].isnan(), outputs[1].isnan())
        assert pydl.equal(outputs[0].nan_to_num(), outputs[1].nan_to_num())
        grads = [pydl.autograd.grad(out, value, pydl.ones_like(out))[0] for out in outputs]
        assert pydl.equal(*grads) and grads[0].isfinite().all()
    assert joined(pydl.zeros(0, 3, 4, 4)).shape == (0, 3, 4, 4)


@pytest.mark.parametrize("follower", [nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("training", [True, False])
def test_first_and_second_derivatives(training: bool, follower: type) -> None:
    net, _ = pair((4, 3, 3, 2), follower, pydl.float64, training)
    x = pydl.randn(4, 3, 3, 2, dtype=pydl.float64, requires_grad=True)
    assert pydl.autograd.gradcheck(net, (x,))
    assert pydl.autograd.gradgradcheck(net, (x,))


def test_same_bits_for_every_number_of_threads() -> None:
    net, _ = pair((8, 3, 70, 71), nn.ReLU, pydl.float32, True)
    x, grad = pydl.randn(8, 3, 70, 71, requires_grad=True), pydl.randn(8, 3, 70, 71)
    before, seen = pydl.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 4):
            pydl.set_num_threads(threads)
            out = net(x)
            seen.append((out.detach(), pydl.autograd.grad(out, x, grad)[0]))
    finally:
        pydl.set_num_threads(before)
    assert all(pydl.equal(a, b) for one in seen[1:] for a, b in zip(one, seen[0]))


def test_the_bias_may_move_before_the_gradient_is_asked_for() -> None:
    net, _ = pair((4, 3, 5, 5), nn.ReLU, pydl.float32, True)
    x = pydl.randn(4, 3, 5, 5, requires_grad=True)
    expected = pydl.autograd.grad(net(x).sum(), x)[0]
    out = net(x)
    with pydl.no_grad():
        net[0].bias.add_(10)
    assert pydl.equal(pydl.autograd.grad(out.sum(), x)[0], expected)


def test_hooks_subclasses_and_replaced_methods_see_each_layer() -> None:
    seen: list[str] = []

    class Loud(nn.ReLU):
        def forward(self, input: Any) -> Any:
            seen.append("subclass")
            return super().forward(input)

    x = pydl.randn(2, 3, 4, 4)
    nn.Sequential(nn.BatchNorm2d(3), Loud())(x)
    for layer in (0, 1):
        net = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())
        net[layer].register_forward_hook(lambda module, args, out: seen.append(type(module).__name__))
        net(x)
    net = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())
    net[0].register_full_backward_hook(lambda module, grad_in, grad_out: seen.append("backward"))
    net(x.clone().requires_grad_()).sum().backward()
    net[0].forward = lambda input: seen.append("replaced") or input
    net(x)
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, out: seen.append("global"))
    try:
        nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())(x)
    finally:
        handle.remove()
    assert seen == ["subclass", "BatchNorm2d", "ReLU", "backward", "replaced", *["global"] * 3]


def test_a_normalisation_at_the_end_before_another_or_before_other_layers() -> None:
    x = pydl.randn(2, 3, 4, 4)
    norm, conv = nn.BatchNorm2d(3).eval(), nn.Conv2d(3, 2, 1)
    assert pydl.equal(nn.Sequential(norm)(x), norm(x))
    assert pydl.equal(nn.Sequential(norm, norm, nn.ReLU())(x), norm(norm(x)).relu())
    assert pydl.equal(nn.Sequential(norm, conv)(x), conv(norm(x)))
    assert pydl.equal(nn.Sequential(nn.ReLU(), norm, nn.ReLU(), nn.ReLU())(x), norm(x.relu()).relu())
    assert pydl.equal(x, x.clone())


def test_errors_are_those_of_the_normalisation() -> None:
    net = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())
    with pytest.raises(ValueError, match="4D"):
        net(pydl.zeros(2, 3))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        net(pydl.zeros(1, 3, 1, 1))
    with pytest.raises(RuntimeError, match="batch_norm.*should contain 4 elements not 3"):
        net(pydl.zeros(2, 4, 2, 2))
    with pytest.raises(RuntimeError, match="batch_norm"):
        net(pydl.zeros(2, 3, 2, 2, dtype=pydl.int64))
