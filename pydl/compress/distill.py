"""Training a small network on what a large one says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pydl
from pydl.losses import DistillationLoss
from pydl.nn import Module

__all__ = ["distill"]


def distill(
    student: Module,
    teacher: Module,
    loader: Iterable[Any],
    optimizer: Any,
    epochs: int = 1,
    loss: DistillationLoss | None = None,
    callback: Callable[[int, float], None] | None = None,
) -> dict[str, list[float]]:
    """Trains ``student`` on batches against the frozen teacher (Hinton et al. 2015); returns the mean loss of each
    epoch.

    The teacher is in eval mode meanwhile, without derivatives; its mode and its ``requires_grad`` flags are put back at
    the end, also after an exception. The student is trained in train mode.

    Args:
        student, teacher: modules that give logits (N, C) for an input.
        loader: batches (input, target).
        optimizer: of the student's parameters.
        epochs: default 1.
        loss: default ``DistillationLoss()``.
        callback: called as ``callback(epoch, mean_loss)`` after each epoch.

    Raises:
        ValueError: a negative number of epochs, or no batches.

    Example:
        >>> import pydl
        >>> teacher, student = pydl.nn.Linear(4, 3), pydl.nn.Linear(4, 3)
        >>> batches = [(pydl.rand(8, 4), pydl.zeros(8, dtype=pydl.int64))]
        >>> optimizer = pydl.optim.SGD(student.parameters(), lr=0.1)
        >>> history = pydl.compress.distill(student, teacher, batches, optimizer, epochs=20)
        >>> history["loss"][-1] < history["loss"][0]
        True
    """
    if epochs < 0:
        raise ValueError(f"distill(): epochs must be at least 0, got {epochs}")
    criterion = DistillationLoss() if loss is None else loss
    modes = [(m, m.training) for m in teacher.modules()]
    flags = [(p, p.requires_grad) for p in teacher.parameters()]
    history: list[float] = []
    try:
        teacher.eval().requires_grad_(False)
        student.train()
        for epoch in range(epochs):
            total, count = 0.0, 0
            for input, target in loader:
                with pydl.no_grad():
                    wanted = teacher(input)
                optimizer.zero_grad()
                value = criterion(student(input), wanted, target)
                value.backward()
                optimizer.step()
                total, count = total + value.item() * len(input), count + len(input)
            if count == 0:
                raise ValueError("distill(): loader has no batches")
            history.append(total / count)
            if callback is not None:
                callback(epoch, history[-1])
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
    return {"loss": history}
