"""What all losses share: options and dtypes checked in one place, shapes, labels, reductions, roots without corners.

A loss is a function under `functional` and, where it is worth keeping its options, a class `class XLoss(Loss,
of=x_loss)`, whose constructor takes the arguments of the function behind those of ``forward``.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec, overload

import pydl
from pydl import Tensor
from pydl.nn import Module

Reduction = Literal["none", "mean", "sum"]
MeanOrSum = Literal["mean", "sum"]
P = ParamSpec("P")
HALF = (pydl.float16, pydl.bfloat16)


class _Checks:
    """What the annotations of a function say about its arguments."""

    def __init__(self, function: Callable[..., Any], floating: bool) -> None:
        self.name, self.floating = function.__name__, floating
        self.signature = inspect.signature(function)
        hints = typing.get_type_hints(function)
        self.options: list[tuple[int, str, tuple[Any, ...], bool]] = []  # position, name, allowed, whether others are
        self.tensors: list[tuple[int, str]] = []
        for position, name in enumerate(self.signature.parameters):
            hint = hints[name]
            kinds = [hint] if typing.get_origin(hint) is Literal else typing.get_args(hint)
            allowed = [typing.get_args(k) for k in kinds if typing.get_origin(k) is Literal]
            if allowed:
                self.options.append((position, name, allowed[0], len(kinds) > 1))
            elif hint is Tensor or (len(kinds) == 2 and kinds[0] is Tensor and kinds[1] is type(None)):
                self.tensors.append((position, name))

    def option(self, name: str, value: Any, allowed: tuple[Any, ...], others: bool) -> None:
        if (others and not isinstance(value, str)) or (isinstance(value, (str, int, float)) and value in allowed):
            return
        got = repr(value) if isinstance(value, (str, int, float)) else type(value).__name__
        raise ValueError(f"{self.name}(): {name} must be one of {', '.join(map(repr, allowed))}, got {got}")

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for position, name, allowed, others in self.options:
            if position < len(args):
                self.option(name, args[position], allowed, others)
            elif name in kwargs:
                self.option(name, kwargs[name], allowed, others)
        for position, name in self.tensors:
            value = args[position] if position < len(args) else kwargs.get(name, self)
            optional = value is None and self.signature.parameters[name].default is None
            if value is not self and not optional and not isinstance(value, Tensor):
                raise TypeError(f"{self.name}(): {name} must be a Tensor, got {type(value).__name__}")
        if self.floating and self.tensors:
            position, name = self.tensors[0]
            first = args[position] if position < len(args) else kwargs.get(name)
            if first is not None and not first.is_floating_point():
                raise TypeError(f"{self.name}(): {name} must be a floating-point tensor, got {first.dtype}")


def widen(value: Any) -> Any:
    """A tensor of 16-bit floats as float32, anything else as it is."""
    return value.float() if isinstance(value, Tensor) and value.dtype in HALF else value


@overload
def functional(function: Callable[P, Tensor], *, widening: bool = True) -> Callable[P, Tensor]: ...
@overload
def functional(
    function: None = None, *, widening: bool = True
) -> Callable[[Callable[P, Tensor]], Callable[P, Tensor]]: ...
def functional(function: Any = None, *, widening: bool = True) -> Any:
    """Checks options against ``Literal`` annotations and tensors against ``Tensor``; 16-bit floats are computed in
    float32.

    The result has the dtype of the first tensor. ``widening=False``: the function sees to the dtypes itself.
    """
    if function is None:
        return functools.partial(functional, widening=widening)
    checks = _Checks(function, widening)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Tensor:
        checks.call(args, kwargs)
        tensors = [v for v in (*args, *kwargs.values()) if isinstance(v, Tensor)]
        if not checks.floating or not any(t.dtype in HALF for t in tensors):
            return function(*args, **kwargs)
        result = function(*map(widen, args), **{k: widen(v) for k, v in kwargs.items()})
        return result.to(tensors[0].dtype) if tensors[0].dtype in HALF else result

    call.checks = checks  # type: ignore[attr-defined]
    return call


class Loss(Module):
    """A loss function with its options, made by ``class XLoss(Loss, of=function, takes=number of forward's
    arguments)``.

    Options that are tensors become buffers, modules become submodules.
    """

    _function: Callable[..., Tensor]
    _options: tuple[inspect.Parameter, ...] = ()
    _sizes: tuple[str, ...] = ()  # what the constructor takes in front of the options

    def __init_subclass__(cls, of: Callable[..., Tensor] | None = None, takes: int = 2, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if of is None:
            return
        parameters = list(inspect.signature(of).parameters.values())
        cls._function = staticmethod(of)
        cls._options = tuple(parameters[takes:])
        this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        sizes = [this.replace(name=name, annotation="int") for name in cls._sizes]
        signature = inspect.Signature([this, *sizes, *cls._options], return_annotation=None)

        if "__init__" not in vars(cls):

            def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
                Module.__init__(self)
                try:
                    bound = signature.bind(self, *args, **kwargs)
                except TypeError as error:
                    raise TypeError(f"{cls.__name__}(): {error}") from None
                bound.apply_defaults()
                given = {k: v for k, v in bound.arguments.items() if k != "self"}
                if cls._sizes:
                    self._make(*(given.pop(name) for name in cls._sizes))
                self._set_options(given)

            cls.__init__ = _described(__init__, cls, signature)  # type: ignore[assignment]
        if cls.forward is Loss.forward:

            def forward(self: Any, *args: Any, **kwargs: Any) -> Tensor:
                return Loss.forward(self, *args, **kwargs)

            signature_of_call = inspect.Signature([this, *parameters[:takes]], return_annotation="Tensor")
            cls.forward = _described(forward, cls, signature_of_call)  # type: ignore[assignment]

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """The loss."""
        return self._function(*args, **kwargs, **self._chosen())

    def _make(self, *sizes: int) -> None:
        """Parameters of these sizes."""
        raise NotImplementedError

    def _set_options(self, options: dict[str, Any]) -> None:
        checks: _Checks = self._function.checks  # type: ignore[attr-defined]
        for _, name, allowed, others in checks.options:
            if name in options:
                checks.option(name, options[name], allowed, others)
        for name, value in options.items():
            if isinstance(value, Tensor):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def _chosen(self) -> dict[str, Any]:
        return {p.name: getattr(self, p.name) for p in self._options}

    def extra_repr(self) -> str:
        """The options that are not their defaults."""
        changed = []
        for p in self._options:
            value = getattr(self, p.name)
            if isinstance(value, (Tensor, Module)) or value is p.default or value == p.default:
                continue
            changed.append(f"{p.name}={value!r}")
        return ", ".join(changed)


def _described(function: Any, cls: type, signature: inspect.Signature) -> Any:
    function.__qualname__ = f"{cls.__qualname__}.{function.__name__}"
    function.__module__ = cls.__module__
    function.__signature__ = signature
    function.__doc__ = "The loss." if function.__name__ == "forward" else None
    return function


# ---- shapes and labels ------------------------------------------------------------------------------------------


def shape_error(op: str, what: str, expected: str, got: Any) -> Exception:
    """A ShapeError that names the op, the argument, what was expected and what came."""
    shape = tuple(got.shape) if isinstance(got, Tensor) else got
    return pydl.ShapeError(f"{op}(): {what} must have shape {expected}, got {shape}")


def need_dims(op: str, what: str, tensor: Tensor, expected: str, least: int, most: int | None = None) -> None:
    """Raise unless the number of dims is in [least, most]; ``expected`` is the shape in words."""
    if tensor.dim() < least or (most is not None and tensor.dim() > most):
        raise shape_error(op, what, expected, tensor)


def need_shape(op: str, what: str, tensor: Tensor, shape: Sequence[int]) -> None:
    """Raise unless ``tensor`` has exactly this shape."""
    if tuple(tensor.shape) != tuple(shape):
        raise shape_error(op, what, str(tuple(shape)), tensor)


def matching(op: str, input: Tensor, target: Tensor, what: str = "target") -> Tensor:
    """``target`` in the dtype of ``input``, whose shape it must have."""
    need_shape(op, what, target, input.shape)
    return target.to(input.dtype)


def need_range(
    op: str, what: str, tensor: Tensor, low: float, high: float, error: type[Exception] = ValueError
) -> None:
    """Raise unless all elements are in [low, high] (NaN passes)."""
    if tensor.numel() == 0:
        return
    values = tensor.detach()
    least, most = values.min().item(), values.max().item()
    if least < low or most > high:
        raise error(f"{op}(): {what} must be in [{low}, {high}], got {least if least < low else most}")


def need_values(op: str, what: str, tensor: Tensor, allowed: Sequence[int]) -> None:
    """Raise unless each element is one of a few numbers."""
    good = pydl.zeros_like(tensor, dtype=pydl.bool)  # type: ignore[attr-defined]
    for value in allowed:
        good = good | (tensor == value)
    if not good.all():
        wrong = tensor.detach()[~good].flatten()[0].item()
        raise ValueError(f"{op}(): {what} must be one of {', '.join(map(str, allowed))}, got {wrong}")


def is_index(tensor: Tensor) -> bool:
    """Whether a tensor can hold class numbers."""
    return not (tensor.is_floating_point() or tensor.is_complex())


def indices(op: str, target: Tensor, shape: Sequence[int], classes: int, what: str = "target") -> Tensor:
    """Class numbers as int64, of exactly this shape and in [0, classes).

    Raises:
        TypeError: not of an integer dtype.
        IndexError: a class out of range.
    """
    need_shape(op, what, target, shape)
    if not is_index(target):
        raise TypeError(f"{op}(): {what} must hold class indices of an integer dtype, got {target.dtype}")
    target = target.long()
    need_range(op, what, target, 0, classes - 1, IndexError)
    return target


def without_ignored(target: Tensor, ignore_index: int | None) -> tuple[Tensor, Tensor | None]:
    """Class numbers with 0 for what is ignored, and which ones stay (None: all)."""
    if ignore_index is None:
        return target, None
    keep = target != ignore_index
    return target.masked_fill(~keep, 0), keep


# ---- values -----------------------------------------------------------------------------------------------------


def reduce(loss: Tensor, reduction: str) -> Tensor:
    """``loss``, its mean or its sum; the mean of nothing is 0."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" and loss.numel() else loss.sum()


