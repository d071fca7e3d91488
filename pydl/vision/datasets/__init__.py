"""Data sets in their original file formats, under torchvision's names. Nothing is downloaded."""

from pydl.vision.datasets._wrapped import wrap_dataset_for_transforms_v2
from pydl.vision.datasets.cifar import CIFAR10, CIFAR100
from pydl.vision.datasets.coco import COCO, CocoCaptions, CocoDetection
from pydl.vision.datasets.folder import DatasetFolder, FakeData, ImageFolder
from pydl.vision.datasets.mnist import EMNIST, KMNIST, MNIST, FashionMNIST, read_idx
from pydl.vision.datasets.vision import VisionDataset
from pydl.vision.datasets.voc import VOCDetection, VOCSegmentation

__all__ = [
    "CIFAR10", "CIFAR100", "COCO", "EMNIST", "KMNIST", "MNIST", "CocoCaptions", "CocoDetection", "DatasetFolder",
    "FakeData", "FashionMNIST", "ImageFolder", "VOCDetection", "VOCSegmentation", "VisionDataset", "read_idx",
    "wrap_dataset_for_transforms_v2",
]  # fmt: skip
