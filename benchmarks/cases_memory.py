"""Reductions, scans, sorting, selection, copies and random numbers: cases near the machine's bandwidth."""

from __future__ import annotations

from benchmarks.case import Case

_BIG = "a = torch.rand(8 << 20)"
_ROWS = "a = torch.rand(4096, 2048)"
_IMAGES = "a = torch.rand(32, 64, 64, 64)"
_BYTES = (8 << 20) * 4

MEMORY_CASES = [
    Case("sum 8 M", _BIG, "a.sum()", 1, reads=_BYTES),
    Case("sum rows 4096x2048", _ROWS, "a.sum(1)", 1, reads=_BYTES),
    Case("sum columns 4096x2048", _ROWS, "a.sum(0)", 1, reads=_BYTES),
    Case("sum NCHW over N, H, W", _IMAGES, "a.sum((0, 2, 3))", 1, reads=_BYTES),
    Case("mean 8 M", _BIG, "a.mean()", 1, reads=_BYTES),
    Case("max rows 4096x2048", _ROWS, "a.max(1)", 4, bytes=_BYTES),
    Case("argmax rows 4096x2048", _ROWS, "a.argmax(1)", 4, bytes=_BYTES),
    Case("var 8 M", _BIG, "a.var()", 15, reads=_BYTES),
    Case("norm 8 M", _BIG, "a.norm()", 2, reads=_BYTES),
    Case("cumsum rows 4096x2048", _ROWS, "a.cumsum(1)", 1.2, bytes=2 * _BYTES),
    Case("cumsum columns 4096x2048", _ROWS, "a.cumsum(0)", 1.2, bytes=2 * _BYTES),
    Case("transpose copy 2048", "a = torch.rand(2048, 2048)", "a.t().contiguous()", 1.5, bytes=2 * 2048 * 2048 * 4),
    Case(
        "gather 4096x2048",
        _ROWS + "; i = torch.randint(0, 2048, (4096, 2048))",
        "a.gather(1, i)",
        1.5,
    ),
    Case(
        "index_select 100 k rows of 64",
        "a = torch.rand(100000, 64); i = torch.randint(0, 100000, (100000,))",
        "a.index_select(0, i)",
        1.5,
    ),
    Case("boolean mask 2 M", "a = torch.rand(2 << 20); m = a > 0.5", "a[m]", 1.5),
    Case(
        "scatter_add 16 M into 1 M",
        "a = torch.zeros(1 << 20); v = torch.rand(16 << 20); i = torch.randint(0, 1 << 20, (16 << 20,))",
        "a.scatter_add(0, i, v)",
        3,
    ),
    Case("sort 16x65536", "a = torch.rand(16, 65536)", "torch.sort(a)", 3),
    Case("topk 50 of 32000, 256 rows", "a = torch.rand(256, 32000)", "torch.topk(a, 50)", 3),
    Case("randn 4 M", "", "torch.randn(4 << 20)", 3),
    Case(
        "NCHW to NHWC 32x64x64x64",
        _IMAGES,
        "a.contiguous(memory_format=torch.channels_last)",
        1,
        bytes=2 * _BYTES,
    ),
    Case("cat 2 x 4 M", "a = torch.rand(4 << 20); b = torch.rand(4 << 20)", "torch.cat([a, b])", 1, bytes=2 * _BYTES),
    Case(
        "cat columns 2 x 2048x2048",
        "a = torch.rand(2048, 2048); b = a + 1",
        "torch.cat([a, b], 1)",
        1,
        bytes=2 * _BYTES,
    ),
]
