from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from toolkit import registry as registry_module
from toolkit.camera import Camera
from toolkit.cli.data import data_app
from toolkit.errors import InputError, PluginError
from toolkit.hookspecs import hookimpl
from toolkit.interfaces import MakeRequest
from toolkit.registry import Registry


class Heads:
    """A data set that can make itself, as far as the command line is concerned."""

    requests: list[MakeRequest] = []  # noqa: RUF012 - emptied by the fixture

    @staticmethod
    def make(request: MakeRequest) -> Path:
        Heads.requests.append(request)
        return request.out


class Photos:
    """A data set that cannot."""


class DataPlugin:
    @hookimpl
    def register_datasets(self, register) -> None:
        register("heads", f"{__name__}:Heads", summary="makes itself", interface=1)
        register("photos", f"{__name__}:Photos", summary="does not", interface=1)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[MakeRequest]:
    registry = Registry()
    registry.add_plugin("mine", DataPlugin())
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this_module())
    monkeypatch.setattr(registry_module, "default_registry", lambda: registry)
    Heads.requests.clear()
    return Heads.requests


def _this_module() -> object:
    import types

    module = types.ModuleType(__name__)
    module.Heads, module.Photos = Heads, Photos  # type: ignore[attr-defined]
    return module


def run(*arguments: str) -> object:
    return CliRunner().invoke(data_app, list(arguments), catch_exceptions=False)


def test_make_passes_on_what_the_user_asked_for(requests: list[MakeRequest], tmp_path: Path):
    out = tmp_path / "out"
    result = run(
        *("make", "heads", "--subjects", "3", "--split", "test", "--seed", "4", "--domain", "wild"),
        *("--views", "front, back", "--size", "64", "--workers", "2", str(out)),
    )
    assert result.exit_code == 0
    assert result.stdout.strip() == str(out)
    assert requests == [MakeRequest(out, 3, "test", 4, "wild", ("front", "back"), 64, 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--subjects", "0"], "--subjects must be at least 1, got 0"),
        (["--size", "-1"], "--size must be at least 1"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--seed", "-1"], "--seed must not be negative"),
        (["--split", "training"], "--split must be one of train, val, test, got 'training'"),
        (["--domain", "odd"], "--domain must be one of clean, wild"),
        (["--views", " , "], "--views must name at least one view"),
    ],
)
def test_impossible_requests_are_one_sentence(
    requests: list[MakeRequest], tmp_path: Path, arguments: list[str], message: str
):
    with pytest.raises(InputError, match=message):
        run("make", "heads", str(tmp_path), *arguments)
    assert requests == []


def test_a_data_set_that_cannot_be_made_says_so(requests: list[MakeRequest], tmp_path: Path):
    with pytest.raises(InputError, match="'photos' is read from files"):
        run("make", "photos", str(tmp_path))
    with pytest.raises(PluginError, match="did you mean 'heads'"):
        run("make", "hads", str(tmp_path))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [["a.png", Camera.orbit().label[0].tolist()]]}))
    return tmp_path


def test_check_counts_and_finds_no_fault(small: Path):
    result = run("check", str(small))
    assert result.exit_code == 0
    assert "pictures  1 (1 of 4 px)" in result.stdout
    assert "no faults" in result.stdout


def test_check_names_faults_and_exits_with_1(small: Path):
    (small / "a.png").write_bytes(b"")
    result = run("check", str(small))
    assert result.exit_code == 1
    assert "fault     a.png: is empty" in result.stdout


def test_check_prints_json_for_scripts(small: Path):
    (small / "b.png").write_bytes((small / "a.png").read_bytes())
    result = run("check", "--json", str(small))
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["faults"] == [{"name": "b.png", "problem": "not in dataset.json"}]
    assert document["sizes"] == {"4": 1}


def test_check_refuses_a_place_without_data(tmp_path: Path):
    with pytest.raises(InputError, match="there is no data set"):
        run("check", str(tmp_path / "absent"))


def test_help_imports_no_torch():
    program = "import sys, toolkit.cli.data; assert 'torch' not in sys.modules and 'PIL' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
