"""Optimizers and learning-rate schedules."""

from pydl.optim import lr_scheduler, swa_utils
from pydl.optim.adadelta import Adadelta
from pydl.optim.adafactor import Adafactor
from pydl.optim.adagrad import Adagrad
from pydl.optim.adam import Adam
from pydl.optim.adamax import Adamax
from pydl.optim.adamw import AdamW
from pydl.optim.asgd import ASGD
from pydl.optim.lbfgs import LBFGS
from pydl.optim.muon import Muon
from pydl.optim.nadam import NAdam
from pydl.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from pydl.optim.radam import RAdam
from pydl.optim.rmsprop import RMSprop
from pydl.optim.rprop import Rprop
from pydl.optim.sgd import SGD

__all__ = [
    "ASGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "LBFGS",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGD",
    "lr_scheduler",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
    "swa_utils",
]
