"""Networks on point clouds: PointNet (Qi et al. 2017) and the set abstraction of PointNet++ (Qi et al. 2017b)."""

from __future__ import annotations

from collections.abc import Sequence

import pydl
import pydl.nn.functional as F
from pydl import Tensor, nn
from pydl.geometric.points import ball_query, farthest_point_sample

__all__ = ["PointNet", "PointNet2SetAbstraction", "TNet"]


def _check_cloud(name: str, x: Tensor, channels: int) -> None:
    if x.dim() != 3 or x.shape[1] != channels:
        raise pydl.ShapeError(f"{name}: the input must be of size (B, {channels}, N), got {tuple(x.shape)}")
    if x.shape[2] == 0:
        raise pydl.ShapeError(f"{name}: a cloud needs at least one point, got {tuple(x.shape)}")


class TNet(nn.Module):
    """Predicts a k x k map from a cloud: shared layers of 64, 128, 1024, maximum over the points, 512, 256, k * k,
    plus the identity.

    Starts as the identity. (B, k, N) to (B, k, k). Keys ``conv1..3``, ``bn1..5``, ``fc1..3``. Raises ``ShapeError``
    for other sizes.

    >>> pydl.geometric.TNet(3)(pydl.rand(2, 3, 10))[0].detach()
    tensor([[1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.]])
    """

    def __init__(self, k: int = 3) -> None:
        super().__init__()
        self.k = k
        self.conv1, self.conv2, self.conv3 = nn.Conv1d(k, 64, 1), nn.Conv1d(64, 128, 1), nn.Conv1d(128, 1024, 1)
        self.fc1, self.fc2, self.fc3 = nn.Linear(1024, 512), nn.Linear(512, 256), nn.Linear(256, k * k)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm1d(64), nn.BatchNorm1d(128), nn.BatchNorm1d(1024)
        self.bn4, self.bn5 = nn.BatchNorm1d(512), nn.BatchNorm1d(256)
        nn.init.zeros_(self.fc3.weight)
        nn.init.zeros_(self.fc3.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        _check_cloud("TNet", x, self.k)
        x = F.relu(_norm(self.bn1, self.conv1(x)))
        x = F.relu(_norm(self.bn2, self.conv2(x)))
        x = F.relu(_norm(self.bn3, self.conv3(x))).amax(2)
        x = F.relu(_norm(self.bn4, self.fc1(x)))
        x = F.relu(_norm(self.bn5, self.fc2(x)))
        return self.fc3(x).view(-1, self.k, self.k) + pydl.eye(self.k, dtype=x.dtype)


def _norm(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Batch norm that leaves one value per channel to the running statistics: it has no variance."""
    if norm.training and x.numel() == x.shape[1]:
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)
    return norm(x)


class PointNet(nn.Module):
    """Classifier of point clouds that does not depend on the order of the points (Qi et al. 2017).

    TNet(3) turns the first three channels, a shared layer of 64, TNet(64), shared layers of 128 and 1024, the
    maximum over the points, then 512, 256 and the classes, with dropout before the last layer.

    Args:
        num_classes: number of logits.
        in_channels: channels per point, the coordinates first, default 3.
        input_transform, feature_transform: whether the two TNets are there, default True.
        dropout: default 0.3.

    (B, in, N) to (logits (B, num_classes), feature transform (B, 64, 64) or None); `pydl.losses.PointNetLoss` takes
    both. A norm that sees one value per channel uses its running statistics. Raises ``ShapeError`` for
    other sizes or N = 0.

    >>> logits, transform = pydl.geometric.PointNet(10)(pydl.rand(2, 3, 64))
    >>> logits.shape, transform.shape
    (torch.Size([2, 10]), torch.Size([2, 64, 64]))
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        input_transform: bool = True,
        feature_transform: bool = True,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if in_channels < 3:
            raise ValueError(f"PointNet: in_channels must be at least 3, got {in_channels}")
        self.in_channels = in_channels
        self.input_transform = TNet(3) if input_transform else None
        self.feature_transform = TNet(64) if feature_transform else None
        self.conv1, self.conv2, self.conv3 = (
            nn.Conv1d(in_channels, 64, 1),
            nn.Conv1d(64, 128, 1),
            nn.Conv1d(128, 1024, 1),
        )
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm1d(64), nn.BatchNorm1d(128), nn.BatchNorm1d(1024)
        self.fc1, self.fc2, self.fc3 = nn.Linear(1024, 512), nn.Linear(512, 256), nn.Linear(256, num_classes)
        self.bn4, self.bn5 = nn.BatchNorm1d(512), nn.BatchNorm1d(256)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        _check_cloud("PointNet", x, self.in_channels)
        if self.input_transform is not None:
            turned = self.input_transform(x[:, :3]).transpose(1, 2) @ x[:, :3]
            x = pydl.cat([turned, x[:, 3:]], 1)
        x = F.relu(_norm(self.bn1, self.conv1(x)))
        transform = None
        if self.feature_transform is not None:
            transform = self.feature_transform(x)
            x = transform.transpose(1, 2) @ x
        x = F.relu(_norm(self.bn2, self.conv2(x)))
        x = _norm(self.bn3, self.conv3(x)).amax(2)
        x = F.relu(_norm(self.bn4, self.fc1(x)))
        x = F.relu(_norm(self.bn5, self.dropout(self.fc2(x))))
        return self.fc3(x), transform


class PointNet2SetAbstraction(nn.Module):
    """A smaller cloud with features of neighbourhoods (Qi et al. 2017b).

    `npoint` centres by :func:`farthest_point_sample` from index 0, `nsample` points around each by
    :func:`ball_query`, shared layers on (coordinates minus centre, features), maximum over the group.

    Args:
        npoint, radius, nsample: centres, radius of the balls, points per ball; not used with group_all.
        in_channel: features per point, without the three coordinates.
        mlp: widths of the shared layers, each with batch norm and relu.
        group_all: one group of all points, with its centre in the origin.

    forward(xyz (B, N, 3), points (B, N, D) or None) gives (centres (B, npoint, 3), features (B, npoint, mlp[-1])).

    >>> layer = pydl.geometric.PointNet2SetAbstraction(16, 0.4, 8, 0, [32, 64])
    >>> centres, features = layer(pydl.rand(2, 100, 3))
    >>> centres.shape, features.shape
    (torch.Size([2, 16, 3]), torch.Size([2, 16, 64]))
    """

    def __init__(
        self,
        npoint: int | None,
        radius: float | None,
        nsample: int | None,
        in_channel: int,
        mlp: Sequence[int],
        group_all: bool = False,
    ) -> None:
        super().__init__()
        if not mlp:
            raise ValueError("PointNet2SetAbstraction: mlp must name at least one width")
        if not group_all and (npoint is None or radius is None or nsample is None):
            raise ValueError(
                "PointNet2SetAbstraction: npoint, radius and nsample may be None with group_all=True alone"
            )
        self.npoint, self.radius, self.nsample, self.in_channel, self.group_all = (
            npoint,
            radius,
            nsample,
            in_channel,
            group_all,
        )
        widths = [in_channel + 3, *mlp]
        self.mlp_convs = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(widths, widths[1:]))
        self.mlp_bns = nn.ModuleList(nn.BatchNorm2d(b) for b in mlp)

    def _grouped(self, xyz: Tensor, points: Tensor | None) -> tuple[Tensor, Tensor]:
        """Centres (B, S, 3) and grouped features (B, S, K, 3 + D)."""
        if self.group_all:
            both = xyz if points is None else pydl.cat([xyz, points], -1)
            return xyz.new_zeros(xyz.shape[0], 1, 3), both.unsqueeze(1)
        batch = pydl.arange(xyz.shape[0]).view(-1, 1, 1)
        centres = farthest_point_sample(xyz, self.npoint)  # type: ignore[arg-type]
        new_xyz = xyz[batch[:, 0], centres]
        index = ball_query(self.radius, self.nsample, xyz, new_xyz)  # type: ignore[arg-type]
        near = xyz[batch, index] - new_xyz.unsqueeze(2)
        return new_xyz, near if points is None else pydl.cat([near, points[batch, index]], -1)

    def forward(self, xyz: Tensor, points: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if xyz.dim() != 3 or xyz.shape[2] != 3 or xyz.shape[1] == 0:
            raise pydl.ShapeError(
                f"PointNet2SetAbstraction: xyz must be of size (B, N >= 1, 3), got {tuple(xyz.shape)}"
            )
        width = 0 if points is None else points.shape[-1]
        if width != self.in_channel or points is not None and points.shape[:2] != xyz.shape[:2]:
            raise pydl.ShapeError(
                f"PointNet2SetAbstraction: points must be of size {(*xyz.shape[:2], self.in_channel)}, got "
                f"{None if points is None else tuple(points.shape)}"
            )
        new_xyz, x = self._grouped(xyz, points)
        x = x.permute(0, 3, 2, 1)  # (B, 3 + D, K, S)
        for conv, bn in zip(self.mlp_convs, self.mlp_bns):
            x = F.relu(bn(conv(x)))
        return new_xyz, x.amax(2).transpose(1, 2)
