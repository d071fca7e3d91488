"""Modes, user-defined functions, gradcheck, functional derivatives, checkpoint."""

import pytest

import pydl
from pydl import autograd, nn
from pydl.autograd import functional
from pydl.utils.checkpoint import checkpoint, checkpoint_sequential


def double(*shape, seed=0):
    generator = pydl.Generator()
    generator.manual_seed(seed)
    return pydl.randn(*shape, dtype=pydl.float64, generator=generator).requires_grad_()


class Square(autograd.Function):
    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x * grad


class WrongSquare(Square):
    @staticmethod
    def backward(ctx, grad):
        return ctx.saved_tensors[0] * grad


def test_modes_nest_and_decorate():
    @pydl.no_grad()
    def inside():
        with pydl.enable_grad():
            deep = pydl.is_grad_enabled()
        return pydl.is_grad_enabled(), deep

    assert inside() == (False, True)
    assert pydl.is_grad_enabled()
    pydl.set_grad_enabled(False)
    assert not pydl.is_grad_enabled()
    pydl.set_grad_enabled(True)
    with pytest.raises(ZeroDivisionError), pydl.no_grad():
        1 / 0  # noqa: B018
    assert pydl.is_grad_enabled()


def test_decorated_generator_switches_only_inside():
    @pydl.no_grad()
    def numbers():
        sent = yield pydl.is_grad_enabled()
        try:
            yield sent, pydl.is_grad_enabled()
        except KeyError:
            yield "caught", pydl.is_grad_enabled()
        return 5

    generator = numbers()
    assert next(generator) is False
    assert pydl.is_grad_enabled()
    assert generator.send(7) == (7, False)
    assert generator.throw(KeyError()) == ("caught", False)
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == 5


def test_function_with_double_backward():
    x = double(3)
    assert autograd.gradcheck(Square.apply, x)
    assert autograd.gradgradcheck(Square.apply, x)
    assert type(Square.apply(x).grad_fn).__name__ == "SquareBackward"
    with pytest.raises(RuntimeError):
        Square()


def test_gradcheck_finds_a_wrong_gradient():
    with pytest.raises(autograd.GradcheckError, match="mismatch"):
        autograd.gradcheck(WrongSquare.apply, double(3))
    assert not autograd.gradcheck(WrongSquare.apply, double(3), raise_exception=False)
    with pytest.raises(ValueError):
        autograd.gradcheck(lambda x: x, pydl.ones(2))


def test_gradcheck_of_complex_functions():
    z = pydl.complex(double(2, 2).detach(), double(2, 2, seed=1).detach()).requires_grad_()
    assert autograd.gradcheck(lambda z: (z * z.conj(), z.exp()), z)
    assert autograd.gradgradcheck(lambda z: z * z * z, z)


def test_once_differentiable():
    class Twice(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        @autograd.function.once_differentiable
        def backward(ctx, grad):
            return grad * 2

    x = double(2)
    y = Twice.apply(x)
    grad = y.detach().clone().requires_grad_()
    (first,) = autograd.grad(y, x, grad, create_graph=True)
    assert first.tolist() == (2 * grad).tolist()
    with pytest.raises(RuntimeError, match="once_differentiable"):
        autograd.grad(first.sum(), grad)


def test_grad_arguments():
    x, y = double(2), double(2, seed=1)
    (gx, gy) = autograd.grad((x * 2).sum(), (x, y), materialize_grads=True)
    assert gy.tolist() == [0.0, 0.0]
    with pytest.raises(RuntimeError):
        autograd.grad(x * 2, x)
    with pytest.raises(RuntimeError):
        autograd.grad(x * 2, x, pydl.ones(3, dtype=pydl.float64))
    rows = pydl.eye(2, dtype=pydl.float64)
    (jacobian,) = autograd.grad(x * x, x, rows, is_grads_batched=True)
    assert jacobian.tolist() == pydl.diag(2 * x.detach()).tolist()


def test_functional_derivatives_agree_with_each_other():
    a, b = double(3).detach(), double(3, seed=1).detach()

    def f(a, b):
        return a.exp() * b.sum(), (a * b).sum()

    (j00, j01), (j10, j11) = functional.jacobian(f, (a, b))
    assert j00.shape == j01.shape == (3, 3)
    assert j10.tolist() == b.tolist()
    _, (first, second) = functional.jvp(f, (a, b), (b, a))
    assert pydl.allclose(first, j00 @ b + j01 @ a)
    assert pydl.allclose(second, j10 @ b + j11 @ a)
    _, (va, _) = functional.vjp(f, (a, b), (b, pydl.ones((), dtype=pydl.float64)))
    assert pydl.allclose(va, j00.t() @ b + j10)


def test_hessian_products():
    a = double(3).detach()

    def f(x):
        return (x**3).sum() + x[0] * x[1]

    hessian = functional.hessian(f, a)
    wanted = pydl.diag(6 * a)
    wanted[0, 1] = wanted[1, 0] = 1
    assert pydl.allclose(hessian, wanted)
    v = double(3, seed=2).detach()
    for product in (functional.hvp, functional.vhp):
        value, result = product(f, a, v)
        assert pydl.allclose(result, hessian @ v)
        assert pydl.allclose(value, f(a))
    with pytest.raises(RuntimeError):
        functional.hessian(lambda x: x * 2, a)


def test_checkpoint_of_shared_weights_to_second_order():
    w, x = double(3, 3), double(2, 3, seed=1)

    def run(step):
        h = x
        for _ in range(3):
            h = step(h)
        first = autograd.grad(h.sum(), (x, w), create_graph=True)
        return [*first, *autograd.grad(sum((g * g).sum() for g in first), (x, w))]

    def layer(h):
        return (h @ w).tanh()

    for got, wanted in zip(run(lambda h: checkpoint(layer, h, use_reentrant=False)), run(layer)):
        assert pydl.allclose(got, wanted)
    assert autograd.gradcheck(lambda h: checkpoint(layer, h), x)
    assert autograd.gradgradcheck(lambda h: checkpoint(layer, h), x)


def test_checkpoint_draws_the_same_random_numbers():
    x = double(50)
    y = checkpoint(lambda t: nn.functional.dropout(t, 0.5) * t, x)
    (grad,) = autograd.grad(y.sum(), x)
    assert pydl.allclose(grad, pydl.where(y != 0, 4 * x, 0 * x))


def test_checkpoint_sequential():
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
    x = pydl.ones(5, 2)
    model(x).sum().backward()
    wanted = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    checkpoint_sequential(model, 2, x).sum().backward()
    for param, grad in zip(model.parameters(), wanted):
        assert pydl.allclose(param.grad, grad)
