"""Names of PyTorch's compiler and mixed precision at the top level. Programs run eagerly, in the tensors' own
dtypes."""

from __future__ import annotations

from typing import Any

import pydl

__all__ = ["compile", "get_autocast_dtype", "is_autocast_enabled"]


def compile(model: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The function or module as it is; a decorator where it is called without one. All options are accepted.

    >>> model = pydl.nn.Linear(2, 3)
    >>> pydl.compile(model, mode="max-autotune") is model
    True
    """
    return model if model is not None else (lambda function: function)


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether some ops compute in a lower precision: no.

    >>> pydl.is_autocast_enabled("cpu")
    False
    """
    return False


def get_autocast_dtype(device_type: str) -> Any:
    """The dtype that :class:`pydl.autocast` would use: bfloat16, of 'cuda' float16.

    >>> pydl.get_autocast_dtype("cpu")
    torch.bfloat16
    """
    return pydl.float16 if device_type == "cuda" else pydl.bfloat16
