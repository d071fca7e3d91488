"""Optimizers and learning-rate schedules."""

from pydl.optim import lr_scheduler
from pydl.optim.adam import Adam
from pydl.optim.adamw import AdamW
from pydl.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from pydl.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "lr_scheduler",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
]
