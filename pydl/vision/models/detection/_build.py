"""What the builders of detectors share."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydl import Tensor, nn
from pydl.vision.models._build import PARAMETER_COUNTS, Weights, loaded, or_pretrained, read_weights


class Source(NamedTuple):
    """What a detector is built from: whether anything of it is trained, its backbone's state, and how many stages of
    that are to be trained."""

    name: str
    trained: bool
    backbone: Mapping[str, Tensor] | None
    trainable: int | None

    def stages(self, most: int, default: int) -> int:
        """How many stages are trained; all without weights."""
        value = self.trainable
        if not self.trained:
            if value is not None:
                warnings.warn(
                    f"{self.name}(): without weights all {most} stages of the backbone are trained", stacklevel=5
                )
            value = most
        value = default if value is None else value
        if not 0 <= value <= most:
            raise ValueError(f"{self.name}(): trainable_backbone_layers must be in [0, {most}], got {value}")
        return value


_DOC = """{summary}; {classes} classes unless `num_classes` says otherwise.

`weights` and `weights_backbone` are None, a path or a state dict with torchvision's keys; nothing is downloaded and
`progress` is ignored. With either, statistics of the backbone are fixed and its last `trainable_backbone_layers` stages
trained. Other arguments are those of the class. Raises ValueError for the names of torchvision's weights, RuntimeError
for keys or sizes that do not fit.

Example:
    >>> import pydl
    >>> model = pydl.vision.models.detection.{name}()
    >>> sum(p.numel() for p in model.parameters())
    {parameters}
"""


def builder(
    name: str,
    parameters: int,
    make: Callable[..., nn.Module],
    summary: str,
    *,
    classes: int = 91,
    more: tuple[str, ...] = (),
) -> Callable[..., Any]:
    """The public function that makes a detector; `make` takes the source, the number of classes and the class' other
    arguments, of which the signature shows those in `more`."""

    def build(
        *,
        weights: Weights = None,
        progress: bool = True,
        num_classes: int | None = None,
        weights_backbone: Weights = None,
        trainable_backbone_layers: int | None = None,
        **kwargs: Any,
    ) -> nn.Module:
        state = read_weights(name, or_pretrained(weights, kwargs))
        weights_backbone = or_pretrained(weights_backbone, kwargs, "pretrained_backbone")
        body = None if state is not None else read_weights(name, weights_backbone)
        source = Source(name, state is not None or body is not None, body, trainable_backbone_layers)
        return loaded(name, make(source, classes if num_classes is None else num_classes, **kwargs), state)

    shown = inspect.signature(build)
    own = list(shown.parameters.values())
    extra = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Any") for key in more]
    build.__signature__ = shown.replace(parameters=[*own[:3], *extra, *own[3:]])  # type: ignore[attr-defined]
    build.__name__ = build.__qualname__ = name
    build.__module__ = make.__module__
    build.__doc__ = _DOC.format(name=name, summary=summary, classes=classes, parameters=parameters)
    PARAMETER_COUNTS[name] = parameters
    return build
