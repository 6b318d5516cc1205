from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import toolkit
from toolkit import registry as registry_module
from toolkit.cli.data import data_app
from toolkit.data import preparation
from toolkit.data.preparation import Preparation
from toolkit.errors import InputError
from toolkit.interfaces.dataset import Gathered, Photograph

CALLS: list[tuple[Any, ...]] = []


class Films:
    """A data set with raw material."""

    @staticmethod
    def photographs(source: Path, scratch: Path) -> Gathered:
        CALLS.append((source, scratch))
        return Gathered([Photograph(source / "x.png", "x")], {"y": "no video"})


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch) -> None:
    CALLS.clear()
    kinds: dict[str, Any] = {"films": Films, "crops": dict}
    registry = SimpleNamespace(load=lambda _kind, name: kinds[name])
    monkeypatch.setattr(registry_module, "default_registry", lambda: registry)
    monkeypatch.setattr(toolkit, "load_generator", lambda *_: SimpleNamespace(spec="the spec"))

    def prepare(gathered: Gathered, out: Path, spec: Any, **options: Any) -> Preparation:
        CALLS.append((gathered, out, spec, options))
        return Preparation(out, len(gathered.photographs), gathered.rejects, {"x": ["small", "dark"]})

    monkeypatch.setattr(preparation, "prepare_folder", prepare)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(data_app, ["prepare", *arguments], catch_exceptions=False)


def test_raw_material_of_a_data_set_is_found_by_its_plugin_and_the_report_is_on_stderr(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("films", str(tmp_path), str(out), "--background", "keep", "--workers", "3")
    assert CALLS[0] == (tmp_path, out / ".scratch")
    assert CALLS[1][2] == "the spec"
    assert {**CALLS[1][3], "progress": None} == {"background": "keep", "workers": 3, "progress": None}
    assert result.stdout == f"{out}\n" and result.exit_code == 0
    assert result.stderr.splitlines() == [
        "left out  y: no video",
        "doubtful  x: small; dark",
        "1 prepared, 1 left out, 1 doubtful",
    ]


def test_a_folder_of_photos_in_which_nothing_is_usable_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert run("photos", str(tmp_path / "photos"), str(tmp_path / "out")).exit_code == 1


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'crops' needs no preparation of its own"):
        run("crops", str(tmp_path), str(tmp_path / "out"))
    with pytest.raises(InputError, match="--background must be one of auto, keep, remove, got 'green'"):
        run("photos", str(tmp_path), str(tmp_path / "out"), "--background", "green")
