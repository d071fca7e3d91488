"""Parameters that are computed from others: ``register_parametrization`` and what goes with it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.modules.container import ModuleDict, ModuleList
from pydl.nn.parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_depth = 0  # of `cached`
_values: dict[tuple[int, str], Tensor] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Within this context every parametrized tensor is computed once, however often it is used.

    For weights that are used many times in a forward pass. The values stay until the outermost context ends.

    Example:
        >>> import pydl
        >>> from pydl.nn.utils import parametrize
        >>> layer = pydl.nn.utils.parametrizations.weight_norm(pydl.nn.Linear(2, 2))
        >>> with parametrize.cached():
        ...     layer.weight is layer.weight
        True
    """
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth:
            _values.clear()


def _register(module: Any, name: str, tensor: Any) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied in order, and the tensors from which it is computed.

    Args:
        modules: the parametrizations.
        original: the tensor before it was parametrized.
        unsafe: skip the checks of shape and dtype. Default: ``False``.

    Raises:
        ValueError: no modules, or a ``right_inverse`` or ``forward`` that changes type, dtype or shape.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.parametrizations.weight_norm(pydl.nn.Linear(2, 2))
        >>> layer.parametrizations.weight
        ParametrizationList(
          (0): _WeightNorm()
        )
    """

    original: Tensor
    unsafe: bool

    def __init__(self, modules: Any, original: Any, unsafe: bool = False) -> None:
        modules = list(modules)
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape = tuple(original.shape)
        with pydl.no_grad():
            value: Any = self._inverse(original, strict=False)
        if not isinstance(value, (Tensor, list, tuple)):
            raise ValueError(
                f"'right_inverse' must return a Tensor or a sequence of tensors, got {type(value).__name__}"
            )
        self.is_tensor = isinstance(value, Tensor)
        self.ntensors = 1 if self.is_tensor else len(value)
        if self.is_tensor:
            self._keep_one(original, value)
        else:
            self._keep_several(original, value)
        if not unsafe:
            self._check(original.dtype, shape)

    def _keep_one(self, original: Any, value: Any) -> None:
        if original.dtype != value.dtype:
            raise ValueError(f"'right_inverse' must keep the dtype {original.dtype}, got {value.dtype}")
        original.data = value.detach()
        _register(self, "original", original)

    def _keep_several(self, original: Any, values: Any) -> None:
        for i, part in enumerate(values):
            if not isinstance(part, Tensor):
                raise ValueError(f"'right_inverse' must return tensors; entry {i} is a {type(part).__name__}")
            kept = Parameter(part, original.requires_grad) if isinstance(original, Parameter) else part
            _register(self, f"original{i}", kept)

    def _check(self, dtype: Any, shape: tuple[int, ...]) -> None:
        made = self()
        if not isinstance(made, Tensor):
            raise ValueError(f"A parametrization must return a tensor. Got {type(made).__name__}.")
        if made.dtype != dtype or made.shape != shape:
            raise ValueError(
                f"A parametrization must keep dtype and shape unless unsafe=True: {dtype} of {shape} became "
                f"{made.dtype} of {tuple(made.shape)}"
            )

    def _inverse(self, value: Any, strict: bool) -> Any:
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                try:
                    value = module.right_inverse(value)
                except NotImplementedError:
                    if strict:
                        raise
            elif strict:
                name = type(module).__name__
                raise RuntimeError(f"parametrization {name} does not implement right_inverse: assigning needs it")
        return value

    def _originals(self) -> list[Any]:
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Make the original tensors those from which ``value`` is computed.

        Raises:
            RuntimeError: a parametrization has no ``right_inverse``.
            ValueError: it returns something of another number, dtype or shape than the originals.
        """
        with pydl.no_grad():
            found = self._inverse(value, strict=True)
            if isinstance(found, Tensor) != self.is_tensor or (not self.is_tensor and len(found) != self.ntensors):
                raise ValueError("'right_inverse' must return as many tensors as at registration")
            for old, new in zip(self._originals(), [found] if self.is_tensor else found):
                if not isinstance(new, Tensor) or new.dtype != old.dtype:
                    raise ValueError(f"'right_inverse' must return a tensor of {old.dtype}, got {new!r:.80}")
                old.data = new.detach()

    def forward(self) -> Tensor:  # type: ignore[override]
        """The tensor, computed from the originals."""
        first, *others = list(self)
        value = first(*self._originals())
        for module in others:
            value = module(value)
        return value


def _deepcopy(self: Any, memo: dict[int, Any]) -> Any:
    # The class was made at run time, so the default would look for it by name in vain.
    if id(self) in memo:
        return memo[id(self)]
    # A class of its own: removing a parametrization takes the property off the class.
    kind: Any = type(self)
    members = {key: value for key, value in vars(kind).items() if key not in ("__dict__", "__weakref__")}
    kind = type(kind.__name__, kind.__bases__, members)
    replica = memo[id(self)] = kind.__new__(kind)
    replica.__dict__.update(copy.deepcopy(self.__dict__, memo))
    return replica


def _getstate(self: Any) -> Any:
    raise RuntimeError("Serialization of parametrized modules is only supported through state_dict()")


def _inject_class(module: Any) -> None:
    """Give the module a class of its own, on which properties can be defined."""
    base = type(module)
    members: dict[str, Any] = {"__getstate__": _getstate}
    if not hasattr(base, "__deepcopy__"):
        members["__deepcopy__"] = _deepcopy
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), members)


