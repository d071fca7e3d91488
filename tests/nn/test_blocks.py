"""Every block against its formula in NumPy, its derivatives against differences, its keys, copies, dtypes and errors."""

from __future__ import annotations

import copy
import dataclasses
import io
import pickle
from collections.abc import Callable
from typing import Any

import block_references as ref
import numpy as np
import pytest

import pydl
from pydl import nn
from pydl.nn import blocks


@dataclasses.dataclass
class Block:
    """A block with a small instance.

    make: the module. shape: of the input. out: of the output. reference: of the state dict and the input. keys: some or
    all names in the state dict. bad: shapes that raise ShapeError. wrong: constructor calls that raise ValueError. order: of the
    derivatives that are checked; the identity of a spatial transformer samples where bilinear weights have their corners.
    """

    name: str
    make: Callable[[], Any]
    shape: tuple[int, ...]
    out: tuple[int, ...]
    reference: Callable[[ref.State, np.ndarray], np.ndarray]
    keys: tuple[str, ...] = ()
    bad: tuple[tuple[int, ...], ...] = ()
    wrong: tuple[Callable[[], Any], ...] = ()
    order: int = 2

    def __str__(self) -> str:
        return self.name


def images(c: int) -> tuple[tuple[int, ...], ...]:
    return ((2, c + 1, 5, 4), (c, 5, 4), (1, 2, c, 5, 4), (c,))


def linear(s: ref.State, x: np.ndarray, key: str) -> np.ndarray:
    return x @ s[f"{key}.weight"].T + s[f"{key}.bias"]


