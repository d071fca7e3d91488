"""Losses, against the obvious way in PyTorch: a table of all distances, sort and cumsum, a loop of log-sum-exps."""

from __future__ import annotations

from benchmarks.case import Case

_POINTS = """
if torch.__name__ == "pydl":
    chamfer, hausdorff = torch.losses.chamfer_loss, torch.losses.hausdorff_loss
else:
    def chamfer(a, b):
        d = torch.cdist(a, b)
        return (d.min(2)[0] ** 2).mean() + (d.min(1)[0] ** 2).mean()
    def hausdorff(a, b):
        d = torch.cdist(a, b)
        return torch.maximum(d.min(2)[0].amax(1), d.min(1)[0].amax(1)).mean()
a, b = torch.rand(1, 4000, 3, requires_grad=True), torch.rand(1, 4000, 3)
"""
_DISTANCES = """
if torch.__name__ == "pydl":
    distance = torch.losses.signed_distance
else:
    from scipy.ndimage import distance_transform_edt as edt
    def distance(mask):
        maps = [edt(~m) - edt(m) for m in mask.flatten(0, 1).numpy()]
        return torch.stack([torch.from_numpy(m).float() for m in maps]).reshape(mask.shape)
x = torch.linspace(-1, 1, 512)
shift = torch.linspace(-0.5, 0.5, 8).reshape(8, 1, 1, 1)
mask = (x - shift) ** 2 + x[:, None] ** 2 < 0.2
"""
_LOVASZ = """
if torch.__name__ == "pydl":
    hinge, softmax = torch.losses.lovasz_hinge_loss, torch.losses.lovasz_softmax_loss
else:
    def gains(truth):
        total = truth.sum()
        jaccard = 1 - (total - truth.cumsum(0)) / (total + (1 - truth).cumsum(0))
        jaccard[1:] = jaccard[1:] - jaccard[:-1]
        return jaccard
    def extension(errors, truth):
        errors, order = errors.sort(descending=True)
        return (errors.relu() * gains(truth[order])).sum()
    def hinge(x, y):
        pairs = zip(x.flatten(1), y.float().flatten(1))
        return torch.stack([extension(1 - s * (2 * t - 1), t) for s, t in pairs]).mean()
    def softmax(x, y):
        p, y = x.softmax(1).movedim(1, 0).flatten(1), y.flatten()
        return torch.stack([extension(((y == c).float() - p[c]).abs(), (y == c).float()) for c in y.unique()]).mean()
x, y = torch.randn(4, 19, 128, 256, requires_grad=True), torch.randint(0, 19, (4, 128, 256))
s, t = torch.randn(8, 1, 256, 256, requires_grad=True), torch.randint(0, 2, (8, 1, 256, 256))
"""
_SINKHORN = """
if torch.__name__ == "pydl":
    def sinkhorn(p, q, c):
        return torch.losses.earth_mover_loss(p, q, c, "sinkhorn", eps=0.05, max_iter=100, tol=0.0)
else:
    def sinkhorn(p, q, c, eps=0.05):
        p, q = p / p.sum(1, keepdim=True), q / q.sum(1, keepdim=True)
        f, g, lp, lq = torch.zeros_like(p), torch.zeros_like(q), p.log(), q.log()
        for _ in range(100):
            f = eps * (lp - ((g[:, None] - c) / eps).logsumexp(2))
            g = eps * (lq - ((f[:, :, None] - c) / eps).logsumexp(1))
        return ((((f[:, :, None] + g[:, None] - c) / eps).exp()) * c).sum((1, 2)).mean()
def problem(n, k):
    return torch.rand(n, k), torch.rand(n, k), torch.rand(n, k, k)
p, q, c = problem(16, 128)
big = problem(1, 512)
"""

LOSS_CASES = [
    Case("Chamfer 4,000 x 4,000 with gradient", _POINTS, "chamfer(a, b).backward()", 3.0),
    Case("Hausdorff 4,000 x 4,000 with gradient", _POINTS, "hausdorff(a, b).backward()", 3.0),
    Case("signed distance 8x1x512x512", _DISTANCES, "distance(mask)", 3.0),
    Case("Lovasz softmax 4x19x128x256 with gradient", _LOVASZ, "softmax(x, y).backward()", 3.0),
    Case("Lovasz hinge 8x256x256 with gradient", _LOVASZ, "hinge(s, t).backward()", 3.0),
    Case("Sinkhorn 16x128x128, 100 steps", _SINKHORN, "sinkhorn(p, q, c)", 3.0),
    Case("Sinkhorn 512x512, 100 steps", _SINKHORN, "sinkhorn(*big)", 3.0),
]
