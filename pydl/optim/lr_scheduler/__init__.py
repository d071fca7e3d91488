"""Learning-rate schedules."""

from pydl.optim.lr_scheduler._base import LRScheduler
from pydl.optim.lr_scheduler.composite import ChainedScheduler, SequentialLR
from pydl.optim.lr_scheduler.cycles import CosineAnnealingWarmRestarts, CyclicLR
from pydl.optim.lr_scheduler.decay import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    StepLR,
)
from pydl.optim.lr_scheduler.factors import ConstantLR, MultiplicativeLR, PolynomialLR
from pydl.optim.lr_scheduler.one_cycle import OneCycleLR
from pydl.optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
