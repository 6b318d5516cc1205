"""What is compiled is kept, and compiled again once a file that it may depend on changes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np

from toolkit.rendering.compiled import compiling

SOURCE = """
from pathlib import Path

from toolkit.rendering.compiled.compiling import called, kernels_of

@called
def doubled(value):
    return {factor} * value

@kernels_of(Path(__file__).parent)
def double(values):
    for at in range(len(values)):
        values[at] = doubled(values[at])
"""


def imported(file: Path) -> ModuleType:
    """A module from a file, as a new process would see it."""
    compiling._stamp.cache_clear()
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_change_of_a_file_below_the_folder_compiles_again(tmp_path: Path):
    file, below = tmp_path / "doubling.py", tmp_path / "parts" / "more.py"
    below.parent.mkdir()
    below.write_text("A = 1\n")
    file.write_text(SOURCE.format(factor=2))
    kept = []
    for text in ("A = 1\n", "A = 1\n", "A = 2\n"):
        below.write_text(text)
        values = np.arange(3.0)
        imported(file).double(values)
        assert values.tolist() == [0, 2, 4]
        kept.append(len(list(tmp_path.rglob("*.nbi"))))
    assert kept == [1, 1, 2]
