"""The formulas of the blocks in NumPy: each takes the state dict and the inputs as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

State = dict[str, np.ndarray]


def conv(
    x: np.ndarray, w: np.ndarray, b: Any = None, stride: int = 1, pad: Any = 0, dilation: int = 1, groups: int = 1
) -> np.ndarray:
    """Cross-correlation, pixel of the kernel by pixel."""
    py, px = (pad, pad) if isinstance(pad, int) else pad
    x = np.pad(x, ((0, 0), (0, 0), (py, py), (px, px)))
    n, c, h, wide = x.shape
    out, per, kh, kw = w.shape
    oh, ow = ((s - dilation * (k - 1) - 1) // stride + 1 for s, k in ((h, kh), (wide, kw)))
    y = np.zeros((n, out, oh, ow))
    for g in range(groups):
        kernels = w[g * out // groups : (g + 1) * out // groups]
        part = x[:, g * per : (g + 1) * per]
        for i in range(kh):
            for j in range(kw):
                rows = slice(i * dilation, i * dilation + stride * (oh - 1) + 1, stride)
                columns = slice(j * dilation, j * dilation + stride * (ow - 1) + 1, stride)
                y[:, g * out // groups : (g + 1) * out // groups] += np.einsum(
                    "nchw,oc->nohw", part[:, :, rows, columns], kernels[:, :, i, j]
                )
    return y if b is None else y + b[:, None, None]


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def norm(x: np.ndarray, s: State, key: str) -> np.ndarray:
    """Batch norm of eval mode."""
    mean, var, w, b = (s[f"{key}.{k}"][:, None, None] for k in ("running_mean", "running_var", "weight", "bias"))
    return (x - mean) / np.sqrt(var + 1e-5) * w + b


def layer(x: np.ndarray, s: State, key: str, **geometry: Any) -> np.ndarray:
    return conv(x, s[f"{key}.weight"], s.get(f"{key}.bias"), **geometry)


def max_pool(x: np.ndarray, size: int = 3) -> np.ndarray:
    p = size // 2
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3)).max(axis=(4, 5))


def shortcut(x: np.ndarray, s: State, stride: int) -> np.ndarray:
    return norm(layer(x, s, "downsample.0", stride=stride), s, "downsample.1") if "downsample.0.weight" in s else x


def residual_block(s: State, x: np.ndarray, stride: int = 1) -> np.ndarray:
    y = relu(norm(layer(x, s, "conv1", stride=stride, pad=1), s, "bn1"))
    return relu(norm(layer(y, s, "conv2", pad=1), s, "bn2") + shortcut(x, s, stride))


def bottleneck(s: State, x: np.ndarray, stride: int = 1, groups: int = 1, dilation: int = 1) -> np.ndarray:
    y = relu(norm(layer(x, s, "conv1"), s, "bn1"))
    y = layer(y, s, "conv2", stride=stride, pad=dilation, dilation=dilation, groups=groups)
    y = layer(relu(norm(y, s, "bn2")), s, "conv3")
    return relu(norm(y, s, "bn3") + shortcut(x, s, stride))


def dense_block(s: State, x: np.ndarray, layers: int) -> np.ndarray:
    for i in range(1, layers + 1):
        y, key = x, f"denselayer{i}"
        if f"{key}.norm1.weight" in s:
            y = layer(relu(norm(y, s, f"{key}.norm1")), s, f"{key}.conv1")
        y = layer(relu(norm(y, s, f"{key}.norm2")), s, f"{key}.conv2", pad=1)
        x = np.concatenate([x, y], 1)
    return x


def separable(s: State, x: np.ndarray, **geometry: Any) -> np.ndarray:
    return layer(layer(x, s, "depthwise", groups=x.shape[1], **geometry), s, "pointwise")


def gated(s: State, x: np.ndarray, activation: Any = lambda y: y, **geometry: Any) -> np.ndarray:
    return activation(layer(x, s, "conv", **geometry)) * sigmoid(layer(x, s, "gate", **geometry))


def subpixel(s: State, x: np.ndarray, r: int) -> np.ndarray:
    y = layer(x, s, "conv", pad=s["conv.weight"].shape[-1] // 2)
    n, c, h, w = y.shape
    out = np.zeros((n, c // r**2, h * r, w * r))
    for k in range(c):
        i, j = divmod(k % r**2, r)
        out[:, k // r**2, i::r, j::r] = y[:, k]
    return out


def inception(s: State, x: np.ndarray) -> np.ndarray:
    def unit(x: np.ndarray, key: str, pad: int = 0) -> np.ndarray:
        y = layer(x, s, f"{key}.conv", pad=pad)
        return relu(norm(y, s, f"{key}.norm") if f"{key}.norm.weight" in s else y)

    two = unit(unit(x, "branch2.0"), "branch2.1", 1)
    three = unit(unit(x, "branch3.0"), "branch3.1", 2)
    return np.concatenate([unit(x, "branch1"), two, three, unit(max_pool(x), "branch4")], 1)


def aspp(s: State, x: np.ndarray, rates: tuple[int, ...], pool: bool) -> np.ndarray:
    maps = [relu(norm(layer(x, s, "convs.0.0"), s, "convs.0.1"))]
    for i, rate in enumerate(rates, 1):
        maps.append(relu(norm(layer(x, s, f"convs.{i}.0", pad=rate, dilation=rate), s, f"convs.{i}.1")))
    if pool:
        i = len(rates) + 1
        mean = relu(norm(layer(x.mean((2, 3), keepdims=True), s, f"convs.{i}.1"), s, f"convs.{i}.2"))
        maps.append(np.broadcast_to(mean, maps[0].shape))
    return relu(norm(layer(np.concatenate(maps, 1), s, "project.0"), s, "project.1"))


def self_attention(s: State, x: np.ndarray, heads: int, causal: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Result and the weights of each head."""
    n, length, size = x.shape
    q, k, v = np.split(x @ s["attn.in_proj_weight"].T + s["attn.in_proj_bias"], 3, axis=-1)
    q, k, v = (a.reshape(n, length, heads, -1).transpose(0, 2, 1, 3) for a in (q, k, v))
    score = q @ k.transpose(0, 1, 3, 2) / np.sqrt(size // heads)
    if causal:
        score = np.where(np.triu(np.ones((length, length), bool), 1), -np.inf, score)
    weights = np.exp(score - score.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    y = (weights @ v).transpose(0, 2, 1, 3).reshape(n, length, size)
    return y @ s["attn.out_proj.weight"].T + s["attn.out_proj.bias"], weights


def channel_attention(s: State, x: np.ndarray, use_max: bool = True, prefix: str = "") -> np.ndarray:
    def score(pooled: np.ndarray) -> np.ndarray:
        return layer(relu(layer(pooled, s, f"{prefix}fc1")), s, f"{prefix}fc2")

    total = score(x.mean((2, 3), keepdims=True))
    if use_max:
        total = total + score(x.max((2, 3), keepdims=True))
    return x * sigmoid(total)


def spatial_attention(s: State, x: np.ndarray, prefix: str = "") -> np.ndarray:
    w = s[f"{prefix}conv.weight"]
    return x * sigmoid(conv(np.stack([x.mean(1), x.max(1)], 1), w, s.get(f"{prefix}conv.bias"), pad=w.shape[-1] // 2))


def cbam(s: State, x: np.ndarray) -> np.ndarray:
    return spatial_attention(s, channel_attention(s, x, prefix="channel."), prefix="spatial.")


def feature_attention(s: State, x: np.ndarray, softmax: bool = True) -> np.ndarray:
    if "fc.weight" in s:
        score = x @ s["fc.weight"].T + s["fc.bias"]
    else:
        score = np.tanh(x @ s["fc.0.weight"].T + s["fc.0.bias"]) @ s["fc.2.weight"].T + s["fc.2.bias"]
    if not softmax:
        return sigmoid(score) * x
    e = np.exp(score - score.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) * x


def transformed(x: np.ndarray, theta: np.ndarray, size: tuple[int, int], corners: bool = False) -> np.ndarray:
    """Bilinear samples at theta's places, zero outside."""
    n, c, h, w = x.shape
    out = np.zeros((n, c, *size))
    for b in range(n):
        for i in range(size[0]):
            for j in range(size[1]):
                if corners:
                    place = np.array([2 * j / (size[1] - 1) - 1, 2 * i / (size[0] - 1) - 1, 1])
                else:
                    place = np.array([(2 * j + 1) / size[1] - 1, (2 * i + 1) / size[0] - 1, 1])
                u, v = theta[b] @ place
                px, py = (
                    ((u + 1) / 2 * (w - 1), (v + 1) / 2 * (h - 1))
                    if corners
                    else (((u + 1) * w - 1) / 2, ((v + 1) * h - 1) / 2)
                )
                for y in (int(np.floor(py)), int(np.floor(py)) + 1):
                    for z in (int(np.floor(px)), int(np.floor(px)) + 1):
                        if 0 <= y < h and 0 <= z < w:
                            out[b, :, i, j] += x[b, :, y, z] * (1 - abs(py - y)) * (1 - abs(px - z))
    return out


def conv_lstm_cell(
    s: State, x: np.ndarray, h: np.ndarray, c: np.ndarray, prefix: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    w = s[f"{prefix}conv.weight"]
    pad = (w.shape[2] // 2, w.shape[3] // 2)
    i, f, g, o = np.split(conv(np.concatenate([x, h], 1), w, s.get(f"{prefix}conv.bias"), pad=pad), 4, axis=1)
    peep = {k: s.get(f"{prefix}W_c{k}", 0.0) for k in "ifo"}
    after = sigmoid(f + peep["f"] * c) * c + sigmoid(i + peep["i"] * c) * np.tanh(g)
    return sigmoid(o + peep["o"] * after) * np.tanh(after), after


def conv_lstm(
    s: State, x: np.ndarray, hidden: list[int], state: Any = None
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Input (T, N, C, H, W): all h of the last layer, and the last h and c of every layer."""
    hs, cs = [], []
    for k, size in enumerate(hidden):
        shape = (x.shape[1], size, *x.shape[3:])
        h, c = (np.zeros(shape), np.zeros(shape)) if state is None else (state[0][k], state[1][k])
        steps = []
        for step in x:
            h, c = conv_lstm_cell(s, step, h, c, f"cells.{k}.")
            steps.append(h)
        x = np.stack(steps)
        hs.append(h)
        cs.append(c)
    return x, hs, cs
