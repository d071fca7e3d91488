"""Functions behind the modules, without state."""

from pydl.nn.functional import activation, loss, padding
from pydl.nn.functional import linear as _linear
from pydl.nn.functional.activation import *  # noqa: F403
from pydl.nn.functional.linear import *  # noqa: F403
from pydl.nn.functional.loss import *  # noqa: F403
from pydl.nn.functional.padding import *  # noqa: F403

__all__ = [*activation.__all__, *_linear.__all__, *loss.__all__, *padding.__all__]
