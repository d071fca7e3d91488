"""Differentiable architecture search: Liu, Simonyan and Yang, "DARTS", 2019."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import Module, Parameter

__all__ = ["DARTSCell", "DARTSSearch"]

Edge = tuple[str, int]  # an operation and the node that it reads


class _Zero(Module):
    """No connection."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 0


def _separable(channels: int, size: int, dilation: int, times: int) -> Module:
    """ReLU, depthwise and pointwise convolution, norm; some times."""
    layers: list[Module] = []
    for _ in range(times):
        padding = dilation * (size - 1) // 2
        layers += [
            nn.ReLU(),
            nn.Conv2d(channels, channels, size, padding=padding, dilation=dilation, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        ]
    return nn.Sequential(*layers)


# The paper's operations (section 3.1) at stride 1.
OPERATIONS: dict[str, Callable[[int], Module]] = {
    "none": lambda c: _Zero(),
    "skip_connect": lambda c: nn.Identity(),
    "max_pool_3x3": lambda c: nn.MaxPool2d(3, 1, 1),
    "avg_pool_3x3": lambda c: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    "sep_conv_3x3": lambda c: _separable(c, 3, 1, 2),
    "sep_conv_5x5": lambda c: _separable(c, 5, 1, 2),
    "dil_conv_3x3": lambda c: _separable(c, 3, 2, 1),
    "dil_conv_5x5": lambda c: _separable(c, 5, 2, 1),
}


class DARTSCell(Module):
    """A cell whose edges are mixtures of operations: sum_o softmax(alpha)_o op_o(x).

    Nodes 0 and 1 are the inputs; each of the new nodes reads all before it; the output is the concatenation of the new
    nodes on dim 1.

    Shapes: s0 and s1 (N, channels, *) alike; the output (N, nodes * channels, *).

    Args:
        channels: of the inputs and of each node.
        nodes: number of new nodes. Default: 4.
        ops: functions of ``channels`` that make a module, by name; ``"none"`` means no connection. Default: the paper's
            eight for images.

    Attributes:
        alphas: parameter (edges, ops), the architecture; the edges of node 2 first, in each node's turn by the node
            they read.
        op_names: names of the columns.

    Raises:
        ValueError: no nodes, no channels, or no operation but ``"none"``.

    Example:
        >>> import pydl
        >>> cell = pydl.search.DARTSCell(4, nodes=2)
        >>> x = pydl.rand(1, 4, 8, 8)
        >>> cell(x, x).shape, cell.alphas.shape
        (torch.Size([1, 8, 8, 8]), torch.Size([5, 8]))
    """

    alphas: Parameter

    def __init__(self, channels: int, nodes: int = 4, ops: Mapping[str, Callable[[int], Module]] | None = None) -> None:
        super().__init__()
        table = OPERATIONS if ops is None else ops
        if channels < 1 or nodes < 1 or not any(name != "none" for name in table):
            raise ValueError(
                f"DARTSCell(): channels and nodes must be positive and an operation given, "
                f"got {channels}, {nodes} and {list(table)}"
            )
        self.channels, self.nodes, self.op_names = channels, nodes, list(table)
        self.edges = nn.ModuleList(
            nn.ModuleList(make(channels) for make in table.values()) for node in range(nodes) for _ in range(2 + node)
        )
        self.alphas = Parameter(1e-3 * pydl.randn(len(self.edges), len(table)))  # type: ignore[attr-defined]

    def forward(self, s0: Tensor, s1: Tensor) -> Tensor:
        """The new nodes, one after the other on dim 1."""
        weights = self.alphas.softmax(1)
        states, edge = [s0, s1], 0
        for _ in range(self.nodes):
            total: Any = 0
            for state in states.copy():
                for weight, op in zip(weights[edge], self.edges[edge]):  # type: ignore[arg-type]
                    total = total + weight * op(state)
                edge += 1
            states.append(total)
        return pydl.cat(states[2:], 1)  # type: ignore[attr-defined]

    def extra_repr(self) -> str:
        """The sizes."""
        return f"channels={self.channels}, nodes={self.nodes}, ops={self.op_names}"


class _ChosenCell(Module):
    """A cell with the chosen operations alone, added up in each node."""

    def __init__(self, genotype: list[list[Edge]], ops: list[list[Module]]) -> None:
        super().__init__()
        self.genotype = genotype
        self.ops = nn.ModuleList(nn.ModuleList(node) for node in ops)

    def forward(self, s0: Tensor, s1: Tensor) -> Tensor:
        states = [s0, s1]
        for node, ops in zip(self.genotype, self.ops):
            terms = [op(states[read]) for (_, read), op in zip(node, ops)]  # type: ignore[arg-type]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            states.append(total)
        return pydl.cat(states[2:], 1)  # type: ignore[attr-defined]


def _chosen(cell: DARTSCell, top_k: int) -> list[list[tuple[str, int, int, int]]]:
    """Per node the strongest edges: operation, node read, edge and column."""
    weights = cell.alphas.detach().softmax(1).tolist()
    columns = [c for c, name in enumerate(cell.op_names) if name != "none"]
    genotype, edge = [], 0
    for node in range(cell.nodes):
        found = []
        for read in range(2 + node):
            best = max(columns, key=lambda c: weights[edge][c])
            found.append((weights[edge][best], cell.op_names[best], read, edge, best))
            edge += 1
        strongest = sorted(found, key=lambda f: -f[0])[:top_k]
        genotype.append([f[1:] for f in sorted(strongest, key=lambda f: f[2])])
    return genotype


class DARTSSearch:
    """Alternates steps of the architecture on validation batches and of the weights on training batches.

    The architecture are the parameters of the model whose names end with ``alphas``; they are trained by Adam with
    betas (0.5, 0.999), all others by SGD.

    Args:
        model: any module, with one :class:`DARTSCell` or several.
        loss_fn: callable of the model's output and a target.
        lr, momentum, weight_decay: of the weights. Default: 0.025, 0.9, 3e-4.
        arch_lr, arch_weight_decay: of the architecture. Default: 3e-4, 1e-3.
        unrolled: the second-order form: the validation loss after a step of the weights, its second derivative by
            differences (the paper's equations 7 and 8). Default: False.
        top_k: how many edges each node keeps. Default: 2.

    Raises:
        ValueError: a model without such parameters.

    Example:
        >>> import pydl
        >>> ops = {"none": lambda c: pydl.nn.Hardtanh(0.0, 1e-9), "skip": lambda c: pydl.nn.Identity()}
        >>> class Net(pydl.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.cell = pydl.search.DARTSCell(3, nodes=1, ops=ops)
        ...     def forward(self, x):
        ...         return self.cell(x, -x)
        >>> batches = [(x, x) for x in pydl.rand(8, 16, 3)]
        >>> search = pydl.search.DARTSSearch(Net(), pydl.nn.functional.mse_loss, arch_lr=0.1, top_k=1)
        >>> search.run(batches, batches, epochs=10)["genotype"]
        [[('skip', 0)]]
    """

    def __init__(
        self,
        model: Module,
        loss_fn: Callable[[Tensor, Tensor], Tensor],
        lr: float = 0.025,
        momentum: float = 0.9,
        weight_decay: float = 3e-4,
        arch_lr: float = 3e-4,
        arch_weight_decay: float = 1e-3,
        unrolled: bool = False,
        top_k: int = 2,
    ) -> None:
        self.model, self.loss_fn, self.unrolled, self.top_k = model, loss_fn, unrolled, top_k
        named = list(model.named_parameters())
        self._alphas = [p for name, p in named if fnmatchcase(name, "*alphas")]
        self._weights = [p for name, p in named if not fnmatchcase(name, "*alphas")]
        if not self._alphas:
            raise ValueError("DARTSSearch(): the model has no parameter whose name ends with 'alphas'")
        if top_k < 1:
            raise ValueError(f"DARTSSearch(): top_k must be at least 1, got {top_k}")
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self._architect = pydl.optim.Adam(self._alphas, lr=arch_lr, betas=(0.5, 0.999), weight_decay=arch_weight_decay)
        # Parameter-free operations leave no weights to train.
        self._optimizer = (
            pydl.optim.SGD(self._weights, lr=lr, momentum=momentum, weight_decay=weight_decay)
            if self._weights
            else None
        )

    def _loss(self, batch: Any) -> Tensor:
        input, target = batch
        return self.loss_fn(self.model(input), target)

    def run(self, train_loader: Iterable[Any], val_loader: Iterable[Any], epochs: int) -> dict[str, Any]:
        """Trains for some epochs of training batches, each with a validation batch beside it.

        Returns:
            ``{"train_loss": [...], "val_loss": [...], "genotype": ...}``, the losses by epoch.

        Raises:
            ValueError: a loader without batches.
        """
        history: dict[str, Any] = {"train_loss": [], "val_loss": []}
        self.model.train()
        for _ in range(epochs):
            sums, count = [0.0, 0.0], 0
            held = _endless(val_loader)
            for batch in train_loader:
                aside = next(held)
                sums[1] += self._architecture_step(batch, aside)
                sums[0] += self._weight_step(batch)
                count += 1
            if count == 0:
                raise ValueError("DARTSSearch.run(): train_loader has no batches")
            history["train_loss"].append(sums[0] / count)
            history["val_loss"].append(sums[1] / count)
        return {**history, "genotype": self.genotype()}

    def _weight_step(self, batch: Any) -> float:
        loss = self._loss(batch)
        if self._optimizer is not None:
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
        return loss.item()

    def _architecture_step(self, batch: Any, held: Any) -> float:
        if self.unrolled and self._weights:
            loss, gradients = self._unrolled(batch, held)
        else:
            value = self._loss(held)
            loss, gradients = value.item(), list(pydl.autograd.grad(value, self._alphas, allow_unused=True))
        for alpha, gradient in zip(self._alphas, gradients):
            alpha.grad = gradient
        self._architect.step()
        return loss

    def _gradients(self, batch: Any, parameters: list[Parameter]) -> tuple[float, list[Tensor]]:
        loss = self._loss(batch)
        found = pydl.autograd.grad(loss, parameters, allow_unused=True)
        return loss.item(), [pydl.zeros_like(p) if g is None else g for p, g in zip(parameters, found)]  # type: ignore[attr-defined]

    def _unrolled(self, batch: Any, held: Any) -> tuple[float, list[Tensor]]:
        """The derivative of the validation loss behind one step of the weights on the training batch."""
        assert self._optimizer is not None
        before = [w.detach().clone() for w in self._weights]
        _, step = self._gradients(batch, self._weights)
        with pydl.no_grad():
            for w, g in zip(self._weights, step):
                velocity = self._optimizer.state.get(w, {}).get("momentum_buffer")
                move = g + self.weight_decay * w
                w.sub_(self.lr * (move if velocity is None else self.momentum * velocity + move))
        loss, both = self._gradients(held, self._alphas + self._weights)
        direct, by_weight = both[: len(self._alphas)], both[len(self._alphas) :]
        length = sum(g.double().square().sum().item() for g in by_weight) ** 0.5
        small = 0.01 / max(length, 1e-12)
        sides = []
        for sign in (1.0, -1.0):
            with pydl.no_grad():
                for w, start, g in zip(self._weights, before, by_weight):
                    w.copy_(start + sign * small * g)
            sides.append(self._gradients(batch, self._alphas)[1])
        with pydl.no_grad():
            for w, start in zip(self._weights, before):
                w.copy_(start)
        return loss, [d - self.lr * (p - m) / (2 * small) for d, p, m in zip(direct, *sides)]

    def _cells(self) -> dict[str, DARTSCell]:
        return {name: m for name, m in self.model.named_modules() if isinstance(m, DARTSCell)}

    def genotype(self) -> Any:
        """For each new node the ``top_k`` strongest incoming edges as (operation, node read), ``"none"`` left out.

        A list by nodes, ordered by the node read; for several cells a dict of lists by the cells' names. Other modules
        with alphas have the columns of their largest weights.
        """
        cells = self._cells()
        found: dict[str, Any] = {
            n: [[e[:2] for e in node] for node in _chosen(c, self.top_k)] for n, c in cells.items()
        }
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            return found
        return {
            name: p.detach().argmax(-1).tolist()
            for name, p in self.model.named_parameters()
            if fnmatchcase(name, "*alphas")
        }

    def discretize(self) -> Module:
        """A copy of the model whose cells have the chosen edges and operations alone, with their weights."""
        model: Any = copy.deepcopy(self.model)
        for name, cell in self._cells().items():
            chosen = _chosen(cell, self.top_k)
            ops = [[copy.deepcopy(cell.edges[edge][column]) for _, _, edge, column in node] for node in chosen]  # type: ignore[index]
            small = _ChosenCell([[e[:2] for e in node] for node in chosen], ops)
            if name == "":
                return small
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, small)
        return model


def _endless(loader: Iterable[Any]) -> Iterator[Any]:
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            raise ValueError("DARTSSearch.run(): val_loader has no batches")
