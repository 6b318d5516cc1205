"""Freed memory is kept, unless the user says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FAULTS = """
import resource
import {module}
import torch
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    torch.ones(3 << 19).add(1).mul(2)  # 6 MiB each: from 7 on, with 2 MiB for alignment, they may be given back
before = faults()
for _ in range(10):
    torch.ones(3 << 19).add(1).mul(2)
print(faults() - before)
"""


def faults(module: str, **environment: str) -> int:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "TOOLKIT_"))}
    command = [sys.executable, "-c", FAULTS.format(module=module)]
    run = subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc has these settings")
def test_tensors_reuse_memory_unless_told_otherwise() -> None:
    kept = min(faults("toolkit.nn") for _ in range(3))  # a rare layout of addresses moves a tensor at every step
    given_back = faults("toolkit.nn", TOOLKIT_MALLOC="system")
    if given_back < 10_000:
        pytest.skip("this system's allocator keeps freed memory by itself, or counts no page faults")
    assert given_back > 5 * kept  # 30 tensors are made; the heap may still grow by one of them
