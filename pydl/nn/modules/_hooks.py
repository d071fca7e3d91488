"""Hooks of nn.Module: what runs before and after ``forward`` and around the backward pass."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from pydl import Tensor
from pydl.autograd.function import Function
from pydl.utils.hooks import RemovableHandle

GLOBAL_FORWARD_PRE: OrderedDict[int, Any] = OrderedDict()
GLOBAL_FORWARD: OrderedDict[int, Any] = OrderedDict()
GLOBAL_FORWARD_KWARGS: OrderedDict[int, bool] = OrderedDict()
GLOBAL_FORWARD_ALWAYS: OrderedDict[int, bool] = OrderedDict()
GLOBAL_BACKWARD_PRE: OrderedDict[int, Any] = OrderedDict()
GLOBAL_BACKWARD: OrderedDict[int, Any] = OrderedDict()


def any_global() -> bool:
    """Whether a hook for all modules is registered."""
    return bool(GLOBAL_FORWARD_PRE or GLOBAL_FORWARD or GLOBAL_BACKWARD_PRE or GLOBAL_BACKWARD)


class _Tap(Function):
    """Identity on tensors that shows their gradients to a callback, which may replace them."""

    @staticmethod
    def forward(ctx: Any, callback: Callable[[tuple[Any, ...]], tuple[Any, ...]], *tensors: Tensor) -> Any:
        ctx.callback = callback
        ctx.set_materialize_grads(False)
        outputs = tuple(tensor.view_as(tensor) for tensor in tensors)
        ctx.mark_non_differentiable(*(out for out, src in zip(outputs, tensors) if not src.requires_grad))
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return (None, *ctx.callback(grads))


def _tap_tensors(values: tuple[Any, ...], callback: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> tuple[Any, bool]:
    """Thread the tensors of ``values`` through a :class:`_Tap`; the callback sees one slot per value.

    Returns the values and whether a gradient will pass at all.
    """
    where = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    if not any(values[i].requires_grad for i in where):
        return values, False

    def on_grads(grads: tuple[Any, ...]) -> tuple[Any, ...]:
        slots: list[Any] = [None] * len(values)
        for i, grad in zip(where, grads):
            slots[i] = grad
        slots = list(callback(tuple(slots)))
        return tuple(slots[i] for i in where)

    tapped = list(values)
    for i, tensor in zip(where, _Tap.apply(on_grads, *(values[i] for i in where))):
        tapped[i] = tensor
    return tuple(tapped), True


class BackwardHooks:
    """The backward hooks of one module for the time of one call."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.pre = [*GLOBAL_BACKWARD_PRE.values(), *module._backward_pre_hooks.values()]
        self.post = [*GLOBAL_BACKWARD.values(), *module._backward_hooks.values()]
        self.input_count = 0
        self.inputs_have_grad = False
        self.grad_output: tuple[Any, ...] = ()

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.input_count = len(args)
        if self.post:
            args, self.inputs_have_grad = _tap_tensors(args, self._on_input_grads)
        return args

    def watch_outputs(self, result: Any) -> Any:
        values = result if isinstance(result, tuple) else (result,)
        if not all(value is None or isinstance(value, Tensor) for value in values):
            return result  # as in PyTorch: only a tensor or a tuple of tensors can be watched
        values, _ = _tap_tensors(values, self._on_output_grads)
        return values if isinstance(result, tuple) else values[0]

    def _on_output_grads(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.pre:
            grads = _replacement(hook(self.module, grads), grads, "backward pre hook")
        self.grad_output = grads
        if self.post and not self.inputs_have_grad:
            self._run_post((None,) * self.input_count)
        return grads

    def _on_input_grads(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        return self._run_post(grads)

    def _run_post(self, grad_input: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.post:
            new = hook(self.module, grad_input, self.grad_output)
            if new is not None and not self.inputs_have_grad:
                raise RuntimeError("backward hook: no input of the module requires grad, so it has to return None")
            grad_input = _replacement(new, grad_input, "backward hook")
        return grad_input


def _replacement(new: Any, old: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    if new is None:
        return old
    new = new if isinstance(new, tuple) else (new,)
    if len(new) != len(old):
        raise RuntimeError(f"{what}: expected {len(old)} gradients back, got {len(new)}")
    return new


def _add(hooks: Any, hook: Any, prepend: bool = False, flags: tuple[tuple[Any, bool], ...] = ()) -> RemovableHandle:
    handle = RemovableHandle(hooks, extra_dict=[where for where, _ in flags])
    hooks[handle.id] = hook
    for where, on in flags:
        if on:
            where[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


class HooksMixin:
    """Registration of hooks and the call that runs them."""

    _forward_hooks: OrderedDict[int, Any]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Any]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _backward_hooks: OrderedDict[int, Any]
    _backward_pre_hooks: OrderedDict[int, Any]
    forward: Callable[..., Any]

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Run ``hook(module, args)`` before ``forward``; it may return new arguments.

        With ``with_kwargs`` it is called as ``hook(module, args, kwargs)`` and returns ``None`` or ``(args, kwargs)``.

        Example:
            >>> import pydl
            >>> layer = pydl.nn.Identity()
            >>> handle = layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
            >>> layer(pydl.zeros(2))
            tensor([1., 1.])
        """
        return _add(self._forward_pre_hooks, hook, prepend, ((self._forward_pre_hooks_with_kwargs, with_kwargs),))

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Run ``hook(module, args, output)`` after ``forward``; it may return a new output.

        With ``with_kwargs`` it is called as ``hook(module, args, kwargs, output)``; with ``always_call`` also when
        ``forward`` raised (then ``output`` is ``None``).
        """
        flags = ((self._forward_hooks_with_kwargs, with_kwargs), (self._forward_hooks_always_called, always_call))
        return _add(self._forward_hooks, hook, prepend, flags)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Run ``hook(module, grad_output)`` when the gradients of the outputs are known; it may replace them."""
        return _add(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Run ``hook(module, grad_input, grad_output)`` once the gradients of the inputs are known.

        It may return a replacement of ``grad_input``. Positions that hold no tensor are ``None``.
        """
        return _add(self._backward_hooks, hook, prepend)

    register_backward_hook = register_full_backward_hook

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        done: set[int] = set()
        try:
            return self._run_hooks(args, kwargs, done)
        except Exception:
            self._run_always_called(args, kwargs, done)
            raise

    def _run_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any], done: set[int]) -> Any:
        for key, hook in (*GLOBAL_FORWARD_PRE.items(), *self._forward_pre_hooks.items()):
            args, kwargs = self._run_pre_hook(key, hook, args, kwargs)
        backward = None
        if self._backward_hooks or self._backward_pre_hooks or GLOBAL_BACKWARD or GLOBAL_BACKWARD_PRE:
            backward = BackwardHooks(self)
            args = backward.watch_inputs(args)
        result = self.forward(*args, **kwargs)
        for key, hook in (*GLOBAL_FORWARD.items(), *self._forward_hooks.items()):
            done.add(key)
            new = self._run_post_hook(key, hook, args, kwargs, result)
            result = result if new is None else new
        return result if backward is None else backward.watch_outputs(result)

    def _run_pre_hook(self, key: int, hook: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if key in self._forward_pre_hooks_with_kwargs:
            new = hook(self, args, kwargs)
            if new is None:
                return args, kwargs
            if not (isinstance(new, tuple) and len(new) == 2):
                raise RuntimeError(f"forward pre-hook with kwargs: expected None or (args, kwargs), got {new!r}")
            return new
        new = hook(self, args)
        return (args if new is None else new if isinstance(new, tuple) else (new,)), kwargs

    def _run_post_hook(self, key: int, hook: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
        if key in self._forward_hooks_with_kwargs or key in GLOBAL_FORWARD_KWARGS:
            return hook(self, args, kwargs, result)
        return hook(self, args, result)

    def _run_always_called(self, args: tuple[Any, ...], kwargs: dict[str, Any], done: set[int]) -> None:
        """After an exception: the hooks that want to run anyway. Theirs only warn, the first error goes up."""
        for key, hook in (*GLOBAL_FORWARD.items(), *self._forward_hooks.items()):
            if key in done or not (key in self._forward_hooks_always_called or key in GLOBAL_FORWARD_ALWAYS):
                continue
            try:
                self._run_post_hook(key, hook, args, kwargs, None)
            except Exception as error:
                import warnings

                warnings.warn(
                    f"forward hook with always_call=True raised after an earlier error: {error}", stacklevel=2
                )


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, args)`` before the forward of every module."""
    return _add(GLOBAL_FORWARD_PRE, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Run ``hook(module, args, output)`` after the forward of every module."""
    return _add(
        GLOBAL_FORWARD, hook, False, ((GLOBAL_FORWARD_KWARGS, with_kwargs), (GLOBAL_FORWARD_ALWAYS, always_call))
    )


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, grad_output)`` before the backward of every module."""
    return _add(GLOBAL_BACKWARD_PRE, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, grad_input, grad_output)`` after the backward of every module."""
    return _add(GLOBAL_BACKWARD, hook)
