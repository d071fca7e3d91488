"""The base of every optimizer: parameter groups, state, and how both are saved."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable
from copy import deepcopy
from typing import Any

import pydl
from pydl import Tensor
from pydl.utils.hooks import RemovableHandle

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

_GLOBAL_PRE: OrderedDict[int, Any] = OrderedDict()
_GLOBAL_POST: OrderedDict[int, Any] = OrderedDict()


def _register(hooks: Any, hook: Any, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(optimizer, args, kwargs)`` before the step of every optimizer.

    Example:
        >>> import pydl
        >>> handle = pydl.optim.register_optimizer_step_pre_hook(lambda optimizer, args, kwargs: print("about to step"))
        >>> pydl.optim.SGD([pydl.zeros(1, requires_grad=True)]).step()
        about to step
        >>> handle.remove()
    """
    return _register(_GLOBAL_PRE, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(optimizer, args, kwargs)`` after the step of every optimizer.

    Example:
        >>> import pydl
        >>> handle = pydl.optim.register_optimizer_step_post_hook(lambda optimizer, args, kwargs: print("stepped"))
        >>> pydl.optim.SGD([pydl.zeros(1, requires_grad=True)]).step()
        stepped
        >>> handle.remove()
    """
    return _register(_GLOBAL_POST, hook)


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """``step`` with the registered hooks around it; without hooks one test and one call more."""

    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True  # schedulers warn when they step first
        if not (self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks or _GLOBAL_PRE or _GLOBAL_POST):
            return step(self, *args, **kwargs)
        for hook in (*_GLOBAL_PRE.values(), *self._optimizer_step_pre_hooks.values()):
            new = hook(self, args, kwargs)
            if new is None:
                continue
            if not (isinstance(new, tuple) and len(new) == 2):
                raise RuntimeError(f"step pre-hook: expected None or (args, kwargs), got {new!r}")
            args, kwargs = new
        result = step(self, *args, **kwargs)
        for hook in (*self._optimizer_step_post_hooks.values(), *_GLOBAL_POST.values()):
            hook(self, args, kwargs)
        return result

    wrapper.__name__, wrapper.__doc__ = step.__name__, step.__doc__
    wrapper.hooked = True  # type: ignore[attr-defined]
    return wrapper


class Optimizer:
    """Base class of optimizers. A subclass passes its defaults here and defines ``step``.

    Args:
        params: tensors, pairs of name and tensor, or dictionaries of a group each (``{"params": ..., "lr": ...}``).
        defaults: the options of groups that do not set them.

    Raises:
        TypeError: ``params`` is one tensor or holds something else than tensors.
        ValueError: no parameters, a parameter twice, or one that is no leaf.

    Example:
        >>> import pydl
        >>> class Sign(pydl.optim.Optimizer):
        ...     def __init__(self, params, lr):
        ...         super().__init__(params, {"lr": lr})
        ...     def step(self, closure=None):
        ...         for group in self.param_groups:
        ...             for param in group["params"]:
        ...                 param.data -= group["lr"] * param.grad.sign()
        >>> w = pydl.zeros(2, requires_grad=True)
        >>> w.grad = pydl.tensor([3.0, -0.1])
        >>> Sign([w], lr=0.5).step()
        >>> w.tolist()
        [-0.5, 0.5]
    """

    param_groups: list[dict[str, Any]]
    state: defaultdict[Any, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        step = cls.__dict__.get("step")
        if step is not None and not getattr(step, "hooked", False):
            cls.step = _with_hooks(step)  # type: ignore[method-assign]

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._set_slots()
        if isinstance(params, Tensor):
            raise TypeError(
                f"optimizer: params should be an iterable of Tensors or dicts, but got {type(params).__name__}"
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(dict(group))

    def _set_slots(self) -> None:
        for kind in (
            "step_pre",
            "step_post",
            "state_dict_pre",
            "state_dict_post",
            "load_state_dict_pre",
            "load_state_dict_post",
        ):
            self.__dict__.setdefault(f"_optimizer_{kind}_hooks", OrderedDict())

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.defaults = self.__dict__.get("defaults", {})
        self._set_slots()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, for instance layers that are thawed during training.

        Args:
            param_group: ``"params"`` and any option that differs from the defaults.

        Raises:
            TypeError: no dictionary, a set of parameters (no order) or no tensors.
            ValueError: a required option is missing, a parameter is no leaf, is there already, or lacks a name.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError("optimizer parameters need an order: a set has none, please use a list instead")
        params, names = _split_names(list(params))
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}")
            if not self.defaults.get("differentiable", None) and not (param.is_leaf or param.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        self._check_unique(param_group)
        self.param_groups.append(param_group)

    def _check_unique(self, new: dict[str, Any]) -> None:
        own = [id(param) for param in new["params"]]
        if len(own) != len(set(own)):
            import warnings

            warnings.warn("optimizer contains a parameter group with duplicate parameters", stacklevel=4)
        if any(id(param) in set(own) for group in self.param_groups for param in group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        if any(("param_names" in group) != ("param_names" in new) for group in self.param_groups):
            raise ValueError("all optimizer param groups should be with/without names")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters (the default), or fill them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    if param.grad.grad_fn is not None:
                        param.grad.detach_()
                    else:
                        param.grad.requires_grad_(False)
                    param.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters once. ``closure`` evaluates the model again and returns the loss."""
        raise NotImplementedError

    # --- hooks

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run ``hook(optimizer, args, kwargs)`` before each step; it may return new ``(args, kwargs)``."""
        return _register(self.__dict__["_optimizer_step_pre_hooks"], hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run ``hook(optimizer, args, kwargs)`` after each step."""
        return _register(self.__dict__["_optimizer_step_post_hooks"], hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Run ``hook(optimizer)`` before ``state_dict``."""
        return _register(self.__dict__["_optimizer_state_dict_pre_hooks"], hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Run ``hook(optimizer, state_dict)`` after ``state_dict``; it may return a replacement."""
        return _register(self.__dict__["_optimizer_state_dict_post_hooks"], hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Run ``hook(optimizer, state_dict)`` before loading; it may return a replacement."""
        return _register(self.__dict__["_optimizer_load_state_dict_pre_hooks"], hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Run ``hook(optimizer)`` after loading."""
        return _register(self.__dict__["_optimizer_load_state_dict_post_hooks"], hook, prepend)

    # --- saving

    def state_dict(self) -> dict[str, Any]:
        """Options and state, with parameters replaced by their position: ``{"state": ..., "param_groups": ...}``."""
        for hook in self.__dict__["_optimizer_state_dict_pre_hooks"].values():
            hook(self)
        position: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for param in group["params"]:
                position.setdefault(id(param), len(position))
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [position[id(param)] for param in group["params"]]
            groups.append(packed)
        state = {(position[id(k)] if isinstance(k, Tensor) else k): v for k, v in self.state.items()}
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in self.__dict__["_optimizer_state_dict_post_hooks"].values():
            new = hook(self, result)
            result = result if new is None else new
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` of an optimizer of the same layout gave.

        Raises:
            ValueError: the groups differ in number or size.
        """
        state_dict = dict(state_dict)
        for hook in self.__dict__["_optimizer_load_state_dict_pre_hooks"].values():
            new = hook(self, state_dict)
            state_dict = state_dict if new is None else new
        saved = deepcopy(state_dict["param_groups"])
        own = self.param_groups
        if len(saved) != len(own):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(saved, own)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        params = {key: param for a, b in zip(saved, own) for key, param in zip(a["params"], b["params"])}
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            state[params[key] if key in params else key] = _cast(params[key], value) if key in params else value
        for a, b in zip(saved, own):
            a["params"] = b["params"]
            if "param_names" in b:
                a.setdefault("param_names", b["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self.__dict__["_optimizer_load_state_dict_post_hooks"].values():
            hook(self)


def _split_names(params: list[Any]) -> tuple[list[Any], list[str]]:
    """Separate pairs of name and tensor."""
    named = [isinstance(param, tuple) for param in params]
    if not any(named):
        return params, []
    if not all(named):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    return [param for _, param in params], [name for name, _ in params]


def _cast(param: Tensor, value: Any, key: Hashable = None) -> Any:
    """State as this parameter wants it: its dtype and device; ``step`` keeps float32, as it counts."""
    if isinstance(value, Tensor):
        if key == "step":
            return value.to(pydl.float32) if not value.is_floating_point() else value
        return value.to(dtype=param.dtype) if param.is_floating_point() else value.clone()
    if isinstance(value, dict):
        return {k: _cast(param, v, k) for k, v in value.items()}
    if isinstance(value, Iterable) and isinstance(value, (list, tuple)):
        return type(value)(_cast(param, v) for v in value)
    return value


def check_nonnegative(**options: Any) -> None:
    """Raise ValueError for the first option that is below zero; ``betas`` have to be below one as well."""
    for name, value in options.items():
        if name == "betas":
            for i, beta in enumerate(value):
                if not 0.0 <= beta < 1.0:
                    raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        elif not 0.0 <= value:
            label = {"lr": "learning rate", "eps": "epsilon value"}.get(name, f"{name} value")
            raise ValueError(f"Invalid {label}: {value}")


def evaluate(closure: Callable[[], Any] | None) -> Any:
    """The loss of ``closure``, computed with recording on; ``None`` without one."""
    if closure is None:
        return None
    with pydl.enable_grad():
        return closure()


def check_flags(foreach: bool | None, fused: bool | None, differentiable: bool, capturable: bool = False) -> None:
    """Options of PyTorch that choose an implementation: every step here is one fused call, so they change nothing."""
    if differentiable:
        raise ValueError("differentiable=True is not supported: the fused step records nothing")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def changed(params: list[Any], grads: list[Any], cached: Any) -> bool:
    """Whether parameters, or which of them have gradients, differ from what ``cached`` was gathered for."""
    return cached is None or cached.ids != list(map(id, params)) or cached.missing != [grad is None for grad in grads]
