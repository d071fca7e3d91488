"""Layers of low rank: two thin layers in place of a wide one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.compress import _counts

__all__ = ["LowRankReport", "low_rank"]


@dataclass
class LowRankReport:
    """What :func:`low_rank` has replaced.

    Attributes:
        layers: for each replaced module a dict of ``rank``, ``singular_values`` (those dropped), ``error`` = |W -
            W_r|_F, the root of the sum of their squares, and ``parameters`` and ``flops`` as (before, after).
        parameters, flops: of all Linear and Conv2d layers together, (before, after); operations per position of the
            output.

    Example:
        >>> import pydl
        >>> net = pydl.nn.Linear(4, 4, bias=False)
        >>> net.weight.data = pydl.diag(pydl.tensor([4.0, 3.0, 2.0, 1.0]))
        >>> _, report = pydl.compress.low_rank(net, rank=2, only_if_smaller=False, return_report=True)
        >>> report.layers[""]["singular_values"].tolist(), report.parameters
        ([2.0, 1.0], (16, 16))
    """

    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    flops: tuple[int, int] = (0, 0)
    parameters: tuple[int, int] = (0, 0)


def _count(module: nn.Module) -> int:
    return _counts.parameters(module)


def _operations(module: nn.Module) -> int:
    layers = [m for m in module.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    return sum(2 * m.weight.numel() for m in layers)


def _chosen(name: str, sigma: Tensor, rank: Any, energy: float | None) -> int | None:
    """The rank for one layer, None where it stays."""
    full = len(sigma)
    if energy is not None:
        shares = sigma.square().cumsum(0)
        if shares[-1] == 0:
            return 1
        # Rounding must not ask for more than all.
        return int((shares < energy * shares[-1] * (1 - 1e-12)).sum().item()) + 1
    if isinstance(rank, dict):
        if name not in rank:
            return None
        rank = rank[name]
    wanted = max(1, round(rank * full)) if isinstance(rank, float) else int(rank)
    return min(wanted, full)


def _halves(module: Any, u: Tensor, sigma: Tensor, v: Tensor, rank: int) -> nn.Sequential:
    """Two layers whose product is the truncated decomposition, the singular values split between them."""
    like = {"device": module.weight.device, "dtype": module.weight.dtype}
    first: Any
    second: Any
    if isinstance(module, nn.Linear):
        first = nn.Linear(module.in_features, rank, bias=False, **like)
        second = nn.Linear(rank, module.out_features, bias=module.bias is not None, **like)
    else:
        first = nn.Conv2d(
            module.in_channels, rank, module.kernel_size, module.stride, module.padding, module.dilation, bias=False,
            padding_mode=module.padding_mode, **like,
        )  # fmt: skip
        second = nn.Conv2d(rank, module.out_channels, 1, bias=module.bias is not None, **like)
    root = sigma[:rank].sqrt()
    with pydl.no_grad():
        first.weight.copy_((root.unsqueeze(1) * v[:rank]).reshape(first.weight.shape))
        second.weight.copy_((u[:, :rank] * root).reshape(second.weight.shape))
        if module.bias is not None:
            second.bias.copy_(module.bias)
    first.weight.requires_grad_(module.weight.requires_grad)
    second.requires_grad_(module.weight.requires_grad)
    return nn.Sequential(first, second).train(module.training)


def low_rank(
    model: nn.Module,
    rank: int | float | dict[str, int] | None = None,
    energy: float | None = None,
    include: Callable[[str, nn.Module], bool] | None = None,
    only_if_smaller: bool = True,
    inplace: bool = False,
    return_report: bool = False,
) -> Any:
    """Replaces Linear layers by two (in -> r without bias, r -> out) and Conv2d by conv(in -> r, kernel) and 1x1 (r ->
    out).

    The two come from the singular value decomposition of the weight as a matrix (out, rest), which is the best
    approximation of rank r (Eckart and Young 1936), with the root of the singular values on both. They stand in a
    Sequential: ``0.weight``, ``1.weight``, ``1.bias``. Grouped convolutions stay.

    Args:
        model: a module; a Linear or Conv2d itself works too.
        rank: a number, a share of the full rank (float), or numbers by the modules' names (others stay).
        energy: the least share of the sum of squared singular values to keep. Exactly one of the two is given.
        include: callable of name and module that tells which ones. Default: all.
        only_if_smaller: leave layers that would not have fewer parameters. Default: True.
        inplace: change ``model`` itself. Default: a copy.
        return_report: also return a :class:`LowRankReport`.

    Raises:
        ValueError: both or none of rank and energy, or out of range, or a name that is no Linear or Conv2d.

    Example:
        >>> import pydl
        >>> pydl.compress.low_rank(pydl.nn.Linear(20, 10), rank=3)
        Sequential(
          (0): Linear(in_features=20, out_features=3, bias=False)
          (1): Linear(in_features=3, out_features=10, bias=True)
        )
    """
    _check(rank, energy)
    if not inplace:
        model = _counts.copied(model)
    # Subclasses are used in other ways than being called.
    layers = {n: m for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    if isinstance(rank, dict) and (unknown := [n for n in rank if n not in layers]):
        raise ValueError(f"low_rank(): the model has no Linear or Conv2d named {', '.join(map(repr, unknown))}")
    report = LowRankReport()
    before = (sum(map(_count, layers.values())), sum(map(_operations, layers.values())))
    for name, module in layers.items():
        if getattr(module, "groups", 1) > 1 or (include is not None and not include(name, module)):
            continue
        weight = module.weight.detach().double().flatten(1)
        if weight.numel() == 0:
            continue
        u, sigma, v = pydl.linalg.svd(weight, full_matrices=False)
        chosen = _chosen(name, sigma, rank, energy)
        if chosen is None:
            continue
        halves = _halves(module, u, sigma, v, chosen)
        if only_if_smaller and _count(halves) >= _count(module):
            continue
        dropped = sigma[chosen:]
        report.layers[name] = {
            "rank": chosen,
            "singular_values": dropped,
            "error": dropped.square().sum().sqrt().item(),
            "parameters": (_count(module), _count(halves)),
            "flops": (_operations(module), _operations(halves)),
        }
        if module is model:
            model = halves
        for parent in list(model.modules()):  # a layer may have several names
            for child in [n for n, m in parent._modules.items() if m is module and parent is not halves]:
                setattr(parent, child, halves)
    saved = [sum(r[what][0] - r[what][1] for r in report.layers.values()) for what in ("parameters", "flops")]
    report.parameters, report.flops = ((b, b - s) for b, s in zip(before, saved))
    return (model, report) if return_report else model


def _check(rank: Any, energy: float | None) -> None:
    if (rank is None) == (energy is None):
        raise ValueError("low_rank(): exactly one of rank and energy must be given")
    if energy is not None and not 0 < energy <= 1:
        raise ValueError(f"low_rank(): energy must be in (0, 1], got {energy}")
    for r in rank.values() if isinstance(rank, dict) else () if rank is None else (rank,):
        if isinstance(r, float) and not 0 < r <= 1:
            raise ValueError(f"low_rank(): a share of the rank must be in (0, 1], got {r}")
        if not isinstance(r, float) and r < 1:
            raise ValueError(f"low_rank(): rank must be at least 1, got {r}")
