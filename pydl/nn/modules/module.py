"""nn.Module: the base of every layer and model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.modules._hooks import (
    GLOBAL_BACKWARD,
    GLOBAL_BACKWARD_PRE,
    GLOBAL_FORWARD,
    GLOBAL_FORWARD_PRE,
    HooksMixin,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
)
from pydl.nn.modules._state import StateDictMixin
from pydl.nn.parameter import Buffer, Parameter
from pydl.utils.hooks import RemovableHandle

__all__ = [
    "Module",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

_BUFFER_REGISTRATION: OrderedDict[int, Any] = OrderedDict()
_MODULE_REGISTRATION: OrderedDict[int, Any] = OrderedDict()
_PARAMETER_REGISTRATION: OrderedDict[int, Any] = OrderedDict()


def _registration_hook(hooks: OrderedDict[int, Any], hook: Callable[..., Any]) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, name, buffer)`` whenever a buffer is registered; it may return another one."""
    return _registration_hook(_BUFFER_REGISTRATION, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, name, submodule)`` whenever a submodule is registered; it may return another one."""
    return _registration_hook(_MODULE_REGISTRATION, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, name, param)`` whenever a parameter is registered; it may return another one."""
    return _registration_hook(_PARAMETER_REGISTRATION, hook)


def _through(hooks: OrderedDict[int, Any], module: Module, name: str, value: Any) -> Any:
    for hook in hooks.values():
        new = hook(module, name, value)
        value = value if new is None else new
    return value


_HOOK_SLOTS = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


