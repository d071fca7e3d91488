"""Data sets, samplers and the DataLoader."""

from pydl.utils.data import dataset, sampler
from pydl.utils.data._collate import default_collate, default_convert
from pydl.utils.data._curriculum import CurriculumSampler
from pydl.utils.data._worker import get_worker_info
from pydl.utils.data.dataloader import DataLoader
from pydl.utils.data.dataset import *  # noqa: F403
from pydl.utils.data.distributed import DistributedSampler
from pydl.utils.data.sampler import *  # noqa: F403

__all__ = [
    "CurriculumSampler",
    "DataLoader",
    "DistributedSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    *dataset.__all__,
    *sampler.__all__,
]