def mean(values: Tensor) -> Tensor:
    """The mean, 0 for no elements."""
    return reduce(values, "mean")


def mean_over(loss: Tensor, keep: Tensor | None, reduction: str) -> Tensor:
    """Like `reduce`, the mean over the elements in ``keep`` alone; the others must be 0 in ``loss``."""
    if reduction == "mean" and keep is not None:
        return loss.sum() / keep.sum().clamp_min(1)
    return reduce(loss, reduction)


def root(x: Tensor) -> Tensor:
    """The square root of x >= 0, with derivative 0 where it is 0."""
    zero = x <= 0
    return x.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)


def power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent for x >= 0, with value and derivative 0 where x is 0."""
    zero = x <= 0
    return (x.masked_fill(zero, 1) ** exponent).masked_fill(zero, 0)


def norm(x: Tensor) -> Tensor:
    """The Euclidean norm over the last dim, with derivative 0 at 0."""
    return root(x.square().sum(-1))


def unit(x: Tensor) -> Tensor:
    """Rows of length 1; a zero row stays zero.

    The largest element is divided out first, so that squares neither overflow nor vanish. It is a constant for the
    derivative, since the direction does not depend on it.
    """
    if x.shape[-1] == 0:
        return x
    largest = x.detach().abs().amax(-1, True)
    x = x / largest.masked_fill(largest == 0, 1)
    length = norm(x).unsqueeze(-1)
    return x / length.masked_fill(length == 0, 1)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """The cosine similarity of rows; 0 where a row is zero."""
    return (unit(a) * unit(b)).sum(-1)


def safe_log(p: Tensor) -> Tensor:
    """The logarithm of probabilities, at least -100 as in `nn.BCELoss`, with derivative 0 below that, and where 1 / p
    may be infinite.
    """
    small = p < pydl.finfo(p.dtype).tiny
    return pydl.where(small, p.detach().log().clamp_min(-100), p.masked_fill(small, 1).log().clamp_min(-100))


def xlogx(p: Tensor) -> Tensor:
    """p log p, 0 at p = 0."""
    return p * p.masked_fill(p <= 0, 1).log()


def need_logits_or_probabilities(op: str, input: Tensor, from_logits: bool) -> None:
    """Raise unless probabilities are in [0, 1]."""
    if not from_logits:
        need_range(op, "input (from_logits=False)", input, 0, 1)
