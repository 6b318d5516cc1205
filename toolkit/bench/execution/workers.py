"""Worker processes of this machine. If one dies, its task is done again, and the others continue."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

from toolkit.children import begin_worker

ATTEMPTS = 3
"""How often a task is tried when its worker dies; after that it has failed."""

Task = TypeVar("Task")
Result = TypeVar("Result")


NUMBER = object()
"""Among the arguments of a task it stands for the number of the worker that does it."""


class _Process(NamedTuple):
    """A worker's process, in a pool of its own; one that replaces a dead one has its number."""

    number: int
    pool: ProcessPoolExecutor


class _Begun(NamedTuple):
    """A task in a worker's hands."""

    task: Any
    call: tuple[Any, ...]
    attempts: int
    process: _Process


class Workers(Generic[Task, Result]):
    """Processes that do one task each at a time.

    Each is a pool of its own: when a process of a shared pool dies, all its current tasks are lost, and if another
    process is being started just then, Python 3.11 never stops waiting for it.
    """

    def __init__(self) -> None:
        """Prepare; processes start with the first tasks."""
        self._idle: list[_Process] = []
        self._begun: dict[Future[Result], _Begun] = {}

    def __enter__(self) -> Workers[Task, Result]:
        """Workers for the length of a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes, each after its current task."""
        for process in self._processes():
            process.pool.shutdown()

    @property
    def busy(self) -> int:
        """How many tasks workers have begun and not finished."""
        return len(self._begun)

    def begin(self, task: Task, function: Callable[..., Result], *arguments: Any) -> None:
        """Do a task, `function(*arguments)`, in a process that is free, or in a new one."""
        self._begin(task, (function, *arguments), ATTEMPTS)

    def finished(self) -> tuple[Task, Result | Exception]:
        """Wait for a task that was begun; its result, or the error that ended it.

        A worker that dies is replaced; a task that outlives `ATTEMPTS` workers ends with `BrokenProcessPool`.
        """
        while True:
            future = wait(self._begun, return_when=FIRST_COMPLETED).done.pop()
            begun = self._begun.pop(future)
            error = future.exception()
            if not isinstance(error, BrokenProcessPool):
                self._idle.append(begun.process)
                return begun.task, _as_exception(error) or future.result()
            begun.process.pool.shutdown()
            if begun.attempts == 1:
                return begun.task, error
            self._begin(begun.task, begun.call, begun.attempts - 1)

    def _begin(self, task: Task, call: tuple[Any, ...], attempts: int) -> None:
        process = self._idle.pop(0) if self._idle else _started(self._free_number())
        try:
            future = _submitted(process, call)
        except BrokenProcessPool:  # it died while it had nothing to do
            process.pool.shutdown()
            process = _started(process.number)
            future = _submitted(process, call)
        self._begun[future] = _Begun(task, call, attempts, process)

    def _processes(self) -> list[_Process]:
        return [*self._idle, *(begun.process for begun in self._begun.values())]

    def _free_number(self) -> int:
        """The smallest that no worker has."""
        taken = {process.number for process in self._processes()}
        return next(number for number in itertools.count() if number not in taken)


def _started(number: int) -> _Process:
    """A worker with its number: a pool of one process, which is spawned with its first task."""
    context = multiprocessing.get_context("spawn")  # forked threads of torch may hang
    return _Process(number, ProcessPoolExecutor(1, context, begin_worker))


def _submitted(process: _Process, call: tuple[Any, ...]) -> Future[Any]:
    function, *arguments = call
    return process.pool.submit(function, *(process.number if each is NUMBER else each for each in arguments))


def _as_exception(error: BaseException | None) -> Exception | None:
    """An error of a task; what is more than an error, such as an exit, is this process's, too."""
    if error is None or isinstance(error, Exception):
        return error
    raise error
