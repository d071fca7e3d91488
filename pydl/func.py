"""Functions of functions: `torch.func` on pydl's autograd. ``vmap`` runs one call per sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.utils.stateless import functional_call

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "stack_module_state",
    "vjp",
    "vmap",
]


def _map(function: Callable[[Tensor], Any], tree: Any) -> Any:
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, dict):
        return {k: _map(function, v) for k, v in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_map(function, v) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(_map(function, v) for v in tree)
    return tree


def _leaves(tree: Any) -> list[Tensor]:
    found: list[Tensor] = []
    _map(found.append, tree)
    return found


def _rebuilt(tree: Any, values: list[Any]) -> Any:
    left = iter(values)
    return _map(lambda _: next(left), tree)


def _tracked(t: Tensor) -> Tensor:
    """A tensor that derivatives can be taken for, joined to what it comes from."""
    return t if t.requires_grad else t.detach().requires_grad_()


def _chosen(argnums: int | tuple[int, ...], args: tuple[Any, ...], name: str) -> tuple[tuple[int, ...], list[Any]]:
    places = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if any(not -len(args) <= i < len(args) for i in places):
        raise RuntimeError(f"{name}(): argnums {argnums} are not among {len(args)} arguments")
    changed = list(args)
    for i in places:
        changed[i] = _map(lambda t: _tracked(t.view_as(t)) if t.requires_grad else _tracked(t), args[i])
    return places, changed


def grad_and_value(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that gives (gradient, value) of ``func``, whose result is one number.

    Args:
        argnums: the argument, or arguments, for which the gradient is taken; tensors or containers of them.
        has_aux: ``func`` gives (value, anything), and the new function (gradient, (value, anything)).

    >>> pydl.func.grad_and_value(lambda x: x**3)(pydl.tensor(2.0))
    (tensor(12.), tensor(8.))
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        nested = any(t.requires_grad for t in _leaves(args)) and pydl.is_grad_enabled()
        with pydl.enable_grad():
            places, changed = _chosen(argnums, args, "grad")
            result = func(*changed, **kwargs)
            value, aux = result if has_aux else (result, None)
            if not isinstance(value, Tensor) or value.dim() != 0:
                raise RuntimeError(f"grad(): the function must give one number, got {getattr(value, 'shape', value)}")
            leaves = [t for i in places for t in _leaves(changed[i])]
            found = pydl.autograd.grad(value, leaves, create_graph=True, allow_unused=True)
        grads = [pydl.zeros_like(t) if g is None else g for t, g in zip(leaves, found)]
        grads, value = (grads, value) if nested else ([g.detach() for g in grads], value.detach())
        trees = [args[i] for i in places]
        out = _rebuilt(trees, grads)
        out = out[0] if isinstance(argnums, int) else tuple(out)
        return out, ((value, aux) if has_aux else value)

    return function


def grad(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives the gradient of ``func``, see :func:`grad_and_value`; it can be differentiated again.

    >>> pydl.func.grad(pydl.func.grad(lambda x: x**3))(pydl.tensor(2.0))
    tensor(12.)
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        gradient, value = grad_and_value(func, argnums, has_aux)(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return function


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(func(*primals), a function from cotangents to the products with the Jacobian).

    >>> value, pull = pydl.func.vjp(lambda x: x**2, pydl.tensor([1.0, 2.0]))
    >>> pull(pydl.ones(2))
    (tensor([2., 4.]),)
    """
    with pydl.enable_grad():
        _, inputs = _chosen(tuple(range(len(primals))), primals, "vjp")
        result = func(*inputs)
    out, aux = result if has_aux else (result, None)
    outs, leaves = _leaves(out), _leaves(inputs)

    def pull(cotangents: Any) -> Any:
        used = [(o, c) for o, c in zip(outs, _leaves(cotangents)) if o.requires_grad]
        if not used:
            return tuple(_map(pydl.zeros_like, p) for p in primals)
        outputs, weights = zip(*used)
        found = pydl.autograd.grad(outputs, leaves, weights, retain_graph=True, create_graph=True, allow_unused=True)
        grads = [pydl.zeros_like(t) if g is None else g for t, g in zip(leaves, found)]
        if not pydl.is_grad_enabled() or not any(t.requires_grad for t in (*_leaves(primals), *_leaves(cotangents))):
            grads = [g.detach() for g in grads]
        return tuple(_rebuilt(list(primals), grads))

    value = _map(lambda t: t.detach(), out) if not any(t.requires_grad for t in _leaves(primals)) else out
    return (value, pull, aux) if has_aux else (value, pull)


