"""Layers, by topic; all of them are names of ``pydl.nn``."""

from pydl.nn.modules import activation, container, dropout, flatten, linear, loss, sparse
from pydl.nn.modules.activation import *  # noqa: F403
from pydl.nn.modules.container import *  # noqa: F403
from pydl.nn.modules.dropout import *  # noqa: F403
from pydl.nn.modules.flatten import *  # noqa: F403
from pydl.nn.modules.linear import *  # noqa: F403
from pydl.nn.modules.loss import *  # noqa: F403
from pydl.nn.modules.module import Module
from pydl.nn.modules.sparse import *  # noqa: F403

__all__ = [
    "Module",
    *activation.__all__,
    *container.__all__,
    *dropout.__all__,
    *flatten.__all__,
    *linear.__all__,
    *loss.__all__,
    *sparse.__all__,
]
