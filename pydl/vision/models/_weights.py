"""The names of torchvision's weights: what programs written for it say, with the transforms that belong to each. The
files are not downloaded."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache, partial
from typing import Any

from pydl import nn
from pydl.vision.models._published import PUBLISHED

__all__ = [
    "Weights", "WeightsEnum", "get_model", "get_model_builder", "get_model_weights", "get_weight", "list_models",
]  # fmt: skip

_PLACES = {"models": "pydl.vision.models", **{p: f"pydl.vision.models.{p}" for p in ("detection", "segmentation")}}
_OWN = {"models": ("lenet", "unet"), "detection": ("yolo",), "segmentation": ()}
# Of the networks that were not trained on images normalised by ImageNet's statistics
_STATISTICS: dict[str, dict[str, Any]] = {
    "half": {"mean": (0.5,) * 3, "std": (0.5,) * 3},
    "vgg": {"mean": (0.48235, 0.45882, 0.40784), "std": (1 / 255,) * 3},
}


@dataclass(frozen=True)
class Weights:
    """Where a published file is, what its images go through, and what else is known of it.

    Example:
        >>> pydl.vision.models.ResNet18_Weights.DEFAULT.value.url.rsplit("/")[-1]
        'resnet18-f37072fd.pth'
    """

    url: str
    transforms: Callable[..., Any] = field(compare=False)
    meta: dict[str, Any] = field(compare=False)


class WeightsEnum(enum.Enum):
    """Base of the names of a model's published weights; see :func:`get_model_weights`.

    ``transforms()`` makes what the images go through. As an argument of a builder a name raises ValueError: nothing is
    downloaded; give the path of the file instead.

    Example:
        >>> name = pydl.vision.models.ResNet18_Weights.DEFAULT
        >>> name, name.transforms().crop_size
        (ResNet18_Weights.IMAGENET1K_V1, [224])
    """

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """The name itself, of a string or a name. Raises TypeError for a name of another model."""
        if isinstance(obj, str):
            return cls[obj.replace(cls.__name__ + ".", "")]
        if obj is not None and not isinstance(obj, cls):
            raise TypeError(f"expected {cls.__name__}, got {type(obj).__name__}")
        return obj

    def get_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Raises ValueError."""
        raise ValueError(self.refusal("get_state_dict"))

    def refusal(self, function: str) -> str:
        """What is said to those who ask for the file."""
        return f"{function}(): {self!r} would have to be downloaded; get {self.url} and pass weights=<path of the file>"

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    @property
    def url(self) -> str:
        """Where the file is."""
        return self.value.url

    @property
    def transforms(self) -> Callable[..., Any]:
        """Makes what the images go through."""
        return self.value.transforms

    @property
    def meta(self) -> dict[str, Any]:
        """``num_params``."""
        return self.value.meta


def _transforms(words: list[str]) -> Callable[..., Any]:
    from pydl.vision.transforms import InterpolationMode, _presets

    if words[0] == "boxes":
        return _presets.ObjectDetection
    if words[0] == "segments":
        return partial(_presets.SemanticSegmentation, resize_size=int(words[1]))
    crop, side, mode, *statistics = words
    options: dict[str, Any] = {
        "crop_size": int(crop),
        "resize_size": int(side),
        "interpolation": InterpolationMode(mode),
    }
    return partial(_presets.ImageClassification, **options, **(_STATISTICS[statistics[0]] if statistics else {}))


@cache
def enums(place: str) -> dict[str, Any]:
    """The classes of names of 'models', 'detection' or 'segmentation'. Made when first asked for."""
    from pydl.vision.models._build import PARAMETER_COUNTS

    members: dict[str, dict[str, Weights]] = {}
    make: Any = WeightsEnum  # called with members it makes a class
    for line in PUBLISHED[place].strip().split("\n"):
        kind, name, file, *words = line.split()
        url, meta = f"https://download.pytorch.org/models/{file}", {"num_params": PARAMETER_COUNTS.get(kind.lower())}
        entry = members.setdefault(f"{kind}_Weights", {})
        entry[name.rstrip("*")] = Weights(url, _transforms(words), meta)
        if name.endswith("*"):
            entry["DEFAULT"] = entry[name.rstrip("*")]
    return {
        kind: make(kind, dict(sorted(entry.items(), key=lambda e: e[0] == "DEFAULT")), module=_PLACES[place])
        for kind, entry in members.items()
    }


