"""The same as :mod:`pydl.vision.transforms`, with what own transforms look for in a sample."""

import pydl.vision.transforms.v2.functional as _functional
from pydl.vision.transforms import *  # noqa: F403
from pydl.vision.transforms import __all__ as _names
from pydl.vision.transforms.v2 import _queries
from pydl.vision.transforms.v2._queries import *  # noqa: F403

globals()["functional"] = _functional  # the star brought the other one

__all__ = [*_names, *_queries.__all__]
