"""Outputs of the modules inside a model, by name."""

from __future__ import annotations

import difflib
import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import Module

__all__ = ["create_feature_extractor", "get_graph_node_names", "plot_feature_maps"]


class FeatureExtractor(Module):
    """Runs a model and gives the outputs of some of its modules; see :func:`create_feature_extractor`."""

    def __init__(self, model: Module, train_nodes: dict[str, str], eval_nodes: dict[str, str]) -> None:
        super().__init__()
        self.model = model
        self.train_nodes = train_nodes
        self.eval_nodes = eval_nodes
        self.training = model.training

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The outputs, in the order asked for."""
        nodes = self.train_nodes if self.training else self.eval_nodes
        found: dict[str, Any] = {}
        modules = dict(self.model.named_modules())
        handles = []
        for name in nodes:

            def keep(module: Module, inputs: Any, output: Any, name: str = name) -> None:
                found[name] = output

            handles.append(modules[name].register_forward_hook(keep))
        try:
            self.model(*args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()
        missing = [name for name in nodes if name not in found]
        if missing:
            raise RuntimeError(f"create_feature_extractor(): {missing} took no part in this call of the model")
        return {shown: found[name] for name, shown in nodes.items()}


def _as_names(nodes: Any) -> dict[str, str]:
    if isinstance(nodes, str):
        return {nodes: nodes}
    return {str(k): str(v) for k, v in nodes.items()} if isinstance(nodes, dict) else {str(n): str(n) for n in nodes}


def _check_names(model: Module, nodes: dict[str, str]) -> None:
    known = [name for name, _ in model.named_modules() if name]
    for name in nodes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=5, cutoff=0.3) or known[:5]
            raise ValueError(f"create_feature_extractor(): the model has no module {name!r}; near names are {near}")


def create_feature_extractor(
    model: Module,
    return_nodes: Any = None,
    train_return_nodes: Any = None,
    eval_return_nodes: Any = None,
) -> FeatureExtractor:
    """A module whose forward gives the outputs of named modules of a model.

    It works with hooks, so that the model's code may be any. Parameters are shared with ``model``. Of a module that is
    called twice the last output is given.

    Args:
        model: the model; the extractor begins in its mode.
        return_nodes: dotted names, or a dict from these to names of the result.
        train_return_nodes, eval_return_nodes: in its place, for the two modes.

    Raises:
        ValueError: a name that the model does not have, both kinds of arguments or neither.

    Example:
        >>> import pydl
        >>> from pydl import nn
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> extractor = pydl.vision.feature_extraction.create_feature_extractor(net, {"1": "hidden", "2": "out"})
        >>> {name: tuple(value.shape) for name, value in extractor(pydl.zeros(5, 4)).items()}
        {'hidden': (5, 3), 'out': (5, 2)}
    """
    apart = train_return_nodes is not None or eval_return_nodes is not None
    if apart == (return_nodes is not None):
        raise ValueError("create_feature_extractor(): give return_nodes, or train_return_nodes and eval_return_nodes")
    if apart and (train_return_nodes is None or eval_return_nodes is None):
        raise ValueError("create_feature_extractor(): train_return_nodes and eval_return_nodes go together")
    train = _as_names(train_return_nodes if apart else return_nodes)
    evaluation = _as_names(eval_return_nodes if apart else return_nodes)
    _check_names(model, train)
    _check_names(model, evaluation)
    return FeatureExtractor(model, train, evaluation)


def get_graph_node_names(model: Module) -> tuple[list[str], list[str]]:
    """The names that may be asked for, in train and in eval mode: of all modules inside, in order of definition.

    Example:
        >>> from pydl import nn
        >>> import pydl
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
        >>> pydl.vision.feature_extraction.get_graph_node_names(net)[0]
        ['0', '1', '1.0']
    """
    names = [name for name, _ in model.named_modules() if name]
    return names, list(names)


def plot_feature_maps(features: Tensor, ncol: int = 8, ax: Any = None) -> Any:
    """The channels of one map side by side.

    Args:
        features: (C, H, W).
        ncol: channels in a row. Default: 8.
        ax: matplotlib's axes to draw on. Default: new ones.

    Returns:
        the axes.

    Raises:
        ShapeError: another shape. ImportError: matplotlib is not installed.

    Example:
        >>> import matplotlib, pydl
        >>> matplotlib.use("Agg")
        >>> ax = pydl.vision.feature_extraction.plot_feature_maps(pydl.rand(6, 4, 4), ncol=3)
        >>> len(ax.images)
        1
    """
    if features.dim() != 3 or 0 in features.shape:
        raise pydl.ShapeError(f"plot_feature_maps(): features must be (C, H, W), got {tuple(features.shape)}")
    if ncol < 1:
        raise ValueError(f"plot_feature_maps(): ncol must be at least 1, got {ncol}")
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            raise ImportError("plot_feature_maps() needs matplotlib: pip install matplotlib") from None
        ax = plt.figure().add_subplot()
    count, height, width = features.shape
    columns = min(ncol, count)
    rows = math.ceil(count / columns)
    grid = pydl.full((rows * (height + 1) - 1, columns * (width + 1) - 1), pydl.nan)
    for k, channel in enumerate(features.detach().float()):
        top, left = (k // columns) * (height + 1), (k % columns) * (width + 1)
        low, high = channel.min(), channel.max()
        grid[top : top + height, left : left + width] = (channel - low) / (high - low if high > low else 1.0)
    ax.imshow(grid.numpy(), cmap="viridis")
    ax.set_axis_off()
    return ax
