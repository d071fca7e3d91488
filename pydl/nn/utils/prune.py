"""Pruning: masks over parameters, computed anew or from each other, applied before each call."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.parameter import Parameter

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


class BasePruningMethod(ABC):
    """A way of choosing what to prune. A subclass defines ``PRUNING_TYPE`` and ``compute_mask``.

    ``PRUNING_TYPE`` is ``"global"`` (the whole mask is given), ``"unstructured"`` (elements) or ``"structured"``
    (slices along ``self.dim``); it says to which part of a pruned tensor a further method applies.

    Example:
        >>> import pydl
        >>> class Odd(pydl.nn.utils.prune.BasePruningMethod):
        ...     PRUNING_TYPE = "unstructured"
        ...     def compute_mask(self, t, default_mask):
        ...         return default_mask * (pydl.arange(t.numel()) % 2 == 0)
        >>> Odd().prune(pydl.ones(3))
        tensor([1., 0., 1.])
    """

    _tensor_name: str
    PRUNING_TYPE: str

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The new mask of ``t``; ``default_mask`` is the one so far, zeros of which stay."""

    def apply_mask(self, module: Any) -> Any:
        """The original parameter times the mask."""
        if not hasattr(self, "_tensor_name"):
            raise AssertionError(f"Module {module} has to be pruned")
        name = self._tensor_name
        original = getattr(module, name + "_orig")
        return getattr(module, name + "_mask").to(original.dtype) * original

    @classmethod
    def apply(cls, module: Any, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any) -> Any:
        """Prune parameter ``name`` of ``module``; on one that is pruned already, prune what is left.

        Args:
            module: what has the parameter, which becomes ``<name>_orig`` beside the buffer ``<name>_mask``.
            name: of the parameter.
            importance_scores: of the parameter's shape; what is chosen by. Default: the parameter.
            args, kwargs: of the method.

        Returns:
            The method, or the :class:`PruningContainer` of all on this parameter.
        """
        old = None
        for key, hook in list(module._forward_pre_hooks.items()):
            if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
                old = hook
                del module._forward_pre_hooks[key]
                break
        method: Any = cls(*args, **kwargs)
        method._tensor_name = name
        if old is not None:
            container = old if isinstance(old, PruningContainer) else PruningContainer(old)
            container.add_pruning_method(method)
            method = container
        try:
            cls._set_up(module, name, method, old is not None, importance_scores)
        except BaseException:
            if old is not None:
                module.register_forward_pre_hook(old)
            raise
        return method

    @classmethod
    def _set_up(cls, module: Any, name: str, method: Any, again: bool, scores: Any) -> None:
        original = getattr(module, name)
        scores = original if scores is None else scores
        if scores.shape != original.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}, "
                f"{tuple(original.shape)}, got {tuple(scores.shape)}"
            )
        so_far = getattr(module, name + "_mask") if again else pydl.ones_like(original.detach())
        mask = method.compute_mask(scores.detach(), so_far.detach().clone())
        if not again:
            delattr(module, name)
            module.register_parameter(name + "_orig", original)
        elif isinstance(getattr(module, name), Parameter):
            raise AssertionError(f"{name} of {module} is a parameter although it is pruned")
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)

    def prune(self, t: Any, default_mask: Any = None, importance_scores: Any = None) -> Any:
        """A pruned copy of the tensor ``t``, starting from ``default_mask`` (default: all ones)."""
        if importance_scores is not None and importance_scores.shape != t.shape:
            raise AssertionError("importance_scores should have the same shape as tensor t")
        scores = t if importance_scores is None else importance_scores
        so_far = pydl.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, so_far)

    def remove(self, module: Any) -> None:
        """Make the pruning permanent: the parameter is itself again, with zeros."""
        if not hasattr(self, "_tensor_name"):
            raise AssertionError(f"Module {module} has to be pruned before pruning can be removed")
        name = self._tensor_name
        weight = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original = module._parameters[name + "_orig"]
        original.data = weight.detach()
        del module._parameters[name + "_orig"]
        del module._buffers[name + "_mask"]
        setattr(module, name, original)


class PruningContainer(BasePruningMethod):
    """Several methods on one parameter, each on what those before left.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.Linear(3, 1)
        >>> _ = pydl.nn.utils.prune.l1_unstructured(layer, "weight", amount=1)
        >>> _ = pydl.nn.utils.prune.l1_unstructured(layer, "weight", amount=1)
        >>> len(next(iter(layer._forward_pre_hooks.values())))
        2
    """

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[Any, ...] = ()
        if not args:
            return
        self._tensor_name = args[0]._tensor_name
        for method in args[0] if len(args) == 1 and isinstance(args[0], Iterable) else args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Add one for the same parameter.

        Raises:
            TypeError: no pruning method. ValueError: one for another parameter.
        """
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method is not None and self._tensor_name != method._tensor_name:
            raise ValueError(
                f"Can only add pruning methods acting on the parameter named '{self._tensor_name}' to "
                f"PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, index: Any) -> Any:
        return self._pruning_methods[index]

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The last method's mask of what is left, within the mask so far."""
        method = self._pruning_methods[-1]
        mask = default_mask.to(t.dtype)
        kind = method.PRUNING_TYPE
        if kind == "unstructured":
            left: Any = mask == 1
        elif kind == "structured":
            if not hasattr(method, "dim"):
                raise AttributeError(
                    "Pruning methods of PRUNING_TYPE 'structured' need to have the attribute `dim` defined."
                )
            dim = method.dim % t.ndim
            others = [d for d in range(t.ndim) if d != dim]
            left = tuple([slice(None)] * dim + [mask.sum(dim=others) != 0])
        elif kind == "global":
            left = tuple(slice(None) for _ in t.shape)
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {kind}")
        mask[left] = method.compute_mask(t[left], default_mask=mask[left]).to(mask.dtype)
        return mask


