"""A small budget of hostile calls; ``python -m tests.fuzz.hostile`` makes as many as wanted."""

import hostile
import numpy as np
import pytest

import pydl


def test_hostile_calls_only_raise_python_exceptions() -> None:
    complaints = hostile.hostile(calls=3000, seed=1)
    assert not complaints, "\n".join(text for _, text in complaints[:10])


def test_harness_sees_crashes_and_bad_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness itself: a child that dies is reported with its call, a message without the op's name too."""

    def crash(*args: object, **kwargs: object) -> None:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)  # not SIGSEGV: a sanitizer would catch it

    def nameless(*args: object, **kwargs: object) -> None:
        raise ValueError("something was wrong")

    for call, expected in ((crash, "SIGNAL 9"), (nameless, "does not name the op")):
        target = hostile.Target("pydl.broken", call, ("broken(input: Tensor) -> Tensor", 1, ""))
        monkeypatch.setattr(hostile, "targets", lambda target=target: [target])
        found = hostile.hostile(calls=20, seed=0, stop_after=1)
        assert found and expected in found[0][1] and "broken" in found[0][1]


@pytest.mark.parametrize(
    "make", [lambda s: pydl.device(s), lambda s: pydl.Generator(s), lambda s: pydl.zeros(2, device=s)]
)
def test_lone_surrogates_as_device(make) -> None:
    with pytest.raises((RuntimeError, UnicodeError)):
        make("\ud800")


def test_lone_surrogate_as_keyword() -> None:
    with pytest.raises(TypeError):
        pydl.add(pydl.ones(2), **{"\ud800": 1})
    with pytest.raises((TypeError, UnicodeError)):
        pydl.tensor([1], **{"\ud800": 1})


def test_device_refuses_other_objects() -> None:
    with pytest.raises(TypeError, match="device"):
        pydl.device([])
    with pytest.raises(TypeError, match="Generator"):
        pydl.Generator(3)


def test_frombuffer_takes_dtype_by_keyword() -> None:
    data = bytearray(np.arange(4, dtype=np.float32).tobytes())
    assert pydl.frombuffer(data, dtype=pydl.float32, count=2, offset=4).tolist() == [1.0, 2.0]
    with pytest.raises(TypeError, match="frombuffer"):
        pydl.frombuffer(data)


def test_errors_name_the_op_that_was_called() -> None:
    with pytest.raises(RuntimeError, match=r"^divide\(\): "):
        pydl.divide(pydl.ones(2), pydl.ones(3))
    with pytest.raises(OverflowError, match=r"^index_select\(\): "):
        pydl.index_select(pydl.ones(2), 2**63, pydl.tensor([0]))


def test_as_strided_gradient_outside_of_its_input() -> None:
    """A window that reaches past the input gives gradient to the input's cells alone."""
    storage = pydl.arange(12.0)
    x = storage[2:5].requires_grad_()
    pydl.as_strided(x, (10,), (1,), 0).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]
    y = pydl.arange(3.0).expand(2, 3).requires_grad_()
    pydl.as_strided(y, (3,), (1,)).sum().backward()
    assert y.grad.tolist() == [[0.5] * 3] * 2


def test_prod_gradient_is_linear_in_its_size() -> None:
    x = pydl.ones(20000, dtype=pydl.float64).requires_grad_()
    x.prod().backward()
    assert x.grad.tolist() == [1.0] * 20000


def test_uint8_scalar_tensor_as_index_is_a_mask() -> None:
    t = pydl.arange(6.0).reshape(2, 3)
    assert t[pydl.tensor(1, dtype=pydl.uint8)].shape == (1, 2, 3)
    assert t[pydl.tensor(0, dtype=pydl.uint8)].shape == (0, 2, 3)
    with pytest.raises(IndexError, match="too many indices"):
        t[pydl.tensor(1, dtype=pydl.uint8), [0], [0], [0]]


def test_empty_shapes_whose_strides_do_not_fit() -> None:
    with pytest.raises(RuntimeError, match="view"):
        pydl.zeros(0, 2).view(0, 2**62, 2**62)


def test_activations_of_complex_tensors_with_three_constants() -> None:
    with pytest.raises(RuntimeError, match="selu"):
        pydl.selu(pydl.ones(2, dtype=pydl.complex128))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_that_no_memory_holds(mode) -> None:
    """The table of places was made before anything asked how long it would be."""
    with pytest.raises((MemoryError, RuntimeError, ValueError)):
        pydl.nn.functional.pad(pydl.ones(1, 1, 4), (2**32, 2**32), mode=mode)


def test_adaptive_pooling_to_more_than_memory_holds() -> None:
    for name in ("adaptive_avg_pool1d", "adaptive_max_pool1d"):
        with pytest.raises(MemoryError, match="output_size"):
            getattr(pydl.nn.functional, name)(pydl.ones(1, 2, 3), 2**31 - 1)


def test_orders_and_sizes_of_zero() -> None:
    x, w, b = pydl.ones(2, 1, 4), pydl.ones(12, 4), pydl.ones(12)
    with pytest.raises(ValueError, match="num_heads"):
        pydl.nn.functional.multi_head_attention_forward(x, x, x, 4, 0, w, b, None, None, False, 0.0, w[:4], b[:4])
    for dims in (1, 2, 3):
        pool = getattr(pydl.nn.functional, f"lp_pool{dims}d")
        with pytest.raises(ValueError, match="norm_type"):
            pool(pydl.ones((1, 1) + (4,) * dims), 0.0, 2)
    with pytest.raises(ValueError, match="size"):
        pydl.nn.CrossMapLRN2d(0)(pydl.ones(1, 1, 2, 2))
