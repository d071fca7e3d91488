"""Graph convolutions as message passing: PyTorch Geometric's names, arguments, keys and numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pydl
import pydl.nn.functional as F
from pydl import Tensor, nn
from pydl.geometric.aggregate import scatter, softmax
from pydl.nn.modules._checks import at_least

__all__ = ["GATConv", "GCNConv", "GINConv", "MessagePassing", "SAGEConv"]

Nodes = Tensor | tuple[Tensor, Tensor]


def edges_of(name: str, edge_index: Tensor, nodes: int, sources: int | None = None) -> tuple[Tensor, Tensor | None]:
    """``edge_index`` (2, E) as it is after its checks, or that of a dense adjacency and the weights of its edges."""
    if edge_index.dim() != 2:
        raise pydl.ShapeError(
            f"{name}: edge_index must be of size (2, E), or a dense adjacency, got {tuple(edge_index.shape)}"
        )
    sources = nodes if sources is None else sources
    if edge_index.is_floating_point():
        if tuple(edge_index.shape) != (nodes, sources):
            raise pydl.ShapeError(
                f"{name}: the adjacency must be of size ({nodes}, {sources}), got {tuple(edge_index.shape)}"
            )
        target, source = edge_index.detach().nonzero(as_tuple=True)
        return pydl.stack([source, target]), edge_index[target, source]
    if edge_index.shape[0] != 2 or edge_index.dtype != pydl.int64:
        raise pydl.ShapeError(
            f"{name}: edge_index must be int64 of size (2, E), got {edge_index.dtype} of size {tuple(edge_index.shape)}"
        )
    if edge_index.shape[1]:
        for row, bound in ((edge_index[0], sources), (edge_index[1], nodes)):
            low, high = (int(v) for v in pydl.aminmax(row))
            if low < 0 or high >= bound:
                raise IndexError(f"{name}: edge_index must be in [0, {bound}), got {low} to {high}")
    return edge_index, None


def _check_nodes(name: str, x: Tensor, features: int) -> None:
    if x.dim() != 2 or x.shape[1] != features:
        raise pydl.ShapeError(f"{name}: x must be of size (nodes, {features}), got {tuple(x.shape)}")


def _without_loops(edge_index: Tensor, values: Tensor | None) -> tuple[Tensor, Tensor | None]:
    keep = edge_index[0] != edge_index[1]
    return edge_index[:, keep], None if values is None else values[keep]


def _all_loops(nodes: int) -> Tensor:
    return pydl.arange(nodes).expand(2, nodes)


class MessagePassing(nn.Module):
    """Base of graph layers: every node joins the messages along its edges (Gilmer et al. 2017).

    A subclass overrides :meth:`message` and, if need be, :meth:`aggregate` and :meth:`update`, and calls
    :meth:`propagate`. An argument of `message` that ends in ``_j`` is gathered at the source of every edge, one that
    ends in ``_i`` at its target; ``index`` is the target of every edge, ``edge_weight`` its weight in a dense adjacency
    (None for an edge_index, unless it is given).

    Args:
        aggr: ``'sum'`` (or ``'add'``), ``'mean'``, ``'max'``, ``'min'`` or ``'mul'``.
        flow: ``'source_to_target'`` (default), or ``'target_to_source'``, which turns every edge round.
        node_dim: the dim of nodes in what is propagated, default -2.

    >>> class Sum(pydl.geometric.MessagePassing):
    ...     def forward(self, x, edge_index):
    ...         return self.propagate(edge_index, x=x)
    >>> Sum()(pydl.tensor([[1.0], [2.0], [4.0]]), pydl.tensor([[0, 1], [2, 2]]))
    tensor([[0.],
            [0.],
            [3.]])
    """

    def __init__(self, aggr: str = "sum", *, flow: str = "source_to_target", node_dim: int = -2) -> None:
        super().__init__()
        if aggr not in ("sum", "add", "mean", "max", "min", "mul"):
            raise ValueError(f"{type(self).__name__}: aggr must be sum, add, mean, max, min or mul, got {aggr!r}")
        if flow not in ("source_to_target", "target_to_source"):
            raise ValueError(f"{type(self).__name__}: flow must be source_to_target or target_to_source, got {flow!r}")
        self.aggr, self.flow, self.node_dim = aggr, flow, node_dim

    def propagate(self, edge_index: Tensor, size: tuple[int, int] | None = None, **kwargs: Any) -> Tensor:
        """Messages of all edges, joined at their targets, then :meth:`update`.

        Args:
            edge_index: (2, E) int64, row 0 the sources, row 1 the targets, or a dense adjacency (targets, sources).
            size: numbers of (source, target) nodes, by default those of the arguments.
            kwargs: what `message` and `update` ask for; a pair is (of the sources, of the targets).
        """
        name = type(self).__name__
        names = inspect.signature(self.message).parameters
        counts = list(size) if size is not None else [None, None]
        for key, value in kwargs.items():
            if key + "_i" in names or key + "_j" in names:
                for side, part in enumerate(value if isinstance(value, (tuple, list)) else (value, value)):
                    if isinstance(part, Tensor) and counts[side] is None:
                        counts[side] = part.shape[self.node_dim]
        sources = counts[0] if counts[0] is not None else counts[1]
        targets = counts[1] if counts[1] is not None else sources
        if sources is None or targets is None:
            raise ValueError(f"{name}: the number of nodes is not known: pass size=")
        if self.flow == "target_to_source":
            sources, targets = targets, sources
            edge_index = edge_index.flip(0) if not edge_index.is_floating_point() else edge_index.mT
        edge_index, weight = edges_of(name, edge_index, targets, sources)
        source, target = edge_index[0], edge_index[1]
        known = {"index": target, "edge_index": edge_index, "edge_weight": weight, "dim_size": targets, **kwargs}
        out = self.message(**self._collect(names, kwargs, known, source, target))
        out = self.aggregate(out, target, targets)
        extra = [p for p in inspect.signature(self.update).parameters][1:]
        return self.update(out, **{p: known[p] for p in extra if p in known})

    def _collect(self, names: Any, given: dict[str, Any], known: dict[str, Any], source: Tensor, target: Tensor) -> Any:
        found = {}
        for name, parameter in names.items():
            side = {"_j": 0, "_i": 1}.get(name[-2:])
            if side is not None and name[:-2] in given:
                value = given[name[:-2]]
                value = value[side] if isinstance(value, (tuple, list)) else value
                found[name] = value.index_select(self.node_dim, (source, target)[side]) if value is not None else None
            elif name in known:
                found[name] = known[name]
            elif parameter.default is inspect.Parameter.empty and parameter.kind != inspect.Parameter.VAR_KEYWORD:
                raise TypeError(f"{type(self).__name__}: message() asks for {name!r}, which propagate() did not get")
        return found

    def message(self, x_j: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """What goes along every edge, by default the source's features, times the edge's weight if it has one."""
        if edge_weight is None:
            return x_j
        sizes = [1] * x_j.dim()
        sizes[self.node_dim] = -1
        return edge_weight.reshape(sizes) * x_j

    def aggregate(self, inputs: Tensor, index: Tensor, dim_size: int) -> Tensor:
        """Joins the messages at their targets."""
        return scatter(inputs, index, self.node_dim, dim_size, self.aggr)

    def update(self, inputs: Tensor) -> Tensor:
        """The last word on the joined messages, by default nothing."""
        return inputs

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"


def _glorot(out_features: int, in_features: int, bias: bool = False) -> nn.Linear:
    layer = nn.Linear(in_features, out_features, bias)
    nn.init.xavier_uniform_(layer.weight)
    return layer


class GCNConv(MessagePassing):
    r"""Graph convolution :math:`\hat D^{-1/2} \hat A \hat D^{-1/2} X W^T + b` with :math:`\hat A = A + I` (Kipf and
    Welling 2017).

    Args:
        in_channels, out_channels: features per node.
        improved: adds 2 I instead (as in the paper; PyTorch Geometric does so only where edge_weight is given).
        cached: keeps the normalised edges of the first call, for one and the same graph.
        add_self_loops: default as `normalize`. Loops that are there keep their weight and are not doubled.
        normalize: False leaves :math:`A X W^T + b`.
        bias: default True.

    Shapes: x (V, in), edge_index (2, E) int64 or a dense adjacency (V, V) with A[i, j] the weight of the edge from j to
    i, edge_weight (E,) or None for ones, to (V, out). A node of degree 0 gets the bias alone. Keys ``lin.weight``,
    ``bias``.

    >>> conv = pydl.geometric.GCNConv(3, 8)
    >>> conv(pydl.rand(4, 3), pydl.tensor([[0, 1, 2], [1, 2, 3]])).shape
    torch.Size([4, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        improved: bool = False,
        cached: bool = False,
        add_self_loops: bool | None = None,
        normalize: bool = True,
        bias: bool = True,
    ) -> None:
        at_least(1, "GCNConv", in_channels=in_channels, out_channels=out_channels)
        super().__init__("add")
        add_self_loops = normalize if add_self_loops is None else add_self_loops
        if add_self_loops and not normalize:
            raise ValueError("GCNConv: add_self_loops=True asks for normalize=True")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.improved, self.cached, self.add_self_loops, self.normalize = improved, cached, add_self_loops, normalize
        self._cached: tuple[Tensor, Tensor] | None = None
        self.lin = _glorot(out_channels, in_channels)
        self.bias = nn.Parameter(pydl.zeros(out_channels)) if bias else None

    def _normalized(self, edge_index: Tensor, weight: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
        if self.add_self_loops:
            loops = weight.new_full((nodes,), 2.0 if self.improved else 1.0)
            there = edge_index[0] == edge_index[1]
            loops = loops.index_put((edge_index[0][there],), weight[there])
            keep = edge_index[0] != edge_index[1]
            edge_index = pydl.cat([edge_index[:, keep], _all_loops(nodes)], 1)
            weight = pydl.cat([weight[keep], loops])
        source, target = edge_index[0], edge_index[1]
        total = scatter(weight, target, 0, nodes)
        empty = total == 0
        scale = total.masked_fill(empty, 1.0).pow(-0.5).masked_fill(empty, 0.0)
        return edge_index, scale[source] * weight * scale[target]

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        _check_nodes("GCNConv", x, self.in_channels)
        nodes = x.shape[0]
        if self._cached is not None:
            edge_index, weight = self._cached
        else:
            edge_index, own = edges_of("GCNConv", edge_index, nodes)
            given = edge_weight if own is None else own
            weight = x.new_ones(edge_index.shape[1]) if given is None else given
            if weight.dim() != 1 or weight.shape[0] != edge_index.shape[1]:
                raise pydl.ShapeError(
                    f"GCNConv: edge_weight must be of size ({edge_index.shape[1]},), got {tuple(weight.shape)}"
                )
            weight = weight.to(x.dtype)
            if self.normalize:
                edge_index, weight = self._normalized(edge_index, weight, nodes)
            if self.cached:
                self._cached = edge_index, weight
        out = self.propagate(edge_index, (nodes, nodes), x=self.lin(x), edge_weight=weight)
        return out if self.bias is None else out + self.bias

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}"


class GATConv(MessagePassing):
    r"""Graph attention :math:`\sum_j \alpha_{ij} W x_j` over a node's neighbours and itself (Velickovic et al. 2018).

    :math:`\alpha_{ij}` is the softmax over j of LeakyReLU(a_src . W x_j + a_dst . W x_i [+ a_edge . W_e e_ij]).

    Args:
        in_channels, out_channels: features per node; out_channels is per head.
        heads: default 1.
        concat: heads side by side (V, heads * out), or their mean (V, out).
        negative_slope: of the LeakyReLU, default 0.2.
        dropout: of the normalised coefficients in training, default 0.
        add_self_loops: default True; loops that are there are replaced.
        edge_dim: features per edge, default None.
        fill_value: features of added loops: a number, or ``'mean'``, ``'add'``, ``'max'``, ``'min'``, ``'mul'`` of
            those of the edges to the node.
        bias: default True.

    Keys ``lin.weight`` (heads * out, in), ``att_src``, ``att_dst`` (1, heads, out), with edge_dim
    ``lin_edge.weight``, ``att_edge``, and ``bias``. Of a dense adjacency it counts which entries are not 0 alone.
    ``return_attention_weights=True`` gives ``(out, (edge_index with
    loops, alpha (E', heads)))``.

    >>> conv = pydl.geometric.GATConv(3, 8, heads=2)
    >>> out, (edges, alpha) = conv(pydl.rand(4, 3), pydl.tensor([[0, 1], [1, 2]]), return_attention_weights=True)
    >>> out.shape, edges.shape, alpha.shape
    (torch.Size([4, 16]), torch.Size([2, 6]), torch.Size([6, 2]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        add_self_loops: bool = True,
        edge_dim: int | None = None,
        fill_value: float | str = "mean",
        bias: bool = True,
    ) -> None:
        at_least(1, "GATConv", in_channels=in_channels, out_channels=out_channels, heads=heads)
        super().__init__("add", node_dim=0)
        self.in_channels, self.out_channels, self.heads, self.concat = in_channels, out_channels, heads, concat
        self.negative_slope, self.dropout, self.add_self_loops = negative_slope, dropout, add_self_loops
        self.edge_dim, self.fill_value = edge_dim, fill_value
        self.lin = _glorot(heads * out_channels, in_channels)
        self.att_src = self._attention()
        self.att_dst = self._attention()
        if edge_dim is not None:
            self.lin_edge = _glorot(heads * out_channels, edge_dim)
            self.att_edge = self._attention()
        self.bias = nn.Parameter(pydl.zeros(heads * out_channels if concat else out_channels)) if bias else None

    def _attention(self) -> nn.Parameter:
        weight = pydl.empty(1, self.heads, self.out_channels)
        bound = (6.0 / (self.heads + self.out_channels)) ** 0.5  # Glorot and Bengio 2010
        return nn.Parameter(weight.uniform_(-bound, bound))

    def _with_loops(self, edge_index: Tensor, edge_attr: Tensor | None, nodes: int) -> tuple[Tensor, Tensor | None]:
        edge_index, edge_attr = _without_loops(edge_index, edge_attr)
        if edge_attr is not None:
            if isinstance(self.fill_value, str):
                loops = scatter(edge_attr, edge_index[1], 0, nodes, self.fill_value)
            else:
                loops = edge_attr.new_full((nodes, edge_attr.shape[1]), float(self.fill_value))
            edge_attr = pydl.cat([edge_attr, loops])
        return pydl.cat([edge_index, _all_loops(nodes)], 1), edge_attr

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
        size: tuple[int, int] | None = None,
        return_attention_weights: bool | None = None,
    ) -> Any:
        _check_nodes("GATConv", x, self.in_channels)
        nodes = x.shape[0]
        edge_index, _ = edges_of("GATConv", edge_index, nodes)
        if edge_attr is not None:
            if self.edge_dim is None:
                raise ValueError("GATConv: edge_attr asks for edge_dim=")
            edge_attr = edge_attr.unsqueeze(-1) if edge_attr.dim() == 1 else edge_attr
            if tuple(edge_attr.shape) != (edge_index.shape[1], self.edge_dim):
                raise pydl.ShapeError(
                    f"GATConv: edge_attr must be of size ({edge_index.shape[1]}, {self.edge_dim}), got "
                    f"{tuple(edge_attr.shape)}"
                )
        if self.add_self_loops:
            edge_index, edge_attr = self._with_loops(edge_index, edge_attr, nodes)
        values = self.lin(x).view(nodes, self.heads, self.out_channels)
        score = (values * self.att_src).sum(-1)[edge_index[0]] + (values * self.att_dst).sum(-1)[edge_index[1]]
        if edge_attr is not None:
            extra = self.lin_edge(edge_attr).view(-1, self.heads, self.out_channels)
            score = score + (extra * self.att_edge).sum(-1)
        alpha = softmax(F.leaky_relu(score, self.negative_slope), edge_index[1], nodes)
        dropped = F.dropout(alpha, self.dropout, self.training)
        out = self.propagate(edge_index, size or (nodes, nodes), x=values, alpha=dropped)
        out = out.flatten(1) if self.concat else out.mean(1)
        if self.bias is not None:
            out = out + self.bias
        return (out, (edge_index, alpha)) if return_attention_weights else out

    def message(self, x_j: Tensor, alpha: Tensor) -> Tensor:  # type: ignore[override]
        return alpha.unsqueeze(-1) * x_j

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, heads={self.heads}"


class SAGEConv(MessagePassing):
    r"""GraphSAGE :math:`W_l\, \mathrm{aggr}_j x_j + b + W_r x_i` (Hamilton et al. 2017), without self loops.

    Args:
        in_channels, out_channels: features per node.
        aggr: ``'mean'`` (default), ``'sum'``, ``'max'``.
        normalize: rows of length 1, default False.
        root_weight: the term :math:`W_r x_i`, default True.
        project: :math:`x_j` becomes relu(lin(x_j)) first, default False.
        bias: default True.

    x (V, in), or a pair (of the sources, of the targets); a node without neighbours joins 0. A dense adjacency
    counts an edge of weight w as w edges. Keys ``lin_l.weight``, ``lin_l.bias``, ``lin_r.weight``.

    >>> pydl.geometric.SAGEConv(3, 8)(pydl.rand(4, 3), pydl.tensor([[0, 1], [1, 2]])).shape
    torch.Size([4, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        aggr: str = "mean",
        normalize: bool = False,
        root_weight: bool = True,
        project: bool = False,
        bias: bool = True,
    ) -> None:
        at_least(1, "SAGEConv", in_channels=in_channels, out_channels=out_channels)
        super().__init__(aggr)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.normalize, self.root_weight, self.project = normalize, root_weight, project
        if project:
            self.lin = nn.Linear(in_channels, in_channels)
        self.lin_l = nn.Linear(in_channels, out_channels, bias)
        if root_weight:
            self.lin_r = nn.Linear(in_channels, out_channels, False)

    def forward(self, x: Nodes, edge_index: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        source, target = x if isinstance(x, (tuple, list)) else (x, x)
        _check_nodes("SAGEConv", source, self.in_channels)
        targets = target.shape[0] if target is not None else size[1] if size else source.shape[0]
        edge_index, weight = edges_of("SAGEConv", edge_index, targets, source.shape[0])
        if self.project:
            source = F.relu(self.lin(source))
        out = self.lin_l(self._joined(source, edge_index, weight, targets))
        if self.root_weight and target is not None:
            out = out + self.lin_r(target)
        return F.normalize(out, p=2.0, dim=-1) if self.normalize else out

    def _joined(self, source: Tensor, edge_index: Tensor, weight: Tensor | None, targets: int) -> Tensor:
        if weight is None or self.aggr not in ("sum", "add", "mean"):
            return self.propagate(edge_index, (source.shape[0], targets), x=source)
        total = scatter(weight.unsqueeze(-1) * source[edge_index[0]], edge_index[1], 0, targets)
        if self.aggr != "mean":
            return total
        count = scatter(weight, edge_index[1], 0, targets)
        return total / count.masked_fill(count == 0, 1.0).unsqueeze(-1)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, aggr={self.aggr}"


class GINConv(MessagePassing):
    r"""Graph isomorphism layer :math:`h((1 + \epsilon) x_i + \sum_j x_j)` (Xu et al. 2019).

    Args:
        nn: the map h, a module or callable.
        eps: default 0.
        train_eps: eps is a parameter of size (1,), otherwise a buffer.

    Keys ``nn.*``, ``eps``. A dense adjacency weighs the terms of the sum.

    >>> conv = pydl.geometric.GINConv(pydl.nn.Identity(), eps=1.0)
    >>> conv(pydl.tensor([[1.0], [2.0]]), pydl.tensor([[0], [1]]))
    tensor([[2.],
            [5.]])
    """

    def __init__(self, nn: Callable[[Tensor], Tensor], eps: float = 0.0, train_eps: bool = False) -> None:
        super().__init__("add")
        self.nn = nn
        if train_eps:
            self.eps = pydl.nn.Parameter(pydl.tensor([float(eps)]))
        else:
            self.register_buffer("eps", pydl.tensor([float(eps)]))

    def forward(self, x: Nodes, edge_index: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        source, target = x if isinstance(x, (tuple, list)) else (x, x)
        targets = target.shape[0] if target is not None else size[1] if size else source.shape[0]
        edge_index, weight = edges_of("GINConv", edge_index, targets, source.shape[0])
        out = self.propagate(edge_index, (source.shape[0], targets), x=source, edge_weight=weight)
        if target is not None:
            out = out + (1 + self.eps) * target
        return self.nn(out)

    def extra_repr(self) -> str:
        return f"nn={self.nn}"
