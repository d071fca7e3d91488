"""Trading time for memory: activations are computed again in backward instead of being kept (Chen et al., 2016)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.autograd.function import Function

__all__ = ["checkpoint", "checkpoint_sequential"]


def _leaves(outputs: list[Tensor], known: set[int]) -> list[Tensor]:
    """The leaves below ``outputs`` but for the ``known`` ones: what the function uses beside its arguments."""
    nodes = [out.grad_fn for out in outputs if out.grad_fn is not None]
    seen = set(nodes)
    leaves = []
    while nodes:
        node = nodes.pop()
        variable = getattr(node, "variable", None)
        if variable is not None and id(variable) not in known:
            known.add(id(variable))
            leaves.append(variable)
        for below, _ in node.next_functions:
            if below is not None and below not in seen:
                seen.add(below)
                nodes.append(below)
    return leaves


def _fresh(tensors: Any) -> list[Any]:
    """The tensors as new leaves, so that differentiating stops at them."""
    return [t.detach().requires_grad_(t.requires_grad) for t in tensors]


class _Recompute(Function):
    """The outputs of a run that kept no graph; backward runs it again."""

    @staticmethod
    def forward(ctx: Any, run: Any, outputs: Any, count: int, *tensors: Tensor) -> Any:
        ctx.run, ctx.count = run, count
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(out for out, needs in outputs if not needs))
        return tuple(out for out, _ in outputs)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        tensors, run = ctx.saved_tensors, ctx.run
        inputs, leaves = tensors[: ctx.count], tensors[ctx.count :]
        places = [i for i, grad in enumerate(grads) if grad is not None]

        def differentiate(create_graph: bool, *args: Any) -> Any:
            own, given = args[: len(inputs)], args[len(inputs) :]
            outputs = run(*own)
            targets = [x for x in own if x.requires_grad] + list(leaves)
            pairs = [(outputs[i], g) for i, g in zip(places, given) if outputs[i].requires_grad]
            return pydl.autograd.grad(
                [out for out, _ in pairs],
                targets,
                [g for _, g in pairs],
                create_graph=create_graph,
                materialize_grads=True,
            )

        args = (*inputs, *(grads[i] for i in places))
        if pydl.is_grad_enabled():
            # create_graph: the gradient is itself a function of inputs and gradients, and is checkpointed in turn
            found = _run(lambda *values: differentiate(True, *values), list(args))
        else:
            with pydl.enable_grad():
                found = differentiate(False, *_fresh(inputs), *args[len(inputs) :])
        remaining = iter(found)
        per_input = [next(remaining) if x.requires_grad else None for x in inputs]
        return (None, None, None, *per_input, *remaining)


def _run(run: Callable[..., tuple[Any, ...]], tensors: list[Tensor]) -> tuple[Any, ...]:
    """The outputs of ``run``, attached to a graph of one node."""
    with pydl.enable_grad():
        fresh = _fresh(tensors)
        outputs = run(*fresh)
        flat = [out for out in outputs if isinstance(out, Tensor)]
        leaves = _leaves(flat, {id(t) for t in fresh})
        marked = [(out.detach(), out.requires_grad) for out in flat]
        attached = iter(_Recompute.apply(run, marked, len(tensors), *tensors, *leaves))
    return tuple(next(attached) if isinstance(out, Tensor) else out for out in outputs)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[..., Any] | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)`` without keeping what its backward needs: that is computed again.

    Gradients reach the tensors among ``args`` and the parameters that ``function`` uses, through ``backward`` and
    ``autograd.grad`` alike, of any order.

    Args:
        function: returns a tensor or a tuple; it must compute the same when called again.
        preserve_rng_state: draw the same random numbers again. Default: ``True``.
        use_reentrant, context_fn, determinism_check, debug, early_stop: accepted; there is one way here.

    Example:
        >>> import pydl
        >>> from pydl.utils.checkpoint import checkpoint
        >>> x = pydl.tensor(2.0, requires_grad=True)
        >>> checkpoint(lambda t: t ** 3, x).backward()
        >>> x.grad
        tensor(12.)
    """
    if not pydl.is_grad_enabled():
        return function(*args, **kwargs)
    where = [i for i, arg in enumerate(args) if isinstance(arg, Tensor)]
    state = pydl.get_rng_state() if preserve_rng_state else None
    shape: dict[str, bool] = {}
    first = True

    def run(*tensors: Any) -> tuple[Any, ...]:
        nonlocal first
        filled = list(args)
        for i, tensor in zip(where, tensors):
            filled[i] = tensor
        present = None
        if state is not None and not first:
            present = pydl.get_rng_state()
            pydl.set_rng_state(state)
        first = False
        try:
            result = function(*filled, **kwargs)
        finally:
            if present is not None:
                pydl.set_rng_state(present)
        shape["many"] = isinstance(result, (tuple, list))
        return tuple(result) if shape["many"] else (result,)

    outputs = _run(run, [args[i] for i in where])
    return outputs if shape["many"] else outputs[0]


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """A row of modules in ``segments`` parts, of which all but the last are checkpointed.

    Args:
        functions: a Sequential or a list of callables.
        segments: how many parts.
        input: what the first one takes.
        preserve_rng_state: as in :func:`checkpoint`.
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError(f"Unexpected keyword arguments: {','.join(kwargs)}")
    steps = list(functions.children()) if isinstance(functions, pydl.nn.Sequential) else list(functions)
    size = max(1, len(steps) // segments)

    def part(start: int, end: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for step in steps[start:end]:
                value = step(value)
            return value

        return run

    start = 0
    for _ in range(segments - 1):
        input = checkpoint(part(start, start + size), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
        start += size
    return part(start, len(steps))(input)