class Turned(nn.Module):
    """A localization that depends on the image, (N, C, H, W) -> (N, 6)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 6)

    def forward(self, x: Any) -> Any:
        return self.fc(x.mean(dim=(2, 3)))


def turned(s: ref.State, x: np.ndarray, size: tuple[int, int], corners: bool = False) -> np.ndarray:
    theta = linear(s, x.mean((2, 3)), "localization.fc").reshape(-1, 2, 3)
    return ref.transformed(x, theta, size, corners)


BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
CASES = [
    Block("Residual", lambda: blocks.Residual(nn.Linear(4, 4)), (3, 4), (3, 4), lambda s, x: x + linear(s, x, "fn"), ("fn.weight", "fn.bias")),
    Block("Residual-shortcut", lambda: blocks.Residual(nn.Linear(4, 2), nn.Linear(4, 2)), (3, 4), (3, 2),
          lambda s, x: linear(s, x, "shortcut") + linear(s, x, "fn")),
    Block("ResidualBlock", lambda: blocks.ResidualBlock(3, 3), (2, 3, 5, 4), (2, 3, 5, 4), ref.residual_block,
          ("conv1.weight", *(f"bn1.{k}" for k in BN), "conv2.weight", *(f"bn2.{k}" for k in BN)), images(3),
          (lambda: blocks.ResidualBlock(0, 3), lambda: blocks.ResidualBlock(3, 3, 0), lambda: blocks.ResidualBlock(3, 2.5))),
    Block("ResidualBlock-stride", lambda: blocks.ResidualBlock(3, 4, 2), (2, 3, 5, 4), (2, 4, 3, 2), lambda s, x: ref.residual_block(s, x, 2),
          ("downsample.0.weight", "downsample.1.weight")),
    Block("Bottleneck", lambda: blocks.Bottleneck(8, 2), (2, 8, 4, 3), (2, 8, 4, 3), ref.bottleneck, ("conv3.weight", "bn3.bias"), images(8),
          (lambda: blocks.Bottleneck(8, 2, expansion=0), lambda: blocks.Bottleneck(8, 3, groups=2), lambda: blocks.Bottleneck(8, 2, dilation=-1))),
    Block("Bottleneck-groups", lambda: blocks.Bottleneck(3, 4, 2, 2, groups=2, dilation=2), (2, 3, 5, 4), (2, 8, 3, 2),
          lambda s, x: ref.bottleneck(s, x, 2, 2, 2), ("downsample.0.weight",)),
    Block("DenseBlock", lambda: blocks.DenseBlock(2, 3, 2, 2), (2, 3, 4, 3), (2, 7, 4, 3), lambda s, x: ref.dense_block(s, x, 2),
          tuple(f"denselayer{i}.{k}.weight" for i in (1, 2) for k in ("norm1", "conv1", "norm2", "conv2")), images(3),
          (lambda: blocks.DenseBlock(0, 3, 2), lambda: blocks.DenseBlock(2, 3, 2, 0), lambda: blocks.DenseBlock(2, 3, 2, drop_rate=1.5),
           lambda: blocks.DenseBlock(2**31, 3, 2))),
    Block("DenseBlock-plain", lambda: blocks.DenseBlock(2, 3, 2, None), (2, 3, 4, 3), (2, 7, 4, 3), lambda s, x: ref.dense_block(s, x, 2)),
    Block("DepthwiseSeparableConv2d", lambda: blocks.DepthwiseSeparableConv2d(3, 4, 3, 2, 1), (2, 3, 5, 4), (2, 4, 3, 2),
          lambda s, x: ref.separable(s, x, stride=2, pad=1), ("depthwise.weight", "depthwise.bias", "pointwise.weight", "pointwise.bias"),
          images(3), (lambda: blocks.DepthwiseSeparableConv2d(3, 0, 3), lambda: blocks.DepthwiseSeparableConv2d(3, 4, 3, 0),
                      lambda: blocks.DepthwiseSeparableConv2d(3, 4, (3, 0)), lambda: blocks.DepthwiseSeparableConv2d(3, 4, 3, padding=-1))),
    Block("DepthwiseSeparableConv2d-pair", lambda: blocks.DepthwiseSeparableConv2d(2, 3, (3, 1), 1, (1, 0), bias=False), (2, 2, 5, 4), (2, 3, 5, 4),
          lambda s, x: ref.separable(s, x, pad=(1, 0))),
    Block("PointwiseConv2d", lambda: blocks.PointwiseConv2d(3, 4, 2), (2, 3, 5, 4), (2, 4, 3, 2),
          lambda s, x: ref.conv(x, s["weight"], s["bias"], stride=2), ("weight", "bias"), images(3),
          (lambda: blocks.PointwiseConv2d(0, 1), lambda: blocks.PointwiseConv2d(3, 4, groups=2), lambda: blocks.PointwiseConv2d(3, 4, 0))),
    Block("PointwiseConv2d-groups", lambda: blocks.PointwiseConv2d(4, 2, 1, 2, False), (2, 4, 3, 2), (2, 2, 3, 2),
          lambda s, x: ref.conv(x, s["weight"], groups=2)),
    Block("GatedConv2d", lambda: blocks.GatedConv2d(3, 2, 3, padding="same"), (2, 3, 5, 4), (2, 2, 5, 4), lambda s, x: ref.gated(s, x, pad=1),
          ("conv.weight", "conv.bias", "gate.weight", "gate.bias"), images(3), (lambda: blocks.GatedConv2d(3, 2, 0), lambda: blocks.GatedConv2d(-1, 2, 1))),
    Block("GatedConv2d-tanh", lambda: blocks.GatedConv2d(3, 2, 3, 2, dilation=1, bias=False, activation=nn.Tanh), (2, 3, 5, 4), (2, 2, 2, 1),
          lambda s, x: ref.gated(s, x, np.tanh, stride=2)),
    Block("SubpixelConv2d", lambda: blocks.SubpixelConv2d(3, 2, 2), (2, 3, 4, 3), (2, 2, 8, 6), lambda s, x: ref.subpixel(s, x, 2),
          ("conv.weight", "conv.bias"), images(3), (lambda: blocks.SubpixelConv2d(3, 2, 2, 4), lambda: blocks.SubpixelConv2d(3, 2, 0))),
    Block("Inception", lambda: blocks.Inception(3, 2, (2, 3), (1, 2), 1), (2, 3, 5, 4), (2, 8, 5, 4), ref.inception,
          ("branch1.conv.weight", "branch2.0.conv.weight", "branch2.1.conv.bias", "branch3.1.conv.weight", "branch4.conv.weight"), images(3),
          (lambda: blocks.Inception(3, 2, (2, 0), (1, 2), 1), lambda: blocks.Inception(3, 2, 5, (1, 2), 1), lambda: blocks.Inception(3, 2, (1, 2, 3), (1, 2), 1))),
    Block("Inception-norm", lambda: blocks.Inception(3, 2, (2, 3), (1, 2), 1, nn.BatchNorm2d), (2, 3, 5, 4), (2, 8, 5, 4), ref.inception,
          ("branch4.norm.weight",)),
    Block("ASPP", lambda: blocks.ASPP(3, 2, (1, 2)), (2, 3, 5, 4), (2, 2, 5, 4), lambda s, x: ref.aspp(s, x, (1, 2), True),
          ("convs.0.0.weight", "convs.2.1.weight", "convs.3.1.weight", "convs.3.2.bias", "project.0.weight", "project.1.bias"),
          (*images(3), (2, 3, 0, 4)), (lambda: blocks.ASPP(3, 2, (0,)), lambda: blocks.ASPP(0), lambda: blocks.ASPP(3, dropout=2.0))),
    Block("ASPP-local", lambda: blocks.ASPP(3, 2, (2,), global_pool=False, dropout=0.0), (1, 3, 5, 4), (1, 2, 5, 4),
          lambda s, x: ref.aspp(s, x, (2,), False)),
    Block("MultiBranch", lambda: blocks.MultiBranch([nn.Linear(4, 2), nn.Linear(4, 3)]), (3, 4), (3, 5),
          lambda s, x: np.concatenate([linear(s, x, "branches.0"), linear(s, x, "branches.1")], 1), ("branches.0.weight", "branches.1.bias"), (),
          (lambda: blocks.MultiBranch([]), lambda: blocks.MultiBranch([nn.Linear(1, 1)], "max"))),
    Block("MultiBranch-mean", lambda: blocks.MultiBranch([nn.Linear(4, 2), nn.Linear(4, 2)], "mean"), (3, 4), (3, 2),
          lambda s, x: (linear(s, x, "branches.0") + linear(s, x, "branches.1")) / 2),
    Block("MultiBranch-sum", lambda: blocks.MultiBranch([nn.Linear(4, 2), nn.Linear(4, 2)], "sum"), (3, 4), (3, 2),
          lambda s, x: linear(s, x, "branches.0") + linear(s, x, "branches.1")),
    Block("MultiTask", lambda: blocks.MultiTask(nn.Linear(4, 3), {"b": nn.Linear(3, 2), "a": nn.Linear(3, 1)}), (2, 4), (2, 2),
          lambda s, x: linear(s, linear(s, x, "trunk"), "heads.b"), ("trunk.weight", "heads.b.weight", "heads.a.bias"), (),
          (lambda: blocks.MultiTask(nn.Linear(4, 3), {}),)),
    Block("SelfAttention", lambda: blocks.SelfAttention(4, 2), (2, 3, 4), (2, 3, 4), lambda s, x: ref.self_attention(s, x, 2)[0],
          ("attn.in_proj_weight", "attn.in_proj_bias", "attn.out_proj.weight", "attn.out_proj.bias"), ((2, 3, 5), (4,), (1, 2, 3, 4)),
          (lambda: blocks.SelfAttention(4, 3), lambda: blocks.SelfAttention(0), lambda: blocks.SelfAttention(4, 0))),
    Block("ChannelAttention", lambda: blocks.ChannelAttention(4, 2), (2, 4, 3, 2), (2, 4, 3, 2), ref.channel_attention, ("fc1.weight", "fc2.weight"),
          (*images(4), (2, 4, 0, 3)), (lambda: blocks.ChannelAttention(4, 0), lambda: blocks.ChannelAttention(0))),
    Block("ChannelAttention-mean", lambda: blocks.ChannelAttention(3, 16, use_max=False, bias=True), (2, 3, 3, 2), (2, 3, 3, 2),
          lambda s, x: ref.channel_attention(s, x, False), ("fc1.bias", "fc2.bias")),
    Block("SpatialAttention", lambda: blocks.SpatialAttention(3), (2, 4, 3, 5), (2, 4, 3, 5), ref.spatial_attention, ("conv.weight",),
          ((4, 3, 5), (2, 0, 3, 5)), (lambda: blocks.SpatialAttention(4), lambda: blocks.SpatialAttention(0))),
    Block("CBAM", lambda: blocks.CBAM(4, 2, 3), (2, 4, 3, 5), (2, 4, 3, 5), ref.cbam, ("channel.fc1.weight", "channel.fc2.weight", "spatial.conv.weight"),
          images(4), (lambda: blocks.CBAM(4, 2, 2), lambda: blocks.CBAM(4, 0))),
    Block("FeatureAttention", lambda: blocks.FeatureAttention(4), (2, 3, 4), (2, 3, 4), ref.feature_attention, ("fc.weight", "fc.bias"),
          ((2, 3), ()), (lambda: blocks.FeatureAttention(0), lambda: blocks.FeatureAttention(4, 0), lambda: blocks.FeatureAttention(4, activation="relu"))),
    Block("FeatureAttention-hidden", lambda: blocks.FeatureAttention(4, 3, "sigmoid"), (2, 4), (2, 4), lambda s, x: ref.feature_attention(s, x, False),
          ("fc.0.weight", "fc.2.bias")),
    Block("GlobalAvgPool", lambda: blocks.GlobalAvgPool(), (2, 3, 4, 5), (2, 3), lambda s, x: x.mean((2, 3)), (), ((3,), (2, 3, 0), (2, 3, 4, 0))),
    Block("GlobalAvgPool-keepdim", lambda: blocks.GlobalAvgPool(True), (2, 3, 4, 2, 2), (2, 3, 1, 1, 1), lambda s, x: x.mean((2, 3, 4), keepdims=True)),
    Block("GlobalMaxPool", lambda: blocks.GlobalMaxPool(), (2, 3, 4), (2, 3), lambda s, x: x.max(2), (), ((3,), (2, 3, 0))),
    Block("GlobalMaxPool-keepdim", lambda: blocks.GlobalMaxPool(True), (2, 3, 4, 5), (2, 3, 1, 1), lambda s, x: x.max((2, 3), keepdims=True)),
    Block("SpatialTransformer", lambda: blocks.SpatialTransformer(Turned()), (2, 2, 4, 3), (2, 2, 4, 3), lambda s, x: turned(s, x, (4, 3)), (),
          ((2, 4, 3), (2, 2, 0, 3)), (lambda: blocks.SpatialTransformer(), lambda: blocks.SpatialTransformer(in_channels=0),
                                      lambda: blocks.SpatialTransformer(in_channels=1, mode="linear"),
                                      lambda: blocks.SpatialTransformer(in_channels=1, padding_mode="wrap"),
                                      lambda: blocks.SpatialTransformer(in_channels=1, output_size=0))),
    Block("SpatialTransformer-size", lambda: blocks.SpatialTransformer(Turned(), output_size=(3, 5), align_corners=True), (2, 2, 4, 3), (2, 2, 3, 5),
          lambda s, x: turned(s, x, (3, 5), True)),
    Block("SpatialTransformer-own", lambda: blocks.SpatialTransformer(in_channels=2), (2, 2, 4, 3), (2, 2, 4, 3),
          lambda s, x: x, ("localization.0.weight",), images(2), order=0),
    Block("ConvLSTMCell2d", lambda: nn.ConvLSTMCell2d(2, 3, (3, 1)), (2, 2, 4, 3), (2, 3, 4, 3),
          lambda s, x: ref.conv_lstm_cell(s, x, np.zeros((2, 3, 4, 3)), np.zeros((2, 3, 4, 3)))[0], ("conv.weight", "conv.bias"), images(2),
          (lambda: nn.ConvLSTMCell2d(2, 3, 2), lambda: nn.ConvLSTMCell2d(0, 3, 3))),
    Block("ConvLSTM2d", lambda: nn.ConvLSTM2d(2, 2, 3, 2, peepholes=True), (3, 1, 2, 4, 3), (3, 1, 2, 4, 3), lambda s, x: ref.conv_lstm(s, x, [2, 2])[0],
          ("cells.0.conv.weight", "cells.1.conv.bias", "cells.0.W_ci", "cells.1.W_co"), ((0, 1, 2, 4, 3), (3, 1, 3, 4, 3), (3, 2, 4, 3)),
          (lambda: nn.ConvLSTM2d(2, 2, 3, 0), lambda: nn.ConvLSTM2d(2, 2, 4), lambda: nn.ConvLSTM2d(2, [2], 3, 2), lambda: nn.ConvLSTM2d(2, 2, [3], 2),
           lambda: nn.ConvLSTM2d(2, 2, 3, 2**31)), order=1),
]  # fmt: skip
every = pytest.mark.parametrize("case", CASES, ids=str)
# The maximum has no derivative where two are equal, so no test is near that
INPUT = np.random.default_rng(5)


def first(value: Any) -> Any:
    """The tensor of an output: of a tuple the first, of a dict too."""
    if isinstance(value, dict):
        return next(iter(value.values()))
    return value[0] if isinstance(value, tuple) else value


def build(case: Block) -> Any:
    """The module in eval mode, float64, with weights and statistics that differ from their first values."""
    pydl.manual_seed(0)
    net = case.make().double().eval()
    rng = np.random.default_rng(1)
    for key, value in net.state_dict().items():
        if value.is_floating_point() and "localization" not in key:
            value.copy_(
                pydl.from_numpy(
                    rng.uniform(0.1, 0.6, tuple(value.shape))
                    * np.where(rng.random(tuple(value.shape)) < 0.3, -1, 1) ** ("var" not in key)
                )
            )
    return net


def given(case: Block) -> np.ndarray:
    return np.random.default_rng(3).permutation(np.linspace(-1, 1, int(np.prod(case.shape)))).reshape(case.shape)


@every
def test_shape_and_value(case: Block) -> None:
    net = build(case)
    x = given(case)
    state = {key: value.numpy().astype(np.float64) for key, value in net.state_dict().items()}
    found = first(net(pydl.from_numpy(x)))
    assert tuple(found.shape) == case.out
    np.testing.assert_allclose(found.detach().numpy(), case.reference(state, x), rtol=1e-10, atol=1e-12)
    assert set(case.keys) <= set(state)
    if case.name == "ResidualBlock":
        assert list(state) == list(case.keys)


@every
def test_state_copies_pickles_dtypes(case: Block) -> None:
    net = build(case)
    x = pydl.from_numpy(given(case))
    expected = first(net(x))
    file = io.BytesIO()
    pydl.save(net.state_dict(), file)
    file.seek(0)
    fresh = case.make().double().eval()
    fresh.load_state_dict(pydl.load(file))
    for other in (fresh, copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert first(other(x)).equal(expected)
    for dtype, tolerance in ((pydl.float32, 1e-5), (pydl.bfloat16, 0.1)):
        low = first(copy.deepcopy(net).to(dtype)(x.to(dtype)))
        assert low.dtype == dtype
        np.testing.assert_allclose(
            low.double().detach().numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance
        )
    assert case.name.split("-")[0] in repr(net)


@every
def test_derivatives(case: Block) -> None:
    net = build(case)
    x = pydl.from_numpy(given(case)).requires_grad_()
    parameters = [p for p in net.parameters() if p.numel()]

    def f(*_: Any) -> Any:
        return first(net(x))

    used = pydl.autograd.grad(f().sum(), [x, *parameters], allow_unused=True)
    leaves = tuple(p for p, g in zip([x, *parameters], used) if g is not None)
    if case.order > 0:
        assert pydl.autograd.gradcheck(f, leaves, fast_mode=True)
    if case.order > 1:
        assert pydl.autograd.gradgradcheck(f, leaves, fast_mode=True)


@every
def test_errors_name_the_block(case: Block) -> None:
    net = case.make()
    name = case.name.split("-")[0]
    for shape in case.bad:
        with pytest.raises(pydl.ShapeError, match=name):
            net(pydl.zeros(shape))
    for make in case.wrong:
        with pytest.raises(ValueError):
            make()


def test_every_block_has_a_case() -> None:
    public = {*blocks.__all__, "ConvLSTM2d", "ConvLSTMCell2d"}
    assert public == {case.name.split("-")[0] for case in CASES}


def test_a_block_learns_in_train_mode() -> None:
    """Batch norms of train mode, dropout: forward and backward of each."""
    for case in CASES:
        net = build(case).train()
        x = pydl.from_numpy(np.concatenate([given(case)] * 2, axis=1 if "LSTM2d" in case.name else 0)).requires_grad_()
        first(net(x)).square().sum().backward()
        assert x.grad is not None


def test_residual_of_a_function_and_its_shapes() -> None:
    x = pydl.tensor([1.0, 2.0])
    assert blocks.Residual(lambda x, y, scale=1.0: scale * y)(x, x, scale=3.0).tolist() == [4.0, 8.0]
    with pytest.raises(pydl.ShapeError, match=r"Residual.*\(2,\) and \(1,\)"):
        blocks.Residual(lambda x: x[:1])(x)
    with pytest.raises(TypeError):
        blocks.Residual(3)


def test_norms_can_be_left_out() -> None:
    for net in (blocks.ResidualBlock(2, 3, norm_layer=None), blocks.Bottleneck(2, 3, norm_layer=None)):
        assert not [key for key in net.state_dict() if "bn" in key or "downsample.1" in key]
        assert net(pydl.ones(1, 2, 3, 3)).shape[2:] == (3, 3)


def test_subpixel_begins_as_nearest_neighbour() -> None:
    layer = blocks.SubpixelConv2d(3, 2, 3, icnr=True)
    x = pydl.randn(1, 3, 4, 5)
    out = layer(x)
    small = out[:, :, ::3, ::3]
    assert out.equal(small.repeat_interleave(3, 2).repeat_interleave(3, 3))
    assert layer.conv.weight.std() > 0.05
    assert layer.conv.weight.requires_grad


def test_aspp_with_one_image_in_train_mode() -> None:
    with pytest.raises(ValueError, match="more than 1 value"):
        blocks.ASPP(3, 2, (1,))(pydl.zeros(1, 3, 4, 4))
    blocks.ASPP(3, 2, (1,), global_pool=False)(pydl.zeros(1, 3, 4, 4))


def test_branches_that_do_not_fit() -> None:
    x = pydl.zeros(2, 4)
    for merge, widths, dim in (("sum", (2, 3), 1), ("mean", (2, 1), 1), ("cat", (2, 3), 0)):
        with pytest.raises(pydl.ShapeError, match="MultiBranch"):
            blocks.MultiBranch([nn.Linear(4, width) for width in widths], merge, dim)(x)
    with pytest.raises(IndexError):
        blocks.MultiBranch([nn.Linear(4, 2), nn.Linear(4, 2)], dim=5)(x)
    assert blocks.MultiBranch([nn.Linear(4, 2), nn.Linear(4, 2)], dim=-2)(x).shape == (4, 2)


def test_tasks_alone() -> None:
    calls = []
    trunk = nn.Linear(4, 3)
    trunk.register_forward_hook(lambda *_: calls.append(1))
    net = blocks.MultiTask(trunk, {"b": nn.Linear(3, 2), "a": nn.Linear(3, 1)})
    x = pydl.zeros(2, 4)
    assert list(net(x)) == ["b", "a"]
    assert len(calls) == 1
    assert list(net(x, tasks=["a"])) == ["a"]
    assert list(net(x, tasks=["a", "b"])) == ["b", "a"]
    with pytest.raises(KeyError, match="depth"):
        net(x, tasks=["depth"])


def test_self_attention_masks_and_weights() -> None:
    net = build(next(c for c in CASES if c.name == "SelfAttention"))
    state = {k: v.numpy() for k, v in net.state_dict().items()}
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    t = pydl.from_numpy(x)
    out, weights = ref.self_attention(state, x, 2, causal=True)
    found, heads = net(t, is_causal=True, need_weights=True, average_attn_weights=False)
    np.testing.assert_allclose(found.detach().numpy(), out)
    np.testing.assert_allclose(heads.detach().numpy(), weights, atol=1e-12)
    np.testing.assert_allclose(
        net(t, need_weights=True, is_causal=True)[1].detach().numpy(), weights.mean(1), atol=1e-12
    )
    np.testing.assert_allclose(net(t, is_causal=True).detach().numpy(), out)
    np.testing.assert_allclose(net(t[0], is_causal=True).detach().numpy(), out[0])
    # With padding beside, whether the mask of the caller is bool or added
    padding = pydl.tensor([[False, False, True], [False, False, False]])
    expected = net(t[:1, :2], is_causal=True)
    for mask in (None, pydl.zeros(3, 3, dtype=pydl.bool), pydl.zeros(3, 3, dtype=pydl.float64)):
        same_kind = padding if mask is None or mask.dtype == pydl.bool else pydl.where(padding, -pydl.inf, 0.0).double()
        got = net(t, key_padding_mask=same_kind, attn_mask=mask, is_causal=True)
        np.testing.assert_allclose(got[:1, :2].detach().numpy(), expected.detach().numpy())


def test_feature_attention_gives_its_weights() -> None:
    x = pydl.randn(2, 4)
    out, alpha = blocks.FeatureAttention(4)(x, return_weights=True)
    assert (alpha * x).equal(out)
    np.testing.assert_allclose(alpha.sum(1).tolist(), [1, 1], rtol=1e-6)


def test_global_pools_of_vectors_and_ties() -> None:
    x = pydl.randn(2, 3)
    assert blocks.GlobalAvgPool()(x) is x
    assert blocks.GlobalMaxPool(True)(x) is x
    t = pydl.ones(1, 1, 2, 2, requires_grad=True)
    blocks.GlobalMaxPool()(t).sum().backward()
    assert t.grad.sum() == 1
    assert t.grad.max() == 1


def test_spatial_transformer_begins_as_the_identity() -> None:
    for size in ((1, 1), (5, 9), (28, 28)):
        x = pydl.rand(2, 3, *size)
        np.testing.assert_allclose(blocks.SpatialTransformer(in_channels=3)(x).detach().numpy(), x.numpy(), atol=1e-5)
    with pytest.raises(pydl.ShapeError, match="localization"):
        blocks.SpatialTransformer(nn.Flatten())(pydl.zeros(2, 1, 4, 4))


@pytest.mark.parametrize("peepholes", [False, True])
def test_conv_lstm_states_and_orders(peepholes: bool) -> None:
    pydl.manual_seed(1)
    net = nn.ConvLSTM2d(2, [3, 4], [3, (1, 5)], 2, peepholes=peepholes).double()
    for name, p in net.named_parameters():
        if "W_c" in name:
            nn.init.normal_(p)
    state = {k: v.numpy() for k, v in net.state_dict().items()}
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3, 2, 2, 4, 5))
    h0, c0 = ([rng.normal(size=(2, size, 4, 5)) for size in (3, 4)] for _ in range(2))
    tensors = tuple([pydl.from_numpy(a) for a in part] for part in (h0, c0))
    for start, given_state in ((None, None), ((h0, c0), tensors)):
        expected, hs, cs = ref.conv_lstm(state, x, [3, 4], start)
        out, (h_n, c_n) = net(pydl.from_numpy(x), given_state)
        assert isinstance(h_n, list)
        np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-10)
        for found, wanted in zip([*h_n, *c_n], [*hs, *cs]):
            np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-10)
    with pytest.raises(pydl.ShapeError, match="2 layers"):
        net(pydl.from_numpy(x), (tensors[0][:1], tensors[1]))
    with pytest.raises(pydl.ShapeError, match="ConvLSTMCell2d: c"):
        net(pydl.from_numpy(x), (tensors[0], tensors[1][::-1]))


def test_conv_lstm_batch_first_and_last_step() -> None:
    pydl.manual_seed(1)
    net = nn.ConvLSTM2d(2, 3, 3, 2)
    x = pydl.randn(4, 2, 2, 5, 5)
    out, (h, c) = net(x)
    assert h.shape == c.shape == (2, 2, 3, 5, 5)
    net.batch_first = True
    turned, (h2, _) = net(x.transpose(0, 1))
    assert turned.equal(out.transpose(0, 1))
    assert h2.equal(h)
    again, _ = net(x.transpose(0, 1)[:, 2:], net(x.transpose(0, 1)[:, :2])[1])
    np.testing.assert_allclose(again.detach().numpy(), turned[:, 2:].detach().numpy(), atol=1e-6)
    net.return_sequences = False
    assert net(x.transpose(0, 1))[0].equal(h[-1])
    cell_h, (state_h, _) = net.cells[0](x[0])
    assert cell_h is state_h


def test_grad_stats() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    net[0].weight.grad = pydl.tensor([[3.0, -4.0], [0.0, float("nan")]])
    net[0].bias.grad = pydl.tensor([float("inf"), 0.0])
    stats = nn.utils.grad_stats(net)
    assert list(stats) == ["0.weight", "0.bias", "1.bias"]
    assert stats["0.weight"] == {"norm": 5.0, "max_abs": 4.0, "zeros": 1, "nonfinite": 1, "numel": 4, "has_grad": True}
    assert stats["0.bias"] == {"norm": 0.0, "max_abs": 0.0, "zeros": 1, "nonfinite": 1, "numel": 2, "has_grad": True}
    assert stats["1.bias"] == {"norm": 0.0, "max_abs": 0.0, "zeros": 0, "nonfinite": 0, "numel": 2, "has_grad": False}
    for order, expected in ((1, 7.0), (float("inf"), 4.0), (3, 91 ** (1 / 3))):
        assert nn.utils.grad_stats(net, order)["0.weight"]["norm"] == pytest.approx(expected)
    huge = nn.Linear(2, 1, bias=False).double()
    huge.weight.grad = pydl.full((1, 2), 1e300, dtype=pydl.float64)
    assert nn.utils.grad_stats(huge)["weight"]["norm"] == pytest.approx(2**0.5 * 1e300)
    half = nn.Linear(2, 1, bias=False).half()
    half.weight.grad = pydl.full((1, 2), 60000.0, dtype=pydl.float16)
    assert nn.utils.grad_stats(half)["weight"]["norm"] == pytest.approx(2**0.5 * 60000, rel=1e-3)


def test_a_spatial_transformer_of_no_images() -> None:
    block = nn.blocks.SpatialTransformer(in_channels=2, output_size=(3, 4))
    assert block(pydl.zeros(0, 2, 5, 5)).shape == (0, 2, 3, 4)