def attribute(place: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module of models, which has the classes of names."""

    def find(name: str) -> Any:
        if name.endswith("_Weights") and name in enums(place):
            return enums(place)[name]
        raise AttributeError(f"module {_PLACES[place]!r} has no attribute {name!r}")

    return find


def listing(place: str, names: Iterable[str]) -> Callable[[], list[str]]:
    """The ``__dir__`` of a module of models."""
    own = list(names)
    return lambda: sorted({*own, *enums(place)})


@cache
def _builders() -> dict[str, str]:
    """The place of each model."""
    found = {line.split()[0].lower(): place for place, text in PUBLISHED.items() for line in text.strip().split("\n")}
    return found | {name: place for place, names in _OWN.items() for name in names}


def list_models(module: Any = None, include: Any = None, exclude: Any = None) -> list[str]:
    """The names of the models, of all or of one module.

    Args:
        module: ``pydl.vision.models``, ``.detection`` or ``.segmentation``. Default: all.
        include, exclude: patterns with ``*`` and ``?``, one or several.

    Example:
        >>> pydl.vision.models.list_models(include="resnet*", exclude="*152")
        ['resnet101', 'resnet18', 'resnet34', 'resnet50']
    """

    def fits(name: str, patterns: Any) -> bool:
        return any(fnmatch(name, p) for p in ([patterns] if isinstance(patterns, str) else patterns))

    return sorted(
        name
        for name, place in _builders().items()
        if (module is None or module.__name__ == _PLACES[place])
        and (include is None or fits(name, include))
        and (exclude is None or not fits(name, exclude))
    )


def get_model_builder(name: str) -> Callable[..., Any]:
    """The function that makes the model of this name, in capitals or not.

    Raises:
        ValueError: there is none.

    Example:
        >>> pydl.vision.models.get_model_builder("resnet18") is pydl.vision.models.resnet18
        True
    """
    place = _builders().get(name.lower())
    if place is None:
        raise ValueError(f"get_model_builder(): there is no model {name!r}; list_models() has their names")
    return getattr(sys.modules[_PLACES[place]], name.lower())


def get_model(name: str, **config: Any) -> nn.Module:
    """The model of this name, made with the arguments of its builder.

    Raises:
        ValueError: there is none.

    Example:
        >>> type(pydl.vision.models.get_model("squeezenet1_1", num_classes=3)).__name__
        'SqueezeNet'
    """
    return get_model_builder(name)(**config)


def get_model_weights(name: Any) -> Any:
    """The names of the published weights of a model, given by its name or its builder.

    Raises:
        ValueError: a model without any.

    Example:
        >>> list(pydl.vision.models.get_model_weights("resnet50"))
        [ResNet50_Weights.IMAGENET1K_V1, ResNet50_Weights.IMAGENET1K_V2]
    """
    builder = name if isinstance(name, str) else name.__name__
    place = _builders().get(builder.lower(), "models")
    for kind, names in enums(place).items():
        if kind.lower() == f"{builder.lower()}_weights":
            return names
    raise ValueError(f"get_model_weights(): there are no weights of {builder!r}")


def get_weight(name: str) -> Any:
    """The name of weights written as a string.

    Raises:
        ValueError: there are none.

    Example:
        >>> pydl.vision.models.get_weight("ResNet50_Weights.DEFAULT")
        ResNet50_Weights.IMAGENET1K_V2
    """
    kind, _, member = name.partition(".")
    for place in PUBLISHED:
        found = enums(place).get(kind)
        if found is not None and member in found.__members__:
            return found[member]
    raise ValueError(f"get_weight(): there are no weights {name!r}")
