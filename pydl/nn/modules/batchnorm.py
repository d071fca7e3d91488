"""Normalisation over the batch and over samples, with running statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn import init
from pydl.nn.modules.lazy import LazyModuleMixin
from pydl.nn.modules.module import Module
from pydl.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
    "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d", "LazyInstanceNorm1d", "LazyInstanceNorm2d",
    "LazyInstanceNorm3d", "SyncBatchNorm",
]  # fmt: skip


class _NormBase(Module):
    """Weights and running statistics of one number for each channel."""

    _version = 2
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(pydl.empty(num_features, **options)) if affine else None)
        self.register_parameter("bias", Parameter(pydl.empty(num_features, **options)) if affine and bias else None)
        track = track_running_stats
        self.register_buffer("running_mean", pydl.zeros(num_features, **options) if track else None)
        self.register_buffer("running_var", pydl.ones(num_features, **options) if track else None)
        self.register_buffer("num_batches_tracked", pydl.tensor(0, dtype=pydl.int64) if track else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches seen."""
        if self.track_running_stats:
            self.running_mean.zero_()  # type: ignore[union-attr]
            self.running_var.fill_(1)  # type: ignore[union-attr]
            self.num_batches_tracked.zero_()  # type: ignore[union-attr]

    def reset_parameters(self) -> None:
        """Forget the batches seen; weight 1, bias 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        version = local_metadata.get("version", None)
        if (version is None or version < 2) and self.track_running_stats:
            # Files older than the counter go without it.
            key = prefix + "num_batches_tracked"
            if key not in state_dict and self.num_batches_tracked is not None:
                state_dict[key] = self.num_batches_tracked
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class _BatchNorm(_NormBase):
    """See the classes for each number of dims."""

    _frozen = False  # pydl.hub.freeze: stays in evaluation mode

    def train(self, mode: bool = True) -> Any:
        """Switch to training mode, unless frozen by :func:`pydl.hub.freeze`. Returns this module."""
        return super().train(mode and not self._frozen)

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input; in training the running statistics move."""
        return self._run(input, F.batch_norm)

    def _run(self, input: Tensor, function: Callable[..., Tensor]) -> Tensor:
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        use_batch = self.training or (self.running_mean is None and self.running_var is None)
        keep = not self.training or self.track_running_stats
        return function(
            input,
            self.running_mean if keep else None,
            self.running_var if keep else None,
            self.weight,
            self.bias,
            use_batch,
            momentum,
            self.eps,
        )


def _check_dims(input: Tensor, *allowed: int) -> None:
    if input.dim() not in allowed:
        wanted = " or ".join(f"{n}D" for n in allowed)
        raise ValueError(f"expected {wanted} input (got {input.dim()}D input)")


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of ``(N, C)`` or ``(N, C, L)`` (Ioffe and Szegedy, 2015).

    Args:
        num_features: C.
        eps: added to the variance. Default: 1e-5.
        momentum: weight of a batch in the running statistics; ``None`` for the mean of all batches. Default: 0.1.
        affine: learn a weight and a bias for each channel. Default: ``True``.
        track_running_stats: keep running statistics and use them in evaluation. Default: ``True``.
        bias: learn the bias. Default: ``True``.

    Raises:
        ValueError: an input of another number of dims, or one value per channel in training.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.BatchNorm1d(2)
        >>> _ = layer(pydl.tensor([[1.0, 2.0], [3.0, 2.0]]))
        >>> layer.running_mean
        tensor([0.2000, 0.2000])
    """

    def _check_input_dim(self, input: Tensor) -> None:
        _check_dims(input, 2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of ``(N, C, H, W)``; arguments as :class:`BatchNorm1d`.

    Example:
        >>> import pydl
        >>> pydl.nn.BatchNorm2d(2).eval()(pydl.ones(1, 2, 1, 1)).flatten().detach()
        tensor([1.0000, 1.0000])
    """

    def _check_input_dim(self, input: Tensor) -> None:
        _check_dims(input, 4)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of ``(N, C, D, H, W)``; arguments as :class:`BatchNorm1d`.

    Example:
        >>> import pydl
        >>> pydl.nn.BatchNorm3d(2)(pydl.ones(1, 2, 2, 2, 2)).sum()
        tensor(0., grad_fn=<SumBackward0>)
    """

    def _check_input_dim(self, input: Tensor) -> None:
        _check_dims(input, 5)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation of ``(N, C, *)`` over all processes; with one that is plain batch normalisation.

    Args:
        process_group: must be ``None``: there is one process.

    Example:
        >>> import pydl
        >>> model = pydl.nn.SyncBatchNorm.convert_sync_batchnorm(pydl.nn.Sequential(pydl.nn.BatchNorm1d(2)))
        >>> type(model[0]).__name__
        'SyncBatchNorm'
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        if process_group is not None:
            raise ValueError("SyncBatchNorm(): process_group must be None, there is one process")
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with every batch normalisation below it replaced by this class, sharing parameters and buffers."""
        result = module
        if isinstance(module, _BatchNorm):
            result = cls(
                module.num_features,
                module.eps,
                module.momentum,
                module.affine,
                module.track_running_stats,
                process_group,
                bias=module.bias is not None,
            )
            result.weight, result.bias = module.weight, module.bias
            result.running_mean, result.running_var = module.running_mean, module.running_var
            result.num_batches_tracked = module.num_batches_tracked
            result.training = module.training
        for name, child in module.named_children():
            result.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return result


