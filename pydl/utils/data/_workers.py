"""The main-process side of a DataLoader with workers."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import sys
import time
import weakref
from typing import Any

from pydl.utils.data import _transfer
from pydl.utils.data._worker import End, Failure, Job, run_worker
from pydl.utils.data.dataloader import draw_seed

_JOIN_SECONDS = 5.0


class _Worker:
    """A process, the pipe to it, the pipe from it, and how many tasks it has not answered."""

    def __init__(self, context: Any, job: Job, inherited: list[Any]) -> None:
        child_tasks, self.tasks = context.Pipe(duplex=False)
        self.results, child_results = context.Pipe(duplex=False)
        forks = context.get_start_method() == "fork"
        close = [*inherited, self.tasks, self.results] if forks else []
        self.process = context.Process(target=run_worker, args=(job, child_tasks, child_results, close), daemon=True)
        _start(self.process)
        child_tasks.close()
        child_results.close()
        self.pending: list[int] = []
        self.finished = False

    def submit(self, epoch: int, number: Any, index: Any) -> None:
        if number is not None:
            self.pending.append(number)
        try:
            self.tasks.send((epoch, number, index))
        except (BrokenPipeError, ConnectionResetError):
            raise _died(self) from None


def _start(process: Any) -> None:
    import warnings

    with warnings.catch_warnings():
        # Python 3.12+ warns of any thread at a fork; the core stops its pool in a fork handler.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()


def _died(worker: _Worker) -> RuntimeError:
    worker.process.join(1.0)
    code = worker.process.exitcode
    how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    return RuntimeError(f"DataLoader worker (pid(s) {worker.process.pid}) exited unexpectedly: {how}")


def _shutdown(workers: list[_Worker]) -> None:
    """Ask the workers to stop, then insist. Closing the pipes also ends one that is stuck in a write."""
    for worker in workers:
        try:
            worker.tasks.send(None)
        except OSError:
            pass
        worker.results.close()
        worker.tasks.close()
    deadline = time.monotonic() + _JOIN_SECONDS
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.terminate()
            worker.process.join(1.0)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
    workers.clear()


def _context(choice: Any) -> Any:
    if choice is not None and not isinstance(choice, str):
        return choice
    if choice is None and "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin":
        choice = "fork"
    return multiprocessing.get_context(choice)


class WorkerIterator:
    """One epoch (or with persistent workers, one after the other) of batches made by worker processes."""

    def __init__(self, loader: Any) -> None:
        self._seed = draw_seed(loader.generator)
        context = _context(loader.multiprocessing_context)
        self._workers: list[_Worker] = []
        self._close = weakref.finalize(self, _shutdown, self._workers)
        inherited: list[Any] = []
        for i in range(loader.num_workers):
            job = Job(
                loader.dataset,
                loader._auto_collation,
                loader.collate_fn,
                loader.drop_last,
                loader.worker_init_fn,
                i,
                loader.num_workers,
                self._seed,
            )
            worker = _Worker(context, job, inherited)
            inherited += [worker.tasks, worker.results]
            self._workers.append(worker)
        self._epoch = 0
        self._begin(loader)

    def restart(self, loader: Any) -> None:
        """Begin the next epoch with the same workers; answers of an epoch left early are passed over."""
        self._seed = draw_seed(loader.generator)
        self._epoch += 1
        for worker in self._workers:
            worker.submit(self._epoch, None, self._seed)
        self._begin(loader)

    def _begin(self, loader: Any) -> None:
        self._indices = iter(loader._index_sampler)
        self._length = loader.__len__
        self._keep = loader.persistent_workers
        self._in_order = loader.in_order
        self._timeout = loader.timeout or None
        self._is_stream = loader._is_stream
        self._answers: dict[int, Any] = {}
        self._sent = 0
        self._given = 0
        self._exhausted = False
        for worker in self._workers:
            worker.pending = []
            worker.finished = False
        self._turn = 0
        for _ in range(loader.prefetch_factor * len(self._workers)):
            self._send_next()

    def __iter__(self) -> WorkerIterator:
        return self

    def __len__(self) -> int:
        return self._length()

    def _send_next(self) -> None:
        """Give the next indices to the worker whose turn it is, skipping those whose stream has ended."""
        if self._exhausted:
            return
        for _ in self._workers:
            worker = self._workers[self._turn % len(self._workers)]
            self._turn += 1
            if not worker.finished:
                break
        else:
            return
        try:
            index = next(self._indices)
        except StopIteration:
            self._exhausted = True
            return
        worker.submit(self._epoch, self._sent, index)
        self._sent += 1

    def __next__(self) -> Any:
        while self._given < self._sent or self._answers:
            number = self._given if self._in_order else next(iter(self._answers), None)
            if number not in self._answers:
                if not any(worker.pending for worker in self._workers) and not self._answers:
                    break
                self._receive()
                continue
            answer = self._answers.pop(number)
            self._given += self._in_order
            if isinstance(answer, End):
                continue
            self._send_next()
            if isinstance(answer, Failure):
                if not self._keep:
                    self._close()
                answer.reraise()
            return answer
        if not self._keep:
            self._close()
        raise StopIteration

    def _receive(self) -> None:
        """Wait for answers and take those that are there."""
        busy = {worker.results: worker for worker in self._workers if worker.pending}
        ready = multiprocessing.connection.wait(list(busy), self._timeout)
        if not ready:
            self._close()
            raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
        for connection in ready:
            worker = busy[connection]  # type: ignore[index]
            try:
                epoch, number, answer = _transfer.receive(connection)
            except (EOFError, OSError):
                error = _died(worker)
                self._close()
                raise error from None
            if epoch != self._epoch:
                continue
            worker.pending.remove(number)
            self._answers[number] = answer
            if isinstance(answer, End) and not worker.finished:
                worker.finished = True
                self._send_next()
