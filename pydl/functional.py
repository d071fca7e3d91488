"""Functions of several tensors that are composed of others."""

from __future__ import annotations

from typing import Any

from pydl import _C
from pydl._C import Size, Tensor

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block_diag",
    "broadcast_shapes",
    "broadcast_tensors",
    "cartesian_prod",
    "einsum",
    "isin",
    "meshgrid",
    "tensordot",
    "unique",
    "unique_consecutive",
]

_ops = _C.functions


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape to which ``shapes`` broadcast together.

    Raises:
        RuntimeError: if they do not.

    Example:
        >>> import pydl
        >>> pydl.broadcast_shapes((3, 1), (1, 2))
        torch.Size([3, 2])
    """
    result: list[int] = []
    for shape in shapes:
        sizes = [shape] if isinstance(shape, int) else list(shape)
        while len(result) < len(sizes):
            result.insert(0, 1)
        for i, size in enumerate(reversed(sizes), 1):
            if size != 1 and result[-i] not in (1, size):
                raise _C.ShapeError(
                    f"broadcast_shapes(): shapes {', '.join(map(str, shapes))} cannot be broadcast together"
                )
            if size != 1:
                result[-i] = size
    return Size(result)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors expanded to their common shape, as views.

    Example:
        >>> import pydl
        >>> [t.shape for t in pydl.broadcast_tensors(pydl.ones(3, 1), pydl.ones(1, 2))]
        [torch.Size([3, 2]), torch.Size([3, 2])]
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    shape = broadcast_shapes(*(t.shape for t in given))
    return tuple(t.expand(shape) for t in given)


def _given(tensors: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Tensors that were passed one by one or as one sequence."""
    return tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors


def _at_least(name: str, tensors: tuple[Any, ...], ndim: int) -> Any:
    """Each tensor with dims of size 1 added as NumPy's functions of these names do."""

    def grown(t: Any) -> Tensor:
        if not isinstance(t, Tensor):
            raise TypeError(f"{name}(): argument 'tensors' must be Tensors, not {type(t).__name__}")
        if t.dim() >= ndim:
            return t
        if t.dim() == 0:
            return t.reshape((1,) * ndim)
        row = t.unsqueeze(0) if t.dim() == 1 else t
        return row.unsqueeze(-1) if ndim == 3 else row

    if len(tensors) == 1 and not isinstance(tensors[0], (list, tuple)):
        return grown(tensors[0])
    return tuple(grown(t) for t in _given(tensors))


def atleast_1d(*tensors: Any) -> Any:
    """Tensors without dims as vectors of one element, others as they are; a tuple unless there is one tensor.

    Example:
        >>> import pydl
        >>> pydl.atleast_1d(pydl.tensor(3))
        tensor([3])
    """
    return _at_least("atleast_1d", tensors, 1)


def atleast_2d(*tensors: Any) -> Any:
    """Tensors of fewer dims as matrices of one row, others as they are; a tuple unless there is one tensor.

    Example:
        >>> import pydl
        >>> pydl.atleast_2d(pydl.tensor([3, 4]))
        tensor([[3, 4]])
    """
    return _at_least("atleast_2d", tensors, 2)


def atleast_3d(*tensors: Any) -> Any:
    """Vectors (n) as (1, n, 1), matrices (n, m) as (n, m, 1); a tuple unless there is one tensor.

    Example:
        >>> import pydl
        >>> pydl.atleast_3d(pydl.tensor([3, 4])).shape
        torch.Size([1, 2, 1])
    """
    return _at_least("atleast_3d", tensors, 3)


