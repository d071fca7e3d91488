"""Neural networks: modules, parameters, initialisation, functions."""

from pydl.nn import functional, init, modules, utils
from pydl.nn.modules.activation import *  # noqa: F403
from pydl.nn.modules.container import *  # noqa: F403
from pydl.nn.modules.dropout import *  # noqa: F403
from pydl.nn.modules.flatten import *  # noqa: F403
from pydl.nn.modules.linear import *  # noqa: F403
from pydl.nn.modules.loss import *  # noqa: F403
from pydl.nn.modules.module import Module
from pydl.nn.modules.sparse import *  # noqa: F403
from pydl.nn.parameter import Buffer, Parameter

__all__ = ["Buffer", "Module", "Parameter", "functional", "init", "modules", "utils", *modules.__all__]
