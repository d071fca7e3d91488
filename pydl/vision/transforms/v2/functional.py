"""The same as :mod:`pydl.vision.transforms.functional`."""

from pydl.vision.transforms.functional import *  # noqa: F403
from pydl.vision.transforms.functional import __all__ as __all__
