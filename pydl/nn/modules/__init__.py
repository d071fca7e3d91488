"""Layers, by topic; all of them are names of ``pydl.nn``."""

from pydl.nn.modules import (
    activation,
    adaptive,
    attention,
    batchnorm,
    container,
    conv,
    convlstm,
    distance,
    dropout,
    flatten,
    fold,
    linear,
    loss,
    normalization,
    padding,
    pixelshuffle,
    pooling,
    rnn,
    sparse,
    transformer,
    upsampling,
)
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

__all__ = [
    "Module",
    *activation.__all__,
    *adaptive.__all__,
    *attention.__all__,
    *batchnorm.__all__,
    *container.__all__,
    *conv.__all__,
    *convlstm.__all__,
    *distance.__all__,
    *dropout.__all__,
    *flatten.__all__,
    *fold.__all__,
    *linear.__all__,
    *loss.__all__,
    *normalization.__all__,
    *padding.__all__,
    *pixelshuffle.__all__,
    *pooling.__all__,
    *rnn.__all__,
    *sparse.__all__,
    *transformer.__all__,
    *upsampling.__all__,
]
