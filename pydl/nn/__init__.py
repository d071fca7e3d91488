"""Neural networks: modules, parameters, initialisation, functions."""

from pydl.nn import functional, init, modules, utils
from pydl.nn.modules import *  # noqa: F403
from pydl.nn.parameter import Buffer, Parameter

__all__ = ["Buffer", "Parameter", "functional", "init", "modules", "utils", *modules.__all__]