class _InstanceNorm(_NormBase):
    """See the classes for each number of dims."""

    _sample_dims = 0  # of one sample, (C, *)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _check_input_dim(self, input: Tensor) -> None:
        _check_dims(input, self._sample_dims, self._sample_dims + 1)

    def _apply_norm(self, input: Tensor) -> Tensor:
        return F.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input, of one sample or several."""
        self._check_input_dim(input)
        feature_dim = input.dim() - self._sample_dims
        if input.shape[feature_dim] != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={feature_dim} to match num_features ({self.num_features}), "
                    f"but got: {input.shape[feature_dim]}."
                )
            import warnings

            warnings.warn(
                f"input's size at dim={feature_dim} does not match num_features, "
                "which is not used because affine=False",
                stacklevel=2,
            )
        if feature_dim == 0:
            return self._apply_norm(input.unsqueeze(0)).squeeze(0)
        return self._apply_norm(input)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of ``(N, C, L)`` or ``(C, L)`` (Ulyanov et al., 2016).

    Args:
        num_features: C.
        eps: added to the variance. Default: 1e-5.
        momentum: weight of a batch in the running statistics. Default: 0.1.
        affine: learn a weight and a bias for each channel. Default: ``False``.
        track_running_stats: keep running statistics and use them in evaluation. Default: ``False``.
        bias: learn the bias. Default: ``True``.

    Raises:
        ValueError: an input of another number of dims or channels, or one value per channel and sample.

    Example:
        >>> import pydl
        >>> pydl.nn.InstanceNorm1d(1)(pydl.tensor([[[1.0, 3.0]]]))
        tensor([[[-1.0000,  1.0000]]])
    """

    _sample_dims = 2


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of ``(N, C, H, W)`` or ``(C, H, W)``; arguments as :class:`InstanceNorm1d`.

    Example:
        >>> import pydl
        >>> pydl.nn.InstanceNorm2d(1)(pydl.tensor([[[[1.0, 3.0]]]]))
        tensor([[[[-1.0000,  1.0000]]]])
    """

    _sample_dims = 3


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of ``(N, C, D, H, W)`` or ``(C, D, H, W)``; arguments as :class:`InstanceNorm1d`.

    Example:
        >>> import pydl
        >>> pydl.nn.InstanceNorm3d(1)(pydl.tensor([[[[[1.0, 3.0]]]]]))
        tensor([[[[[-1.0000,  1.0000]]]]])
    """

    _sample_dims = 4


