"""Losses that PyTorch itself does not have, each as a module and as a function.

A function takes the arguments of its module's ``forward`` first, then those of the constructor. ``reduction`` is
``"mean"``, ``"sum"`` or ``"none"``; shapes are never broadcast silently; 16-bit floats are computed in float32; where
a norm or a distance vanishes its derivative is 0.
"""

from __future__ import annotations

from pydl.losses import (
    adversarial,
    boundary,
    classification,
    combining,
    detection,
    embedding,
    features,
    histogram,
    images,
    information,
    margin,
    overlap,
    points,
    regression,
    segmentation,
    transport,
)
from pydl.losses.adversarial import *  # noqa: F403
from pydl.losses.boundary import *  # noqa: F403
from pydl.losses.classification import *  # noqa: F403
from pydl.losses.combining import *  # noqa: F403
from pydl.losses.detection import *  # noqa: F403
from pydl.losses.embedding import *  # noqa: F403
from pydl.losses.features import *  # noqa: F403
from pydl.losses.histogram import *  # noqa: F403
from pydl.losses.images import *  # noqa: F403
from pydl.losses.information import *  # noqa: F403
from pydl.losses.margin import *  # noqa: F403
from pydl.losses.overlap import *  # noqa: F403
from pydl.losses.points import *  # noqa: F403
from pydl.losses.regression import *  # noqa: F403
from pydl.losses.segmentation import *  # noqa: F403
from pydl.losses.transport import *  # noqa: F403

__all__ = [
    *adversarial.__all__,
    *boundary.__all__,
    *classification.__all__,
    *combining.__all__,
    *detection.__all__,
    *embedding.__all__,
    *features.__all__,
    *histogram.__all__,
    *images.__all__,
    *information.__all__,
    *margin.__all__,
    *overlap.__all__,
    *points.__all__,
    *regression.__all__,
    *segmentation.__all__,
    *transport.__all__,
]
