"""PyTorch's names for mixed precision. Computation stays in the tensors' own dtypes: no CPU kernel here gains from
it yet.

Programs that use the context and the scaler run, and give the numbers of full precision.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pydl

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


class autocast(contextlib.ContextDecorator):
    """A context, or decorator, in which PyTorch would lower the precision of some ops; here they keep theirs.

    Args:
        device_type: 'cpu', or 'cuda', where nothing is to be done either.
        dtype, enabled, cache_enabled: accepted.

    >>> with pydl.autocast("cpu", dtype=pydl.bfloat16):
    ...     (pydl.ones(2, 2) @ pydl.ones(2, 2)).dtype
    torch.float32
    """

    def __init__(
        self, device_type: str = "cuda", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, (str, bool)):
            raise ValueError(f"autocast(): device_type must be a string, got {type(device_type).__name__}")
        if isinstance(device_type, str):
            pydl.device(device_type)  # raises for an unknown kind
        self.device_type, self.fast_dtype, self.enabled = device_type, dtype, enabled

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *error: Any) -> None:
        return None


def is_autocast_available(device_type: str) -> bool:
    """Whether :class:`autocast` takes this kind of device.

    >>> pydl.amp.is_autocast_available("cpu")
    True
    """
    return pydl.device(device_type).type in ("cpu", "cuda")


def custom_fwd(fwd: Any = None, *, device_type: str = "cuda", cast_inputs: Any = None) -> Any:
    """Marks a forward function for mixed precision: the function itself.

    >>> pydl.amp.custom_fwd(abs) is abs
    True
    """
    return fwd if fwd is not None else (lambda function: function)


def custom_bwd(bwd: Any = None, *, device_type: str = "cuda") -> Any:
    """Marks a backward function for mixed precision: the function itself.

    >>> pydl.amp.custom_bwd(abs) is abs
    True
    """
    return bwd if bwd is not None else (lambda function: function)


class GradScaler:
    """Scales losses so that gradients in half precision do not vanish. On the CPU, as in PyTorch without a GPU, it
    is disabled.

    Args:
        device, init_scale, growth_factor, backoff_factor, growth_interval, enabled: accepted.

    >>> w = pydl.tensor([2.0], requires_grad=True)
    >>> optimizer, scaler = pydl.optim.SGD([w], lr=0.5), pydl.amp.GradScaler()
    >>> scaler.scale((w * w).sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w.tolist(), scaler.is_enabled()
    ([0.0], False)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        pass

    def scale(self, outputs: Any) -> Any:
        """The outputs as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing: gradients are not scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """``optimizer.step()``."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Nothing: the scale is 1."""

    def get_scale(self) -> float:
        """1."""
        return 1.0

    def is_enabled(self) -> bool:
        """False."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Empty, as that of PyTorch's disabled scaler."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes any state, without effect."""
