"""Point clouds, against the obvious way in PyTorch: distances of all pairs, then a selection."""

from __future__ import annotations

from benchmarks.case import Case

_KNN = """
if torch.__name__ == "pydl":
    knn = torch.geometric.knn
else:
    def knn(x, y, k):
        return torch.cdist(y, x).topk(k, largest=False)
x, y = torch.rand(1, 10000, 3), torch.rand(1, 10000, 3)
"""
_BALL = """
if torch.__name__ == "pydl":
    ball_query = torch.geometric.ball_query
else:
    def ball_query(radius, nsample, xyz, new_xyz):
        index = torch.arange(xyz.shape[1]).expand(*new_xyz.shape[:2], -1)
        index = index.masked_fill(torch.cdist(new_xyz, xyz) > radius, xyz.shape[1]).sort(-1)[0][..., :nsample]
        return torch.where(index == xyz.shape[1], index[..., :1], index)
x, y = torch.rand(8, 4096, 3), torch.rand(8, 512, 3)
"""
_FARTHEST = """
if torch.__name__ == "pydl":
    farthest_point_sample = torch.geometric.farthest_point_sample
else:
    def farthest_point_sample(xyz, npoint):
        out = torch.zeros(xyz.shape[0], npoint, dtype=torch.int64)
        nearest = torch.full(xyz.shape[:2], float("inf"))
        rows, last = torch.arange(xyz.shape[0]), torch.zeros(xyz.shape[0], dtype=torch.int64)
        for i in range(npoint):
            out[:, i] = last
            nearest = torch.minimum(nearest, ((xyz - xyz[rows, last].unsqueeze(1)) ** 2).sum(-1))
            last = nearest.argmax(1)
        return out
x = torch.rand(8, 4096, 3)
"""

GEOMETRIC_CASES = [
    Case("knn 10,000 x 10,000, k 16", _KNN, "knn(x, y, 16)", 3.0),
    Case("ball query 8 x 512 of 4096, 32 samples", _BALL, "ball_query(0.1, 32, x, y)", 3.0),
    Case("farthest points 8 x 512 of 4096", _FARTHEST, "farthest_point_sample(x, 512)", 3.0),
]