class Identity(BasePruningMethod):
    """Prunes nothing, but makes the mask.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.prune.Identity().prune(pydl.ones(2))
        tensor([1., 1.])
    """

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far."""
        return default_mask


class _Share(BasePruningMethod):
    """Prunes an amount: a number of elements or slices, or a share of them."""

    def __init__(self, amount: float) -> None:
        _check_amount(amount)
        self.amount = amount

    def _count(self, size: int) -> int:
        if isinstance(self.amount, numbers.Integral):
            if self.amount > size:
                raise ValueError(
                    f"amount={self.amount} should be smaller than the number of parameters to prune={size}"
                )
            return int(self.amount)
        return round(self.amount * size)


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    share = not isinstance(amount, numbers.Integral)
    if amount < 0 or (share and float(amount) > 1.0):
        raise ValueError(f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer")


def _dropped(mask: Any, chosen: Any) -> Any:
    """A copy of ``mask`` with zeros at the flat indices ``chosen``."""
    result = mask.clone().contiguous()
    result.view(-1)[chosen] = 0
    return result


class RandomUnstructured(_Share):
    """Prunes elements at random; ``amount`` is a number of them or a share.

    Example:
        >>> import pydl
        >>> int((pydl.nn.utils.prune.RandomUnstructured(amount=2).prune(pydl.ones(5)) == 0).sum())
        2
    """

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far with that many zeros more."""
        count = self._count(t.numel())
        return _dropped(default_mask, pydl.randperm(t.numel())[:count]) if count else default_mask.clone()


