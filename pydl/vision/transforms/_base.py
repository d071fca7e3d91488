"""What transforms share: samples of any structure, what in them is moved, random numbers, checked arguments."""

from __future__ import annotations

import enum
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

import pydl
from pydl import Tensor
from pydl.nn import Module
from pydl.vision import tv_tensors
from pydl.vision.transforms.functional import get_dimensions, get_size
from pydl.vision.transforms.functional._dispatch import is_array_image, is_pil, is_pure_tensor, run

__all__ = ["RandomApplied", "Transform"]

_COORDINATES = (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)
_NOT_IMAGES = (*_COORDINATES, tv_tensors.Mask)


def flatten(sample: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of nested dicts, lists and tuples, and what puts such leaves into the same structure."""
    if isinstance(sample, Mapping):
        keys = list(sample)
        leaves, rebuild = flatten([sample[key] for key in keys])

        def mapping(found: list[Any]) -> Any:
            pairs = zip(keys, rebuild(found))
            try:
                return type(sample)(pairs)  # type: ignore[call-arg]
            except TypeError:
                return dict(pairs)  # a kind of dict with another constructor

        return leaves, mapping
    if isinstance(sample, (list, tuple)):
        parts = [flatten(part) for part in sample]

        def sequence(found: list[Any]) -> Any:
            at, made = 0, []
            for part, part_rebuild in parts:
                made.append(part_rebuild(found[at : at + len(part)]))
                at += len(part)
            return type(sample)(*made) if hasattr(sample, "_fields") else type(sample)(made)

        return [leaf for part, _ in parts for leaf in part], sequence
    return [sample], lambda found: found[0]


def is_image(value: Any) -> bool:
    """Whether it is an image for sure, and not a tensor or array that may be one."""
    return isinstance(value, (tv_tensors.Image, tv_tensors.Video)) or is_pil(value)


def maybe_image(value: Any) -> bool:
    """Whether it is a tensor or array that may be an image."""
    return is_pure_tensor(value) or is_array_image(value)


def image_size(leaves: list[Any]) -> tuple[int, int]:
    """Height and width of the sample.

    Raises:
        TypeError: nothing in it has a size. ValueError: several sizes.
    """
    found = {
        tuple(get_size(leaf))
        for leaf in leaves
        if is_image(leaf) or isinstance(leaf, _NOT_IMAGES) or (maybe_image(leaf) and leaf.ndim >= 2)
    }
    if not found:
        raise TypeError("No image, mask, boxes or points were found in the sample")
    if len(found) > 1:
        raise ValueError(f"Found multiple HxW dimensions in the sample: {sorted(found)}")
    height, width = found.pop()
    return height, width


def image_dimensions(leaves: list[Any]) -> tuple[int, int, int]:
    """Channels, height and width of the sample's images."""
    found = {tuple(get_dimensions(leaf)) for leaf in leaves if is_image(leaf) or maybe_image(leaf)}
    if not found:
        raise TypeError("No image was found in the sample")
    if len(found) > 1:
        raise ValueError(f"Found multiple CxHxW dimensions in the sample: {sorted(found)}")
    channels, height, width = found.pop()
    return channels, height, width


def uniform(low: float, high: float) -> float:
    """A random number."""
    return float(low) + (float(high) - float(low)) * pydl.rand(()).item()


def whole(low: int, high: int) -> int:
    """A random integer, ``low <= k < high``."""
    return int(pydl.randint(low, high, ()).item())


class Transform(Module):
    """Base of transforms: of a sample, which may be any structure of dicts, lists and tuples, all parts move alike.

    A subclass defines ``transform(inpt, params)``, which gets each image, mask, boxes or points in turn, and
    ``make_params(flat_inputs)``, which draws the random numbers once for all. Plain tensors and arrays are images
    when there is no explicit image in the sample, and then the first of them alone; everything else stays.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> class Darker(v2.Transform):
        ...     def transform(self, inpt, params):
        ...         return inpt / 2
        >>> Darker()({"image": pydl.ones(1, 1, 1), "label": 3})
        {'image': tensor([[[0.5000]]]), 'label': 3}
    """

    _transformed_types: ClassVar[tuple[Any, ...]] = (Tensor, is_pil, is_array_image)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for samples that the transform does not take."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The random numbers of one call, from the parts that will be transformed."""
        return {}

    def _call_kernel(self, functional: Callable[..., Any], inpt: Any, *args: Any, **kwargs: Any) -> Any:
        return run(functional, inpt, *args, passthrough=True, **kwargs)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """One part transformed."""
        raise NotImplementedError(f"{type(self).__name__} defines no transform(inpt, params)")

    def forward(self, *inputs: Any) -> Any:
        """The transformed sample; several arguments are one sample, and come back as a tuple."""
        leaves, rebuild = flatten(inputs if len(inputs) > 1 else inputs[0])
        self.check_inputs(leaves)
        return rebuild(self._transformed(leaves))

    def _transformed(self, leaves: list[Any]) -> list[Any]:
        chosen = self._needs_transform_list(leaves)
        params = self.make_params([leaf for leaf, yes in zip(leaves, chosen) if yes])
        return [self.transform(leaf, params) if yes else leaf for leaf, yes in zip(leaves, chosen)]

    def _needs_transform_list(self, leaves: list[Any]) -> list[bool]:
        free = not any(is_image(leaf) for leaf in leaves)
        chosen = []
        for leaf in leaves:
            yes = any(
                isinstance(leaf, kind) if isinstance(kind, type) else kind(leaf) for kind in self._transformed_types
            )
            if yes and maybe_image(leaf):
                yes, free = free, False
            chosen.append(yes)
        return chosen

    def extra_repr(self) -> str:
        shown = (bool, int, float, str, tuple, list, enum.Enum)
        return ", ".join(
            f"{name}={value}"
            for name, value in vars(self).items()
            if not name.startswith("_") and name != "training" and isinstance(value, shown)
        )


class RandomApplied(Transform):
    """A transform that is made with a probability."""

    def __init__(self, p: float = 0.5) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        super().__init__()
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        """The sample, transformed or as it is."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        leaves, rebuild = flatten(sample)
        self.check_inputs(leaves)
        return sample if pydl.rand(()).item() >= self.p else rebuild(self._transformed(leaves))


def two(value: Any, message: str) -> list[int]:
    """A number, or a sequence of one or two, as two."""
    if isinstance(value, numbers.Number):  # NumPy's too
        return [int(value)] * 2  # type: ignore[call-overload]
    if not isinstance(value, Sequence):
        raise TypeError(message)
    if len(value) not in (1, 2):
        raise ValueError(message)
    return [int(value[0]), int(value[-1])]


def pair_of(value: Any, name: str, lengths: tuple[int, ...] = (2,)) -> None:
    """Raise unless it is a sequence of such a length."""
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be a sequence of length {' or '.join(map(str, lengths))}.")
    if len(value) not in lengths:
        raise ValueError(f"{name} should be a sequence of length {' or '.join(map(str, lengths))}.")


def angles(value: Any, name: str, lengths: tuple[int, ...] = (2,)) -> list[float]:
    """A range of degrees; one number is from minus to plus."""
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        return [-float(value), float(value)]
    pair_of(value, name, lengths)
    return [float(v) for v in value]


def number_or_two(value: Any, name: str) -> list[float]:
    """A number, or a sequence of one or two, as two floats."""
    if isinstance(value, (int, float)):
        return [float(value)] * 2
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be a number or a sequence of numbers. Got {type(value)}")
    if len(value) not in (1, 2):
        raise ValueError(f"If {name} is a sequence its length should be 1 or 2. Got {len(value)}")
    return [float(value[0]), float(value[-1])]


def checked_fill(fill: Any) -> Any:
    """The fill value, once its type is known to be right."""
    for value in fill.values() if isinstance(fill, dict) else (fill,):
        if value is not None and not isinstance(value, (int, float, tuple, list)):
            raise TypeError("Got inappropriate fill arg, only Numbers, tuples, lists and dicts are allowed.")
    return fill


def fill_for(fill: Any, inpt: Any) -> Any:
    """What fills inputs of this kind: a fill may be a dict by type, with "others"."""
    if isinstance(fill, dict):
        fill = fill.get(type(inpt), fill.get("others"))
    if isinstance(inpt, tv_tensors.Mask) and isinstance(fill, (tuple, list)):
        return fill[0] if len(fill) == 1 else fill
    return fill


def labels_in(sample: Any) -> Any:
    """Where labels usually are: under a key like "labels", or the second part of a pair."""
    if isinstance(sample, (tuple, list)):
        sample = sample[1]
    if isinstance(sample, (Tensor, np.ndarray)):
        return sample
    if isinstance(sample, Mapping):
        for fits in (lambda key: key.lower() == "labels", lambda key: "label" in key.lower()):
            for key in sample:
                if isinstance(key, str) and fits(key):
                    return sample[key]
    raise ValueError(
        "Could not infer where the labels are in the sample. Pass a callable as the labels_getter parameter, "
        "or labels_getter=None if there are none."
    )


def labels_getter(getter: Any) -> Callable[[Any], Any]:
    """The function that finds the labels."""
    if getter == "default":
        return labels_in
    if getter is None:
        return lambda sample: None
    if callable(getter):
        return getter
    raise ValueError(f"labels_getter should either be 'default', a callable, or None, but got {getter}.")
