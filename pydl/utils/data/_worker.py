"""The worker side of a DataLoader."""

from __future__ import annotations

import os
import queue
import threading
import traceback
from dataclasses import dataclass
from typing import Any

import pydl
from pydl.utils.data import _transfer
from pydl.utils.data._fetch import make_fetcher


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows about itself: ``id``, ``num_workers``, ``seed``, its copy of ``dataset``."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process: who it is. In the main process: ``None``.

    Example:
        >>> import pydl
        >>> pydl.utils.data.get_worker_info() is None
        True
    """
    return _info


@dataclass(frozen=True)
class Failure:
    """An exception on its way to the main process."""

    kind: type[BaseException]
    text: str
    where: str

    @classmethod
    def of(cls, error: BaseException, where: str) -> Failure:
        return cls(type(error), "".join(traceback.format_exception(type(error), error, error.__traceback__)), where)

    def reraise(self) -> None:
        """Raise the same type with the worker's traceback as message."""
        message = f"Caught {self.kind.__name__} {self.where}.\nOriginal {self.text}"
        if self.kind is KeyError:
            raise _ReadableKeyError(message)
        try:
            error = self.kind(message)
        except Exception:
            raise RuntimeError(message) from None  # the type wants other arguments
        raise error


class _ReadableKeyError(KeyError):
    """A KeyError whose message keeps its line breaks."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class End:
    """A worker's stream is exhausted."""


@dataclass
class Job:
    """What a worker is started with."""

    dataset: Any
    auto: bool
    collate_fn: Any
    drop_last: bool
    init_fn: Any
    worker_id: int
    num_workers: int
    base_seed: int


def _seed_everything(seed: int) -> None:
    import random

    import numpy as np

    pydl.manual_seed(seed)
    random.seed(seed)
    np.random.seed(np.random.SeedSequence(seed & (2**64 - 1)).generate_state(4))


def _read_tasks(tasks: Any, inbox: queue.SimpleQueue[Any]) -> None:
    """Empty the task pipe at all times: were both sides to wait in a write, nobody would ever read."""
    while True:
        try:
            task = tasks.recv()
        except (EOFError, OSError):
            os._exit(0)  # the main process is gone
        inbox.put(task)
        if task is None:
            return


def run_worker(job: Job, tasks: Any, results: Any, inherited: list[Any]) -> None:
    """Answer tasks ``(epoch, number, index)`` until ``None`` comes. ``(epoch, None, seed)`` starts a new epoch."""
    global _info
    for connection in inherited:
        connection.close()  # else a forked worker would keep its siblings' pipes open
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read_tasks, args=(tasks, inbox), daemon=True).start()
    pydl.set_num_threads(1)
    seed = job.base_seed + job.worker_id
    _seed_everything(seed)
    _info = WorkerInfo(job.worker_id, job.num_workers, seed, job.dataset)
    where = f"in DataLoader worker process {job.worker_id}"
    fetch: Any = None
    failed: Failure | None = None
    try:
        if job.init_fn is not None:
            job.init_fn(job.worker_id)
    except Exception as error:
        failed = Failure.of(error, where)
    while (task := inbox.get()) is not None:
        epoch, number, index = task
        if number is None:
            fetch = None
            continue
        answer: Any = failed
        if failed is None:
            try:
                fetch = fetch or make_fetcher(job.dataset, job.auto, job.collate_fn, job.drop_last)
                answer = fetch(index)
            except StopIteration:
                answer = End()
            except Exception as error:
                answer = Failure.of(error, where)
        _answer(results, epoch, number, answer, where)


def _answer(results: Any, epoch: int, number: int, answer: Any, where: str) -> None:
    try:
        _transfer.send(results, (epoch, number, answer))
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)
    except Exception as error:
        failure = Failure.of(error, where)
        try:
            _transfer.send(results, (epoch, number, failure))
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)
        except Exception:  # the exception's own type cannot be pickled
            _transfer.send(results, (epoch, number, Failure(RuntimeError, failure.text, where)))
