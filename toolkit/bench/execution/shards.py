"""Shards: the units that a worker gets together, what it returns, and which device it uses.

A shard is what one method has to do with one input picture, in all protocols, so that its inversion is made once; a
piece of precompute is a shard of its own. A worker opens the run by itself from a plain description and returns
records; the process that runs the bench writes them down. Numbers do not depend on who computed them, as long as thread
counts are the same.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace

from toolkit import strangers
from toolkit.bench.execution.runs import ProtocolRun, open_runs
from toolkit.bench.execution.units import Address, Unit, unit_at
from toolkit.bench.records.units import CellRecord, InversionRecord
from toolkit.bench.subjects.description import RunDescription, open_run
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.devices import use_device, worker_device
from toolkit.errors import OutputError

Shard = list[Unit]
Outcome = tuple[list[CellRecord], list[tuple[str, InversionRecord]]]
"""Records of a shard's units, and of the inversions made for them, with their keys."""


def shards_of(units: Sequence[Unit]) -> list[Shard]:
    """Group units by what they share, in their order."""
    found: dict[Hashable, Shard] = defaultdict(list)
    for unit in units:
        found[unit.shard].append(unit)
    return list(found.values())


def run_shard(description: RunDescription, addresses: Sequence[Address], worker: int = 0) -> Outcome:
    """What a worker does: the units of a shard.

    Args:
        description: The run.
        addresses: Of the units.
        worker: Its number among the workers of this machine: several GPUs are shared out by it.
    """
    methods, runs = _opened(_Key(replace(description, device=worker_device(description.device, worker))))
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
    use_device(key.description.device)
    generator, methods, _ = open_run(key.description)
    runs, _ = open_runs(key.description.requests, generator, lambda text: None, writes=False)
    return {each.name: each for each in methods}, {run.title: run for run in runs}


def settle(shard: Shard, outcome: Outcome | Exception) -> list[tuple[Unit, CellRecord]]:
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


def addresses_of(shard: Shard) -> list[Address]:
    """What the units of a shard are found by in another process."""
    return [unit.address for unit in shard]
