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
    "multiplicative": ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.95}),
    "constant": ("ConstantLR", {"factor": 0.5, "total_iters": 4}),
    "polynomial": ("PolynomialLR", {"total_iters": 12, "power": 1.7}),
    "restarts": ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
    "cyclic": ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 4, "step_size_down": 7}),
    "cyclic2": ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 3, "mode": "triangular2"}),
    "cyclic_exp": ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 5, "mode": "exp_range", "gamma": 0.97}),
    "cyclic_own": ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 5, "scale_fn": lambda x: 1 / x}),
    "onecycle": ("OneCycleLR", {"max_lr": 0.5, "total_steps": 31}),
    "onecycle_linear": ("OneCycleLR", {"max_lr": 0.5, "epochs": 4, "steps_per_epoch": 8, "anneal_strategy": "linear"}),
    "onecycle_three": ("OneCycleLR", {"max_lr": 0.5, "total_steps": 31, "three_phase": True}),
}


def rates(library, optimizer_class, schedule_class, options):
    optimizer = optimizer_class([library.zeros(1, requires_grad=True)], lr=0.2)
    schedule = schedule_class(optimizer, **options)
    seen = []
    for _ in range(30):
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


COMPOSITES = {
    "sequential": lambda o, s: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.8), s.StepLR(o, 2, 0.5)], milestones=[3, 9]
    ),
    "chained": lambda o, s: s.ChainedScheduler([s.ConstantLR(o, 0.5, 3), s.ExponentialLR(o, 0.9)]),
    "nested": lambda o, s: s.SequentialLR(
        o, [s.ChainedScheduler([s.LinearLR(o), s.ExponentialLR(o, 0.9)]), s.CosineAnnealingLR(o, 8)], milestones=[5]
    ),
    "warmup": lambda o, s: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingWarmRestarts(o, 4)], milestones=[5]
    ),
}


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize("name", COMPOSITES)
def test_composites_have_torchs_rates(name):
    torch = pytest.importorskip("torch")
    seen = []
    for lib in (pydl, torch):
        optimizer = lib.optim.SGD([lib.zeros(1, requires_grad=True)], lr=0.2)
        schedule = COMPOSITES[name](optimizer, lib.optim.lr_scheduler)
        rates_seen = []
        for _ in range(30):
            rates_seen.append((optimizer.param_groups[0]["lr"], schedule.get_last_lr()[0]))
            optimizer.step()
            schedule.step()
        seen.append(rates_seen)
    for mine, wanted in zip(*seen):
        assert mine == pytest.approx(wanted, rel=1e-12, abs=1e-15)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize("name", COMPOSITES)
def test_composites_go_on_from_their_state(name):
    def make():
        optimizer = SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        return optimizer, COMPOSITES[name](optimizer, lr_scheduler)

    first, schedule = make()
    second, resumed = make()
    for _ in range(7):
        first.step()
        schedule.step()
    resumed.load_state_dict(schedule.state_dict())
    second.load_state_dict(first.state_dict())
    for _ in range(5):
        for optimizer, current in ((first, schedule), (second, resumed)):
            optimizer.step()
            current.step()
        assert schedule.get_last_lr() == resumed.get_last_lr()


def test_restarts_at_fractional_epochs():
    torch = pytest.importorskip("torch")
    seen = []
    for lib in (pydl, torch):
        optimizer = lib.optim.SGD([lib.zeros(1, requires_grad=True)], lr=0.2)
        schedule = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, T_mult=2)
        optimizer.step()
        seen.append([])
        for epoch in (0.25, 1.5, 2.9, 3.0, 5.25, 9.5, 22.75):
            schedule.step(epoch)
            seen[-1].append(schedule.get_last_lr()[0])
    assert seen[0] == pytest.approx(seen[1], rel=1e-12)
    with pytest.raises(ValueError):
        schedule.step(-1.0)


@pytest.mark.parametrize("options", [{}, {"anneal_strategy": "linear", "anneal_epochs": 4}, {"anneal_epochs": 0}])
def test_swalr_has_torchs_rates(options):
    torch = pytest.importorskip("torch")
    pytest.importorskip("torch.optim.swa_utils")
    seen = []
    for lib in (pydl, torch):
        optimizer = lib.optim.SGD([lib.zeros(1, requires_grad=True)], lr=0.2)
        schedule = lib.optim.swa_utils.SWALR(optimizer, swa_lr=0.05, **options)
        seen.append([])
        for _ in range(30):
            seen[-1].append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
    assert seen[0] == pytest.approx(seen[1], rel=1e-9)


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
    for make in (
        lambda: lr_scheduler.ConstantLR(optimizer, factor=1.5),
        lambda: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 0),
        lambda: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2, T_mult=0),
        lambda: lr_scheduler.CyclicLR(optimizer, 0.1, 0.2, mode="square"),
        lambda: lr_scheduler.CyclicLR(optimizer, 0.1, [0.2, 0.3]),
        lambda: lr_scheduler.CyclicLR(pydl.optim.Rprop([pydl.zeros(1, requires_grad=True)]), 0.1, 0.2),
        lambda: lr_scheduler.SequentialLR(optimizer, [], []),
        lambda: lr_scheduler.SequentialLR(optimizer, [lr_scheduler.StepLR(optimizer, 2)], [3]),
        lambda: lr_scheduler.ChainedScheduler([]),
        lambda: pydl.optim.swa_utils.SWALR(optimizer, 0.1, anneal_strategy="sine"),
        lambda: pydl.optim.swa_utils.SWALR(optimizer, 0.1, anneal_epochs=-1),
        lambda: pydl.optim.swa_utils.SWALR(optimizer, [0.1, 0.2]),
    ):
        with pytest.raises(ValueError):
            make()
    with pytest.raises(TypeError):
        lr_scheduler.MultiplicativeLR(optimizer, 0.5)