class Module(pydl._ModuleBase, HooksMixin, StateDictMixin):
    """Base class of layers and models.

    A subclass creates its parameters and submodules in ``__init__`` (after ``super().__init__()``) and computes in
    ``forward``. Parameters, buffers and submodules assigned as attributes are found by ``parameters()``,
    ``state_dict()``, ``to()`` and the rest.

    Example:
        >>> import pydl
        >>> class Doubled(pydl.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layer = pydl.nn.Linear(3, 2)
        ...     def forward(self, x):
        ...         return 2 * self.layer(x)
        >>> Doubled()(pydl.zeros(5, 3)).shape
        torch.Size([5, 2])
    """

    dump_patches = False
    _version = 1
    training: bool
    call_super_init = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            given = f"keyword argument {next(iter(kwargs))!r}" if kwargs else f"{len(args)} positional arguments"
            raise TypeError(f"{type(self).__name__}.__init__(): Module takes no arguments, got {given}")
        # Written past __setattr__, whose checks need these slots.
        state = self.__dict__
        state["training"] = True
        state["_parameters"] = {}
        state["_buffers"] = {}
        state["_non_persistent_buffers_set"] = set()
        for slot in _HOOK_SLOTS:
            state[slot] = OrderedDict()
        state["_modules"] = {}
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *input: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """What the module computes; every subclass overrides it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    # --- registration

    def _check_name(self, what: str, name: Any, store: Any) -> None:
        if store is None:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {type(name).__name__}")
        if "." in name:
            raise KeyError(f'{what} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in store:
            raise KeyError(f"attribute '{name}' already exists")

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not learned, reachable as attribute ``name``.

        Args:
            name: a new attribute name without dots.
            tensor: the value, or ``None`` for a buffer that is not set.
            persistent: whether ``state_dict()`` holds it. Default: ``True``.

        Raises:
            KeyError: the name is empty, has a dot or is taken. TypeError: the value is no tensor.
        """
        store = self.__dict__.get("_buffers")
        self._check_name("buffer", name, store)
        assert store is not None
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' (torch Tensor or None required)"
            )
        store[name] = _through(_BUFFER_REGISTRATION, self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, reachable as attribute ``name``; ``None`` marks one that the module goes without.

        Raises:
            KeyError: the name is empty, has a dot or is taken. TypeError: the value is no Parameter.
            ValueError: it is the result of a computation instead of a leaf.
        """
        store = self.__dict__.get("_parameters")
        self._check_name("parameter", name, store)
        assert store is not None
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{type(param).__name__}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"register_parameter(): '{name}' is not a leaf; a parameter cannot depend on other tensors"
                )
        store[name] = _through(_PARAMETER_REGISTRATION, self, name, param)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule, reachable as attribute ``name``.

        Raises:
            KeyError: the name is empty, has a dot or is taken. TypeError: the value is no Module.
        """
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        store = self.__dict__.get("_modules")
        self._check_name("module", name, store)
        assert store is not None
        store[name] = _through(_MODULE_REGISTRATION, self, name, module)

    register_module = add_module

    def __getattr__(self, name: str) -> Any:
        state = self.__dict__
        for slot in ("_parameters", "_modules", "_buffers"):
            found = state.get(slot)
            if found is not None and name in found:
                return found[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def _forget(self, name: str, keep: str) -> None:
        """Take ``name`` out of every place but the store ``keep``, so that one name means one thing."""
        for slot in ("_parameters", "_buffers", "_modules"):
            if slot != keep:
                self.__dict__[slot].pop(name, None)
        self.__dict__.pop(name, None)
        if keep != "_buffers":
            self._non_persistent_buffers_set.discard(name)

    def __setattr__(self, name: str, value: Any) -> None:
        state = self.__dict__
        if isinstance(value, (Parameter, Module)):
            slot, kind = ("_parameters", "parameters") if isinstance(value, Parameter) else ("_modules", "module")
            if slot not in state:
                raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
            self._forget(name, slot)
            if isinstance(value, Parameter):
                self.register_parameter(name, value)
            else:
                state[slot][name] = _through(_MODULE_REGISTRATION, self, name, value)
        elif name in state.get("_parameters", ()):
            self._refuse(name, value, "parameter", "torch.nn.Parameter")
            self.register_parameter(name, None)
        elif name in state.get("_modules", ()):
            self._refuse(name, value, "child module", "torch.nn.Module")
            state["_modules"][name] = None
        elif isinstance(value, Buffer) or name in state.get("_buffers", ()):
            self._set_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def _refuse(self, name: str, value: Any, kind: str, wanted: str) -> None:
        if value is not None:
            raise TypeError(
                f"cannot assign '{type(value).__name__}' object as {kind} '{name}' ({wanted} or None expected)"
            )

    def _set_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{type(value).__name__}' as buffer '{name}' "
                "(torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffers before Module.__init__() call")
        persistent = value.persistent if isinstance(value, Buffer) else name not in self._non_persistent_buffers_set
        self._forget(name, "_buffers")
        self.register_buffer(name, value, persistent)

    def __delattr__(self, name: str) -> None:
        for slot in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__[slot]:
                del self.__dict__[slot][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if name.isidentifier())

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for slot in _HOOK_SLOTS:  # pickles of older versions lack the newer slots
            self.__dict__.setdefault(slot, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())

    # --- looking around

    def _named_members(
        self, members: Callable[[Module], Any], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for module_prefix, module in modules:
            for name, value in members(module):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield (f"{module_prefix}.{name}" if module_prefix else name), value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once; with ``recurse`` those of all modules below too."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Pairs of name and parameter; shared ones appear once unless ``remove_duplicate`` is off.

        Example:
            >>> import pydl
            >>> [(name, tuple(p.shape)) for name, p in pydl.nn.Linear(3, 2).named_parameters()]
            [('weight', (2, 3)), ('bias', (2,))]
        """
        return self._named_members(lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Pairs of name and buffer."""
        return self._named_members(lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def children(self) -> Iterator[Module]:
        """The direct submodules, each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Pairs of name and direct submodule, each submodule once."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        for _, module in self.named_modules():
            yield module

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Pairs of dotted name and module, this one first with name ``prefix``.

        Example:
            >>> import pydl
            >>> [name for name, _ in pydl.nn.Sequential(pydl.nn.ReLU()).named_modules()]
            ['', '0']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                below = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, below, remove_duplicate)

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path such as ``"encoder.0"``; ``""`` is this module.

        Raises:
            AttributeError: there is nothing at the path, or it is no Module.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put ``module`` at a dotted path; with ``strict`` only where a module is already.

        Raises:
            ValueError: the path is empty or ``module`` no Module. AttributeError: the path does not exist.
        """
        path, _, name = target.rpartition(".")
        if not name:
            raise ValueError(f"set_submodule(): target must end in a name, got {target!r}")
        if not isinstance(module, Module):
            raise ValueError(f"set_submodule(): module must be an nn.Module, got {type(module).__name__}")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{type(parent).__name__} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def _get_member(self, target: str, slot: str, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if name not in module.__dict__[slot]:
            raise AttributeError(f"`{name}` is not {kind}")
        return getattr(module, name)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path. Raises AttributeError where there is none."""
        return self._get_member(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path. Raises AttributeError where there is none."""
        return self._get_member(target, "_buffers", "a buffer")

    # --- acting on the tree

    def apply(self, fn: Callable[[Module], Any]) -> Any:
        """Call ``fn`` on every submodule, then on this module. Returns this module.

        Example:
            >>> import pydl
            >>> layer = pydl.nn.Linear(2, 2)
            >>> layer.apply(lambda m: pydl.nn.init.zeros_(m.weight)).weight.sum().item()
            0.0
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        if recurse:
            for module in self.children():
                module._apply(fn)
        with pydl.no_grad():
            for param in self._parameters.values():
                if param is not None:
                    param.data = fn(param.data)
                    if param.grad is not None:
                        grad = fn(param.grad.detach())
                        param.grad = grad.requires_grad_(param.grad.requires_grad)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move or convert all parameters and buffers in place: ``to(device)``, ``to(dtype)``, ``to(tensor)``.

        A dtype applies to floating-point and complex tensors only and must be one of those itself.

        Raises:
            TypeError: the dtype is an integer one.

        Example:
            >>> import pydl
            >>> pydl.nn.Linear(1, 1).to(pydl.float64).weight.dtype
            torch.float64
        """
        device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
        for name in ("non_blocking", "memory_format", "copy"):
            kwargs.pop(name, None)
        other = kwargs.pop("tensor", None)
        if kwargs:
            raise TypeError(f"to(): unexpected argument {next(iter(kwargs))!r}")
        for arg in args:
            if isinstance(arg, Tensor):
                other = arg
            elif isinstance(arg, pydl.dtype):
                dtype = arg
            elif arg is not None and not isinstance(arg, bool):
                device = arg
        if other is not None:
            device, dtype = other.device, other.dtype
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )

        def convert(tensor: Tensor) -> Tensor:
            if dtype is not None and (tensor.is_floating_point() or tensor.is_complex()):
                tensor = tensor.to(dtype)
            return tensor if device is None else tensor.to(device)

        return self._apply(convert)

    def _to_floating(self, dtype: Any) -> Any:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self) -> Any:
        """Convert floating-point parameters and buffers to float32."""
        return self._to_floating(pydl.float32)

    def double(self) -> Any:
        """Convert floating-point parameters and buffers to float64."""
        return self._to_floating(pydl.float64)

    def half(self) -> Any:
        """Convert floating-point parameters and buffers to float16."""
        return self._to_floating(pydl.float16)

    def bfloat16(self) -> Any:
        """Convert floating-point parameters and buffers to bfloat16."""
        return self._to_floating(pydl.bfloat16)

    def type(self, dst_type: Any) -> Any:
        """Convert all parameters and buffers to ``dst_type``, integers too."""
        return self._apply(lambda t: t.to(dst_type) if isinstance(dst_type, pydl.dtype) else t.type(dst_type))

    def cpu(self) -> Any:
        """Move all parameters and buffers to main memory."""
        return self._apply(lambda t: t.to("cpu"))

    def cuda(self, device: int | None = None) -> Any:
        """Move all parameters and buffers to a GPU. Raises where the build has none."""
        where = "cuda" if device is None else f"cuda:{device}"
        return self._apply(lambda t: t.to(where))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Any:
        """Give every parameter and buffer new, uninitialised memory on ``device``."""
        return self._apply(lambda t: pydl.empty_like(t, device=device), recurse=recurse)

    def train(self, mode: bool = True) -> Any:
        """Switch this module and all below to training mode (``False``: evaluation). Returns this module."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Any:
        """Switch to evaluation: the same as ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Set whether the parameters collect gradients. Returns this module."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for param in self.parameters():
            if param.grad is None:
                continue
            if set_to_none:
                param.grad = None
            else:
                param.grad = pydl.zeros_like(param.grad)

    # --- printing

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """The text between the parentheses of ``repr``; subclasses override it."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join([*lines, *children]) + "\n)"


pydl._announce_module(Module, (GLOBAL_FORWARD, GLOBAL_FORWARD_PRE, GLOBAL_BACKWARD, GLOBAL_BACKWARD_PRE))