def jvp(func: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """(func(*primals), the product of the Jacobian with the tangents), by two backward passes.

    >>> pydl.func.jvp(lambda x: x**2, (pydl.tensor([1.0, 2.0]),), (pydl.ones(2),))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    return pydl.autograd.functional.jvp(func, primals, tangents, create_graph=False)


def jacrev(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """A function that gives the Jacobian of ``func``: sizes of the result, then of the argument.

    >>> pydl.func.jacrev(lambda x: x**2)(pydl.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        nested = any(t.requires_grad for t in _leaves(args))
        with pydl.enable_grad():
            places, changed = _chosen(argnums, args, "jacrev")
            out = func(*changed, **kwargs)
            rows = []
            leaves = [t for i in places for t in _leaves(changed[i])]
            for element in out.reshape(-1).unbind():
                if element.requires_grad:
                    found = pydl.autograd.grad(element, leaves, retain_graph=True, create_graph=True, allow_unused=True)
                else:
                    found = (None,) * len(leaves)
                rows.append([pydl.zeros_like(t) if g is None else g for t, g in zip(leaves, found)])
        parts = []
        for column, leaf in enumerate(leaves):
            stacked = [row[column] for row in rows]
            whole = pydl.stack(stacked) if stacked else leaf.new_zeros((0, *leaf.shape))
            whole = whole.reshape(*out.shape, *leaf.shape)
            parts.append(whole if nested else whole.detach())
        result = _rebuilt([args[i] for i in places], parts)
        return result[0] if isinstance(argnums, int) else tuple(result)

    return function


jacfwd = jacrev


def hessian(func: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """A function that gives the second derivatives of ``func``.

    >>> pydl.func.hessian(lambda x: (x**3).sum())(pydl.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that calls ``func`` for every slice of its arguments and stacks the results.

    Args:
        in_dims: the dim of the samples in each argument: one number for all, or one per argument (nested like it);
            None for an argument that is the same for all.
        out_dims: where the new dim goes in the results.
        randomness, chunk_size: accepted; every call draws its own numbers.

    One call per sample: the numbers are those of PyTorch's, the speed is that of a loop.

    >>> pydl.vmap(pydl.dot)(pydl.ones(3, 2), pydl.arange(6.0).view(3, 2))
    tensor([1., 5., 9.])
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        dims = in_dims if isinstance(in_dims, (list, tuple)) else (in_dims,) * len(args)
        if len(dims) != len(args):
            raise ValueError(f"vmap(): in_dims has {len(dims)} entries for {len(args)} arguments")
        sizes = {n for a, d in zip(args, dims) for n in _counts(a, d)}
        if len(sizes) != 1:
            raise ValueError(f"vmap(): the mapped dims must have one size and there must be one, got {sorted(sizes)}")
        results = [func(*(_slice(a, d, i) for a, d in zip(args, dims)), **kwargs) for i in range(next(iter(sizes)))]
        if not results:
            raise ValueError("vmap(): the mapped dims are empty")
        columns = zip(*(_leaves(r) for r in results))
        places = out_dims if isinstance(out_dims, (list, tuple)) else (out_dims,) * len(_leaves(results[0]))
        return _rebuilt(results[0], [pydl.stack(c, d) for c, d in zip(columns, places)])

    return function


def _counts(tree: Any, dims: Any) -> list[int]:
    if dims is None:
        return []
    if isinstance(tree, (list, tuple, dict)):
        values = list(tree.values()) if isinstance(tree, dict) else list(tree)
        each = (
            list(dims.values())
            if isinstance(dims, dict)
            else dims
            if isinstance(dims, (list, tuple))
            else [dims] * len(values)
        )
        return [n for v, d in zip(values, each) for n in _counts(v, d)]
    return [tree.shape[dims]]


def _slice(tree: Any, dims: Any, i: int) -> Any:
    if dims is None:
        return tree
    if isinstance(tree, dict):
        return {k: _slice(v, dims[k] if isinstance(dims, dict) else dims, i) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        each = dims if isinstance(dims, (list, tuple)) else [dims] * len(tree)
        return type(tree)(_slice(v, d, i) for v, d in zip(tree, each))
    return tree.select(dims, i)


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and buffers of several models of one kind, each stacked along a new first dim.

    >>> parameters, buffers = pydl.func.stack_module_state([pydl.nn.Linear(2, 3) for _ in range(4)])
    >>> parameters["weight"].shape
    torch.Size([4, 3, 2])
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state(): at least one model is needed")
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state(): all models must be of one class")

    def stacked(tables: list[dict[str, Tensor]], grad: bool) -> dict[str, Any]:
        return {k: pydl.stack([t[k].detach() for t in tables]).requires_grad_(grad) for k in tables[0]}

    wants = any(p.requires_grad for p in models[0].parameters())
    parameters = stacked([dict(m.named_parameters()) for m in models], wants)
    return parameters, stacked([dict(m.named_buffers()) for m in models], False)
