"""Neural networks: modules, parameters, initialisation, functions."""

from typing import Any

from pydl.nn import attention, functional, init, modules, utils
from pydl.nn.modules.activation import *  # noqa: F403
from pydl.nn.modules.adaptive import *  # noqa: F403
from pydl.nn.modules.attention import *  # noqa: F403
from pydl.nn.modules.batchnorm import *  # noqa: F403
from pydl.nn.modules.container import *  # noqa: F403
from pydl.nn.modules.conv import *  # noqa: F403
from pydl.nn.modules.convlstm import *  # noqa: F403
from pydl.nn.modules.distance import *  # noqa: F403
from pydl.nn.modules.dropout import *  # noqa: F403
from pydl.nn.modules.flatten import *  # noqa: F403
from pydl.nn.modules.fold import *  # noqa: F403
from pydl.nn.modules.linear import *  # noqa: F403
from pydl.nn.modules.loss import *  # noqa: F403
from pydl.nn.modules.module import Module
from pydl.nn.modules.normalization import *  # noqa: F403
from pydl.nn.modules.padding import *  # noqa: F403
from pydl.nn.modules.pixelshuffle import *  # noqa: F403
from pydl.nn.modules.pooling import *  # noqa: F403
from pydl.nn.modules.rnn import *  # noqa: F403
from pydl.nn.modules.sparse import *  # noqa: F403
from pydl.nn.modules.transformer import *  # noqa: F403
from pydl.nn.modules.upsampling import *  # noqa: F403
from pydl.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "Buffer",
    "Module",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "attention",
    "functional",
    "init",
    "modules",
    "utils",
    *modules.__all__,
]


def __getattr__(name: str) -> Any:
    if name == "blocks":
        import importlib

        return importlib.import_module("pydl.nn.blocks")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "blocks"})
