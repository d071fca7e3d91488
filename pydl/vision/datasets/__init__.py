"""Data sets in their original file formats, under torchvision's names. Nothing is downloaded."""

from pydl.vision.datasets.cifar import CIFAR10, CIFAR100
from pydl.vision.datasets.mnist import EMNIST, KMNIST, MNIST, FashionMNIST, read_idx
from pydl.vision.datasets.vision import VisionDataset

__all__ = ["CIFAR10", "CIFAR100", "EMNIST", "KMNIST", "MNIST", "FashionMNIST", "VisionDataset", "read_idx"]
