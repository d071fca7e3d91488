"""Parts of networks for dense tasks."""

from __future__ import annotations

from pydl import Tensor, nn


class IntermediateLayerGetter(nn.ModuleDict):
    """The children of a model up to the last one asked for, called in turn: a dict of the outputs of `return_layers`,
    which maps children to the new names. Raises ValueError for a name that is no child.

    Example:
        >>> import pydl
        >>> model = pydl.nn.Sequential(pydl.nn.Linear(2, 3), pydl.nn.ReLU(), pydl.nn.Linear(3, 4))
        >>> getter = pydl.vision.models.segmentation.IntermediateLayerGetter(model, {"1": "middle"})
        >>> {name: tuple(x.shape) for name, x in getter(pydl.zeros(1, 2)).items()}
        {'middle': (1, 3)}
    """

    def __init__(self, model: nn.Module, return_layers: dict[str, str]) -> None:
        children = dict(model.named_children())
        unknown = sorted(set(return_layers) - set(children))
        if unknown:
            raise ValueError(f"IntermediateLayerGetter(): the model has no children {unknown}")
        last = max(list(children).index(name) for name in return_layers)
        super().__init__(dict(list(children.items())[: last + 1]))
        self.return_layers = dict(return_layers)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        out = {}
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                out[self.return_layers[name]] = x
        return out
