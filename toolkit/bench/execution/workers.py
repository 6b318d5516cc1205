"""Worker processes of this machine, any of which may die: its task is done again, the others never notice."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

ATTEMPTS = 3
"""How often a task is tried when its worker dies; after that it has failed."""

Task = TypeVar("Task")
Result = TypeVar("Result")


class _Begun(NamedTuple):
    """A task in a worker's hands."""

    task: Any
    call: tuple[Any, ...]
    attempts: int
    pool: ProcessPoolExecutor


class Workers(Generic[Task, Result]):
    """Processes that do one task each at a time.

    Each is a pool of its own: when a process of a shared pool dies, all tasks in hand are lost, and if another one is
    being started just then, Python 3.11 waits for it for ever.
    """

    def __init__(self) -> None:
        """Prepare; processes start with the first tasks."""
        self._idle: list[ProcessPoolExecutor] = []
        self._begun: dict[Future[Result], _Begun] = {}

    def __enter__(self) -> Workers[Task, Result]:
        """Workers for the length of a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes, each after what it has in hand."""
        for pool in (*self._idle, *(begun.pool for begun in self._begun.values())):
            pool.shutdown()

    @property
    def busy(self) -> int:
        """How many tasks workers have begun and not finished."""
        return len(self._begun)

    def begin(self, task: Task, function: Callable[..., Result], *arguments: Any) -> None:
        """Do a task, `function(*arguments)`, in a process that is free, or in a new one."""
        self._begin(task, (function, *arguments), ATTEMPTS)

    def finished(self) -> tuple[Task, Result | Exception]:
        """Wait for a task in hand; its result, or the error that ended it.

        A worker that dies is replaced; a task that outlives `ATTEMPTS` workers ends with `BrokenProcessPool`.
        """
        while True:
            future = wait(self._begun, return_when=FIRST_COMPLETED).done.pop()
            begun = self._begun.pop(future)
            error = future.exception()
            if not isinstance(error, BrokenProcessPool):
                self._idle.append(begun.pool)
                return begun.task, _as_exception(error) or future.result()
            begun.pool.shutdown()
            if begun.attempts == 1:
                return begun.task, error
            self._begin(begun.task, begun.call, begun.attempts - 1)

    def _begin(self, task: Task, call: tuple[Any, ...], attempts: int) -> None:
        pool = self._idle.pop() if self._idle else _process()
        try:
            future = pool.submit(*call)
        except BrokenProcessPool:  # it died while it had nothing to do
            pool.shutdown()
            pool = _process()
            future = pool.submit(*call)
        self._begun[future] = _Begun(task, call, attempts, pool)


def _process() -> ProcessPoolExecutor:
    """A spawned process that leaves Ctrl-C, which reaches a whole process group, to this one."""
    context = multiprocessing.get_context("spawn")  # forked threads of torch may hang
    return ProcessPoolExecutor(1, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))


def _as_exception(error: BaseException | None) -> Exception | None:
    """An error of a task; what is more than an error, such as an exit, is this process's, too."""
    if error is None or isinstance(error, Exception):
        return error
    raise error
