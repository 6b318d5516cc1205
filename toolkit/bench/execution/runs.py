"""One protocol of a bench run with everything that it needs, opened here and in every worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.bench.protocols.base import BenchProtocol, ProtocolContext
from toolkit.bench.protocols.registered import chooses_metrics, protocol_class
from toolkit.bench.protocols.scoring import OpenMetrics, open_metrics
from toolkit.bench.protocols.settings import ProtocolSettings
from toolkit.bench.records.schema import LeftOut
from toolkit.bench.records.store import Store
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.cameras import FACES, odd_cameras
from toolkit.bench.subjects.data import Digests, data_name, effective_limit, open_data
from toolkit.bench.subjects.inversions import Inversions
from toolkit.bench.subjects.keeping import Keep
from toolkit.data.sources import find_sources
from toolkit.errors import InputError

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, IndexedDataset

CELLS_FILE = "cells.jsonl"
_TOLD = 5
"""Cameras that are named before the work begins; results hold all that are used."""
_UNUSED = 200
"""Pictures that are not used, spread over all of them, whose cameras are looked at, too."""
Say = Callable[[str], None]
"""Hears what begins and takes a while, or is worth knowing."""


@dataclass(frozen=True)
class BenchRequest:
    """What is to be compared, on what, how."""

    settings: ProtocolSettings
    data: str
    out: Path
    limit: int | None = None
    backend: str = "auto"
    domain: str = "wild"
    retry_failed: bool = False
    broken_methods: dict[str, str] = field(default_factory=dict)
    """Methods that were asked for and could not be built, with the reason: listed, not run."""
    command: str = ""
    """How to get these results again, for the report."""
    keep: Keep = "exact"
    """How much of each inversion stays on the disk."""

    @property
    def data_name(self) -> str:
        """What results call the data set: its folder's name, or its own and the domain."""
        return data_name(self.data, self.domain)


@dataclass(frozen=True, eq=False)
class ProtocolRun:
    """A protocol of this run with everything that it needs."""

    request: BenchRequest
    generator: Generator
    protocol: BenchProtocol
    digests: Digests
    store: Store[CellRecord]
    inversions: Inversions
    odd_cameras: dict[int, str] = field(default_factory=dict)
    """What is odd about the cameras of pictures, by index."""

    @property
    def settings(self) -> ProtocolSettings:
        """What the protocol measures, as its configuration says."""
        return self.request.settings

    @property
    def title(self) -> str:
        """What results call the protocol."""
        return self.settings.title


def open_runs(
    requests: Sequence[BenchRequest], generator: Generator, say: Say, writes: bool = True
) -> tuple[list[ProtocolRun], list[LeftOut]]:
    """The protocols that can be run, and why the others cannot; a single one that cannot is an error.

    Args:
        requests: One per protocol.
        generator: What methods invert into.
        say: Hears of what takes a while.
        writes: Whether this process writes records down (a worker leaves that to the one that asked it).

    Raises:
        InputError: The data can serve none of the protocols.
    """
    first, spec = requests[0], generator.spec
    possible: list[tuple[BenchRequest, type[BenchProtocol], OpenMetrics]] = []
    left_out: list[LeftOut] = []

    def leave(request: BenchRequest, error: InputError) -> None:
        if len(requests) == 1:
            raise error
        left_out.append(LeftOut(protocol=request.settings.title, data=request.data_name, reason=str(error)))

    for request in requests:
        kind = protocol_class(request.settings.kind)
        asked = request.settings
        metrics = open_metrics(
            asked.metrics, request.backend, spec.world, spec.image_size, chosen=chooses_metrics(asked)
        )
        try:
            kind.check_metrics(request.settings, metrics)  # before pictures are made
            possible.append((request, kind, metrics))
        except InputError as error:
            leave(request, error)
    views = [view for request, _, _ in possible for view in request.settings.views]
    sampled = bool(find_sources(first.data))
    if not sampled:
        say(f"pictures of {first.data} (those that are not there yet are made; kept for the next time)")
    data = open_data(first.data, views, spec, first.limit, first.domain)
    store, digests = Store(first.out / CELLS_FILE, CellRecord, writes), Digests(data)
    shared, runs, hindered = dict[int, Inversions](), list[ProtocolRun](), list[tuple[BenchRequest, InputError]]()
    for request, kind, metrics in possible:
        seed, limit = request.settings.seed, effective_limit(request.data, request.limit)
        if seed not in shared:
            shared[seed] = Inversions(first.out / "inversions", generator, seed, first.retry_failed, writes, first.keep)
        context = ProtocolContext(request.settings, data, metrics, limit, request.out / "features", generator, sampled)
        try:
            runs.append(ProtocolRun(request, generator, kind(context), digests, store, shared[seed]))
        except InputError as error:
            hindered.append((request, error))
    if writes:  # workers need not look again
        used = {index for run in runs for item in run.protocol.items for index in item.uses}
        odd = odd_cameras(data, used, FACES if sampled else 0)
        _tell(odd | _unused_odd(data, used), data.names, say)
        for run in runs:
            run.odd_cameras.update(odd)
    for request, reason in hindered:
        leave(request, reason)
    if not runs:
        raise InputError("no protocol can be run: " + "; ".join(dict.fromkeys(entry.reason for entry in left_out)))
    return runs, left_out


def _unused_odd(data: IndexedDataset, used: set[int]) -> dict[int, str]:
    """What is odd about the cameras of pictures that no protocol uses: often it is why none does."""
    unused = [index for index in range(len(data)) if index not in used]
    return odd_cameras(data, unused[:: max(1, len(unused) // _UNUSED)][:_UNUSED], faces=0)


def _tell(odd: Mapping[int, str], names: Sequence[str], say: Say) -> None:
    """Warn of cameras before any work, but not of thousands."""
    for index, fault in list(odd.items())[:_TOLD]:
        say(f"warning: camera of {names[index]}: {fault}")
    if len(odd) > _TOLD:
        say(f"warning: {len(odd) - _TOLD} more cameras are odd; toolkit data check names all")
