"""Working on many units at once: processes of this machine, or a Ray cluster with a shared folder."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from toolkit.bench.execution.ray_engine import RayEngine
from toolkit.bench.execution.schedule import Engine, LocalEngine
from toolkit.bench.execution.shards import Outcome, Shard, addresses_of, run_shard, settle, shards_of
from toolkit.bench.execution.units import Unit
from toolkit.bench.execution.workers import NUMBER, Workers
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.description import RunDescription
from toolkit.errors import InputError

ENGINES = ("local", "processes", "ray")


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


class ProcessEngine:
    """Worker processes on this machine; of several GPUs, worker i computes on number i."""

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
                        workers.begin(shard, run_shard, self._description, addresses_of(shard), NUMBER)
                    yield from settle(*workers.finished())
            except GeneratorExit:  # interrupted: what is in hand is finished and kept
                while workers.busy:
                    settle(*workers.finished())
                raise
