"""Python's `multiprocessing`, with `spawn`. Tensors go to other processes as copies; the data loader shares memory.

>>> pydl.multiprocessing.get_sharing_strategy()
'file_system'
"""

from __future__ import annotations

import multiprocessing as _python
from collections.abc import Callable
from multiprocessing import *  # noqa: F403
from typing import Any

__all__ = [*_python.__all__, "get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy", "spawn"]  # noqa: PLE0604


def get_all_sharing_strategies() -> set[str]:
    """Ways to share memory: the file system's.

    >>> pydl.multiprocessing.get_all_sharing_strategies()
    {'file_system'}
    """
    return {"file_system"}


def get_sharing_strategy() -> str:
    """The way in use.

    >>> pydl.multiprocessing.get_sharing_strategy()
    'file_system'
    """
    return "file_system"


def set_sharing_strategy(new_strategy: str) -> None:
    """Chooses a way: 'file_system' or 'file_descriptor', which are the same here.

    >>> pydl.multiprocessing.set_sharing_strategy("file_system")
    """
    if new_strategy not in ("file_system", "file_descriptor"):
        raise AssertionError(f"set_sharing_strategy(): unknown strategy {new_strategy!r}")


def _run(fn: Callable[..., None], index: int, args: tuple[Any, ...], errors: Any) -> None:
    try:
        fn(index, *args)
    except BaseException as error:
        import traceback

        errors.put((index, traceback.format_exc()))
        raise SystemExit(1) from error


def spawn(
    fn: Callable[..., None],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> Any:
    """Runs ``fn(i, *args)`` in ``nprocs`` processes.

    Args:
        fn: a function of a module, its first argument the number of the process.
        join: waits for all and raises RuntimeError with the traceback of one that failed; otherwise the list of
            processes is returned.
        daemon, start_method: as in `multiprocessing`.

    >>> pydl.multiprocessing.spawn(print, nprocs=0)
    """
    context: Any = _python.get_context(start_method)
    errors = context.SimpleQueue()
    workers = [context.Process(target=_run, args=(fn, i, args, errors), daemon=daemon) for i in range(nprocs)]
    for worker in workers:
        worker.start()
    if not join:
        return workers
    for worker in workers:
        worker.join()
    for i, worker in enumerate(workers):
        if worker.exitcode:
            said = (
                ""
                if errors.empty()
                else "\n\n-- Process {} terminated with the following error:\n{}".format(*errors.get())
            )
            raise RuntimeError(f"spawn(): process {i} ended with exit status {worker.exitcode}{said}")
    return None
