"""The program run in this process, with a stand-in for the embedded generator, and files that users bring."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from toolkit.camera import Camera
from toolkit.cli.main import main
from toolkit.registry import Registration, default_registry


class Ended(NamedTuple):
    """How a call of the program ended."""

    code: int
    out: str
    err: str


Program = Callable[..., Ended]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """Run the program as the shell does, errors and exit codes included."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["toolkit", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return Ended(code, *capsys.readouterr())

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny spherical generator under the name of the embedded one."""
    name = "panohead-mini"
    entry = Registration("generator", name, "toolkit.testing.spherical:build_spherical", "a stand-in", 1, "testing")
    monkeypatch.setitem(default_registry().registrations, ("generator", name), entry)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture with its camera beside it, `camera.json`."""
    pixels = np.random.default_rng(0).integers(0, 255, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    (tmp_path / "camera.json").write_text(json.dumps(Camera.orbit(0.3).label[0].tolist()))
    return tmp_path / "photo.png"
