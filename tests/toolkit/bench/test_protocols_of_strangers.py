"""A protocol that an installed package registers, in the program, in worker processes and after its package is gone."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from toolkit.bench import open_protocol, open_protocols, read_results
from toolkit.bench.records.schema import Results, Row
from toolkit.cli.main import app
from toolkit.errors import ConfigError, InputError, PluginError, ToolkitError
from toolkit.registry import default_registry

PAGE = Path(__file__).parents[3] / "docs" / "plugins" / "protocol.md"

PLUGIN = """
from toolkit.hookspecs import hookimpl


@hookimpl
def register_protocols(register):
    register("whitened", f"{__name__}.documented:Whitened", summary="the page's example", interface=1)
    register("opposite", f"{__name__}.own:Opposite", summary="two pictures per item", interface=1, headline=True)
    register("no-class", f"{__name__}.own:no_class", summary="a function", interface=1)


@hookimpl
def register_generators(register):
    register("ball", "toolkit.testing.spherical:build_spherical", summary="the tests' generator", interface=1)
"""

OWN = '''
from toolkit.bench import BenchProtocol
from toolkit.bench.protocols.scoring import MetricInputs, score
from toolkit.bench.subjects.inputs import BenchItem, pictures_by_subject, read_item, yaws_of
from toolkit.errors import InputError


class Opposite(BenchProtocol):
    """The front in, the picture from the other side compared with."""

    shipped = {"metrics": ["l2", "psnr"], "about": "The front in, the back compared.", "options": {"from": 150}}
    interval = "none of the usual kind"

    def find_items(self, limit):
        yaws, items = yaws_of(self.data), []
        for subject, indices in pictures_by_subject(self.data).items():
            front = min(indices, key=lambda index: abs(yaws[index]))
            back = max(indices, key=lambda index: abs(yaws[index]))
            if abs(yaws[back]) >= self.settings.options["from"]:
                items.append(BenchItem(f"{subject} from behind", subject, uses=(front, back)))
        if not items:
            raise InputError(f"no subject is seen from {self.settings.options['from']} degrees")
        return items[:limit]

    def measure(self, method, item, inversions):
        front, back = (read_item(self.data, index) for index in item.uses)
        views = inversions.head(method, front).views(back.camera)
        return score(self.metrics, MetricInputs(views.image, back.image[None], back.camera))


def no_class(context):
    return None
'''


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package on the path of this process and of its children, with the entry point that pip would write."""
    site, name = tmp_path / "site", "strangers_protocols"
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text(PLUGIN)
    (site / name / "own.py").write_text(OWN)
    (documented,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        if "(BenchProtocol)" in block
    )
    (site / name / "documented.py").write_text(documented)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[toolkit]\nstrangers = {name}\n")
    monkeypatch.syspath_prepend(str(site))
    default_registry.cache_clear()
    yield site
    default_registry.cache_clear()
    for module in [each for each in sys.modules if each.split(".")[0] == name]:
        del sys.modules[module]


def run(data: Path, out: Path, *arguments: str) -> Result:
    quick = ["--generator", "ball", "--methods", "mean", "--option", "mean.samples=8", "--threads", "1"]
    result = CliRunner().invoke(app, ["bench", "--data", str(data), "--out", str(out), *quick, *arguments])
    if isinstance(result.exception, ToolkitError):
        raise result.exception
    return result


def rows(results: Results, protocol: str) -> dict[str, Row]:
    return {row.metric: row for row in results.rows if row.protocol == protocol}


def test_it_runs_beside_a_built_in_one_and_has_rows_cells_and_a_report(
    stranger: Path, heads_folder: Path, tmp_path: Path
):
    result = run(heads_folder, tmp_path / "out", "--protocol", "reconstruction,whitened,opposite", "--limit", "2")
    assert result.exit_code == 0, result.output
    results = read_results(tmp_path / "out")
    usual, documented, own = (rows(results, name) for name in ("reconstruction", "whitened", "opposite"))
    assert documented["l2"].value == usual["l2"].value  # the same inputs, the same view
    assert set(own) == {"l2", "psnr"} and own["l2"].n == 2 and own["l2"].value != usual["l2"].value
    assert {cell.item for cell in results.cells if cell.protocol == "opposite"} == {
        "00000 from behind",
        "00001 from behind",
    }
    intervals = [entry.interval for entry in results.runs.values() if entry.protocol == "opposite"]
    assert intervals == ["none of the usual kind"]
    table = (tmp_path / "out" / "table.md").read_text()
    assert "## opposite on" in table and "The front in, the back compared." in table
    assert "opposite" in (tmp_path / "out" / "report.html").read_text()


def test_worker_processes_find_it_and_give_the_same_numbers(stranger: Path, heads_folder: Path, tmp_path: Path):
    few = ["--protocol", "opposite", "--limit", "2"]
    run(heads_folder, tmp_path / "one", *few)
    result = run(heads_folder, tmp_path / "two", *few, "--engine", "processes", "--workers", "1")
    assert result.exit_code == 0, result.output
    one, two = (rows(read_results(tmp_path / name), "opposite") for name in ("one", "two"))
    assert one == two


def test_its_settings_are_changed_and_judged_like_those_of_others(stranger: Path, heads_folder: Path, tmp_path: Path):
    assert open_protocol("opposite").options == {"from": 150}
    assert [each.title for each in open_protocols("all")][-1] == "opposite"  # headline, after the built-in ones
    with pytest.raises(ConfigError, match="did you mean 'opposite'"):
        open_protocol("oposite")
    with pytest.raises(InputError, match="no subject is seen from 200 degrees"):
        run(heads_folder, tmp_path / "out", "--protocol", "opposite", "--set", 'options={"from": 200}')
    with pytest.raises(PluginError, match="'no-class' must be a class derived from BenchProtocol"):
        run(heads_folder, tmp_path / "out", "--protocol", "no-class")


def test_results_are_read_and_reported_again_without_its_package(
    stranger: Path, heads_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run(heads_folder, tmp_path / "out", "--protocol", "opposite", "--limit", "1")
    before = json.loads((tmp_path / "out" / "results.json").read_text())
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(stranger)])
    default_registry.cache_clear()
    assert ("protocol", "opposite") not in default_registry().registrations
    assert read_results(tmp_path / "out").as_json() == before
    result = CliRunner().invoke(app, ["bench", "report", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "The front in, the back compared." in (tmp_path / "out" / "table.md").read_text()
