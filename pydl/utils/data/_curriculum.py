"""Easy samples first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pydl
from pydl.utils.data.sampler import Sampler

__all__ = ["CurriculumSampler"]

_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: neighbouring seeds and epochs do not meet


class CurriculumSampler(Sampler[int]):
    """Easy first: epoch e draws from the share g(e) of the samples with the smallest scores.

    g is 1 from epoch ``total_epochs - 1`` on; before, with ``t = e / (total_epochs - 1)`` and ``s = start``:
    ``"linear"``: s + (1 - s) t; ``"root"``: sqrt(s^2 + (1 - s^2) t); ``"step"``: s + (1 - s) floor(t * steps) / steps;
    or a function of t with values in (0, 1]. That are ``max(1, ceil(g * n))`` samples.

    Args:
        scores: difficulty of each sample, (n,).
        pacing: Default: ``"linear"``.
        start: share of the first epoch. Default: 0.2.
        total_epochs: Default: 10.
        steps: of ``"step"``. Default: 5.
        shuffle: in an order that depends on ``seed`` and the epoch; ``False``: by rising score. Default: ``True``.
        seed: Default: 0.

    Raises:
        ValueError: scores that are NaN or no vector, another pacing, numbers out of range; (on use) a function's share
            outside (0, 1].

    Source: Bengio et al., "Curriculum learning", ICML 2009; the pacings: Platanios et al., NAACL 2019.

    Example:
        >>> import pydl
        >>> sampler = pydl.utils.data.CurriculumSampler([3.0, 1.0, 2.0, 4.0], start=0.5, total_epochs=3, shuffle=False)
        >>> list(sampler)
        [1, 2]
        >>> sampler.set_epoch(2)
        >>> list(sampler), len(sampler)
        ([1, 2, 0, 3], 4)
    """

    def __init__(
        self,
        scores: Any,
        pacing: str | Callable[[float], float] = "linear",
        start: float = 0.2,
        total_epochs: int = 10,
        steps: int = 5,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        values = pydl.as_tensor(scores).detach().double()
        if values.dim() != 1 or not len(values):
            raise ValueError(f"CurriculumSampler: scores must be a vector, got shape {tuple(values.shape)}")
        if bool(values.isnan().any()):
            raise ValueError("CurriculumSampler: scores must not be NaN")
        if not callable(pacing) and pacing not in ("linear", "root", "step"):
            raise ValueError(f"CurriculumSampler: pacing must be 'linear', 'root', 'step' or callable, got {pacing!r}")
        if not 0 < start <= 1:
            raise ValueError(f"CurriculumSampler: start must be in (0, 1], got {start}")
        if total_epochs < 1 or steps < 1:
            raise ValueError(
                f"CurriculumSampler: total_epochs and steps must be at least 1, got {total_epochs} and {steps}"
            )
        self.pacing = pacing
        self.start = start
        self.total_epochs = total_epochs
        self.steps = steps
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0
        self._order = values.argsort(stable=True)

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the iterations that follow.

        Raises:
            ValueError: a negative one.
        """
        if epoch < 0:
            raise ValueError(f"CurriculumSampler: epoch must not be negative, got {epoch}")
        self.epoch = epoch

    def _share(self) -> float:
        if self.epoch >= self.total_epochs - 1:
            return 1.0
        t, s = self.epoch / (self.total_epochs - 1), self.start
        if callable(self.pacing):
            share = float(self.pacing(t))
            if not 0 < share <= 1:
                raise ValueError(f"CurriculumSampler: pacing({t}) must be in (0, 1], got {share}")
            return share
        if self.pacing == "linear":
            return s + (1 - s) * t
        if self.pacing == "root":
            return math.sqrt(s**2 + (1 - s**2) * t)
        return s + (1 - s) * math.floor(t * self.steps) / self.steps

    def __len__(self) -> int:
        count = len(self._order)
        return min(count, max(1, math.ceil(self._share() * count)))

    def __iter__(self) -> Iterator[int]:
        chosen = self._order[: len(self)]
        if self.shuffle:
            generator = pydl.Generator()
            generator.manual_seed((self.seed * _GOLDEN + self.epoch) % (1 << 63))
            chosen = chosen[pydl.randperm(len(chosen), generator=generator)]
        yield from chosen.tolist()
