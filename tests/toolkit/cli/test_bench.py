from __future__ import annotations

import json
import re
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

import toolkit.registry
from toolkit.bench import open_methods, read_results
from toolkit.bench.protocols import rows
from toolkit.camera import Camera
from toolkit.cli.bench import _by_method
from toolkit.cli.main import app
from toolkit.errors import ConfigError, InputError, ToolkitError
from toolkit.metrics.images import L2
from toolkit.registry import Registration, Registry, default_registry
from toolkit.testing import plugin as testing_plugin
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator
from toolkit_plugins.optimisation import mean

ROOT = Path(__file__).parents[3]


@pytest.fixture
def pictures(spherical: SphericalGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two pictures, the second one broken; the spherical generator is among the installed ones."""
    from PIL import Image

    everything = Registry(dict(default_registry().registrations), [], [])
    everything.add_plugin("testing", testing_plugin)
    monkeypatch.setattr(toolkit.registry, "default_registry", lambda: everything)
    folder = tmp_path / "pictures"
    folder.mkdir()
    with torch.no_grad():
        ws = spherical.mapping(torch.ones(1, 16), spherical.spec.front_camera)
        image = spherical.render(spherical.planes(ws), ws, Camera.orbit()).image[0]
    Image.fromarray(((image.clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy()).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"no picture")
    label = Camera.orbit().label[0].tolist()
    (folder / "dataset.json").write_text(json.dumps({"labels": [["a.png", label], ["b.png", label]]}))
    return folder


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["bench", *(str(argument) for argument in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def usual(pictures: Path) -> list[object]:
    return ["--generator", "spherical", "--data", pictures, "--out", pictures.parent / "out", "--threads", 1]


def test_a_comparison_writes_results_prints_a_table_and_reports_failures(pictures: Path):
    quick = ["--methods", "mean", "--option", "mean.samples=8"]
    result = run(*usual(pictures), *quick, "--limit", 1)
    assert result.exit_code == 0, result.output
    assert "| l2 " in result.stdout
    assert "mean" in result.stdout
    result = run(*usual(pictures), *quick, "--json")
    assert result.exit_code == 1
    results = read_results(pictures.parent / "out")
    assert (
        json.loads(result.stdout)
        == results.as_json()
        == json.loads((pictures.parent / "out" / "results.json").read_text())
    )
    l2 = next(row for row in results.rows if row.metric == "l2")
    assert (l2.method, l2.n, l2.failed) == ("mean", 1, 1)
    assert {"value", "low", "high", "direction", "backend", "world", "protocol"} <= l2.as_json().keys()
    assert "b.png" in result.stderr
    left_out = {entry.metric: entry.reason for entry in results.unavailable}
    assert "161 px" in left_out["ms_ssim"]
    assert "lpips_alex" not in left_out  # of the other backend


def files_of_the_walk(title: str) -> set[str]:
    """The files that a walk of docs/architecture.md lists."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = page.partition(f"**{title}.**")[2].partition("\n\n")[2].partition("\n\n")[0]
    return set(re.findall(r"`((?:toolkit|plugins)/\S+\.py)`", steps))


def test_the_walk_to_a_row_lists_the_files_that_a_run_passes(pictures: Path, monkeypatch: pytest.MonkeyPatch):
    passed: set[str] = set()

    def watch(owner: object, name: str, kind: str = "") -> None:
        """Note the files of the toolkit on the stack whenever a function is called."""
        known = getattr(owner, name)

        def called(*arguments: Any, **more: Any) -> Any:
            if not kind or arguments[0].kind == kind:
                files = (Path(frame.f_code.co_filename) for frame, _ in traceback.walk_stack(None))
                passed.update(str(file.relative_to(ROOT)) for file in files if file.is_relative_to(ROOT / "toolkit"))
            return known(*arguments, **more)

        monkeypatch.setattr(owner, name, called)

    watch(Registration, "load", "method")
    watch(mean.MeanHead, "invert")
    watch(L2, "update")
    watch(rows, "make_row")
    quick = ["--methods", "mean", "--option", "mean.samples=8", "--protocol", "reconstruction", "--limit", 1]
    assert run(*usual(pictures), *quick, "--set", "metrics=[l2]").exit_code == 0
    walk = files_of_the_walk("A method's name, to its row in the table")
    assert {file for file in passed if not file.startswith("toolkit/cli/")} == walk - {"toolkit/cli/bench.py"}
    assert len(walk) == 11


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["--methods", "meen"], InputError, "did you mean 'mean'"),
        (["--methods", ","], InputError, "names no method"),
        (["--methods", "mean,again=meen"], InputError, "did you mean 'mean'"),
        (["--methods", "mean,psp=mean"], InputError, "a name that means something else"),
        (["--methods", "mean,floor=mean"], InputError, "a name that means something else"),
        (["--methods", "again=mean,again=wplus"], InputError, "two rows 'again'"),
        (["--methods", "again=mean", "--option", "mean.samples=8"], InputError, "not among --methods again"),
        (["--methods", "mean", "--protocol", "gt36"], ConfigError, "did you mean 'gt360'"),
        (["--methods", "mean", "--set", "sead=1"], ConfigError, "seed"),
        (["--methods", "mean", "--option", "wplus.steps=1"], InputError, "not among --methods"),
        (["--methods", "mean", "--option", "steps=1"], InputError, "METHOD.KEY=VALUE"),
        (["--methods", "mean", "--option", "mean.steps=1"], ConfigError, "steps"),
        (["--methods", "mean", "--method-weights", "mean"], InputError, "METHOD=FILE"),
        (["--methods", "mean", "--limit", 0], InputError, "--limit must be at least 1"),
        (["--methods", "mean", "--protocol", ","], ConfigError, "names no protocol"),
        (["--methods", "mean", "--preset", "fats"], ConfigError, "no method knows --preset fats"),
        (["--methods", "mean", "--engine", "cloud"], InputError, "--engine must be one of"),
        (["--methods", "mean", "--results", "nowhere"], InputError, "renders.json"),
        (["--methods", "mean", "--backend", "both"], InputError, "unknown backend"),
        (["--methods", "mean", "--protocol", "gt360"], InputError, "several pictures of each subject"),
        (["--methods", "mean", "--protocol", "gt360,multiview"], InputError, "no protocol can be run"),
        (["--methods", "mean", "--protocol", "fid360", "--backend", "none"], InputError, "fid360 has no network"),
    ],
)
def test_wrong_usage_is_one_sentence(pictures: Path, arguments: list[object], kind: type[ToolkitError], message: str):
    with pytest.raises(kind) as caught:
        run(*usual(pictures), *arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (pictures.parent / "out" / "results.json").exists()


def test_a_reason_that_stops_several_methods_is_said_once(pictures: Path):
    weights = [f"--method-weights={method}=gone.safetensors" for method in ("psp", "e4e")]
    with pytest.raises(InputError) as caught:
        run(*usual(pictures), "--methods", "psp,e4e", *weights)
    assert str(caught.value).count("gone.safetensors does not exist") == 1


def test_finished_runs_are_reported_again_and_compared(pictures: Path):
    quick = ["--methods", "mean", "--protocol", "reconstruction", "--backend", "none", "--limit", 1]
    for name, samples in (("few", 8), ("many", 64)):
        out = pictures.parent / name
        run(*usual(pictures), *quick, "--option", f"mean.samples={samples}", "--out", out)
    (out / "report.html").unlink()
    page = pictures.parent / "leaderboard.md"
    result = run("report", out, "--leaderboard", page)
    assert (out / "report.html").is_file()
    assert "# Leaderboard" in page.read_text()
    assert str(page) in result.stdout
    result = run("compare", pictures.parent / "few", out, "--json")
    first = json.loads(result.stdout)["comparisons"][0]
    assert (first["first"], first["second"], first["n"]) == ("mean", "mean", 1)
    assert "cannot be told" in run("compare", out, out).stdout
    with pytest.raises(InputError, match="no results of toolkit bench"):
        run("compare", pictures, out)


def test_the_default_is_every_protocol_that_the_data_permits(pictures: Path):
    result = run(*usual(pictures), "--methods", "mean", "--option", "mean.samples=8", "--backend", "none", "--limit", 1)
    results = read_results(pictures.parent / "out")
    assert {row.protocol for row in results.rows} == {"reconstruction", "speed"}
    assert {entry.protocol for entry in results.left_out} == {"gt360", "multiview", "fid360"}
    assert "left out gt360" in result.stderr
    assert "report.html" in result.stderr
    assert result.exit_code == 0


def test_what_is_named_several_times_is_all_done(pictures: Path):
    """Commas and repeated options are the same: none of them silently replaces another."""
    copy = pictures.parent / "copy"
    copy.mkdir()
    for name in ("a.png", "dataset.json"):
        (copy / name).write_bytes((pictures / name).read_bytes())
    named = ["--methods", "mean", "--methods", "wplus", "--protocol", "reconstruction", "--protocol", "speed"]
    options = ["--option", "mean.samples=8", "--option", "wplus.steps=1", "--option", "wplus.samples=8"]
    run(*usual(pictures), *named, *options, "--data", copy, "--backend", "none", "--limit", 1)
    rows = read_results(pictures.parent / "out").rows
    assert {row.method for row in rows} == {"mean", "wplus"}
    assert {row.protocol for row in rows} == {"reconstruction", "speed"}
    assert len({row.data for row in rows}) == 1 and "copy" in rows[0].data and "pictures" in rows[0].data


def test_a_method_may_stand_twice_with_other_settings(pictures: Path):
    named = ["--methods", "mean,more.samples=mean", "--option", "mean.samples=8", "--protocol", "reconstruction"]
    result = run(*usual(pictures), *named, "--option", "more.samples.samples=9", "--backend", "none", "--limit", 1)
    assert result.exit_code == 0, result.output
    results = read_results(pictures.parent / "out")
    assert {row.method for row in results.rows} == {"mean", "more.samples"}
    (entries,) = (entry.methods for entry in results.runs.values())
    assert (entries["mean"].method, entries["mean"].options) == ("", {"samples": 8})
    assert (entries["more.samples"].method, entries["more.samples"].options) == ("mean", {"samples": 9})
    table = (pictures.parent / "out" / "table.md").read_text()
    assert "more.samples is mean with samples = 9." in table.replace("\\", "")
    run(*usual(pictures), "--methods", "wplus", "--option", "wplus.steps=1", "--option", "wplus.samples=8",
        "--protocol", "reconstruction", "--backend", "none", "--limit", 1)  # fmt: skip
    (entries,) = (entry.methods for entry in read_results(pictures.parent / "out").runs.values())
    assert entries["more.samples"].method == "mean"


@pytest.mark.parametrize("broken", [False, True])
def test_a_dry_run_tells_the_cost_and_wastes_nothing(
    pictures: Path, photo_folder: Path, tmp_path: Path, broken: bool
):  # fmt: skip
    import shutil

    data = shutil.copytree(photo_folder, tmp_path / "photos")
    if broken:
        (data / json.loads((data / "dataset.json").read_text())["labels"][0][0]).write_bytes(b"no picture")
    out = tmp_path / "out"
    asked = ["--generator", "spherical", "--data", data, "--out", out, "--threads", 1, "--methods", "mean"]
    asked += ["--option", "mean.samples=8", "--protocol", "reconstruction,multiview,fid360", "--set"]
    asked += ["metrics=[l2,fd_lite]", "--set", "yaw_tolerance=180"]
    result = run(*asked, "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("bench: no results were written; the first pictures are kept\n")
    table = [line.split("  ") for line in result.stdout.splitlines()[2:-1]]
    told = {tuple(filter(None, map(str.strip, line)))[:3] for line in table}
    left = "6" if broken else "7"
    assert told == {("mean", "reconstruction", left), ("mean", "fid360", left), ("random heads", "fid360", "4")}
    assert "projected total" in result.stdout.splitlines()[-1]
    assert "left out multiview" in result.stderr
    known = (out / "cells.jsonl").read_bytes()
    assert known.count(b"\n") == (5 if broken else 3)
    assert {path.name for path in out.iterdir()} == {"cells.jsonl", "features", "inversions"}
    again = json.loads(run(*asked, "--dry-run", "--json").stdout)
    assert sum(estimate["pieces"] for estimate in again["estimates"]) == 2 * 7 + 4  # unreadable ones are tried again
    assert again["seconds"] == pytest.approx(sum(estimate["seconds"] for estimate in again["estimates"]))
    assert (out / "cells.jsonl").read_bytes() == known  # what is known is enough
    assert "random heads: 5 of 5" in run(*asked).stderr
    keys = [json.loads(line)["key"] for line in (out / "cells.jsonl").read_text().splitlines()]
    assert len(keys) == 8 + 8 + 5 + 2 * broken
    if not broken:
        assert "nothing is left to do" in run(*asked, "--dry-run").stdout
        assert len(set(keys)) == len(keys)


def test_data_that_is_nothing_is_named(pictures: Path):
    with pytest.raises(InputError, match="neither a folder nor a data set"):
        run("--generator", "spherical", "--methods", "mean", "--data", "heads361", "--out", pictures.parent / "out")


def test_a_preset_is_for_the_methods_that_know_it(spherical: SphericalGenerator):
    methods, broken = open_methods(["mean", "wplus"], spherical, {"wplus": {"steps": 3}}, {}, preset="fast")
    assert broken == {}
    assert [dict(each.options) for each in methods] == [{}, {"steps": 3, "preset": "fast"}]
    with pytest.raises(ConfigError, match="stepz"):
        open_methods(["wplus"], spherical, {"wplus": {"stepz": 3}}, {}, preset="fast")


def test_a_method_that_cannot_be_built_is_returned_with_its_reason(bare: BareSphericalGenerator):
    methods, broken = open_methods(["pti", "mean"], bare, {}, {})
    assert [each.name for each in methods] == ["mean"]
    assert "Tunable" in broken["pti"] or "tun" in broken["pti"]


def test_an_option_finds_a_method_whose_name_has_dots() -> None:
    found = _by_method(["lottery.v2.mask.closing=1", "lottery.seed=2"], ["lottery", "lottery.v2"])
    assert found == {"lottery.v2": {"mask": {"closing": 1}}, "lottery": {"seed": 2}}
