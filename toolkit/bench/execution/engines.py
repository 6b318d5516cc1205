"""Working on many units at once: processes of this machine, or a Ray cluster with a shared folder.

A shard is what one method has to do with one input picture, in all protocols, so that its inversion is made once; a
piece of precompute is a shard of its own. A worker opens the run by itself from a plain description and returns
records; the process that runs the bench writes them down. Numbers do not depend on who computed them, as long as thread
counts are the same.
"""

from __future__ import annotations

import functools
import os
import socket
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from toolkit import strangers
from toolkit.bench.execution.runs import ProtocolRun, open_runs
from toolkit.bench.execution.schedule import Engine, LocalEngine
from toolkit.bench.execution.units import Address, Unit, unit_at
from toolkit.bench.execution.workers import ATTEMPTS, Workers
from toolkit.bench.records.units import CellRecord, InversionRecord
from toolkit.bench.subjects.description import RunDescription, open_run
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.errors import InputError, MissingDependencyError, OutputError

ENGINES = ("local", "processes", "ray")

Shard = list[Unit]
Outcome = tuple[list[CellRecord], list[tuple[str, InversionRecord]]]
"""Records of a shard's units, and of the inversions made for them, with their keys."""


def open_engine(
    name: str, description: RunDescription, workers: int | None = None, address: str | None = None
) -> Engine:
    """Make an engine by its name: local, processes or ray.

    Raises:
        InputError: Another name.
        MissingDependencyError: Ray is not installed.
    """
    if name == "local":
        return LocalEngine()
    if name == "processes":
        return ProcessEngine(description.for_workers(), workers or 2)
    if name == "ray":
        return RayEngine(description.for_workers(), workers, address)
    raise InputError(f"--engine must be one of {', '.join(ENGINES)}, got {name!r}")


def shards_of(units: Sequence[Unit]) -> list[Shard]:
    """Group units by what they share, in their order."""
    found: dict[Hashable, Shard] = defaultdict(list)
    for unit in units:
        found[unit.shard].append(unit)
    return list(found.values())


def run_shard(description: RunDescription, addresses: Sequence[Address]) -> Outcome:
    """What a worker does: the units of a shard."""
    methods, runs = _opened(_Key(description))
    records = [unit_at(address, runs, methods).measure() for address in addresses]
    made: list[tuple[str, InversionRecord]] = []
    for inversions in {id(run.inversions): run.inversions for run in runs.values()}.values():
        made += inversions.store.added
        inversions.store.added.clear()
    return records, made


class _Key:
    """A description as a cache key: pickled copies of one are equal."""

    def __init__(self, description: RunDescription) -> None:
        self.description = description

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.description == self.description

    def __hash__(self) -> int:
        return hash((self.description.generator, self.description.methods))


@functools.lru_cache(maxsize=1)
def _opened(key: _Key) -> tuple[dict[str, ComparedMethod], dict[str, ProtocolRun]]:
    """Open a run once per worker."""
    strangers.limit_time(key.description.time_limit)
    generator, methods, _ = open_run(key.description)
    runs, _ = open_runs(key.description.requests, generator, lambda text: None, writes=False)
    return {each.name: each for each in methods}, {run.title: run for run in runs}


def _settle(shard: Shard, outcome: Outcome | Exception) -> list[tuple[Unit, CellRecord]]:
    """Write a shard's records down; an error of the worker is every unit's failure."""
    if isinstance(outcome, OutputError):  # the disk is full for everybody
        raise outcome
    if isinstance(outcome, Exception):
        message = f"{type(outcome).__name__}: {outcome}".splitlines()[0]
        return [(unit, unit.keep(unit.record(error=f"the worker died: {message}", stage="worker"))) for unit in shard]
    records, made = outcome
    for key, record in made:
        shard[0].run.inversions.store.append(key, record)
    return [(unit, unit.keep(record)) for unit, record in zip(shard, records, strict=True)]


def _addresses(shard: Shard) -> list[Address]:
    return [unit.address for unit in shard]


class ProcessEngine:
    """Worker processes on this machine."""

    name = "processes"

    def __init__(self, description: RunDescription, workers: int) -> None:
        """Prepare; processes start with the first units."""
        self._description, self.width = description, workers

    def run(self, units: Sequence[Unit]) -> Iterator[tuple[Unit, CellRecord]]:
        """Work on units; a worker that dies is replaced, and its shard done again."""
        waiting = deque(shards_of(units))
        with Workers[Shard, Outcome]() as workers:
            try:
                while waiting or workers.busy:
                    while waiting and workers.busy < self.width:
                        shard = waiting.popleft()
                        workers.begin(shard, run_shard, self._description, _addresses(shard))
                    yield from _settle(*workers.finished())
            except GeneratorExit:  # interrupted: what is in hand is finished and kept
                while workers.busy:
                    _settle(*workers.finished())
                raise


class RayEngine:
    """Tasks of a Ray cluster, whose machines see the run's folder and data under the same paths."""

    name = "ray"

    def __init__(self, description: RunDescription, workers: int | None, address: str | None) -> None:
        """Join a cluster, or start one on this machine.

        Raises:
            MissingDependencyError: Ray is not installed.
            InputError: There is no cluster at the address.
        """
        try:
            import ray
        except ImportError as error:
            raise MissingDependencyError("ray", "--engine ray", "ray") from error
        self._ray, self._description = ray, description
        if not ray.is_initialized():
            address = address or os.environ.get("RAY_ADDRESS") or None
            if address is not None:
                _check_listens(address)
            local: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
            try:
                ray.init(address=address, log_to_driver=False, **({} if address else local))
            except Exception as error:  # Ray has no family of its own for this
                if address is None:
                    raise
                raise _no_cluster(address, error) from error
        self.width = max(1, int(ray.cluster_resources().get("CPU", 1)))

    def run(self, units: Sequence[Unit]) -> Iterator[tuple[Unit, CellRecord]]:
        """Work on units; Ray starts a task again when its worker dies."""
        gpus = 1 if self._description.device.startswith("cuda") else 0
        task: Any = self._ray.remote(num_cpus=1, num_gpus=gpus, max_retries=ATTEMPTS - 1)(run_shard)
        described = self._ray.put(self._description)
        waiting, running = deque(shards_of(units)), dict[Any, Shard]()
        try:
            while waiting or running:
                while waiting and len(running) < self.width:
                    shard = waiting.popleft()
                    running[task.remote(described, _addresses(shard))] = shard
                yield from self._settled(running)
        except GeneratorExit:  # interrupted: what is in hand is finished and kept
            while running:
                self._settled(running)
            raise

    def _settled(self, running: dict[Any, Shard]) -> list[tuple[Unit, CellRecord]]:
        """Wait for one of the tasks and write its records down."""
        done, _ = self._ray.wait(list(running), num_returns=1)
        shard = running.pop(done[0])
        try:
            outcome: Outcome | Exception = self._ray.get(done[0])
        except Exception as error:  # the worker died too often, or could not begin
            outcome = error
        return _settle(shard, outcome)


def _check_listens(address: str) -> None:
    """Find out in seconds that nobody listens, where Ray would try for minutes; names such as 'auto' are Ray's affair.

    Raises:
        InputError: Nobody does.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal() or len(port) > _PORT_DIGITS:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _LISTENS_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> InputError:
    why = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(f"no Ray cluster answers at {address} ({why}), which comes from the option or from RAY_ADDRESS")


_LISTENS_SECONDS, _PORT_DIGITS = 5.0, 5
