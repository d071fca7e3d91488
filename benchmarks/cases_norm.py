"""Normalisation, softmax, losses, dropout, lookups and interpolation, forward and backward."""

from __future__ import annotations

from benchmarks.case import Case


def _step(result: str, inputs: str) -> str:
    return f"torch.autograd.grad({result}, [{inputs}], g)"


def _inputs(shape: str, channels: str, names: str = "w b") -> str:
    parts = [f"x = torch.rand({shape}).requires_grad_()", f"g = torch.rand({shape})"]
    parts += [f"{name} = torch.rand({channels}).requires_grad_()" for name in names.split()]
    return "; ".join(["F = torch.nn.functional", *parts])


_IMAGES = "32, 64, 56, 56"
_FLOATS = 32 * 64 * 56 * 56 * 4
_LOGITS = "F = torch.nn.functional; x = torch.rand(4096, 1000).requires_grad_(); g = torch.rand(4096, 1000)"
_BATCH = "F.batch_norm(x, m, v, w, b, True)"

NORM_CASES = [
    Case(
        "batch norm 32x64x56x56",
        _inputs(_IMAGES, "64") + "; m = torch.zeros(64); v = torch.ones(64)",
        _step(_BATCH, "x, w, b"),
        2,
        bytes=8 * _FLOATS,
    ),
    Case(
        "batch norm 32x512x7x7",
        _inputs("32, 512, 7, 7", "512") + "; m = torch.zeros(512); v = torch.ones(512)",
        _step(_BATCH, "x, w, b"),
        2,
    ),
    Case(
        "batch norm 256x512",
        _inputs("256, 512", "512") + "; m = torch.zeros(512); v = torch.ones(512)",
        _step(_BATCH, "x, w, b"),
        2,
    ),
    Case(
        "instance norm 16x64x56x56",
        _inputs("16, 64, 56, 56", "64"),
        _step("F.instance_norm(x, None, None, w, b)", "x, w, b"),
        2,
    ),
    Case("layer norm 4096x768", _inputs("4096, 768", "768"), _step("F.layer_norm(x, (768,), w, b)", "x, w, b"), 1),
    Case("rms norm 4096x768", _inputs("4096, 768", "768", "w"), _step("F.rms_norm(x, (768,), w)", "x, w"), 1),
    Case("group norm 8x64x28x28", _inputs("8, 64, 28, 28", "64"), _step("F.group_norm(x, 8, w, b)", "x, w, b"), 1),
    Case("softmax 4096x1000", _LOGITS, _step("F.softmax(x, 1)", "x"), 1.3, bytes=5 * 4096 * 4000),
    Case("log_softmax 4096x1000", _LOGITS, _step("F.log_softmax(x, 1)", "x"), 1.3, bytes=5 * 4096 * 4000),
    Case(
        "cross entropy 4096x1000",
        _LOGITS + "; t = torch.randint(0, 1000, (4096,)); g = torch.ones(())",
        _step("F.cross_entropy(x, t)", "x"),
        1.3,
        bytes=3 * 4096 * 4000,
    ),
    Case(
        "dropout 8 M",
        "F = torch.nn.functional; x = torch.rand(8 << 20).requires_grad_(); g = torch.rand(8 << 20)",
        _step("F.dropout(x)", "x"),
        10,
    ),
    Case(
        "embedding 8192 of 30000x256",
        "F = torch.nn.functional; w = torch.rand(30000, 256).requires_grad_(); "
        "i = torch.randint(0, 30000, (64, 128)); g = torch.rand(64, 128, 256)",
        _step("F.embedding(i, w)", "w"),
        1.2,
    ),
    Case(
        "embedding bag 2048x16 of 30000x128",
        "F = torch.nn.functional; w = torch.rand(30000, 128).requires_grad_(); "
        "i = torch.randint(0, 30000, (2048, 16)); g = torch.rand(2048, 128)",
        _step("F.embedding_bag(i, w)", "w"),
        1,
    ),
    Case(
        "bilinear 2x 8x64x112x112",
        "F = torch.nn.functional; x = torch.rand(8, 64, 112, 112).requires_grad_(); g = torch.rand(8, 64, 224, 224)",
        _step("F.interpolate(x, scale_factor=2, mode='bilinear')", "x"),
        1.5,
    ),
    Case(
        "bicubic 2x 8x16x64x64",
        "F = torch.nn.functional; x = torch.rand(8, 16, 64, 64).requires_grad_(); g = torch.rand(8, 16, 128, 128)",
        _step("F.interpolate(x, scale_factor=2, mode='bicubic')", "x"),
        1.5,
    ),
    Case(
        "grid_sample 8x32x64x64",
        "F = torch.nn.functional; x = torch.rand(8, 32, 64, 64).requires_grad_(); g = torch.rand(8, 32, 64, 64); "
        "p = (torch.rand(8, 64, 64, 2) * 2 - 1).requires_grad_()",
        _step("F.grid_sample(x, p, align_corners=False)", "x, p"),
        1.5,
    ),
    Case(
        "CTC 100x32x40",
        "F = torch.nn.functional; x = torch.rand(100, 32, 40).log_softmax(2).detach().requires_grad_(); "
        "t = torch.randint(1, 40, (32, 20)); lengths = torch.full((32,), 100, dtype=torch.int64); "
        "m = torch.full((32,), 20, dtype=torch.int64); g = torch.ones(())",
        _step("F.ctc_loss(x, t, lengths, m)", "x"),
        1,
    ),
]
