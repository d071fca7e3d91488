"""Functions behind the modules, without state."""

from pydl.nn.functional import (
    activation,
    attention,
    conv,
    dropouts,
    loss,
    normalization,
    padding,
    pooling,
    sparse,
    vision,
)
from pydl.nn.functional import linear as _linear
from pydl.nn.functional.activation import *  # noqa: F403
from pydl.nn.functional.attention import *  # noqa: F403
from pydl.nn.functional.conv import *  # noqa: F403
from pydl.nn.functional.dropouts import *  # noqa: F403
from pydl.nn.functional.linear import *  # noqa: F403
from pydl.nn.functional.loss import *  # noqa: F403
from pydl.nn.functional.normalization import *  # noqa: F403
from pydl.nn.functional.padding import *  # noqa: F403
from pydl.nn.functional.pooling import *  # noqa: F403
from pydl.nn.functional.sparse import *  # noqa: F403
from pydl.nn.functional.vision import *  # noqa: F403

__all__ = [
    *activation.__all__,
    *attention.__all__,
    *conv.__all__,
    *dropouts.__all__,
    *sparse.__all__,
    *_linear.__all__,
    *loss.__all__,
    *normalization.__all__,
    *padding.__all__,
    *pooling.__all__,
    *vision.__all__,
]
