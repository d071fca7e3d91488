"""Images from and to files, through Pillow."""

from pydl.vision.io import image
from pydl.vision.io.image import *  # noqa: F403

__all__ = ["image", *image.__all__]