class _LazyNorm(LazyModuleMixin):
    """Takes ``num_features`` from the first input."""

    num_features: int
    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = pydl.tensor(0, dtype=pydl.int64)

    def reset_parameters(self) -> None:
        """Forget the batches seen; weight 1, bias 0; once the sizes are known."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor) -> None:  # type: ignore[override]
        """Give parameters and statistics the number of channels of the first input."""
        if not self.has_uninitialized_params():
            return
        self._check_input_dim(input)
        sample_dims = getattr(self, "_sample_dims", input.dim() - 1)
        self.num_features = input.shape[input.dim() - sample_dims]
        for tensor in (self.weight, self.bias, self.running_mean, self.running_var):
            if tensor is not None:
                tensor.materialize((self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNorm, _BatchNorm):
    """A :class:`BatchNorm1d` that takes ``num_features`` from its first input; the other arguments are the same.

    As in PyTorch ``affine`` and ``track_running_stats`` are ``True`` by default.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyBatchNorm1d()
        >>> y = layer(pydl.rand(2, 3, 4))
        >>> type(layer).__name__, layer.num_features
        ('BatchNorm1d', 3)
    """

    cls_to_become = BatchNorm1d

    def _check_input_dim(self, input: Tensor) -> None:
        _check_dims(input, 2, 3)


class LazyBatchNorm2d(_LazyNorm, _BatchNorm):
    """A :class:`BatchNorm2d` that takes ``num_features`` from its first input; the other arguments are the same.

    As in PyTorch ``affine`` and ``track_running_stats`` are ``True`` by default.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyBatchNorm2d()
        >>> y = layer(pydl.rand(2, 3, 4, 4))
        >>> type(layer).__name__, layer.num_features
        ('BatchNorm2d', 3)
    """

    cls_to_become = BatchNorm2d

    def _check_input_dim(self, input: Tensor) -> None:
        _check_dims(input, 4)


class LazyBatchNorm3d(_LazyNorm, _BatchNorm):
    """A :class:`BatchNorm3d` that takes ``num_features`` from its first input; the other arguments are the same.

    As in PyTorch ``affine`` and ``track_running_stats`` are ``True`` by default.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyBatchNorm3d()
        >>> y = layer(pydl.rand(2, 3, 2, 2, 2))
        >>> type(layer).__name__, layer.num_features
        ('BatchNorm3d', 3)
    """

    cls_to_become = BatchNorm3d

    def _check_input_dim(self, input: Tensor) -> None:
        _check_dims(input, 5)


class LazyInstanceNorm1d(_LazyNorm, _InstanceNorm):
    """A :class:`InstanceNorm1d` that takes ``num_features`` from its first input; the other arguments are the same.

    As in PyTorch ``affine`` and ``track_running_stats`` are ``True`` by default.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyInstanceNorm1d()
        >>> y = layer(pydl.rand(2, 3, 4))
        >>> type(layer).__name__, layer.num_features
        ('InstanceNorm1d', 3)
    """

    cls_to_become = InstanceNorm1d
    _sample_dims = 2


class LazyInstanceNorm2d(_LazyNorm, _InstanceNorm):
    """A :class:`InstanceNorm2d` that takes ``num_features`` from its first input; the other arguments are the same.

    As in PyTorch ``affine`` and ``track_running_stats`` are ``True`` by default.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyInstanceNorm2d()
        >>> y = layer(pydl.rand(2, 3, 4, 4))
        >>> type(layer).__name__, layer.num_features
        ('InstanceNorm2d', 3)
    """

    cls_to_become = InstanceNorm2d
    _sample_dims = 3


class LazyInstanceNorm3d(_LazyNorm, _InstanceNorm):
    """A :class:`InstanceNorm3d` that takes ``num_features`` from its first input; the other arguments are the same.

    As in PyTorch ``affine`` and ``track_running_stats`` are ``True`` by default.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyInstanceNorm3d()
        >>> y = layer(pydl.rand(2, 3, 2, 2, 2))
        >>> type(layer).__name__, layer.num_features
        ('InstanceNorm3d', 3)
    """

    cls_to_become = InstanceNorm3d
    _sample_dims = 4
