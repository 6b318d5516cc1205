"""Freed memory is kept, unless the user says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median

import pytest

FAULTS = """
import resource
import toolkit.nn
import torch
def make_tensors(steps):
    for _ in range(steps):
        torch.ones(3 << 19).add(1).mul(2)  # 6 MiB each: from 7 on, with 2 MiB for alignment, they may be given back
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
make_tensors(20)  # the heap grows
before = faults()
make_tensors(80)
print(faults() - before)
"""
AGREED = "from toolkit.allocation import keep_freed_memory; print(keep_freed_memory())"


def answer(code: str, **environment: str) -> str:
    """What a process of its own prints, with these settings of the allocator and no others."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "TOOLKIT_"))}
    run = subprocess.run([sys.executable, "-c", code], env=clean | environment, capture_output=True, check=True)
    return run.stdout.decode().strip()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc has these settings")
def test_tensors_reuse_memory_unless_told_otherwise() -> None:
    if answer(AGREED) == "False":
        pytest.skip("this system's allocator has no such settings")
    assert answer(AGREED, TOOLKIT_MALLOC="system") == "False"
    assert answer(AGREED, MALLOC_MMAP_THRESHOLD_="1000000") == "False"
    given_back = int(answer(FAULTS, MALLOC_MMAP_THRESHOLD_="1000000"))
    if given_back < 100_000:
        pytest.skip("this system's pages are large, or it counts no page faults")
    kept = median(int(answer(FAULTS)) for _ in range(3))  # a rare layout of addresses moves a tensor at every step
    assert given_back > 5 * kept
