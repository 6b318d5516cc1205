"""The machine and the versions that a run used. Without them, timings mean nothing."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from toolkit.bench.records.schema import EngineEntry, Environment, Machine
from toolkit.inversion import run_provenance


def environment(seed: int) -> Environment:
    """Versions, threads and the seed of a protocol."""
    return Environment(**run_provenance(seed=seed))


def engine_entry(name: str, workers: int) -> EngineEntry:
    """An engine as results name it."""
    return EngineEntry(name=name, workers=workers)


def machine(device: torch.device) -> Machine:
    """Processor, cores, memory and device of this machine; what cannot be found out is None."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else None
    on_cuda = device.type == "cuda"
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=os.cpu_count(),
        memory_gib=None if pages is None else round(pages / 2**30, 1),
        device=torch.cuda.get_device_name(device) if on_cuda else "cpu",
    )


def _processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
