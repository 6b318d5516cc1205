"""A Ray cluster that works on many units at once."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.bench.execution.shards import Outcome, Shard, addresses_of, run_shard, settle, shards_of
from toolkit.bench.execution.units import Address, Unit
from toolkit.bench.execution.workers import ATTEMPTS
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.description import RunDescription
from toolkit.devices import AUTO
from toolkit.errors import InputError, MissingDependencyError


class ShardWorker:
    """An actor of the cluster: it opens the run once and keeps generator and methods for all its shards."""

    def __init__(self, description: RunDescription) -> None:
        """Take the run's description; it is opened with the first shard."""
        self._description = description

    def run(self, addresses: Sequence[Address]) -> Outcome:
        """The units of a shard. Ray shows an actor no GPU but its own, which is number 0 there."""
        return run_shard(self._description, addresses)


class RayEngine:
    """Actors of a Ray cluster, whose machines see the run's folder and data under the same paths."""

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
        resources = ray.cluster_resources()
        self._gpus = _gpus_each(description.device, resources)
        self.width = _places(resources, self._gpus)
        self._idle: deque[Any] = deque()
        """Actors without work; they stay for the next units."""

    def run(self, units: Sequence[Unit]) -> Iterator[tuple[Unit, CellRecord]]:
        """Work on units; an actor that dies is started again, and its shard done again."""
        waiting, running = deque(shards_of(units)), dict[Any, tuple[Any, Shard]]()
        try:
            while waiting or running:
                while waiting and len(running) < self.width:
                    actor = self._idle.popleft() if self._idle else self._started()
                    shard = waiting.popleft()
                    running[actor.run.remote(addresses_of(shard))] = actor, shard
                yield from self._settled(running)
        except GeneratorExit:  # interrupted: what is in hand is finished and kept
            while running:
                self._settled(running)
            raise

    def _started(self) -> Any:
        """A new actor: one CPU, one GPU where the run is on GPUs."""
        wants = {"num_cpus": 1, "num_gpus": self._gpus, "max_restarts": -1, "max_task_retries": ATTEMPTS - 1}
        return self._ray.remote(**wants)(ShardWorker).remote(self._description)

    def _settled(self, running: dict[Any, tuple[Any, Shard]]) -> list[tuple[Unit, CellRecord]]:
        """Wait for one of the shards and write its records down."""
        done, _ = self._ray.wait(list(running), num_returns=1)
        actor, shard = running.pop(done[0])
        self._idle.append(actor)
        try:
            outcome: Outcome | Exception = self._ray.get(done[0])
        except Exception as error:  # the actor died too often, or could not begin
            outcome = error
        return settle(shard, outcome)


def _gpus_each(device: str, resources: Mapping[str, float]) -> int:
    """How many GPUs an actor takes; 'auto' is the cluster's GPUs where it has some, whatever this machine has."""
    has_some = resources.get("GPU", 0) >= 1
    return int(device.startswith("cuda") or (device == AUTO and has_some))


def _places(resources: Mapping[str, float], gpus: int) -> int:
    """How many actors a cluster has room for.

    Raises:
        InputError: The run is on GPUs, and the cluster has none.
    """
    cpus = max(1, int(resources.get("CPU", 1)))
    if not gpus:
        return cpus
    if resources.get("GPU", 0) < 1:
        raise InputError("the Ray cluster has no GPU: give --device cpu, or join one that has (RAY_ADDRESS)")
    return min(cpus, int(resources["GPU"]))


def _check_listens(address: str) -> None:
    """Find out within seconds that no cluster answers, where Ray tries for minutes. Names such as 'auto' are Ray's.

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
