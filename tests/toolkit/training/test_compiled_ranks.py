"""`engine.compile` together with several processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from compiled_fit import BATCH, fit
from ranks import finish, start_ranks
from safetensors.torch import load_file

PROGRAM = str(Path(__file__).with_name("compiled_fit.py"))


@pytest.mark.slow
def test_two_processes_that_compile_learn_what_one_learns_without(tmp_path: Path) -> None:
    for code, _, stderr in finish(start_ranks(2, PROGRAM, str(tmp_path))):
        assert code == 0, stderr
    first, second = load_file(tmp_path / "0"), load_file(tmp_path / "1")
    plain = fit(2 * BATCH, compiled=False)
    assert {name.partition("/")[2] for name in first} == plain.keys() and first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
        torch.testing.assert_close(value, plain[name.partition("/")[2]], rtol=1e-4, atol=1e-6)
