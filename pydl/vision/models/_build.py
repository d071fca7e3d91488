"""What the builders of models share: reading weights, their documentation, common initialisation."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydl import Tensor, hub, nn
from pydl.vision.models._weights import WeightsEnum

Weights = str | os.PathLike[str] | Mapping[str, Tensor] | None
M = TypeVar("M", bound=nn.Module)

# Parameters of each model as its builder makes it
PARAMETER_COUNTS: dict[str, int] = {}

_DOC = """{summary}: images (N, {channels}, {size}, {size}) give logits (N, num_classes).

`weights` is None, a path (any file that `pydl.hub.load_weights` reads) or a state dict with torchvision's keys;
nothing is downloaded and `progress` is ignored. Other arguments are those of the class. Raises ValueError for the
names of torchvision's weights, RuntimeError for keys or sizes that do not fit.

Example:
    >>> model = pydl.vision.models.{name}()
    >>> sum(p.numel() for p in model.parameters())
    {parameters}
"""


def read_weights(name: str, weights: Weights) -> Mapping[str, Tensor] | None:
    """The state dict that `weights` names."""
    if weights is None or isinstance(weights, Mapping):
        return weights
    if isinstance(weights, WeightsEnum):
        raise ValueError(weights.refusal(name))
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(f"{name}(): weights must be None, a path or a state dict, got {type(weights).__name__}")
    path = os.fspath(weights)
    if path == "DEFAULT" or path.startswith(("IMAGENET1K", "COCO_")) or "_Weights." in path:
        raise ValueError(f"{name}(): weights={path!r} would have to be downloaded; pass a path or a state dict")
    return hub.read_state(path)


def or_pretrained(weights: Weights, kwargs: dict[str, Any], key: str = "pretrained") -> Weights:
    """`weights`, or of programs older than that argument what `pretrained` says."""
    return "DEFAULT" if kwargs.pop(key, False) else weights


def loaded(name: str, model: M, weights: Weights) -> M:
    """`model` with the weights in it, all of its keys."""
    state = read_weights(name, weights)
    if state is not None:
        model.load_state_dict(state)
    return model


def builder(
    name: str,
    parameters: int,
    make: Callable[..., nn.Module],
    summary: str,
    *,
    size: int = 224,
    channels: int = 3,
    classes: int = 1000,
    parts: tuple[str, ...] = (),
) -> Callable[..., Any]:
    """The public function that makes a model; `make` takes num_classes and the class' other arguments. The model may be
    without some `parts` that files have."""

    def build(
        *, weights: Weights = None, progress: bool = True, num_classes: int = classes, **kwargs: Any
    ) -> nn.Module:
        state = read_weights(name, or_pretrained(weights, kwargs))
        model = make(num_classes=num_classes, **kwargs)
        missing = tuple(f"{part}." for part in parts if getattr(model, part) is None)
        if state is not None and missing:
            state = {key: value for key, value in state.items() if not key.startswith(missing)}
        return loaded(name, model, state)

    build.__name__ = build.__qualname__ = name
    build.__module__ = getattr(make, "func", make).__module__
    build.__doc__ = _DOC.format(name=name, summary=summary, size=size, channels=channels, parameters=parameters)
    PARAMETER_COUNTS[name] = parameters
    return build


def divisible(value: float, by: int = 8) -> int:
    """The nearest multiple of `by` that is not more than a tenth below (the rule of the MobileNet authors)."""
    rounded = max(by, int(value + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * value else rounded


def init_weights(model: nn.Module, linear_std: float | None = 0.01) -> None:
    """Kaiming-normal convolutions by their outputs (He et al. 2015), unit norms, small linear layers."""
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
            if m.weight is not None:
                nn.init.ones_(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.Linear) and linear_std is not None:
            nn.init.normal_(m.weight, 0, linear_std)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
