"""Workers in other processes: the same results as in one, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, run_suite
from toolkit.bench.execution.engines import open_engine
from toolkit.bench.execution.ray_engine import RayEngine
from toolkit.bench.execution.runs import open_runs
from toolkit.bench.execution.schedule import LocalEngine
from toolkit.bench.execution.shards import shards_of
from toolkit.bench.execution.units import MethodUnit, PrecomputeUnit, precompute_units, unit_at
from toolkit.bench.records.store import Store
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.description import RunDescription
from toolkit.errors import InputError, MissingDependencyError
from toolkit.registry import Registry
from toolkit.testing.spherical import SphericalGenerator

Make = Callable[..., ComparedMethod]
MakeProtocol = Callable[..., ProtocolSettings]


@pytest.fixture
def requests(heads_folder: Path, tmp_path: Path, protocol: MakeProtocol) -> list[BenchRequest]:
    return [
        BenchRequest(protocol(kind, "l2", input_yaws=(0.0,)), str(heads_folder), tmp_path, 2)
        for kind in ("reconstruction", "gt360")
    ]


def test_a_shard_is_all_that_a_method_does_with_a_picture(
    spherical: SphericalGenerator, requests: list[BenchRequest], method: Make
):
    runs, _ = open_runs(requests, spherical, lambda text: None)
    methods = [method("a"), method("b")]
    units = [MethodUnit(run, method, item) for method in methods for run in runs for item in run.protocol.items]
    shards = shards_of(units)
    assert [len(shard) for shard in shards] == [2, 2, 2, 2]
    assert all(
        len({unit.target.id for unit in shard}) == len({unit.method.name for unit in shard}) == 1 for shard in shards
    )


def test_a_precompute_is_spread_and_every_unit_is_found_by_its_address(
    registry: Registry, spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make,
    protocol: MakeProtocol,
):  # fmt: skip
    wanted = BenchRequest(protocol("fid360", "stripes-e", random_sides=3), str(heads_folder), tmp_path)
    runs, _ = open_runs([wanted], spherical, lambda text: None)
    method = method("m")
    precompute = precompute_units(runs[0])
    cells = [MethodUnit(runs[0], method, item) for item in runs[0].protocol.items]
    assert len(precompute) == 3 and all(isinstance(unit, PrecomputeUnit) for unit in precompute)
    assert [len(shard) for shard in shards_of([*cells, *precompute])] == [1] * (12 + 3)
    for unit in (*cells, *precompute):
        assert unit_at(unit.address, {"fid360": runs[0]}, {"m": method}) == unit
    assert len({unit.key for unit in (*cells, *precompute)}) == 15


def test_a_cell_measured_with_another_network_is_another_cell(
    spherical: SphericalGenerator, requests: list[BenchRequest], method: Make
):
    runs, _ = open_runs(requests[:1], spherical, lambda text: None)
    unit = MethodUnit(runs[0], method("m"), runs[0].protocol.items[0])
    keys = []
    for networks in ({}, {"net.pth": "a"}, {"net.pth": "b"}):
        runs[0].protocol.metrics.samples["l2"].networks = networks
        keys.append(unit.key)
    assert len(set(keys)) == 3


def test_a_store_that_does_not_write_hands_over_what_it_was_given(tmp_path: Path):
    def record(item: str) -> CellRecord:
        return CellRecord(protocol="p", method="m", item=item)

    Store(tmp_path / "cells.jsonl", CellRecord).append("a", record("1"))
    before = (tmp_path / "cells.jsonl").read_bytes()
    store = Store(tmp_path / "cells.jsonl", CellRecord, writes=False)
    store.append("b", record("2"))
    found = store.get("a")
    assert found is not None and (found.item, [(key, each.item) for key, each in store.added]) == ("1", [("b", "2")])
    assert (tmp_path / "cells.jsonl").read_bytes() == before


class Elsewhere(LocalEngine):
    """Stands for any engine: other order, and one worker that never comes back."""

    def run(self, units: Any) -> Iterator[Any]:
        for unit in reversed(units):
            if unit.owner == "lost":
                yield unit, unit.keep(unit.record(error="the worker died", stage="worker"))
            else:
                yield from super().run([unit])


def test_a_lost_worker_costs_its_cells_and_the_order_changes_nothing(
    spherical: SphericalGenerator, requests: list[BenchRequest], tmp_path: Path, method: Make
):
    results = run_suite(requests, spherical, [method("m", None), method("lost")], engine=Elsewhere())
    assert {(entry.method, entry.stage) for entry in results.failures} == {("lost", "worker")}
    moved = [BenchRequest(each.settings, each.data, tmp_path / "again", 2) for each in requests]
    again = run_suite(moved, spherical, [method("m", None)])
    assert [row for row in results.rows if row.method == "m"] == again.rows


def test_unknown_engines_and_a_missing_ray_are_one_sentence(monkeypatch: pytest.MonkeyPatch):
    described = RunDescription("spherical", None, "cpu", None, ("mean",), ())
    assert described.for_workers().threads == 1
    with pytest.raises(InputError, match="local, processes, ray"):
        open_engine("cloud", described)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match="toolkit\\[ray\\]"):
        open_engine("ray", described)


@pytest.mark.parametrize("address", ["nonsense", "ray://", "auto", "localhost:x", "127.0.0.1:9", "ray://[::1]:9", ":0"])
def test_an_address_without_a_cluster_is_one_sentence(address: str, monkeypatch: pytest.MonkeyPatch):
    def init(address: str, **_: object) -> None:
        raise {"auto": ConnectionError, "ray://": RuntimeError}.get(address, ValueError)(f"bad {address}\nsecond line")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False, init=init))
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError) as refused:
        open_engine("ray", RunDescription("spherical", None, "cpu", None, ("mean",), ()))
    text = str(refused.value)
    assert text.startswith(f"no Ray cluster answers at {address} (") and text.endswith("RAY_ADDRESS")
    assert "\n" not in text


class Cluster:
    """Stands for Ray: work is done when somebody waits for it; the picture `fails` kills its actor."""

    def __init__(self, **resources: float) -> None:
        self.begun: list[tuple[int, Any]] = []
        self.options: list[dict[str, Any]] = []
        self.resources = resources
        self.fails = ""

    def is_initialized(self) -> bool:
        return True

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, **options: Any) -> Any:
        return lambda kind: SimpleNamespace(remote=lambda description: self._start(options))

    def _start(self, options: dict[str, Any]) -> Any:
        self.options.append(options)
        number = len(self.options)
        return SimpleNamespace(run=SimpleNamespace(remote=lambda addresses: self._begin(number, addresses)))

    def _begin(self, actor: int, addresses: Any) -> int:
        self.begun.append((actor, addresses))
        return len(self.begun) - 1

    def wait(self, running: list[int], num_returns: int) -> tuple[list[int], list[int]]:
        return running[:1], running[1:]

    def get(self, task: int) -> Any:
        if any(item == self.fails for _, _, item in self.begun[task][1]):
            raise RuntimeError("the actor died unexpectedly")
        return [
            CellRecord(protocol=protocol, method=method, item=item, error=None, scores=[])
            for protocol, method, item in self.begun[task][1]
        ], []


def joined(monkeypatch: pytest.MonkeyPatch, cluster: Cluster, device: str = "cpu") -> RayEngine:
    monkeypatch.setitem(sys.modules, "ray", cluster)
    return RayEngine(RunDescription("", None, device, 1, (), ()), None, None)


def test_an_interrupted_cluster_finishes_what_has_begun_and_keeps_it(
    spherical: SphericalGenerator, requests: list[BenchRequest], method: Make, monkeypatch: pytest.MonkeyPatch
):
    runs, _ = open_runs(requests[:1], spherical, lambda text: None)
    units = [MethodUnit(runs[0], method(name), item) for name in "abc" for item in runs[0].protocol.items]
    cluster = Cluster(CPU=2)
    engine = joined(monkeypatch, cluster)
    results = engine.run(units)
    next(results)
    results.close()
    assert len(cluster.begun) == 2 < len(shards_of(units))
    assert [runs[0].store.get(unit.key) is not None for unit in units] == [True, True, False, False, False, False]
    assert len(list(engine.run(units))) == len(units)


def test_actors_are_started_once_and_keep_what_they_opened_also_when_one_dies(
    spherical: SphericalGenerator, requests: list[BenchRequest], method: Make, monkeypatch: pytest.MonkeyPatch
):
    runs, _ = open_runs(requests[:1], spherical, lambda text: None)
    units = [MethodUnit(runs[0], method(name), item) for name in "abcd" for item in runs[0].protocol.items]
    cluster = Cluster(CPU=8, GPU=3)
    cluster.fails = units[0].target.id
    engine = joined(monkeypatch, cluster, "cuda")
    found = [record for some in (units[:2], units[2:]) for _, record in engine.run(some)]
    assert engine.width == 3 and len(cluster.options) <= 3
    assert {actor for actor, _ in cluster.begun} == set(range(1, len(cluster.options) + 1))
    assert len(cluster.begun) == len(shards_of(units)) > len(cluster.options)
    assert all(each["num_gpus"] == 1 and each["max_restarts"] == -1 for each in cluster.options)
    assert {record.stage for record in found if record.item == cluster.fails} == {"worker"}
    assert all(record.error is None for record in found if record.item != cluster.fails)


def test_a_cluster_without_a_gpu_is_refused_for_a_run_on_gpus(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="the Ray cluster has no GPU"):
        joined(monkeypatch, Cluster(CPU=4), "cuda")
    assert joined(monkeypatch, Cluster(CPU=4)).width == 4


def test_without_a_word_the_gpus_of_a_cluster_are_used(monkeypatch: pytest.MonkeyPatch):
    """`--device auto` is the default; Ray hides GPUs from whoever does not ask for one."""
    assert joined(monkeypatch, Cluster(CPU=8, GPU=3), "auto").width == 3
    assert joined(monkeypatch, Cluster(CPU=4), "auto").width == 4
    assert joined(monkeypatch, Cluster(CPU=8, GPU=3), "cpu").width == 8


def bench(folder: Path, out: str, *arguments: str) -> list[str]:
    fixed = (
        "--methods mean --option mean.samples=16 --protocol reconstruction,gt360,fid360 --limit 3 --threads 1 "
        "--set metrics=[l2,fd_lite] --backend embedded"
    )
    places = ["--data", str(folder), "--out", str(folder.parent / out)]
    return [sys.executable, "-m", "toolkit.cli.main", "bench", *fixed.split(), *places, *arguments]


def rows_of(folder: Path) -> Any:
    import json

    return json.loads((folder / "results.json").read_text())["rows"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_an_engine_gives_the_results_of_one_process(own_heads: Path, engine: str):
    if engine == "ray":
        pytest.importorskip("ray", reason="ray is not installed")
    quiet = {**os.environ, "RAY_DISABLE_IMPORT_WARNING": "1", "RAY_worker_niceness": "0"}  # polite workers may starve
    subprocess.run(bench(own_heads, "one"), check=True, capture_output=True, timeout=600, env=quiet)
    running = subprocess.Popen(
        bench(own_heads, "many", "--engine", engine, "--workers", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=quiet,
    )  # fmt: skip
    killed = kill_a_worker(running, "spawn_main" if engine == "processes" else "ray::ShardWorker")
    _, complaints = running.communicate(timeout=600)
    assert running.returncode == 0, complaints.decode()
    assert killed
    assert rows_of(own_heads.parent / "many") == rows_of(own_heads.parent / "one")


def kill_a_worker(running: subprocess.Popen[bytes], sign: str) -> bool:
    """Kill the first worker that appears among the children of a run."""
    import time

    for _ in range(6000):
        if running.poll() is not None:
            return False
        for child in descendants(running.pid):
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if sign in command:
                os.kill(child, signal.SIGKILL)
                return True
        time.sleep(0.05)
    return False


def descendants(process: int) -> list[int]:
    found, todo = [], [process]
    while todo:
        parent = todo.pop()
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        except OSError:
            continue
        found += map(int, children)
        todo += map(int, children)
    return found
