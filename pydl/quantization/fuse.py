"""Fusion of layers that follow each other."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from pydl import nn
from pydl.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

__all__ = ["ConvReLU1d", "ConvReLU2d", "LinearReLU", "fuse_modules"]


class LinearReLU(nn.Sequential):
    """A linear layer and a ReLU, seen as one by :func:`pydl.quantization.convert`.

    >>> pydl.quantization.LinearReLU(pydl.nn.Linear(2, 3), pydl.nn.ReLU())(pydl.ones(1, 2)).shape
    torch.Size([1, 3])
    """


class ConvReLU1d(nn.Sequential):
    """A Conv1d and a ReLU, seen as one by :func:`pydl.quantization.convert`.

    >>> pydl.quantization.ConvReLU1d(pydl.nn.Conv1d(2, 3, 1), pydl.nn.ReLU())(pydl.ones(1, 2, 4)).shape
    torch.Size([1, 3, 4])
    """


class ConvReLU2d(nn.Sequential):
    """A Conv2d and a ReLU, seen as one by :func:`pydl.quantization.convert`.

    >>> pydl.quantization.ConvReLU2d(pydl.nn.Conv2d(2, 3, 1), pydl.nn.ReLU())(pydl.ones(1, 2, 4, 4)).shape
    torch.Size([1, 3, 4, 4])
    """


class ConvReLU3d(nn.Sequential):
    """A Conv3d and a ReLU."""


class BNReLU(nn.Sequential):
    """A batch norm and a ReLU."""


_CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def _fused(layers: list[Any]) -> Any:
    """One module for a known sequence, else None."""
    first, *rest = layers
    if rest and isinstance(rest[0], _NORM) and isinstance(first, (*_CONV, *_TRANSPOSED, nn.Linear)):
        if any(layer.training for layer in layers):
            raise AssertionError("fuse_modules(): batch norms are fused in evaluation mode; call model.eval() first")
        if isinstance(first, nn.Linear):
            first = fuse_linear_bn_eval(first, rest[0])
        else:
            first = fuse_conv_bn_eval(first, rest[0], isinstance(first, _TRANSPOSED))
        rest = rest[1:]
        if not rest:
            return first
    if len(rest) != 1 or not isinstance(rest[0], nn.ReLU):
        return None
    for kind, fused in zip((nn.Linear, *_CONV), (LinearReLU, ConvReLU1d, ConvReLU2d, ConvReLU3d)):
        if isinstance(first, kind):
            return fused(first, rest[0])
    return BNReLU(first, rest[0]) if isinstance(first, _NORM) else None


def _fuse(model: nn.Module, names: Sequence[str]) -> None:
    layers = [model.get_submodule(name) for name in names]
    fused = _fused(layers) if len(layers) > 1 else None
    if fused is None:
        kinds = ", ".join(type(layer).__name__ for layer in layers)
        raise NotImplementedError(f"fuse_modules(): cannot fuse {list(names)}: ({kinds}) is no known sequence")
    fused.train(layers[0].training)
    for name, module in zip(names, [fused, *(nn.Identity() for _ in names[1:])]):
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, module)


def fuse_modules(model: nn.Module, modules_to_fuse: Sequence[Any], inplace: bool = False) -> nn.Module:
    """Joins layers that follow each other: conv-bn, conv-bn-relu, conv-relu, linear-relu, linear-bn(-relu), bn-relu.

    Args:
        model: in evaluation mode where batch norms are fused.
        modules_to_fuse: the dotted names of one sequence, or a list of such lists.
        inplace: changes ``model`` itself, default False.

    The first module of a sequence becomes the fused one, the others an Identity; in evaluation mode the numbers stay
    the same. Raises ``NotImplementedError`` for another sequence, ``AssertionError`` for a batch norm in training mode.

    >>> model = pydl.nn.Sequential(pydl.nn.Conv2d(1, 2, 3), pydl.nn.BatchNorm2d(2), pydl.nn.ReLU()).eval()
    >>> [type(m).__name__ for m in pydl.quantization.fuse_modules(model, ["0", "1", "2"])]
    ['ConvReLU2d', 'Identity', 'Identity']
    """
    if not isinstance(modules_to_fuse, (list, tuple)):
        raise TypeError(f"fuse_modules(): modules_to_fuse must be a list of names or of lists, got {modules_to_fuse!r}")
    if not inplace:
        model = copy.deepcopy(model)
    groups = [modules_to_fuse] if modules_to_fuse and isinstance(modules_to_fuse[0], str) else modules_to_fuse
    for names in groups:
        _fuse(model, names)
    return model
