"""Removing channels that pruning has emptied.

How channels flow through a network is found by probes: the outputs of layers are overwritten with NaN at chosen
channels, and where NaN arrives tells what depends on what, through any code between the layers. A channel is removed
together with all that it is added to or sliced by, if all of these are constants of the network that the layers behind
can take into their bias.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.compress import _counts
from pydl.nn.utils import prune

__all__ = ["ShrinkReport", "shrink"]

_LAYERS = (nn.Linear, *_counts.CONVOLUTIONS)
# One weight per channel: cut like the layer in front
_PER_CHANNEL = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.PReLU)
Atom = tuple[str, int]  # a layer and one of its output channels


@dataclass
class ShrinkReport:
    """What :func:`shrink` has removed.

    Attributes:
        channels: for each layer that was cut (before, after).
        parameters, flops, bytes: (before, after); multiplications and additions of the layers in one call, bytes of the
            state dict.

    Example:
        >>> import pydl
        >>> net = pydl.nn.Sequential(pydl.nn.Linear(2, 3), pydl.nn.ReLU(), pydl.nn.Linear(3, 1))
        >>> net[0].weight.data[1] = 0
        >>> _, report = pydl.compress.shrink(net, pydl.ones(1, 2), return_report=True)
        >>> report.channels, report.parameters
        ({'0': (3, 2)}, (13, 9))
    """

    channels: dict[str, tuple[int, int]] = field(default_factory=dict)
    parameters: tuple[int, int] = (0, 0)
    flops: tuple[int, int] = (0, 0)
    bytes: tuple[int, int] = (0, 0)


def _grouped(module: Any) -> bool:
    """Whether a layer has groups, whose inputs and outputs go together."""
    return isinstance(module, _counts.CONVOLUTIONS) and module.groups > 1  # type: ignore[operator]


def _inputs_of(module: Any, output: int) -> range:
    """The input channels of the group that an output channel belongs to."""
    each = module.in_channels // module.groups
    group = output // (module.out_channels // module.groups)
    return range(group * each, (group + 1) * each)


def _outputs_of(module: Any, input_: int) -> range:
    """The output channels of the group that an input channel belongs to."""
    each = module.out_channels // module.groups
    group = input_ // (module.in_channels // module.groups)
    return range(group * each, (group + 1) * each)


def _channel_dim(module: nn.Module) -> int:
    """Where channels stand in the inputs and outputs of a layer."""
    return -1 if isinstance(module, nn.Linear) else 1


def _by_channel(t: Tensor, dim: int) -> Tensor:
    """(channels, everything else)"""
    moved = t.movedim(dim, 0)
    return moved.reshape(moved.shape[0], moved.numel() // max(1, moved.shape[0]))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from _tensors(v)
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from _tensors(v)


def _with_nan(value: Any) -> Any:
    """Floating-point tensors, in any nesting, filled with NaN."""
    if isinstance(value, Tensor):
        return value * float("nan") if value.is_floating_point() else value
    if isinstance(value, dict):
        return {k: _with_nan(v) for k, v in value.items()}
    return type(value)(map(_with_nan, value)) if isinstance(value, (tuple, list)) else value


class _Flow:
    """What depends on what in one network.

    Attributes:
        layers: those that are called once, whose channels may go.
        grouped: the names of those with groups, which go as a whole.
        readers: these, and the layers of one weight per channel.
        inputs: what each reader gets, of one call.
        sources: for each reader and each of its input channels the atoms it depends on, or None where it must stay.
    """

    def __init__(self, model: nn.Module, example_inputs: Any) -> None:
        self.model, self.example = model, example_inputs
        candidates = {n: m for n, m in model.named_modules() if isinstance(m, (*_LAYERS, *_PER_CHANNEL))}
        self.outputs: dict[str, Tensor] = {}
        self.inputs: dict[str, Tensor] = {}
        calls = dict.fromkeys(candidates, 0)

        def watch(name: str) -> Callable[..., None]:
            def hook(module: Any, inputs: Any, output: Any) -> None:
                calls[name] += 1
                self.inputs[name], self.outputs[name] = inputs[0].detach().clone(), output.detach().clone()

            return hook

        with self._hooks({name: watch(name) for name in candidates}):
            self.result = _counts.call(model, example_inputs)
        once = {n: m for n, m in candidates.items() if calls[n] == 1}
        self.readers = {n: m for n, m in once.items() if not (isinstance(m, nn.PReLU) and m.weight.numel() == 1)}
        self.grouped = {n for n, m in once.items() if _grouped(m)}
        self.layers = {n: m for n, m in once.items() if isinstance(m, _LAYERS)}
        self._find_sources()

    @contextmanager
    def _hooks(self, hooks: dict[str, Callable[..., Any]]) -> Iterator[None]:
        modules = dict(self.model.named_modules())
        handles = [modules[name].register_forward_hook(hook) for name, hook in hooks.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _probe(
        self, chosen: Callable[[str, int], bool], example_inputs: Any = None
    ) -> tuple[dict[str, list[bool]], bool]:
        """Which input channels of each reader see NaN when these output channels of layers are NaN; whether the result
        does.

        Layers give what they gave in the first call, so that NaN does not pass them.
        """
        seen: dict[str, list[bool]] = {}

        def watch(name: str) -> Callable[..., Any]:
            module: Any = self.readers.get(name, self.layers.get(name))

            def hook(_: Any, inputs: Any, output: Any) -> Any:
                seen[name] = _by_channel(inputs[0].detach(), _channel_dim(module)).isnan().any(1).tolist()
                if name not in self.layers:
                    return None
                out = self.outputs[name].clone()
                mask = pydl.tensor([chosen(name, c) for c in range(out.shape[_channel_dim(module)])])
                out.movedim(_channel_dim(module), 0)[mask] = float("nan")
                return out

            return hook

        with self._hooks({name: watch(name) for name in {**self.readers, **self.layers}}):
            result = _counts.call(self.model, self.example if example_inputs is None else example_inputs)
        return seen, any(t.isnan().any().item() for t in _tensors(result) if t.is_floating_point())

    def _find_sources(self) -> None:
        width = {n: self.outputs[n].shape[_channel_dim(m)] for n, m in self.layers.items()}
        fixed, _ = self._probe(lambda n, c: False, _with_nan(self.example))
        from_layer = {}
        self.blocked: set[str] = set()
        for name in self.layers:
            from_layer[name], in_result = self._probe(lambda n, c, name=name: n == name)  # type: ignore[misc]
            if in_result:
                self.blocked.add(name)
        # The number of the channel, bit by bit; where channels of several numbers meet, both halves of a bit arrive.
        bits = range(max((w - 1).bit_length() for w in width.values()) if width else 0)
        halves = [[self._probe(lambda n, c, b=b, v=v: (c >> b & 1) == v)[0] for v in (0, 1)] for b in bits]  # type: ignore[misc]
        self.sources: dict[str, list[list[Atom] | None]] = {}
        for name in self.readers:
            channels: list[list[Atom] | None] = []
            for j in range(len(fixed[name])):
                layers = [p for p in self.layers if from_layer[p][name][j]]
                meet = any(zero[name][j] and one[name][j] for zero, one in halves)
                if meet:
                    self.blocked.update(layers)
                number = sum(1 << b for b, (_, one) in zip(bits, halves) if one[name][j])
                channels.append(None if meet or fixed[name][j] else [(p, number) for p in layers])
                if channels[-1] is None:
                    self.blocked.update(layers)
            self.sources[name] = channels


def _constant(values: Tensor) -> float | None:
    """The number that all elements are, if they are one."""
    first = values[0].item()
    same = (values - first).abs().max().item() <= 1e-6 * abs(first)  # an average of equal numbers may round
    return first if same else None


def _absorbs(module: Any, constant: float) -> bool:
    """Whether a layer can take a constant input channel into its bias: not where zeros are padded beside it."""
    if getattr(module, "groups", 1) > 1:
        return False
    if constant == 0 or isinstance(module, nn.Linear) or module.padding_mode != "zeros":
        return True
    padding: Any = module.padding
    return padding == "valid" or (not isinstance(padding, str) and not any(padding))


class _Plan:
    """Which channels go: classes of atoms that stand or fall together."""

    def __init__(self, flow: _Flow) -> None:
        self.flow = flow
        self.parent: dict[Atom, Atom] = {}
        self.dead = {n: (m.weight.detach().flatten(1) == 0).all(1).tolist() for n, m in flow.layers.items()}
        self.constants: dict[tuple[str, int], float] = {}
        self.read_by: dict[Atom, list[tuple[str, int]]] = {}
        for name, channels in flow.sources.items():
            for j, sources in enumerate(channels):
                for atom in sources or ():
                    self.read_by.setdefault(atom, []).append((name, j))
        atoms = [(n, c) for n, rows in self.dead.items() for c in range(len(rows))]
        stays = {a for a in atoms if a[0] in flow.blocked or not (self._is_constant(a) or self._is_unread(a))}
        for name, channels in flow.sources.items():
            stays.update(self._tied(name, channels))
        stays = {self._root(a) for a in stays}
        self.gone = {a for a in atoms if self._root(a) not in stays}
        for name, rows in self.dead.items():  # at least one channel stays, with what it is tied to
            if all((name, c) in self.gone for c in range(len(rows))):
                kept = self._root((name, 0))
                self.gone = {a for a in self.gone if self._root(a) != kept}

    def _is_constant(self, atom: Atom) -> bool:
        """Whether the channel does not depend on the model's input: of weights 0, or of a group that reads only such
        channels."""
        name, c = atom
        if self.dead[name][c]:
            return True
        if name not in self.flow.grouped:
            return False
        read = [self.flow.sources[name][j] for j in _inputs_of(self.flow.layers[name], c)]
        return all(sources and all(map(self._is_constant, sources)) for sources in read)

    def _is_unread(self, atom: Atom) -> bool:
        """Whether all that read the channel are groups of weights 0, perhaps behind norms."""
        layers = [r for r in self.read_by.get(atom, ()) if not isinstance(self.flow.readers[r[0]], _PER_CHANNEL)]
        return bool(layers) and all(
            n in self.flow.grouped and all(self.dead[n][c] for c in _outputs_of(self.flow.layers[n], j))
            for n, j in layers
        )

    def _tied(self, name: str, channels: list[list[Atom] | None]) -> Iterator[Atom]:
        """Joins what one reader ties together; gives what has to stay because of it."""
        module = self.flow.readers[name]
        values = _by_channel(self.flow.inputs[name], _channel_dim(module))
        grouped = name in self.flow.grouped
        for j, sources in enumerate(channels):
            beside = [(name, c) for c in _outputs_of(module, j)] if grouped else []
            if not sources:
                yield from beside
                continue
            for atom in [*sources[1:], *beside]:
                self._join(sources[0], atom)
            if grouped or isinstance(module, _PER_CHANNEL):
                continue  # passes its channel on: what reads that decides
            constant = _constant(values[j])
            if constant is None or not _absorbs(module, constant):
                yield sources[0]
            else:
                self.constants[name, j] = constant

    def _root(self, atom: Atom) -> Atom:
        while self.parent.get(atom, atom) != atom:
            atom = self.parent[atom]
        return atom

    def _join(self, a: Atom, b: Atom) -> None:
        self.parent[self._root(a)] = self._root(b)

    def groups(self) -> list[set[Atom]]:
        """The channels to remove, by layers that share a reader."""
        groups: list[set[Atom]] = []
        touched: list[set[str]] = []
        tied: dict[Atom, set[str]] = {}
        for atom in self.gone:
            tied.setdefault(self._root(atom), set()).add(atom[0])
        for layer in self.flow.layers:
            group = {a for a in self.gone if a[0] == layer}
            if not group:
                continue
            names = {layer} | {p for a in group for p in tied[self._root(a)]}
            for i in [i for i, other in enumerate(touched) if other & names][::-1]:
                names |= touched.pop(i)
                group |= groups.pop(i)
            groups.append(group)
            touched.append(names)
        return groups

    def removed_inputs(self, gone: set[Atom]) -> dict[str, list[int]]:
        """The input channels of each reader that go with these."""
        return {
            name: [j for j, sources in enumerate(channels) if sources and sources[0] in gone]
            for name, channels in self.flow.sources.items()
        }


class _Surgery:
    """Cuts modules and can put everything back."""

    def __init__(self) -> None:
        self.undo: list[tuple[Any, str, Any]] = []

    def put(self, module: Any, name: str, value: Any) -> None:
        old = getattr(module, name)
        self.undo.append((module, name, old))
        if isinstance(old, nn.Parameter) or (name == "bias" and isinstance(value, Tensor)):
            value = nn.Parameter(value.detach().clone(), requires_grad=module.weight.requires_grad)
        setattr(module, name, value)

    def revert(self) -> None:
        for module, name, old in reversed(self.undo):
            setattr(module, name, old)
        self.undo.clear()

    def cut_outputs(self, module: Any, gone: set[int]) -> None:
        keep = [c for c in range(module.weight.shape[0]) if c not in gone]
        if _grouped(module):  # whole groups go
            groups = module.groups * len(keep) // module.out_channels
            self.put(module, "in_channels", module.in_channels // module.groups * groups)
            self.put(module, "groups", groups)
        self.put(module, "weight", module.weight[keep])
        if module.bias is not None:
            self.put(module, "bias", module.bias[keep])
        self.put(module, "out_features" if isinstance(module, nn.Linear) else "out_channels", len(keep))

    def cut_inputs(self, module: Any, gone: dict[int, float]) -> None:
        weight = module.weight.detach()
        keep = [j for j in range(weight.shape[1]) if j not in gone]
        columns = weight.double().flatten(2).sum(2) if weight.dim() > 2 else weight.double()
        shift = sum((columns[:, j] * k for j, k in gone.items()), pydl.zeros(len(weight), dtype=pydl.float64))  # type: ignore[attr-defined]
        if module.bias is not None or shift.any():
            base = 0 if module.bias is None else module.bias.detach().double()
            self.put(module, "bias", (base + shift).to(weight.dtype))
        self.put(module, "weight", weight[:, keep])
        self.put(module, "in_features" if isinstance(module, nn.Linear) else "in_channels", len(keep))

    def cut_channels(self, module: Any, gone: set[int]) -> None:
        count = module.weight.numel() if isinstance(module, nn.PReLU) else module.num_features
        keep = [c for c in range(count) if c not in gone]
        for name in ("weight", "bias", "running_mean", "running_var"):
            value = getattr(module, name, None)
            if value is not None:
                self.put(module, name, value.detach()[keep])
        self.put(module, "num_parameters" if isinstance(module, nn.PReLU) else "num_features", len(keep))


def _apply(plan: _Plan, gone: set[Atom]) -> _Surgery:
    surgery, flow = _Surgery(), plan.flow
    for name, module in flow.layers.items():
        channels = {c for n, c in gone if n == name}
        if channels:
            surgery.cut_outputs(module, channels)
    for name, inputs in plan.removed_inputs(gone).items():
        reader = flow.readers[name]
        if inputs and isinstance(reader, _PER_CHANNEL):
            surgery.cut_channels(reader, set(inputs))
        elif inputs and name not in flow.grouped:  # there they went with the outputs
            surgery.cut_inputs(reader, {j: plan.constants[name, j] for j in inputs})
    return surgery


def _same(model: nn.Module, example_inputs: Any, wanted: Any) -> bool:
    """Whether the model still gives what it gave."""
    try:
        got = _counts.call(model, example_inputs)
    except (RuntimeError, ValueError, IndexError):
        return False
    for a, b in zip(_tensors(got), _tensors(wanted)):
        if a.shape != b.shape:
            return False
        if a.is_floating_point():
            scale = b[b.isfinite()].abs().max().item() if b.isfinite().any() else 0.0
            tolerance = (1e-9 if a.dtype == pydl.float64 else 1e-5) * max(1.0, scale)
            if not pydl.allclose(a, b, rtol=0.0, atol=tolerance, equal_nan=True):  # type: ignore[attr-defined]
                return False
    return True


def shrink(model: nn.Module, example_inputs: Any, inplace: bool = False, return_report: bool = False) -> Any:
    """Removes the output channels of Linear and convolution layers whose weights are all zero, and what belongs to
    them.

    That is: the matching inputs, norms and biases of the layers behind. In eval mode the result gives the same outputs
    for every input. What a removed channel still passes on (its bias, a norm's shift) goes into the next bias; the
    channel stays where that is impossible: in front of zero padding, in sums with channels that stay, at the model's
    output and in layers that are called several times. Grouped convolutions, depthwise ones among them, lose whole
    groups: those all of whose filters are zero or whose inputs all go, if nothing else reads these inputs. At least one
    channel of each layer stays.

    Masks of :mod:`pydl.nn.utils.prune` count as applied and are gone afterwards.

    Args:
        model: a module. It is run in eval mode some times, each time with NaN in some channels.
        example_inputs: a tensor, a sequence of arguments or a mapping of them.
        inplace: change ``model`` itself. Default: a copy.
        return_report: also return a :class:`ShrinkReport`.

    Example:
        >>> import pydl
        >>> from pydl.nn.utils import prune
        >>> net = pydl.nn.Sequential(pydl.nn.Linear(4, 8), pydl.nn.ReLU(), pydl.nn.Linear(8, 2))
        >>> _ = prune.ln_structured(net[0], "weight", amount=0.5, n=2, dim=0)
        >>> pydl.compress.shrink(net, pydl.ones(1, 4))
        Sequential(
          (0): Linear(in_features=4, out_features=4, bias=True)
          (1): ReLU()
          (2): Linear(in_features=4, out_features=2, bias=True)
        )
    """
    if not inplace:
        model = _counts.copied(model)
    report = ShrinkReport(parameters=(_counts.parameters(model), 0), bytes=(_counts.state_bytes(model), 0))
    for module in model.modules():
        for name in _counts.masked(module):
            prune.remove(module, name)
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    try:
        with pydl.no_grad():
            operations = _counts.flops(model, example_inputs)
            widths = _remove(model, example_inputs)
            report.flops = (operations, _counts.flops(model, example_inputs))
    finally:
        for module, mode in modes:
            module.training = mode
    report.channels = widths
    report.parameters = (report.parameters[0], _counts.parameters(model))
    report.bytes = (report.bytes[0], _counts.state_bytes(model))
    return (model, report) if return_report else model


def _remove(model: nn.Module, example_inputs: Any) -> dict[str, tuple[int, int]]:
    """Removes what can be removed; returns (before, after) of the layers that were cut."""
    before: dict[str, int] = {}
    while True:
        flow = _Flow(model, example_inputs)
        before = before or {name: module.weight.shape[0] for name, module in flow.layers.items()}
        plan = _Plan(flow)
        if _attempt(plan, plan.gone):
            break
        # Code between the layers counts on the size of one of them: those that can be cut without it, one after the
        # other, which moves the positions of the rest.
        if not any(_attempt(plan, group) for group in plan.groups()):
            break
    after = {name: module.weight.shape[0] for name, module in flow.layers.items()}
    return {name: (count, after[name]) for name, count in before.items() if after[name] != count}


def _attempt(plan: _Plan, gone: set[Atom]) -> bool:
    """Removes channels if the model then gives what it gave."""
    surgery = _apply(plan, gone)
    if _same(plan.flow.model, plan.flow.example, plan.flow.result):
        return True
    surgery.revert()
    return False
