"""Starts several real processes that find each other as under torchrun; as a program, what they run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def environments(world: int) -> list[dict[str, str]]:
    """One environment for each of `world` processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(world)]


def start_ranks(world: int, *command: str, extra: Mapping[str, str] | None = None) -> list[subprocess.Popen[str]]:
    """Start `python *command` once for each rank."""
    return [
        subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=environment | dict(extra or {}), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for environment in environments(world)
    ]  # fmt: skip


def finish(processes: list[subprocess.Popen[str]], seconds: float = 300) -> list[tuple[int, str, str]]:
    """(exit code, stdout, stderr) of each; none is left behind."""
    try:
        return [(*_output(process, seconds),) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.communicate()  # closes its pipes


def _output(process: subprocess.Popen[str], seconds: float) -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=seconds)
    return process.returncode, stdout, stderr
