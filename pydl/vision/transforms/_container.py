"""Transforms made of transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pydl
from pydl.nn import ModuleList
from pydl.vision.transforms._base import Transform

__all__ = ["Compose", "Identity", "Lambda", "RandomApply", "RandomChoice", "RandomOrder"]


class _Several(Transform):
    """The list of transforms, and calls of one after another."""

    def __init__(self, transforms: Any) -> None:
        super().__init__()
        if not isinstance(transforms, (Sequence, ModuleList)):
            raise TypeError("Argument transforms should be a sequence of callables")
        if len(transforms) == 0:
            raise ValueError("Pass at least one transform")
        self.transforms = transforms

    def _in_turn(self, transforms: Any, inputs: tuple[Any, ...]) -> Any:
        several = len(inputs) > 1
        for transform in transforms:
            outputs = transform(*inputs)
            inputs = outputs if several else (outputs,)
        return inputs if several else inputs[0]

    def extra_repr(self) -> str:
        return "\n".join(f"    {transform}" for transform in self.transforms)


class Compose(_Several):
    """The transforms in turn.

    Raises:
        TypeError: no sequence. ValueError: an empty one.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> both = transforms.Compose([transforms.CenterCrop(2), transforms.Normalize([0.5], [0.5])])
        >>> both(pydl.ones(1, 4, 4))
        tensor([[[1., 1.],
                 [1., 1.]]])
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__(transforms)

    def forward(self, *inputs: Any) -> Any:
        """The sample after all of them."""
        return self._in_turn(self.transforms, inputs)


class RandomApply(_Several):
    """All transforms in turn with probability ``p`` (default 0.5), else none.

    Raises:
        TypeError, ValueError: no or an empty sequence, ``p`` outside [0, 1].

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomApply([transforms.CenterCrop(2)], p=1.0)(pydl.ones(1, 4, 4)).shape
        torch.Size([1, 2, 2])
    """

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__(transforms)
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        """The sample after all or none of them."""
        return self._in_turn(self.transforms if pydl.rand(()).item() < self.p else (), inputs)


class RandomChoice(_Several):
    """One of the transforms, drawn with probabilities proportional to ``p`` (default: equal).

    Raises:
        TypeError, ValueError: no or an empty sequence, ``p`` of another length.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> pick = transforms.RandomChoice([transforms.CenterCrop(2), transforms.CenterCrop(3)], p=[0, 1])
        >>> pick(pydl.ones(1, 4, 4)).shape
        torch.Size([1, 3, 3])
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        weights = [1.0] * len(transforms) if p is None else list(p)
        if len(weights) != len(transforms):
            raise ValueError(f"Length of p doesn't match the number of transforms: {len(weights)} != {len(transforms)}")
        self.p = [weight / sum(weights) for weight in weights]

    def forward(self, *inputs: Any) -> Any:
        """The sample after the one drawn."""
        chosen = int(pydl.multinomial(pydl.tensor(self.p), 1).item())
        return self._in_turn([self.transforms[chosen]], inputs)


class RandomOrder(_Several):
    """All transforms in random order.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomOrder([transforms.CenterCrop(2), transforms.CenterCrop(3)])(pydl.ones(1, 4, 4)).shape[0]
        1
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__(transforms)

    def forward(self, *inputs: Any) -> Any:
        """The sample after all of them."""
        order = pydl.randperm(len(self.transforms)).tolist()
        return self._in_turn([self.transforms[k] for k in order], inputs)


class Identity(Transform):
    """Nothing.

    Example:
        >>> from pydl.vision.transforms import v2
        >>> v2.Identity()(3)
        3
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The input."""
        return inpt


class Lambda(Transform):
    """A function of every part of the sample, or of parts of some types.

    Args:
        lambd: the function. types: Default: all.

    Raises:
        TypeError: ``lambd`` is not callable.

    Example:
        >>> from pydl.vision import transforms
        >>> transforms.Lambda(lambda x: x + 1, int)({"a": 1, "b": 1.0})
        {'a': 2, 'b': 1.0}
    """

    _transformed_types = (object,)

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__}")
        self.lambd = lambd
        self.types = types or (object,)

    def _needs_transform_list(self, leaves: list[Any]) -> list[bool]:
        return [isinstance(leaf, self.types) for leaf in leaves]

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The function's result."""
        return self.lambd(inpt)

    def extra_repr(self) -> str:
        name = getattr(self.lambd, "__name__", type(self.lambd).__name__)
        return f"{name}, types={[kind.__name__ for kind in self.types]}"
