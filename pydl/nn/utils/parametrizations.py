"""Parametrizations: weight norm, spectral norm, orthogonal matrices."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.modules.module import Module
from pydl.nn.utils import parametrize

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def _tensor_of(module: Any, name: str) -> Any:
    tensor = getattr(module, name, None)
    if not isinstance(tensor, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return tensor


class _WeightNorm(Module):
    """``g * v / ||v||``."""

    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:  # type: ignore[override]
        return weight_v * (weight_g / pydl.norm_except_dim(weight_v, 2, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return pydl.norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Magnitude and direction of a weight as parameters of their own (Salimans and Kingma, NeurIPS 2016).

    ``original0`` is the magnitude g, ``original1`` the direction v; the weight is ``g * v / ||v||``.

    Args:
        module: what has the weight.
        name: of the weight. Default: ``"weight"``.
        dim: one magnitude for each index of this dim; ``None``: one for all. Default: 0.

    Returns:
        ``module``.

    Raises:
        ValueError: there is no such weight.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.parametrizations.weight_norm(pydl.nn.Linear(20, 40))
        >>> layer.parametrizations.weight.original0.shape, layer.parametrizations.weight.original1.shape
        (torch.Size([40, 1]), torch.Size([40, 20]))
    """
    _tensor_of(module, name)
    return parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    """The weight over its largest singular value, which power iteration estimates."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        count = weight.ndim
        if not -count <= dim < count:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{count}, {count - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % count
        self.eps = eps
        if count > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._matrix(weight.detach())
            for name, size in zip(("_u", "_v"), matrix.shape):
                self.register_buffer(name, _unit(matrix.new_empty(size).normal_(0, 1), eps))
            self._iterate(matrix, 15)  # so that the first forward pass already has a good estimate

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).flatten(1)

    @pydl.no_grad()
    def _iterate(self, matrix: Tensor, count: int) -> None:
        for _ in range(count):
            self._u.copy_(_unit(pydl.mv(matrix, self._v), self.eps))
            self._v.copy_(_unit(pydl.mv(matrix.H, self._u), self.eps))

    def forward(self, weight: Tensor) -> Tensor:  # type: ignore[override]
        if weight.ndim == 1:
            return _unit(weight, self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        # Copies: the next iteration overwrites the buffers that backward needs
        u, v = self._u.clone(), self._v.clone()
        return weight / pydl.vdot(u, pydl.mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        # The original is not unique; the value itself has norm one already where it came from here.
        return value


def _unit(vector: Tensor, eps: float) -> Tensor:
    return vector / vector.norm(2).clamp_min(eps)


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Divide a weight by its largest singular value (Miyato et al., ICLR 2018).

    The weight counts as a matrix whose rows are the indices of ``dim``. Each forward pass in training mode improves the
    estimate by ``n_power_iterations`` power iterations; 15 are made at the start.

    Args:
        module: what has the weight.
        name: of the weight. Default: ``"weight"``.
        n_power_iterations: Default: 1.
        eps: floor of the norms divided by. Default: 1e-12.
        dim: of the outputs. Default: 1 for transposed convolutions, 0 otherwise.

    Returns:
        ``module``.

    Raises:
        ValueError: there is no such weight, or ``n_power_iterations`` is not positive.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.parametrizations.spectral_norm(pydl.nn.Linear(20, 40), n_power_iterations=20)
        >>> round(pydl.linalg.matrix_norm(layer.weight, 2).item(), 2)
        1.0
    """
    weight = _tensor_of(module, name)
    if dim is None:
        transposed = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
        dim = int(any(base.__name__ in transposed for base in type(module).__mro__))
    made = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return parametrize.register_parametrization(module, name, made)


