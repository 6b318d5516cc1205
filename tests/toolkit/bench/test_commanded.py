"""A command that answers with renders stands on the same table as methods, and is asked once per picture."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, Results, run_suite
from toolkit.bench.subjects.commanded import CommandedHeads, with_answers
from toolkit.bench.subjects.description import RunDescription, open_run
from toolkit.bench.subjects.outside_check import check_outside
from toolkit.camera import Camera
from toolkit.errors import CapabilityError
from toolkit.external.method import open_external
from toolkit.testing.spherical import SphericalGenerator

Make = Callable[..., ComparedMethod]
MakeProtocol = Callable[..., ProtocolSettings]

ANSWER = """
    import json, shutil, sys
    from pathlib import Path
    request, result = map(Path, sys.argv[1:])
    asked = json.loads((request / "request.json").read_text())
    with open("calls.txt", "a") as log:
        log.write(f"{len(asked['wanted'])}\\n")
    names = [f"{number}.png" for number in range(len(asked["wanted"]))]
    for name in names:
        shutil.copy(request / asked["picture"], result / name)
    (result / "result.json").write_text(json.dumps({"renders": names}))
"""
"""Answers with the picture itself, whatever the camera."""


def declared(folder: Path, script: str = ANSWER) -> Path:
    (folder / "run.py").write_text(textwrap.dedent(script))
    settings = {"name": "copier", "command": [sys.executable, "run.py"], "depends_on": ["run.py"], "returns": "renders"}
    (folder / "copier.yaml").write_text(json.dumps(settings))  # JSON is YAML
    return folder / "copier.yaml"


@pytest.fixture
def compare(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make, protocol: MakeProtocol
) -> Callable[[Path], Results]:
    """A comparison of a command with a method, by two protocols."""

    def run(declaration: Path) -> Results:
        requests = [
            BenchRequest(protocol(kind, "l2", input_yaws=(0.0,)), str(heads_folder), tmp_path / "out", 2)
            for kind in ("reconstruction", "gt360")
        ]
        external = open_external(declaration)
        theirs = with_answers(ComparedMethod(external.name, external), spherical, tmp_path / "out")
        assert isinstance(theirs.inverter, CommandedHeads)
        return run_suite(requests, spherical, [method("drawn", 0), theirs])

    return run


def values(results: Results, protocol: str = "reconstruction") -> dict[str, float]:
    rows = [row for row in results.rows if (row.protocol, row.metric) == (protocol, "l2")]
    return {row.method: row.value for row in rows if row.value is not None}


def test_renders_of_a_command_stand_beside_methods_and_are_asked_for_once(
    tmp_path: Path, compare: Callable[[Path], Results]
) -> None:
    declaration = declared(tmp_path)
    results = compare(declaration)
    found = values(results)
    assert set(found) == {"copier", "drawn"}
    assert found["copier"] < 1e-4 < found["drawn"]  # it shows the picture itself, in 8 bits
    assert values(results, "gt360").keys() == found.keys()
    assert results.failures == []
    assert (tmp_path / "calls.txt").read_text().split() == ["4", "4"]  # all views of both pictures at once
    folders = list((tmp_path / "out" / "renders" / "copier").iterdir())
    assert [check_outside(folder).renders for folder in folders] == [4, 4]
    again = compare(declaration)
    assert values(again) == found
    assert len((tmp_path / "calls.txt").read_text().split()) == 2


def test_another_command_is_asked_again(tmp_path: Path, compare: Callable[[Path], Results]) -> None:
    compare(declared(tmp_path))
    compare(declared(tmp_path, ANSWER + "\n    # changed"))
    assert len((tmp_path / "calls.txt").read_text().split()) == 4


def test_a_command_that_fails_costs_its_cells_only(tmp_path: Path, compare: Callable[[Path], Results]) -> None:
    results = compare(declared(tmp_path, "import sys\nopen('calls.txt', 'a').write('0 ')\nsys.exit('no licence')"))
    assert set(values(results)) == {"drawn"}
    assert {failure.method for failure in results.failures} == {"copier"}
    assert all("no licence" in failure.error for failure in results.failures)
    assert (tmp_path / "calls.txt").read_text().split() == ["0", "0"]  # not again for the second protocol


def test_a_run_opens_a_declaration_of_renders_as_such(tmp_path: Path, heads_folder: Path) -> None:
    request = BenchRequest(ProtocolSettings(kind="reconstruction"), str(heads_folder), tmp_path / "out")
    described = RunDescription("panohead-mini", None, "cpu", None, (str(declared(tmp_path)),), (request,))
    _, (found,), broken = open_run(described)
    assert broken == {}
    assert (found.name, type(found.inverter)) == ("copier", CommandedHeads)
    assert found.fingerprint == open_external(tmp_path / "copier.yaml").fingerprint


def test_a_command_of_renders_is_no_inversion(tmp_path: Path, spherical: SphericalGenerator) -> None:
    with pytest.raises(CapabilityError, match="bench can compare it"):
        open_external(declared(tmp_path)).invert(torch.zeros(1, 3, 48, 48), Camera.orbit(), spherical)