class L1Unstructured(_Share):
    """Prunes the elements of least magnitude; ``amount`` is a number of them or a share.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.prune.L1Unstructured(amount=1).prune(pydl.tensor([3.0, -1.0, 2.0])).abs()
        tensor([3., 0., 2.])
    """

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far with that many zeros more."""
        count = self._count(t.numel())
        if not count:
            return default_mask.clone()
        return _dropped(default_mask, pydl.topk(t.abs().view(-1), k=count, largest=False).indices)


class _Slices(_Share):
    """Prunes whole slices along ``dim``."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def _scores(self, t: Any) -> Any:
        raise NotImplementedError

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The mask so far with zeros in the chosen slices."""
        if t.ndim <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. "
                f"Found tensor of shape {tuple(t.shape)}"
            )
        if self.dim >= t.ndim:
            raise IndexError(f"Invalid index {self.dim} for tensor of size {tuple(t.shape)}")
        size = t.shape[self.dim]
        count = self._count(size)
        if not count:
            return default_mask
        scores = self._scores(t)
        keep = pydl.zeros(size, dtype=default_mask.dtype)
        # Where shares are rounded, PyTorch keeps at least this many
        keep[pydl.topk(scores, k=size - count, largest=True).indices] = 1
        shape = [1] * t.ndim
        shape[self.dim] = size
        return default_mask * keep.view(shape)


class RandomStructured(_Slices):
    """Prunes slices along ``dim`` at random.

    Example:
        >>> import pydl
        >>> int((pydl.nn.utils.prune.RandomStructured(amount=1, dim=0).prune(pydl.ones(3, 2)) == 0).sum())
        2
    """

    def _scores(self, t: Any) -> Any:
        return pydl.rand(t.shape[self.dim])


class LnStructured(_Slices):
    """Prunes the slices along ``dim`` of least ``n``-norm.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.prune.LnStructured(amount=1, n=1, dim=0).prune(pydl.tensor([[1.0, 1.0], [5.0, 5.0]]))
        tensor([[0., 0.],
                [5., 5.]])
    """

    def __init__(self, amount: float, n: float | str, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _scores(self, t: Any) -> Any:
        others = [d for d in range(t.ndim) if d != self.dim % t.ndim]
        return pydl.norm(t, p=self.n, dim=others)


class CustomFromMask(BasePruningMethod):
    """Prunes with a given mask.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.prune.CustomFromMask(pydl.tensor([1, 0])).prune(pydl.ones(2))
        tensor([1., 0.])
    """

    PRUNING_TYPE = "global"

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        """The product of both masks."""
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"mask shape {tuple(self.mask.shape)} does not match that of the parameter, {tuple(default_mask.shape)}"
            )
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module: Any, name: str) -> Any:
    """Give parameter ``name`` a mask of ones. Returns ``module``.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.prune.identity(pydl.nn.Linear(2, 1), "weight")
        >>> sorted(layer.state_dict())
        ['bias', 'weight_mask', 'weight_orig']
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module: Any, name: str, amount: float) -> Any:
    """Prune elements of parameter ``name`` at random: a number of them (int) or a share (float). Returns ``module``.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.prune.random_unstructured(pydl.nn.Linear(4, 3), "weight", amount=5)
        >>> int((layer.weight == 0).sum())
        5
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Any, name: str, amount: float, importance_scores: Tensor | None = None) -> Any:
    """Prune the elements of least magnitude of parameter ``name`` (or of least score). Returns ``module``.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.Linear(3, 1, bias=False)
        >>> layer.weight.data = pydl.tensor([[3.0, -1.0, 2.0]])
        >>> pydl.nn.utils.prune.l1_unstructured(layer, "weight", amount=1).weight
        tensor([[3., -0., 2.]], grad_fn=<MulBackward0>)
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Any, name: str, amount: float, dim: int) -> Any:
    """Prune slices along ``dim`` of parameter ``name`` at random. Returns ``module``.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.prune.random_structured(pydl.nn.Linear(4, 3), "weight", amount=2, dim=1)
        >>> int((layer.weight == 0).all(dim=0).sum())
        2
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Any, name: str, amount: float, n: float | str, dim: int, importance_scores: Tensor | None = None
) -> Any:
    """Prune the slices along ``dim`` of parameter ``name`` of least ``n``-norm. Returns ``module``.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.prune.ln_structured(pydl.nn.Linear(4, 3), "weight", amount=1, n=2, dim=0)
        >>> int((layer.weight == 0).all(dim=1).sum())
        1
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def global_unstructured(parameters: Any, pruning_method: Any, importance_scores: Any = None, **kwargs: Any) -> None:
    """Prune the elements of several parameters together, so that each keeps as much as it deserves.

    Args:
        parameters: pairs of module and parameter name.
        pruning_method: an unstructured method.
        importance_scores: tensors by the pairs. Default: the parameters.
        kwargs: of the method, for instance ``amount``.

    Raises:
        TypeError: the arguments are no such things, or the method is structured.

    Example:
        >>> import pydl
        >>> net = pydl.nn.Sequential(pydl.nn.Linear(4, 4), pydl.nn.Linear(4, 2))
        >>> pairs = [(net[0], "weight"), (net[1], "weight")]
        >>> pydl.nn.utils.prune.global_unstructured(pairs, pydl.nn.utils.prune.L1Unstructured, amount=6)
        >>> sum(int((layer.weight == 0).sum()) for layer in net)
        6
    """
    parameters = list(parameters)
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be a dictionary")
    tensors = [getattr(module, name) for module, name in parameters]
    flat_scores = pydl.nn.utils.parameters_to_vector(
        [scores.get(pair, tensor).contiguous() for pair, tensor in zip(parameters, tensors)]
    )
    masks = [getattr(m, n + "_mask", pydl.ones_like(t.detach())) for (m, n), t in zip(parameters, tensors)]
    container = PruningContainer()
    container._tensor_name = "temp"
    method = pruning_method(**kwargs)
    method._tensor_name = "temp"
    container.add_pruning_method(method)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. '
            f"Found method {pruning_method} of type {method.PRUNING_TYPE}"
        )
    joined = container.compute_mask(flat_scores.detach(), pydl.nn.utils.parameters_to_vector(masks))
    start = 0
    for (module, name), tensor in zip(parameters, tensors):
        count = tensor.numel()
        custom_from_mask(module, name, joined[start : start + count].view_as(tensor))
        start += count


def custom_from_mask(module: Any, name: str, mask: Any) -> Any:
    """Prune parameter ``name`` with a mask of zeros and ones. Returns ``module``.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.prune.custom_from_mask(pydl.nn.Linear(2, 1), "weight", pydl.tensor([[1, 0]]))
        >>> layer.weight[0, 1].item() == 0
        True
    """
    CustomFromMask.apply(module, name, mask)
    return module


def remove(module: Any, name: str) -> Any:
    """Make the pruning of parameter ``name`` permanent. Returns ``module``.

    Raises:
        ValueError: it is not pruned.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.prune.l1_unstructured(pydl.nn.Linear(2, 1), "weight", amount=1)
        >>> sorted(pydl.nn.utils.prune.remove(layer, "weight").state_dict())
        ['bias', 'weight']
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")


def is_pruned(module: Any) -> bool:
    """Whether a parameter of the module, or of one inside, is pruned.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.Linear(2, 2)
        >>> prune = pydl.nn.utils.prune
        >>> prune.is_pruned(layer), prune.is_pruned(prune.identity(layer, "weight"))
        (False, True)
    """
    return any(
        isinstance(hook, BasePruningMethod) for child in module.modules() for hook in child._forward_pre_hooks.values()
    )