class _Orthogonal(Module):
    """Orthogonal (unitary) matrices from arbitrary ones, tall ones internally: a wide matrix is transposed.

    With a base, the result is the base times the map of the parameter, which starts where the map is the identity; so
    any matrix can be assigned, and the parameter stays where the map is well behaved (Lezcano-Casado, NeurIPS 2019).
    """

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        wide = x.shape[-2] < x.shape[-1]
        x = x.mT if wide else x
        made = _reflections(x) if self.orthogonal_map == "householder" else _rotation(x, self.orthogonal_map)
        if self.use_trivialization:
            made = self.base @ made  # type: ignore[operator]
        return made.mT if wide else made

    @pydl.no_grad()
    def right_inverse(self, value: Tensor) -> Tensor:
        if value.shape != self.shape:
            raise ValueError(f"Expected a tensor of shape {tuple(self.shape)}. Got {tuple(value.shape)}.")
        wide = value.shape[-2] < value.shape[-1]
        tall = value.mT if wide else value
        if not self.use_trivialization:
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    f"assigning to the {self.orthogonal_map} parametrization needs use_trivialization=True"
                )
            found = _reflectors(tall)
            return found.mT if wide else found
        rows, columns = tall.shape[-2:]
        if rows != columns:
            more = pydl.randn(*tall.shape[:-2], rows, rows - columns, dtype=tall.dtype)
            self.base = _orthogonalized(pydl.cat([tall, more], dim=-1))
        else:
            self.base = tall.clone() if _is_orthogonal(tall) else _orthogonalized(tall)
        # Minus the identity: zero below the diagonal for the exponential, and signs that undo the reflections
        start = pydl.zeros_like(value)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start


def _rotation(x: Tensor, kind: str) -> Tensor:
    """The exponential, or Cayley's map, of the skew-Hermitian matrix whose lower triangle is that of ``x``."""
    lower = x.tril()
    rows, columns = lower.shape[-2:]
    if rows != columns:
        lower = pydl.cat([lower, lower.new_zeros(*lower.shape[:-2], rows, rows - columns)], dim=-1)
    skew = lower - lower.mH
    if kind == "matrix_exp":
        made = pydl.matrix_exp(skew)
    else:
        eye = pydl.eye(rows, dtype=skew.dtype)
        made = pydl.linalg.solve(eye - 0.5 * skew, eye + 0.5 * skew)
    return made[..., :columns]


def _reflections(x: Tensor) -> Tensor:
    """Householder's reflections along the columns of ``x`` below the diagonal, with signs from the diagonal."""
    lower = x.tril(-1)
    made = pydl.linalg.householder_product(lower, 2.0 / (1.0 + (lower * lower).sum(dim=-2)))
    # The diagonal holds signs, which weight decay shrinks; PyTorch truncates them, which then makes them zero.
    return made * x.diagonal(dim1=-2, dim2=-1).detach().sign().unsqueeze(-2)


def _reflectors(matrix: Tensor) -> Tensor:
    """What :func:`_reflections` makes ``matrix`` of, if that is orthogonal; the nearest such by QR otherwise."""
    packed, scales = pydl.geqrf(matrix)
    diagonal = packed.diagonal(dim1=-2, dim2=-1)
    signs = diagonal.sign()
    # A scale of zero means that LAPACK left this reflection out, which turns the sign
    diagonal.copy_(pydl.where(scales == 0, -signs, signs))
    return packed


def _is_orthogonal(matrix: Tensor) -> bool:
    size = matrix.shape[-1]
    eye = pydl.eye(size, dtype=matrix.dtype)
    error = 10.0 * size * pydl.finfo(matrix.dtype).eps  # of the rounding errors in a product of that size
    return pydl.allclose(matrix.mH @ matrix, eye, atol=error)


def _orthogonalized(matrix: Tensor) -> Tensor:
    """The Q of the QR decomposition whose R has a positive diagonal."""
    q, r = pydl.linalg.qr(matrix)
    return q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def orthogonal(
    module: Any, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Any:
    """Make a matrix orthogonal: its columns (its rows, if it is wide) are orthonormal.

    Args:
        module: what has the matrix, or batch of matrices.
        name: of the matrix. Default: ``"weight"``.
        orthogonal_map: ``"matrix_exp"``, ``"cayley"`` or ``"householder"``. Default: the first for square and complex
            matrices, the last for others.
        use_trivialization: keep a base, so that matrices can be assigned with every map. Default: ``True``.

    Returns:
        ``module``.

    Raises:
        ValueError: no such tensor, less than two dims, or a map that is unknown or not for complex numbers.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.parametrizations.orthogonal(pydl.nn.Linear(20, 40))
        >>> pydl.allclose(layer.weight.T @ layer.weight, pydl.eye(20), atol=1e-5)
        True
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return parametrize.register_parametrization(module, name, made, unsafe=True)
