"""The transforms under the name of the module in which torchvision has them."""

from pydl.vision.transforms import *  # noqa: F403
from pydl.vision.transforms import __all__ as __all__
