"""Modules that learn their sizes from the first input."""

from __future__ import annotations

from typing import Any

from pydl.nn.modules.module import Module
from pydl.nn.parameter import is_lazy

__all__: list[str] = []


class LazyModuleMixin(Module):
    """Makes a module wait with its parameters until it sees an input.

    A subclass stands in front of the module class, makes an :class:`~pydl.nn.UninitializedParameter` for each parameter
    whose shape is not known yet, names in ``cls_to_become`` the class that it turns into, and gives
    ``initialize_parameters(*inputs)`` a body. That runs before the first ``forward``. An uninitialised parameter has no
    shape, so optimizers must be made after the first call; ``state_dict`` keeps it as it is, and loading a file with
    shapes gives it its shape.

    Example:
        >>> import pydl
        >>> net = pydl.nn.Sequential(pydl.nn.LazyConv1d(4, 3), pydl.nn.ReLU())
        >>> net[0].has_uninitialized_params()
        True
        >>> net(pydl.zeros(1, 2, 5)).shape, type(net[0]).__name__
        (torch.Size([1, 4, 3]), 'Conv1d')
    """

    cls_to_become: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters their shapes from the first input: for subclasses to write."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer still waits for its shape."""
        return any(is_lazy(t) for t in (*self._parameters.values(), *self._buffers.values()))

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        waiting = {name: buffer for name, buffer in self._buffers.items() if is_lazy(buffer)}
        super()._apply(fn, recurse)
        for name, buffer in waiting.items():
            old: Any = buffer
            converted: Any = self._buffers[name]
            self._buffers[name] = type(old)(old.requires_grad, dtype=converted.dtype, persistent=old.persistent)
        return self

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, value in self._persistent_items():
            if value is not None:
                destination[prefix + name] = value if keep_vars or is_lazy(value) else value.detach()

    def _lazy_load_hook(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        for name, value in self._persistent_items():
            given = state_dict.get(prefix + name)
            if given is not None and is_lazy(value) and not is_lazy(given):
                value.materialize(given.shape)

    def _infer_parameters(self, module: Any, args: Any, kwargs: Any = None) -> None:
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {module._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook, module._load_hook
        if self.cls_to_become is not None:
            module.__class__ = self.cls_to_become

    def _replicate_for_data_parallel(self) -> Any:
        raise RuntimeError(
            "Modules with uninitialized parameters can't be replicated: "
            "run a dummy forward pass first to initialize them"
        )
