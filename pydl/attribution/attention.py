"""The weights of all attention layers in one forward pass."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import Module, MultiheadAttention

__all__ = ["AttentionMaps", "attention_maps"]


class AttentionMaps(dict[str, Tensor]):
    """Attention weights by the dotted names of the layers; see :func:`attention_maps`.

    Attributes:
        output: what the model gave.

    Example:
        >>> import pydl
        >>> net = pydl.nn.blocks.SelfAttention(8, 2)
        >>> pydl.attribution.attention_maps(net, pydl.zeros(3, 5, 8)).output.shape
        torch.Size([3, 5, 8])
    """

    output: Any = None

    def plot(self, name: str | None = None, sample: int = 0, tokens: Sequence[str] | None = None) -> Any:
        """A picture of one layer's weights, one for each head.

        Args:
            name: the layer's. Default: the first. sample: of the batch. Default: 0.
            tokens: names of the places. Default: numbers.

        Returns:
            matplotlib's figure.

        Raises:
            KeyError: no such layer. IndexError: no such sample. ImportError: matplotlib is not installed.
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            raise ImportError("AttentionMaps.plot() needs matplotlib: pip install matplotlib") from None
        if name is None:
            name = next(iter(self), "")
        if name not in self:
            raise KeyError(f"AttentionMaps: no layer is named {name!r}; there are {list(self)}")
        weights = self[name][sample]
        heads = weights.unsqueeze(0) if weights.dim() == 2 else weights
        columns = math.ceil(math.sqrt(len(heads)))
        rows = math.ceil(len(heads) / columns)
        figure = plt.figure(figsize=(3 * columns, 3 * rows), layout="constrained")
        for k, head in enumerate(heads):
            ax = figure.add_subplot(rows, columns, k + 1)
            ax.imshow(head.numpy(), cmap="viridis", vmin=0.0)
            ax.set_title(f"{name} head {k}" if len(heads) > 1 else name, fontsize=8)
            if tokens is not None:
                ax.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=7)
                ax.set_yticks(range(len(tokens)), tokens, fontsize=7)
        return figure


_CALL = inspect.signature(MultiheadAttention.forward)


class _Watch:
    """Hooks of one attention layer: ask for the weights of all heads, keep them, and give on what was asked for."""

    def __init__(self, name: str, found: AttentionMaps, average: bool) -> None:
        self.name = name
        self.found = found
        self.average = average
        self.wanted: list[tuple[bool, bool]] = []

    def before(self, module: Module, args: Any, kwargs: Any) -> Any:
        bound = _CALL.bind(module, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        arguments.pop("self")
        self.wanted.append((arguments["need_weights"], arguments["average_attn_weights"]))
        arguments["need_weights"], arguments["average_attn_weights"] = True, False
        return (), arguments

    def after(self, module: Module, args: Any, kwargs: Any, output: Any) -> Any:
        values, weights = output
        kept = weights.detach()
        kept = kept.unsqueeze(0) if kept.dim() == 3 else kept
        self.found[self.name] = kept.mean(dim=1) if self.average else kept
        needed, averaged = self.wanted.pop()
        return values, (weights.mean(dim=-3) if averaged else weights) if needed else None


def attention_maps(model: Module, *args: Any, average: bool = False, **kwargs: Any) -> AttentionMaps:
    """One forward pass of ``model(*args, **kwargs)`` in eval mode, and the weights of every attention layer in it.

    Args:
        model: with ``nn.MultiheadAttention`` inside, also in transformer layers or ``SelfAttention``.
        args, kwargs: of the model.
        average: weights averaged over heads. Default: ``False``.

    Returns:
        {dotted name: (N, heads, L, S)} in order of use, or (N, L, S) averaged; the rows sum to 1. Of a layer that is
        called several times the last weights. The model's output is in ``output``.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, figures 3 to 5.

    Example:
        >>> import pydl
        >>> net = pydl.nn.TransformerEncoderLayer(8, 2, batch_first=True)
        >>> maps = pydl.attribution.attention_maps(net, pydl.zeros(3, 5, 8))
        >>> {name: tuple(weights.shape) for name, weights in maps.items()}
        {'self_attn': (3, 2, 5, 5)}
    """
    found = AttentionMaps()
    handles = []
    modes = [(module, module.training) for module in model.modules()]
    try:
        for name, module in model.named_modules():
            if isinstance(module, MultiheadAttention):
                watch = _Watch(name, found, average)
                handles.append(module.register_forward_pre_hook(watch.before, with_kwargs=True))
                handles.append(module.register_forward_hook(watch.after, with_kwargs=True))
        model.eval()
        with pydl.no_grad():
            found.output = model(*args, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    return found