def block_diag(*tensors: Tensor) -> Tensor:
    """The matrix with the given matrices (vectors as rows, numbers as 1 x 1) along its diagonal, zeros elsewhere.

    Raises:
        RuntimeError: for a tensor of more than two dims.

    Example:
        >>> import pydl
        >>> pydl.block_diag(pydl.tensor([[1, 2]]), pydl.tensor(3))
        tensor([[1, 2, 0],
                [0, 0, 3]])
    """
    return _C.private._block_diag(tensors)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of one element of each vector, one row each, in the order of itertools.product.

    Raises:
        RuntimeError: for a tensor that is no vector, or vectors of different dtypes.

    Example:
        >>> import pydl
        >>> pydl.cartesian_prod(pydl.tensor([1, 2]), pydl.tensor([3, 4]))
        tensor([[1, 3],
                [1, 4],
                [2, 3],
                [2, 4]])
    """
    return _C.private._cartesian_prod(tensors)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinate grids from vectors, as views; ``indexing`` is 'ij' (matrix) or 'xy' (Cartesian).

    Raises:
        RuntimeError: for another ``indexing`` or tensors of more than one dim.

    Example:
        >>> import pydl
        >>> x, y = pydl.meshgrid(pydl.tensor([1, 2]), pydl.tensor([3, 4, 5]), indexing='ij')
        >>> x
        tensor([[1, 1, 1],
                [2, 2, 2]])
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f"meshgrid(): indexing must be one of 'ij' or 'xy', but received: {indexing}")
    if any(t.dim() > 1 for t in given):
        raise RuntimeError("meshgrid(): expected scalar or 1D tensors")
    vectors = [t.reshape(-1) for t in given]
    swap = indexing == "xy" and len(vectors) >= 2
    if swap:
        vectors[0], vectors[1] = vectors[1], vectors[0]
    shape = [v.numel() for v in vectors]
    grids = [v.view([-1 if i == k else 1 for i in range(len(shape))]).expand(shape) for k, v in enumerate(vectors)]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Any = None, *, axes: Any = None) -> Tensor:
    """The sum of products over ``dims``: a number of trailing/leading dims, or two lists of dims.

    ``axes`` is NumPy's spelling of ``dims``.

    Example:
        >>> import pydl
        >>> pydl.tensordot(pydl.ones(2, 3), pydl.ones(3, 4), dims=1).shape
        torch.Size([2, 4])
    """
    dims = dims if axes is None else axes
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        left, right = list(range(a.dim() - dims, a.dim())), list(range(dims))
    else:
        left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    left = [d % max(a.dim(), 1) for d in left]
    right = [d % max(b.dim(), 1) for d in right]
    keep_a = [d for d in range(a.dim()) if d not in left]
    keep_b = [d for d in range(b.dim()) if d not in right]
    inner = 1
    for i, k in zip(left, right):
        if a.shape[i] != b.shape[k]:
            raise _C.ShapeError(
                f"tensordot(): contracted dimensions need to match, but first has size {a.shape[i]} in dim {i} "
                f"and second has size {b.shape[k]} in dim {k}"
            )
        inner *= a.shape[i]
    shape = [a.shape[d] for d in keep_a] + [b.shape[d] for d in keep_b]
    rows = 1
    for d in keep_a:
        rows *= a.shape[d]
    columns = 1
    for d in keep_b:
        columns *= b.shape[d]
    result = (
        a.permute(keep_a + left).reshape(rows, inner) @ b.permute(right + keep_b).reshape(inner, columns)
    ).reshape(shape)
    return result if out is None else out.copy_(result)


def _letters(term: str, ndim: int, dots: int) -> list[str]:
    """The labels of one operand; an ellipsis becomes labels of its own."""
    if "..." in term:
        before, after = term.split("...")
        return [*before, *(f".{dots - k}" for k in range(ndim - len(before) - len(after), 0, -1)), *after]
    return list(term)


def einsum(equation: str, *operands: Any) -> Tensor:
    """Sums of products in Einstein's notation: letters label dims, ``...`` stands for broadcast dims.

    Contracted pair by pair from the left, each pair as one batched matrix product.

    Raises:
        RuntimeError: for an equation that does not fit the operands.

    Example:
        >>> import pydl
        >>> pydl.einsum('ij,jk->ik', pydl.ones(2, 3), pydl.ones(3, 4)).shape
        torch.Size([2, 4])
    """
    tensors = list(operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands)
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(tensors):
        raise RuntimeError(f"einsum(): {len(terms)} subscripts in {equation!r} but {len(tensors)} operands")
    dots = max((t.dim() - len(term.replace("...", "")) for term, t in zip(terms, tensors) if "..." in term), default=0)
    labels = [_letters(term, t.dim(), dots) for term, t in zip(terms, tensors)]
    for term, names, t in zip(terms, labels, tensors):
        if len(names) != t.dim():
            raise RuntimeError(
                f"einsum(): the number of subscripts in {term!r} does not match the {t.dim()} dims of its operand"
            )
    if arrow:
        wanted = _letters(output, len(output.replace("...", "")) + dots, dots)
    else:
        count: dict[str, int] = {}
        for names in labels:
            for name in names:
                count[name] = count.get(name, 0) + 1
        wanted = [n for n in sorted(count) if n.startswith(".")] + [
            n for n in sorted(count) if count[n] == 1 and not n.startswith(".")
        ]
    unknown = [n for n in wanted if all(n not in names for names in labels)]
    if unknown or len(set(wanted)) != len(wanted):
        raise RuntimeError(f"einsum(): the output of {equation!r} repeats a subscript or has one that no operand has")
    result, names = _diagonals(tensors[0], labels[0])
    for k in range(1, len(tensors)):
        other, other_names = _diagonals(tensors[k], labels[k])
        needed = set(wanted).union(*labels[k + 1 :])
        result, names = _contract(result, names, other, other_names, needed)
    summed = [i for i, n in enumerate(names) if n not in wanted]
    if summed:
        result = result.sum(summed)
        names = [n for n in names if n in wanted]
    return result.permute([names.index(n) for n in wanted])


def _diagonals(t: Tensor, names: list[str]) -> tuple[Tensor, list[str]]:
    """Repeated labels of one operand taken along the diagonal."""
    names = list(names)
    for name in dict.fromkeys(names):
        while names.count(name) > 1:
            first = names.index(name)
            second = names.index(name, first + 1)
            if t.shape[first] != t.shape[second]:
                raise RuntimeError(
                    f"einsum(): subscript {name} is repeated with sizes {t.shape[first]} and {t.shape[second]}"
                )
            t = t.diagonal(0, first, second)
            names = [n for i, n in enumerate(names) if i not in (first, second)] + [name]
    return t, names


def _contract(a: Tensor, x: list[str], b: Tensor, y: list[str], needed: set[str]) -> tuple[Tensor, list[str]]:
    for name in set(x) & set(y):
        p, q = a.shape[x.index(name)], b.shape[y.index(name)]
        if p != q and 1 not in (p, q):
            raise _C.ShapeError(
                f"einsum(): subscript {name} has size {q} for an operand, which does not broadcast with {p} seen before"
            )
    # What only one operand has and nobody needs later is summed first.
    drop = [i for i, n in enumerate(x) if n not in needed and n not in y]
    if drop:
        a, x = a.sum(drop), [n for i, n in enumerate(x) if i not in drop]
    drop = [i for i, n in enumerate(y) if n not in needed and n not in x]
    if drop:
        b, y = b.sum(drop), [n for i, n in enumerate(y) if i not in drop]
    shared = [n for n in x if n in y]
    batch = [n for n in shared if n in needed]
    inner = [n for n in shared if n not in needed]
    left = [n for n in x if n not in shared]
    right = [n for n in y if n not in shared]
    sizes = {
        n: max(a.shape[x.index(n)], b.shape[y.index(n)]) if a.shape[x.index(n)] and b.shape[y.index(n)] else 0
        for n in shared
    }
    sizes |= {n: a.shape[x.index(n)] for n in left} | {n: b.shape[y.index(n)] for n in right}

    def block(t: Tensor, names: list[str], order: list[list[str]]) -> Tensor:
        t = t.permute([names.index(n) for group in order for n in group])
        t = t.expand([sizes[n] for group in order for n in group])
        shape = []
        for group in order:
            size = 1
            for n in group:
                size *= sizes[n]
            shape.append(size)
        return t.reshape(shape)

    product = block(a, x, [batch, left, inner]) @ block(b, y, [batch, inner, right])
    names = batch + left + right
    return product.reshape([sizes[n] for n in names]), names


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements in order, or the distinct slices along ``dim``.

    With ``return_inverse`` also the position of each element among them, with ``return_counts`` how often each occurs.
    The result is ordered whether ``sorted`` asks for it or not.

    Example:
        >>> import pydl
        >>> pydl.unique(pydl.tensor([3, 1, 3]), return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
    """
    values, inverse, counts = _C.private._unique(input) if dim is None else _unique_slices(input, dim, True)
    return _selected(values, inverse, counts, return_inverse, return_counts)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements (or slices along ``dim``) without those equal to their predecessor; other results as in `unique`.

    Example:
        >>> import pydl
        >>> pydl.unique_consecutive(pydl.tensor([1, 1, 2, 1]))
        tensor([1, 2, 1])
    """
    flat = input.reshape(-1) if dim is None else input
    values, inverse, counts = _unique_slices(flat, 0 if dim is None else dim, False)
    if dim is None:
        inverse = inverse.reshape(input.shape)
    return _selected(values, inverse, counts, return_inverse, return_counts)


def _selected(values: Tensor, inverse: Tensor, counts: Tensor, return_inverse: bool, return_counts: bool) -> Any:
    result = (values, *([inverse] if return_inverse else []), *([counts] if return_counts else []))
    return result if len(result) > 1 else values


def _unique_slices(input: Tensor, dim: int, ordered: bool) -> tuple[Tensor, Tensor, Tensor]:
    count = input.shape[dim]
    rows = input.detach().movedim(dim, 0).reshape(count, -1).tolist()
    order = list(range(count))
    if ordered:
        order.sort(key=rows.__getitem__)
    first: list[int] = []
    counts: list[int] = []
    inverse = [0] * count
    for i in order:
        if not first or rows[i] != rows[first[-1]]:
            first.append(i)
            counts.append(0)
        counts[-1] += 1
        inverse[i] = len(first) - 1
    positions = _C.tensor(first, dtype=_C.int64)
    return input.index_select(dim, positions), _C.tensor(inverse, dtype=_C.int64), _C.tensor(counts, dtype=_C.int64)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Which elements occur in ``test_elements``? Either argument may be a number.

    Example:
        >>> import pydl
        >>> pydl.isin(pydl.tensor([1, 2, 3]), pydl.tensor([1, 3]))
        tensor([ True, False,  True])
    """
    elements = elements if isinstance(elements, Tensor) else _C.tensor(elements)
    test_elements = test_elements if isinstance(test_elements, Tensor) else _C.tensor(test_elements)
    found = (elements.unsqueeze(-1) == test_elements.reshape(-1)).any(-1)
    return found.logical_not() if invert else found


Tensor.unique = unique  # type: ignore[method-assign]
Tensor.unique_consecutive = unique_consecutive  # type: ignore[method-assign]
