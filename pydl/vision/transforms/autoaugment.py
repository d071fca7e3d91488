"""The automatic augmentations under the name of the module in which torchvision has them."""

from pydl.vision.transforms._auto import AugMix, AutoAugment, AutoAugmentPolicy, RandAugment, TrivialAugmentWide

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]
