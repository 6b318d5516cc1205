"""Measure a fast path beside its slow twin: in turn, each in a process of its own, so that memory and load are fair.

A side is a function that builds what it needs and returns what one repetition does. CPU seconds (user and system, of
all threads) change little when the machine is busy; wall seconds do.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.cores import wait_asleep

wait_asleep()  # as commands do; inherited by every side's process

Repetition = Callable[[], Any]
Side = Callable[[], Repetition]
GIB = 1 << 30
PLAIN_MALLOC = {"TOOLKIT_MALLOC": "system", "THP_MEM_ALLOC_ENABLE": "0"}
"""Memory as glibc and PyTorch set it up."""
_PEAK = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass(frozen=True)
class Measured:
    """What a number of repetitions took."""

    cpu: float
    """Median CPU seconds."""
    wall: float
    """Median wall seconds."""
    peak: float | None
    """Largest resident memory in GiB, weights and libraries included; None where the system does not tell."""
    gflop: float
    """Floating-point operations of one repetition (2 a multiply-add), counted by PyTorch, in billions."""
    every: list[float] = field(default_factory=list)
    """CPU seconds of each repetition."""
    threads: int = 1
    """Threads of each process."""
    said: dict[str, float] = field(default_factory=dict)
    """Medians of the numbers that repetitions returned as a mapping."""


def compare(
    sides: Mapping[str, Side], *, repetitions: int = 3, threads: int = 1, warm_up: bool = True
) -> dict[str, Measured]:
    """Measure sides in turn, after one warm-up each that also counts their operations.

    Args:
        sides: By name. 'official' gets the allocator as glibc sets it up, as the official code has it.
        repetitions: Of each side.
        threads: Of each side.
        warm_up: False for long paths, which a command runs once: the first run counts, and operations are not counted.
    """
    workers = {
        name: _Worker(side, threads, plain_malloc=name == "official", warm_up=warm_up) for name, side in sides.items()
    }
    try:
        gflops = {name: worker.ask()["gflop"] for name, worker in workers.items()}
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
        for _ in range(repetitions):
            for name, worker in workers.items():
                worker.tell("again")
                found[name].append(worker.ask())
    finally:
        for worker in workers.values():
            worker.stop()
    return {name: _median(answers, gflops[name], threads) for name, answers in found.items()}


def _median(answers: list[dict[str, Any]], gflop: float, threads: int) -> Measured:
    peaks = [one["peak"] for one in answers if one["peak"] is not None]
    said = {key: statistics.median(one["said"][key] for one in answers) for key in answers[0]["said"]}
    every = [one["cpu"] for one in answers]
    wall = statistics.median(one["wall"] for one in answers)
    return Measured(statistics.median(every), wall, max(peaks, default=None), gflop, every, threads, said)


class _Worker:
    def __init__(self, side: Side, threads: int, *, plain_malloc: bool, warm_up: bool) -> None:
        context = get_context("spawn")
        self._pipe, far = context.Pipe()
        changed = {"OMP_NUM_THREADS": str(threads)} | (PLAIN_MALLOC if plain_malloc else {})
        with _environment(changed):
            self._process = context.Process(target=_serve, args=(far, side, threads, warm_up))
            self._process.start()
        far.close()

    def tell(self, word: str) -> None:
        self._pipe.send(word)

    def ask(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._pipe.recv()
        return answer

    def stop(self) -> None:
        self._process.terminate()
        self._process.join()


@contextmanager
def _environment(changed: Mapping[str, str]) -> Any:
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(pipe: Connection, side: Side, threads: int, warm_up: bool) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    repetition = side()
    with FlopCounterMode(display=False) as counter:
        if warm_up:
            repetition()
    pipe.send({"gflop": counter.get_total_flops() / 1e9})
    while pipe.recv() == "again":
        peak_starts()
        cpu, wall = time.process_time(), time.perf_counter()
        said = repetition()
        took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "peak": peak()}
        pipe.send(took | {"said": said if isinstance(said, dict) else {}})


def peak_starts() -> None:
    """Forget the largest memory so far, where the system lets us (Linux)."""
    try:
        _PEAK[0].write_text("5")
    except OSError:
        return


def peak() -> float | None:
    """Largest resident memory of this process in GiB since `peak_starts`."""
    try:
        lines = _PEAK[1].read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / GIB for line in lines if line.startswith("VmHWM:")), None)


def report(name: str, found: Mapping[str, Measured], **more: object) -> None:
    """Print a path's measurements and add them to the JSON file (`--json FILE` on the command line, else none).

    Args:
        name: Of the path.
        found: Of `compare`: 'ours', and where there is one 'official'.
        more: Whatever else the path has measured, in JSON types.
    """
    ours, theirs = found.get("ours"), found.get("official")
    about: dict[str, Any] = {"path": name, **more}
    for side, one in found.items():
        about[side] = {"cpu_s": one.cpu, "wall_s": one.wall, "peak_gib": one.peak, "threads": one.threads,
                       "each_cpu_s": one.every, **one.said}  # fmt: skip
    line = name
    if ours is not None:
        line += f": {ours.cpu:.3g} CPU-s"
        if theirs is not None:
            about["official_over_ours"] = theirs.cpu / ours.cpu
            line += f", official arithmetic {theirs.cpu:.3g}, ratio {theirs.cpu / ours.cpu:.2f}"
        if ours.gflop:
            about |= {"gflop": ours.gflop, "floor_s": ours.gflop / peak_gflops()}
            about["share_of_floor"] = about["floor_s"] / ours.cpu
            line += f", floor {about['floor_s']:.2g} ({about['share_of_floor']:.0%})"
        if ours.peak is not None:
            line += f", peak {ours.peak:.2f} GiB" + (f" against {theirs.peak:.2f}" if theirs and theirs.peak else "")
    print("; ".join([line, *(f"{key} {_short(value)}" for key, value in more.items())]), flush=True)
    if (file := _json_file()) is not None:
        _add(file, about)


def _add(file: Path, about: Mapping[str, Any]) -> None:
    """Add a path to a JSON file that another process may be adding to at the same time."""
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = json.loads(file.read_text()) if file.exists() else machine() | {"paths": []}
        kept = [one for one in before["paths"] if one["path"] != about["path"]]
        file.write_text(json.dumps(before | {"paths": [*kept, about]}, indent=1) + "\n")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _json_file() -> Path | None:
    arguments: Sequence[str] = sys.argv
    return Path(arguments[arguments.index("--json") + 1]) if "--json" in arguments[:-1] else None


_PEAK_GFLOPS: list[float] = []


def peak_gflops() -> float:
    """What one core computes at best, in 1e9 operations a CPU second: the best of some large matrix products."""
    import torch

    if not _PEAK_GFLOPS:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        one, other, took = torch.randn(1536, 1536), torch.randn(1536, 1536), []
        for _ in range(5):
            started = time.process_time()
            one @ other
            took.append(time.process_time() - started)
        torch.set_num_threads(before)
        _PEAK_GFLOPS.append(2 * 1536**3 / min(took) / 1e9)
    return _PEAK_GFLOPS[0]


def machine() -> dict[str, Any]:
    """Hardware and versions that numbers belong to."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "one_core_gflops": round(peak_gflops(), 1),
        "load_at_start": os.getloadavg()[0],
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


class Stages:
    """CPU seconds of parts of a repetition, by wrapping the functions that they are."""

    def __init__(self) -> None:
        """Start with none."""
        self.seconds: dict[str, float] = {}

    def watch(self, owner: Any, function: str, stage: str) -> None:
        """Count what `owner.function` takes as a stage."""
        original = getattr(owner, function)

        def counted(*arguments: Any, **options: Any) -> Any:
            started = time.process_time()
            result = original(*arguments, **options)
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - started
            return result

        object.__setattr__(owner, function, counted)  # networks refuse a function where they had a part

    def taken(self) -> dict[str, float]:
        """Seconds since the last call."""
        taken, self.seconds = self.seconds, {}
        return taken
