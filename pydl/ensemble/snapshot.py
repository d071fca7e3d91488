"""Several models from one training."""

from __future__ import annotations

import copy
import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import Module

__all__ = ["SnapshotEnsemble"]


class SnapshotEnsemble:
    """Keeps a copy of the model at the end of each cosine cycle of one training (Huang et al. 2017).

    ``step()`` is called once per batch, after the optimizer's. It sets the learning rate lr(t) = lr/2 (cos(pi (t mod
    ceil(T/M)) / ceil(T/M)) + 1) and takes a snapshot where a cycle ends. Called with a batch the ensemble gives the
    mean of the last members' probabilities.

    Args:
        model: gives logits (N, K).
        optimizer: whose learning rates are those at the start of a cycle.
        total_steps: T.
        n_cycles: M. Default: 5.
        use_last: how many snapshots are used. Default: all.

    Attributes:
        snapshots: list of modules, in eval mode.

    Raises:
        ValueError: numbers that are not positive, more steps than ``total_steps``, or a call before the first snapshot.

    Example:
        >>> import pydl
        >>> model = pydl.nn.Linear(2, 3)
        >>> optimizer = pydl.optim.SGD(model.parameters(), lr=0.1)
        >>> ensemble = pydl.ensemble.SnapshotEnsemble(model, optimizer, total_steps=4, n_cycles=2)
        >>> [ensemble.step() for _ in range(4)]
        [False, True, False, True]
        >>> ensemble(pydl.ones(1, 2)).shape
        torch.Size([1, 3])
    """

    snapshots: list[Module]

    def __init__(
        self, model: Module, optimizer: Any, total_steps: int, n_cycles: int = 5, use_last: int | None = None
    ) -> None:
        if total_steps < 1 or not 1 <= n_cycles <= total_steps or (use_last is not None and use_last < 1):
            raise ValueError(
                f"SnapshotEnsemble: total_steps, n_cycles <= total_steps and use_last must be positive, "
                f"got {total_steps}, {n_cycles} and {use_last}"
            )
        self.model, self.optimizer = model, optimizer
        self.total_steps, self.n_cycles, self.use_last = total_steps, n_cycles, use_last
        self.snapshots = []
        self._rates = [group["lr"] for group in optimizer.param_groups]
        self._length = math.ceil(total_steps / n_cycles)
        self._steps = 0

    def step(self) -> bool:
        """Counts a batch and sets the learning rate of the next; returns whether a snapshot was taken."""
        if self._steps >= self.total_steps:
            raise ValueError(f"SnapshotEnsemble: step() was called more than total_steps = {self.total_steps} times")
        self._steps += 1
        ended = self._steps % self._length == 0 or self._steps == self.total_steps
        if ended:
            self.snapshots.append(copy.deepcopy(self.model).eval())
        part = (self._steps % self._length) / self._length
        for group, rate in zip(self.optimizer.param_groups, self._rates):
            group["lr"] = rate / 2 * (math.cos(math.pi * part) + 1)
        return ended

    def __call__(self, x: Tensor) -> Tensor:
        """The mean probabilities (N, K) of the last ``use_last`` snapshots."""
        if not self.snapshots:
            raise ValueError("SnapshotEnsemble: there is no snapshot yet")
        used = self.snapshots if self.use_last is None else self.snapshots[-self.use_last :]
        with pydl.no_grad():
            found = [member(x).softmax(1) for member in used]
        return pydl.stack(found).mean(0)  # type: ignore[attr-defined]
