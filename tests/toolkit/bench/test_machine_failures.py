"""What the machine does to a run is never written down as a method's failure, and is over when there is space again."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, run_suite
from toolkit.bench.execution.runs import open_runs
from toolkit.bench.execution.shards import settle
from toolkit.bench.execution.units import MethodUnit
from toolkit.bench.protocols.random_heads import RandomHeads
from toolkit.bench.protocols.scoring import MetricInputs, open_metrics, score
from toolkit.camera import Camera
from toolkit.errors import OutputError
from toolkit.inversion import Inversion
from toolkit.metrics import L2
from toolkit.registry import Registry
from toolkit.testing.spherical import SphericalGenerator

Make = Callable[..., ComparedMethod]
DISK = [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), OSError(errno.EDQUOT, "quota"),
        SafetensorError("I/O error: No space left on device (os error 28)"), OSError(errno.EIO, "broken")]  # fmt: skip
MEMORY = [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"),
          RuntimeError("DefaultCPUAllocator: can't allocate memory")]  # fmt: skip


@pytest.fixture
def request_of(heads_folder: Path, tmp_path: Path, protocol: Callable[..., ProtocolSettings]) -> BenchRequest:
    return BenchRequest(protocol("reconstruction", "l2", input_yaws=(0.0,)), str(heads_folder), tmp_path / "out")


def broken(method: ComparedMethod, error: BaseException, at: int) -> ComparedMethod:
    """A method in whose hands the machine fails once."""
    inner, calls = method.inverter.invert, []

    def invert(*arguments: Any) -> Inversion:
        calls.append(1)
        if len(calls) == at:
            raise error
        return inner(*arguments)

    method.inverter.invert = invert
    return method


@pytest.mark.parametrize("error", DISK, ids=str)
def test_a_full_disk_ends_the_run_with_a_sentence_and_the_next_run_with_the_same_results(
    spherical: SphericalGenerator, request_of: BenchRequest, tmp_path: Path, method: Make, error: Exception
):
    with pytest.raises(OutputError, match="the same command goes on from there"):
        run_suite([request_of], spherical, [broken(method("m", 0), error, 2)])
    assert not (tmp_path / "out" / "results.json").exists()
    again = method("m", 0)
    results = run_suite([request_of], spherical, [again])
    assert results.failures == [] and again.inverter.calls == 2
    assert {(row.n, row.failed) for row in results.rows} == {(3, 0)}


@pytest.mark.parametrize("error", DISK[:3], ids=str)
def test_a_disk_that_is_full_while_an_inversion_is_kept_leaves_nothing_half_written(
    spherical: SphericalGenerator, request_of: BenchRequest, tmp_path: Path, method: Make, error: Exception,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    def save(self: Inversion, folder: Path) -> None:
        (folder / "half").write_text("written")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Inversion, "save", save)
        with pytest.raises(OutputError):
            run_suite([request_of], spherical, [method("m", 0)])
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["wanted.json"]
    assert run_suite([request_of], spherical, [method("m", 0)]).failures == []


@pytest.mark.parametrize("error", MEMORY, ids=repr)
def test_missing_memory_costs_its_unit_until_the_next_run_only(
    spherical: SphericalGenerator, request_of: BenchRequest, method: Make, error: Exception
):
    results = run_suite([request_of], spherical, [broken(method("m", 0), error, 2)])
    (failure,) = results.failures
    assert failure.stage == "machine" and failure.error.startswith("the machine's memory")
    again = method("m", 0)
    assert run_suite([request_of], spherical, [again]).failures == []
    assert again.inverter.calls <= 1  # the report may have had it made already


def test_a_methods_own_failure_stays_one(spherical: SphericalGenerator, request_of: BenchRequest, method: Make):
    for _ in range(2):
        (failure,) = run_suite([request_of], spherical, [method("m", 0, fails_on=1)]).failures
        assert failure.stage == "invert"
    (failure,) = run_suite(
        [request_of], spherical, [broken(method("n", 0), SystemExit(3), 1), method("m", 0)]
    ).failures[-1:]
    assert failure.method in ("m", "n")


def test_failures_that_an_earlier_version_wrote_down_as_the_methods_are_tried_again(
    spherical: SphericalGenerator, request_of: BenchRequest, tmp_path: Path, method: Make
):
    run_suite([request_of], spherical, [method("m", 0, fails_on=2)])
    for name in ("cells.jsonl", "inversions/inversions.jsonl"):
        path = tmp_path / "out" / name
        words = "RuntimeError: the method crashed"
        assert words in path.read_text()
        path.write_text(path.read_text().replace(words, "SafetensorError: No space left on device (os error 28)"))
    assert run_suite([request_of], spherical, [method("m", 0)]).failures == []


def test_a_metric_without_memory_has_not_failed(monkeypatch: pytest.MonkeyPatch):
    def fails(self: L2, *arguments: Any) -> None:
        raise MemoryError

    metrics = open_metrics(["l2"], "none", "embedded", 64)
    picture = torch.zeros(1, 3, 64, 64)
    assert score(metrics, MetricInputs(picture, picture, Camera.orbit()))[0].value == 0.0
    monkeypatch.setattr(L2, "score", fails)
    with pytest.raises(MemoryError):
        score(metrics, MetricInputs(picture, picture, Camera.orbit()))


@pytest.mark.parametrize("error", [MEMORY[0], DISK[2]], ids=repr)
def test_a_precompute_is_tried_again_too(
    registry: Registry, spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make,
    protocol: Callable[..., ProtocolSettings], monkeypatch: pytest.MonkeyPatch, error: Exception,
):  # fmt: skip
    settings = protocol("fid360", "stripes-e", random_sides=2, input_yaws=(0.0,))
    request = BenchRequest(settings, str(heads_folder), tmp_path / "out")

    def fails(self: RandomHeads, piece: str) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(RandomHeads, "make", fails)
        if error in DISK:
            with pytest.raises(OutputError):
                run_suite([request], spherical, [method("m", 0)])
        else:
            assert run_suite([request], spherical, [method("m", 0)]).failures[0].stage == "precompute"
    assert run_suite([request], spherical, [method("m", 0)]).failures == []


def test_a_worker_that_was_killed_or_had_no_space_costs_nothing_for_good(
    spherical: SphericalGenerator, request_of: BenchRequest, method: Make
):
    (run,), _ = open_runs([request_of], spherical, lambda text: None)
    shard = [MethodUnit(run, method("m", 0), item) for item in run.protocol.items]
    settle(shard, RuntimeError("a process was killed"))
    assert [run.store.get(unit.key).stage for unit in shard] == ["worker"] * 3
    assert [unit.known() for unit in shard] == [None] * 3  # done again by the next run
    with pytest.raises(OutputError, match="no space"):
        settle(shard, OutputError("cannot write: no space"))


SCRIPT = """
import resource, sys
from toolkit.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
main()
"""


@pytest.mark.slow
def test_a_real_limit_on_files_is_one_sentence_and_over_when_it_is_lifted(own_heads: Path, tmp_path: Path):
    """The kernel refuses to write beyond a size, as it refuses on a full disk."""
    out = tmp_path / "out"
    asked = ["bench", "--methods", "mean", "--option", "mean.samples=16", "--protocol", "reconstruction", "--data",
             str(own_heads), "--limit", "2", "--threads", "1", "--set", "metrics=[l2]", "--out", str(out)]  # fmt: skip

    def bench(limit: int) -> subprocess.CompletedProcess[str]:
        program = f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN){SCRIPT}"
        call = [sys.executable, "-c", program, str(limit), *asked]
        return subprocess.run(call, capture_output=True, text=True, check=False, timeout=300)

    full = bench(100_000)
    assert full.returncode == 1 and len(full.stderr.strip().splitlines()[-1]) > 20, full.stderr
    assert "Traceback" not in full.stderr
    freed = bench(2**40)
    assert freed.returncode == 0, freed.stderr
    assert json.loads((out / "results.json").read_text())["failures"] == []
    assert not [path for path in out.rglob(".*")]  # nothing half-written is left behind