def _inject_property(module: Any, name: str) -> None:
    def get(self: Any) -> Any:
        if not _depth:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _values:
            _values[key] = self.parametrizations[name]()
        return _values[key]

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, put))


def register_parametrization(module: Any, tensor_name: str, parametrization: Any, *, unsafe: bool = False) -> Any:
    """From now on ``module.<tensor_name>`` is ``parametrization(original)``.

    The tensor moves to ``module.parametrizations.<tensor_name>.original``. Several parametrizations are applied in
    the order of their registration. A method ``right_inverse`` of the parametrization gives the original at
    registration and makes assignments possible; it may return several tensors, which ``forward`` then takes.

    Args:
        module: what has the tensor.
        tensor_name: of a parameter or buffer.
        parametrization: a module.
        unsafe: skip the checks that shape and dtype stay. Default: ``False``.

    Returns:
        ``module``.

    Raises:
        ValueError: there is no such tensor, or a check fails.

    Example:
        >>> import pydl
        >>> class Symmetric(pydl.nn.Module):
        ...     def forward(self, x):
        ...         return x.triu() + x.triu(1).T
        >>> layer = pydl.nn.Linear(3, 3)
        >>> _ = pydl.nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
        >>> pydl.equal(layer.weight, layer.weight.T)
        True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_next(getattr(module, tensor_name), parametrization)
        chain = module.parametrizations[tensor_name]
        chain.append(parametrization)
        chain.unsafe |= unsafe
    elif tensor_name in module._parameters or tensor_name in module._buffers:
        chain = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = chain
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def _check_next(value: Any, parametrization: Any) -> None:
    """A further parametrization has to keep the kind of tensor."""
    made = parametrization(value)
    if not isinstance(made, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(made).__name__}.")
    steps = [("forward", made)]
    if hasattr(parametrization, "right_inverse"):
        back = parametrization.right_inverse(made)
        if not isinstance(back, Tensor):
            raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
        steps.append(("right_inverse", back))
    for what, result in steps:
        if result.dtype != value.dtype or result.shape != value.shape:
            raise ValueError(
                f"{what} of a further parametrization must keep dtype and shape, {value.dtype} of "
                f"{tuple(value.shape)}; it gave {result.dtype} of {tuple(result.shape)}"
            )


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Whether the module has parametrized tensors, or this one is.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.parametrizations.weight_norm(pydl.nn.Linear(2, 2))
        >>> pydl.nn.utils.parametrize.is_parametrized(layer), pydl.nn.utils.parametrize.is_parametrized(layer, "bias")
        (True, False)
    """
    chains = getattr(module, "parametrizations", None)
    if not isinstance(chains, ModuleDict):
        return False
    return len(chains) > 0 if tensor_name is None else tensor_name in chains


def remove_parametrizations(module: Any, tensor_name: str, leave_parametrized: bool = True) -> Any:
    """Make the tensor an ordinary one again: with its present value, or (``False``) with its original.

    Returns:
        ``module``.

    Raises:
        ValueError: it is not parametrized, or is computed from several tensors with ``leave_parametrized=False``.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.parametrizations.weight_norm(pydl.nn.Linear(2, 2))
        >>> pydl.nn.utils.parametrize.remove_parametrizations(layer, "weight")
        Linear(in_features=2, out_features=2, bias=True)
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    chain = module.parametrizations[tensor_name]
    if not chain.is_tensor and not leave_parametrized:
        raise ValueError("Cannot leave unparametrized a tensor that is parametrized in terms of a sequence of tensors.")
    originals = chain._originals()
    value = getattr(module, tensor_name).detach() if leave_parametrized else originals[0].detach()
    if chain.is_tensor:
        kept = originals[0]
        kept.data = value
    else:
        parameter = any(isinstance(t, Parameter) for t in originals)
        kept = Parameter(value, any(t.requires_grad for t in originals)) if parameter else value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    _register(module, tensor_name, kept)
    return module


def type_before_parametrizations(module: Any) -> type:
    """The class of the module before anything was parametrized.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.parametrizations.weight_norm(pydl.nn.Linear(2, 2))
        >>> pydl.nn.utils.parametrize.type_before_parametrizations(layer).__name__
        'Linear'
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module: Any, to_module: Any, tensor_name: str | None = None) -> Any:
    """Parametrize the tensors of ``to_module`` as those of ``from_module`` (all, or one), with the same originals.

    Returns:
        ``to_module``.

    Example:
        >>> import pydl
        >>> source = pydl.nn.utils.parametrizations.weight_norm(pydl.nn.Linear(2, 2))
        >>> target = pydl.nn.utils.parametrize.transfer_parametrizations_and_params(source, pydl.nn.Linear(2, 2))
        >>> pydl.equal(source.weight, target.weight)
        True
    """
    if not is_parametrized(from_module):
        return to_module
    names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        chain = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            _register(to_module, name, Parameter(getattr(from_module, name).detach()))
        for parametrization in chain:
            register_parametrization(to_module, name, parametrization, unsafe=chain.unsafe)
        target = to_module.parametrizations[name]
        for key in ["original"] if chain.is_tensor else [f"original{i}" for i in range(chain.ntensors)]:
            setattr(target, key, getattr(chain, key))
    return to_module
