"""state_dict of nn.Module: what is saved, under which names, and how it comes back."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.parameter import Parameter
from pydl.utils.hooks import RemovableHandle

EXTRA_STATE = "_extra_state"


class IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What ``load_state_dict`` could not match: ``missing_keys`` and ``unexpected_keys``, lists of names."""

    __slots__ = ()

    def __repr__(self) -> str:
        return (
            "<All keys matched successfully>" if not (self.missing_keys or self.unexpected_keys) else super().__repr__()
        )

    __str__ = __repr__


class _WithModule:
    """Hands the module to a hook that was registered without it; holds it weakly, so no cycle arises."""

    def __init__(self, hook: Any, module: Any) -> None:
        import weakref

        self.hook = hook
        self.module = weakref.ref(module)

    def __call__(self, *args: Any) -> Any:
        return self.hook(self.module(), *args)

    def __getstate__(self) -> dict[str, Any]:
        return {"hook": self.hook, "module": self.module()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["hook"], state["module"])  # type: ignore[misc]


def _register(hooks: Any, hook: Any) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


class StateDictMixin:
    """Saving and loading of parameters, persistent buffers and extra state."""

    _version: int
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _state_dict_hooks: OrderedDict[int, Any]
    _state_dict_pre_hooks: OrderedDict[int, Any]
    _load_state_dict_pre_hooks: OrderedDict[int, Any]
    _load_state_dict_post_hooks: OrderedDict[int, Any]

    def get_extra_state(self) -> Any:
        """What a subclass wants stored next to its tensors. Override together with ``set_extra_state``."""
        raise RuntimeError("get_extra_state(): not overridden by this class")

    def set_extra_state(self, state: Any) -> None:
        """Take back what ``get_extra_state`` returned."""
        raise RuntimeError("set_extra_state(): not overridden by this class, which has no extra state to load")

    def _has_extra_state(self, method: str = "get_extra_state") -> bool:
        return getattr(type(self), method) is not getattr(StateDictMixin, method)

    def _persistent_items(self) -> Iterator[tuple[str, Any]]:
        yield from self._parameters.items()
        for name, buffer in self._buffers.items():
            if name not in self._non_persistent_buffers_set:
                yield name, buffer

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, value in self._persistent_items():
            if value is not None:
                destination[prefix + name] = value if keep_vars else value.detach()
        if self._has_extra_state():
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """All parameters and persistent buffers by name, sharing memory with the module.

        Args:
            destination: a dictionary to fill; a new ordered one by default.
            prefix: put before each name. Default: ``""``.
            keep_vars: give the parameters themselves instead of detached tensors. Default: ``False``.

        Example:
            >>> import pydl
            >>> list(pydl.nn.Linear(2, 1).state_dict())
            ['weight', 'bias']
        """
        for value, name in zip(args, ("destination", "prefix", "keep_vars")):
            destination, prefix, keep_vars = (
                value if name == "destination" else destination,
                value if name == "prefix" else prefix,
                value if name == "keep_vars" else keep_vars,
            )
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=prefix + name + ".", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            replaced = hook(self, destination, prefix, local_metadata)
            destination = destination if replaced is None else replaced
        return destination

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run ``hook(module, prefix, keep_vars)`` before ``state_dict`` collects."""
        return _register(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run ``hook(module, state_dict, prefix, local_metadata)`` after ``state_dict``; it edits in place."""
        return _register(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        return _register(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run ``hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected, errors)`` first."""
        return _register(self._load_state_dict_pre_hooks, _WithModule(hook, self))

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        return _register(self._load_state_dict_pre_hooks, _WithModule(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run ``hook(module, incompatible_keys)`` after loading; it may edit the two lists."""
        return _register(self._load_state_dict_post_hooks, hook)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = bool(local_metadata.get("assign_to_params_buffers", False))
        items = [(name, value) for name, value in self._persistent_items() if value is not None]
        for name, value in items:
            key = prefix + name
            if key in state_dict:
                self._load_tensor(name, key, value, state_dict[key], assign, error_msgs)
            elif strict:
                missing_keys.append(key)
        self._load_extra_state(state_dict, prefix + EXTRA_STATE, strict, missing_keys, unexpected_keys)
        if strict:
            known = {name for name, _ in items}
            unexpected_keys.extend(self._unknown_keys(state_dict, prefix, known))

    def _load_extra_state(
        self, state_dict: Any, key: str, strict: bool, missing: list[str], unexpected: list[str]
    ) -> None:
        if self._has_extra_state("set_extra_state"):
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing.append(key)
        elif strict and key in state_dict:
            unexpected.append(key)

    def _unknown_keys(self, state_dict: Any, prefix: str, known: set[str]) -> Iterator[str]:
        for key in state_dict:
            if key.startswith(prefix) and key != prefix + EXTRA_STATE:
                head, dot, _ = key[len(prefix) :].partition(".")
                if (head not in self._modules) if dot else (head not in known):
                    yield key

    def _load_tensor(self, name: str, key: str, own: Any, given: Any, assign: bool, errors: list[str]) -> None:
        if not isinstance(given, Tensor):
            errors.append(f'While copying the parameter named "{key}", expected a Tensor, got {type(given)}')
            return
        if own.dim() == 0 and given.dim() == 1 and len(given) == 1:
            given = given[0]  # files of PyTorch 0.3 stored scalars with one dimension
        if given.shape != own.shape:
            errors.append(
                f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, "
                f"the shape in current model is {own.shape}."
            )
            return
        try:
            with pydl.no_grad():
                if not assign:
                    own.copy_(given)
                elif isinstance(own, Parameter):
                    same = isinstance(given, Parameter)
                    new = given.requires_grad_(own.requires_grad) if same else Parameter(given, own.requires_grad)
                    setattr(self, name, new)
                else:
                    setattr(self, name, given)
        except Exception as error:
            errors.append(f'While copying the parameter named "{key}": {error}')

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Copy tensors by name into this module and the modules below it.

        Args:
            state_dict: names to tensors, as ``state_dict()`` gives them.
            strict: whether the names have to match exactly. Default: ``True``.
            assign: take the given tensors themselves instead of copying their values. Default: ``False``.

        Returns:
            A named tuple of ``missing_keys`` and ``unexpected_keys``.

        Raises:
            TypeError: ``state_dict`` is no mapping.
            RuntimeError: a shape does not fit, or with ``strict`` a name is missing or unknown; all are listed.

        Example:
            >>> import pydl
            >>> a, b = pydl.nn.Linear(2, 1), pydl.nn.Linear(2, 1)
            >>> a.load_state_dict(b.state_dict())
            <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict(): state_dict must be a mapping, got {type(state_dict)}")
        metadata = getattr(state_dict, "_metadata", None)
        copied: Any = OrderedDict(state_dict)
        if metadata is not None:
            copied._metadata = metadata
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        self._load_tree(copied, metadata or {}, "", strict, assign, missing, unexpected, errors)
        if strict:
            for title, keys in (("Unexpected", unexpected), ("Missing", missing)):
                if keys:
                    names = ", ".join(f'"{key}"' for key in keys)
                    errors.insert(0, f"{title} key(s) in state_dict: {names}. ")
        if errors:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(errors))
        return IncompatibleKeys(missing, unexpected)

    def _load_tree(
        self,
        state_dict: Any,
        metadata: Any,
        prefix: str,
        strict: bool,
        assign: bool,
        missing: list[str],
        unexpected: list[str],
        errors: list[str],
    ) -> None:
        local = dict(metadata.get(prefix[:-1], {}))
        if assign:
            local["assign_to_params_buffers"] = True
        self._load_from_state_dict(state_dict, prefix, local, True, missing, unexpected, errors)
        for name, child in self._modules.items():
            if child is not None:
                below = prefix + name + "."
                part = OrderedDict((key, value) for key, value in state_dict.items() if key.startswith(below))
                child._load_tree(part, metadata, below, strict, assign, missing, unexpected, errors)
        keys = IncompatibleKeys(missing, unexpected)
        for hook in self._load_state_dict_post_hooks.values():
            if hook(self, keys) is not None:
                raise AssertionError("a load_state_dict post hook edits the lists it is given and returns None")
