"""Vision ops against the obvious way in plain PyTorch: vectorised overlaps in a loop, gathers of corners,
grid_sample."""

from __future__ import annotations

from benchmarks.case import Case

_BOXES = """
corner = torch.rand(10000, 2) * 300
boxes = torch.cat([corner, corner + 5 + torch.rand(10000, 2) * 100], 1)
scores = torch.rand(10000)
def plain_nms(boxes, scores, threshold):
    order = scores.argsort(descending=True)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while order.numel():
        best, order = order[0], order[1:]
        kept.append(best)
        low, high = torch.maximum(boxes[best, :2], boxes[order, :2]), torch.minimum(boxes[best, 2:], boxes[order, 2:])
        common = (high - low).clamp(min=0).prod(1)
        order = order[common / (areas[best] + areas[order] - common) <= threshold]
    return torch.stack(kept)
nms = torch.vision.ops.nms if torch.__name__ == "pydl" else plain_nms
"""

_REGIONS = """
x = torch.rand(2, 256, 50, 50)
corner = torch.rand(512, 2) * 500
rows = torch.cat([(torch.arange(512) % 2)[:, None].float(), corner, corner + 20 + torch.rand(512, 2) * 250], 1)
def plain_roi_align(x, rows, size, scale, samples):
    height, width = x.shape[2:]
    image = rows[:, 0].long()
    def axis(low, high, limit):
        step = (high - low).clamp(min=1) / (size * samples)
        at = (low[:, None] + (torch.arange(size * samples) + 0.5) * step[:, None])
        inside = (at >= -1) & (at <= limit)
        at = at.clamp(0, limit - 1)
        first = at.floor().clamp(max=limit - 1)
        return first.long(), (first + 1).clamp(max=limit - 1).long(), at - first, inside
    y0, y1, fy, in_y = axis(rows[:, 2] * scale, rows[:, 4] * scale, height)
    x0, x1, fx, in_x = axis(rows[:, 1] * scale, rows[:, 3] * scale, width)
    total = 0
    for y, wy in ((y0, 1 - fy), (y1, fy)):
        for z, wx in ((x0, 1 - fx), (x1, fx)):
            weight = (wy * in_y)[:, :, None] * (wx * in_x)[:, None]
            total = total + x[image[:, None, None], :, y[:, :, None], z[:, None]] * weight[..., None]
    total = total.reshape(len(rows), size, samples, size, samples, -1)
    return total.mean((2, 4)).permute(0, 3, 1, 2)
if torch.__name__ == "pydl":
    align = lambda x: torch.vision.ops.roi_align(x, rows, 7, 0.0625, 2)
else:
    align = lambda x: plain_roi_align(x, rows, 7, 0.0625, 2)
"""

_DEFORMED = """
x, w = torch.rand(2, 64, 56, 56), torch.rand(64, 64, 3, 3)
offset, mask = torch.randn(2, 18, 56, 56), torch.rand(2, 9, 56, 56)
def plain_deform(x, offset, w, mask):
    n, c, height, width = x.shape
    rows, columns = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    parts = []
    for k in range(9):
        y = rows + k // 3 - 1 + offset[:, 2 * k]
        z = columns + k % 3 - 1 + offset[:, 2 * k + 1]
        grid = torch.stack([2 * z / (width - 1) - 1, 2 * y / (height - 1) - 1], -1)
        parts.append(torch.nn.functional.grid_sample(x, grid, align_corners=True) * mask[:, k, None])
    return torch.einsum("nkcp,ock->nop", torch.stack(parts, 1).flatten(3), w.flatten(2)).reshape(n, -1, height, width)
if torch.__name__ == "pydl":
    deform = lambda x, o, w, m: torch.vision.ops.deform_conv2d(x, o, w, padding=1, mask=m)
else:
    deform = plain_deform
"""
_LEARNED = "\nfor t in (x, offset, w, mask): t.requires_grad_()\n"

VISION_CASES = [
    Case("nms 10,000 boxes", _BOXES, "nms(boxes, scores, 0.3)", 3),
    Case("roi_align 512 of 256x50x50", _REGIONS, "align(x)", 3),
    Case("roi_align 512 of 256x50x50 fwd+bwd", _REGIONS + "\nx.requires_grad_()", "align(x).sum().backward()", 3),
    Case("deform_conv2d 64 56px b2", _DEFORMED, "deform(x, offset, w, mask)", 3),
    Case("deform_conv2d 64 56px b2 fwd+bwd", _DEFORMED + _LEARNED, "deform(x, offset, w, mask).sum().backward()", 3),
]
