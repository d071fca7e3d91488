"""The same as :mod:`pydl.vision.transforms`."""

from pydl.vision.transforms import *  # noqa: F403
from pydl.vision.transforms import __all__ as __all__
from pydl.vision.transforms.v2 import functional as functional
