"""What every weights file on board promises: it says how it was made, and nothing of the machine that made it."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors import safe_open

PLUGINS = Path(__file__).resolve().parents[2] / "plugins" / "toolkit_plugins"
FILES = sorted(PLUGINS.glob("*/weights/*.safetensors"))
MEBIBYTE = 2**20


def test_all_together_are_small() -> None:
    assert FILES
    assert sum(file.stat().st_size for file in FILES) < 60 * MEBIBYTE


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_header_names_licence_and_training_but_no_folder_of_a_machine(file: Path) -> None:
    with safe_open(file, "pt") as opened:
        header = opened.metadata()["toolkit"]
    for key in ("licence", "training"):
        assert f'"{key}"' in header, key
    assert '"/' not in header.replace("\\", "")
