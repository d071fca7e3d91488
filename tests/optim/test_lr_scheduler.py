"""Schedules against PyTorch's, step by step."""

import math

import pytest

import pydl
from pydl.optim import SGD, Adam, lr_scheduler

CASES = {
    "lambda": ("LambdaLR", {"lr_lambda": lambda epoch: 0.9**epoch}),
    "step": ("StepLR", {"step_size": 3, "gamma": 0.5}),
    "multistep": ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.3}),
    "exponential": ("ExponentialLR", {"gamma": 0.8}),
    "cosine": ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}),
    "linear": ("LinearLR", {"start_factor": 0.25, "total_iters": 6}),
    "onecycle": ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20}),
    "onecycle_linear": ("OneCycleLR", {"max_lr": 0.5, "epochs": 4, "steps_per_epoch": 5, "anneal_strategy": "linear"}),
    "onecycle_three": ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20, "three_phase": True}),
}


def rates(library, optimizer_class, schedule_class, options):
    optimizer = optimizer_class([library.zeros(1, requires_grad=True)], lr=0.2)
    schedule = schedule_class(optimizer, **options)
    seen = []
    for _ in range(19):
        group = optimizer.param_groups[0]
        seen.append((group["lr"], group.get("momentum", 0), group.get("betas", (0, 0))[0], schedule.get_last_lr()[0]))
        optimizer.step()
        schedule.step()
    return seen


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_same_rates_as_torch(name, optimizer):
    torch = pytest.importorskip("torch")
    kind, options = CASES[name]
    ours = rates(pydl, getattr(pydl.optim, optimizer), getattr(lr_scheduler, kind), options)
    theirs = rates(torch, getattr(torch.optim, optimizer), getattr(torch.optim.lr_scheduler, kind), options)
    for mine, wanted in zip(ours, theirs):
        assert mine == pytest.approx(wanted, rel=1e-12, abs=1e-15)


def test_cosine_by_hand():
    optimizer = SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
    schedule = lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    for epoch in range(1, 11):
        optimizer.step()
        schedule.step()
        assert schedule.get_last_lr()[0] == pytest.approx((1 + math.cos(math.pi * epoch / 10)) / 2, abs=1e-12)


def test_plateau_reduces_after_patience():
    optimizer = SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=2, factor=0.5, cooldown=1)
    history = []
    for metric in [3, 2, 2, 2, 2, 2, 2, 2, 2]:
        schedule.step(metric)
        history.append(optimizer.param_groups[0]["lr"])
    assert history == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_plateau_max_mode_and_lowest_rate():
    optimizer = SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", patience=0, factor=0.1, min_lr=0.05)
    for metric in [1.0, 0.9, 0.8, 0.7]:
        schedule.step(metric)
    assert optimizer.param_groups[0]["lr"] == 0.05


def test_state_dict_continues():
    def make():
        optimizer = SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        return optimizer, lr_scheduler.StepLR(optimizer, 2)

    first, schedule = make()
    for _ in range(3):
        first.step()
        schedule.step()
    second, resumed = make()
    resumed.load_state_dict(schedule.state_dict())
    second.load_state_dict(first.state_dict())
    for optimizer, current in ((first, schedule), (second, resumed)):
        optimizer.step()
        current.step()
    assert schedule.get_last_lr() == resumed.get_last_lr() == [pytest.approx(0.01)]


def test_warns_when_stepped_first():
    schedule = lr_scheduler.StepLR(SGD([pydl.zeros(1, requires_grad=True)], lr=1.0), 2)
    with pytest.warns(UserWarning, match="before"):
        schedule.step()


def test_errors():
    with pytest.raises(TypeError):
        lr_scheduler.StepLR("no optimizer", 2)
    optimizer = Adam([pydl.zeros(1, requires_grad=True)])
    with pytest.raises(ValueError):
        lr_scheduler.OneCycleLR(optimizer, 0.1)
    with pytest.raises(ValueError):
        lr_scheduler.LinearLR(optimizer, start_factor=0)
    with pytest.raises(ValueError):
        lr_scheduler.ReduceLROnPlateau(optimizer, factor=1.0)
    with pytest.raises(KeyError):
        lr_scheduler.StepLR(optimizer, 2, last_epoch=3)
