from __future__ import annotations

import json
import sys
import time
import types
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

import toolkit.registry
from toolkit.bench.subjects.outside_check import check_outside
from toolkit.camera import Camera
from toolkit.cli.main import app
from toolkit.cli.render import chosen_angles
from toolkit.devices import choose_arithmetic, chosen_arithmetic
from toolkit.errors import InputError, PluginError, ToolkitError, WeightsError
from toolkit.inversion import Inversion
from toolkit.registry import Registration, Registry
from toolkit.strangers import limit_time
from toolkit.testing.spherical import SphericalGenerator, build_spherical


@pytest.fixture
def head(inversion: Inversion, tmp_path: Path, testing_registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(toolkit.registry, "default_registry", lambda: testing_registry)
    return inversion.save(tmp_path / "head")


def run(*arguments: object) -> list[Path]:
    """Run the program; the files that it names."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return [Path(line) for line in result.stdout.splitlines()]


def test_views_are_named_after_their_angles(head: Path) -> None:
    files = run("render", head, "--yaw", "0", "--yaw", "-30.5", "--pitch", "10", "--resolution", "8")
    assert [file.name for file in files] == ["yaw+000.0_pitch+10.0.png", "yaw-030.5_pitch+10.0.png"]
    for file in files:
        assert file.parent == head / "renders"
        with Image.open(file) as picture:
            assert picture.size == (48, 48) and "generated" in picture.info["Comment"]


def test_without_options_eight_views_are_written(head: Path, tmp_path: Path) -> None:
    assert len(run("render", head, "--out", tmp_path / "views", "--resolution", "4")) == 8
    assert len(list((tmp_path / "views").iterdir())) == 8


def test_a_mesh_is_written_where_asked(head: Path, tmp_path: Path) -> None:
    assert run("mesh", head, "--resolution", "16") == [head / "mesh.glb"]
    (elsewhere,) = run("mesh", head, "--resolution", "16", "--out", tmp_path / "other" / "a.glb")
    assert elsewhere.read_bytes()[:4] == b"glTF"


@pytest.mark.parametrize("command", [["render", "--yaw", "0"], ["mesh", "--resolution", "16"]])
def test_a_strangers_generator_that_never_ends_is_ended_at_the_limit(
    command: list[str], head: Path, testing_registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("odd_generators")
    endless = type("Endless", (SphericalGenerator,), {"render": lambda *given, **options: time.sleep(60)})

    def build(weights: object, device: str) -> SphericalGenerator:
        made = build_spherical()
        made.__class__ = endless
        return made

    module.build = build  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "odd_generators", module)
    entry = Registration("generator", "spherical", "odd_generators:build", "s", 1, "sx")
    monkeypatch.setitem(testing_registry.registrations, ("generator", "spherical"), entry)
    started = time.monotonic()
    try:
        with pytest.raises(PluginError, match=r"^generator 'spherical' of plugin 'sx' failed: .*longer than 1 s"):
            run(*command, head, "--time-limit", "1")
    finally:
        limit_time(None)
    assert time.monotonic() - started < 30


def test_faster_arithmetic_is_named_in_what_is_written_and_unknown_one_refused(head: Path, tmp_path: Path) -> None:
    asked = ["--resolution", "8", "--arithmetic", "half-superresolution"]
    try:
        (view,) = run("render", head, "--yaw", "0", *asked)
        (mesh,) = run("mesh", head, *asked)
        assert chosen_arithmetic() == ("half-superresolution",)
        with pytest.raises(InputError, match="unknown arithmetic 'fp8'"):
            run("mesh", head, "--arithmetic", "fp8")
    finally:
        choose_arithmetic(())
    with Image.open(view) as picture:
        assert picture.info["Comment"].endswith(", half-superresolution")
    assert b'"arithmetic":"half-superresolution"' in mesh.read_bytes().replace(b": ", b":")
    (exact,) = run("mesh", head, "--resolution", "8", "--out", tmp_path / "exact.glb")
    assert b"arithmetic" not in exact.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--views", "0"], "--views must be 1"),
        (["--views", "3", "--yaw", "1"], "exclude"),
        (["--yaw", "1", "--yaw", "2", "--yaw", "3", "--pitch", "1", "--pitch", "2"], "3 yaws and 2 pitches"),
        (["--yaw", "nan"], "finite"),
        (["--yaw", "0", "--pitch", "91"], "-90 to 90"),
        (["--resolution", "0"], "--resolution must be"),
        (["--device", "toaster"], "'toaster'"),
        (["--weights", "nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_wrong_usage_is_one_sentence_and_writes_nothing(head: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(ToolkitError, match=message):
        run("render", head, *arguments)
    assert not (head / "renders").exists()


@pytest.mark.parametrize("name", ["me.png", "notes.txt", "me.obj", "me", "me.glb.zip"])
def test_a_mesh_takes_no_other_files_place(head: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(ToolkitError, match=r"must end in \.glb"):
        run("mesh", head, "--resolution", "16", "--out", tmp_path / name)
    assert (tmp_path / name).read_text() == "precious"


def test_weights_that_went_away_are_named(head: Path, inversion: Inversion) -> None:
    inversion.provenance["generator_weights"] = "gone.safetensors"
    inversion.save(head)
    with pytest.raises(WeightsError, match=r"gone\.safetensors.*--weights"):
        run("mesh", head)


def test_a_folder_without_an_inversion_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        run("mesh", tmp_path / "nothing")


@pytest.mark.parametrize(
    ("yaws", "pitches", "views", "expected"),
    [
        ([], [], None, []),
        ([5.0], [], None, [(5.0, None)]),
        ([], [1.0, 2.0], None, [(0.0, 1.0), (0.0, 2.0)]),
        ([1.0, 2.0], [3.0, 4.0], None, [(1.0, 3.0), (2.0, 4.0)]),
        ([], [7.0], 2, [(0.0, 7.0), (180.0, 7.0)]),
    ],
)
def test_yaws_and_pitches_are_paired(
    yaws: list[float], pitches: list[float], views: int | None, expected: list[tuple[float, float | None]]
) -> None:
    assert chosen_angles(yaws, pitches, views) == expected


def test_views_from_wanted_cameras_become_renders_that_the_benchmark_takes(head: Path, tmp_path: Path) -> None:
    cameras = [Camera.orbit(yaw).label[0].tolist() for yaw in (0.0, 0.5, 3.0)]
    wanted = tmp_path / "wanted.json"
    wanted.write_text(
        json.dumps({"renders": [["a/front.png", camera] for camera in cameras] + [["b.png", cameras[0]]]})
    )
    out = tmp_path / "theirs"
    files = run("render", head, "--cameras", wanted, "--source", "a/front.png", "--out", out)
    assert [file.name for file in files] == [*(f"a_front-{index:04d}.png" for index in range(3)), "renders.json"]
    report = check_outside(out, wanted)
    assert (report.renders, report.inputs, report.sizes, report.missing) == (3, 1, {48: 3}, 1)
    assert report.faults == ["renders.json lacks 1 wanted renders of b.png"]
    run("render", head, "--cameras", wanted, "--source", "b.png", "--out", out)
    assert check_outside(out, wanted).faults == []
    result = CliRunner().invoke(app, ["bench", "check-results", str(out), "--wanted", str(wanted)])
    assert result.exit_code == 0 and "no faults" in result.output


@pytest.mark.parametrize(
    ("document", "words"),
    [("{", "no list of wanted cameras"), ("[]", "wants no render"), ('{"renders": [["a"]]}', "no list of wanted"),
     ('{"renders": [["a", [1, 2]]]}', "25 numbers"), ("3", "no list of wanted cameras")],
)  # fmt: skip
def test_a_list_of_cameras_of_another_form_is_one_sentence(
    head: Path, tmp_path: Path, document: str, words: str
) -> None:
    (tmp_path / "wanted.json").write_text(document)
    with pytest.raises(InputError, match=words):
        run("render", head, "--cameras", tmp_path / "wanted.json")


def test_renders_that_cannot_be_are_named(head: Path, tmp_path: Path) -> None:
    wanted, out = tmp_path / "wanted.json", tmp_path / "theirs"
    wanted.write_text(json.dumps([Camera.orbit(0.2).label[0].tolist()]))
    run("render", head, "--cameras", wanted, "--source", "a.png", "--out", out)
    document = json.loads((out / "renders.json").read_text())
    far = Camera.orbit(0.2, radius=270.0).label[0].tolist()
    document["renders"] += [["a.png", "gone.png", document["renders"][0][2]], ["a.png", "view.gif", far]]
    Image.new("RGB", (48, 48)).save(out / "view.gif")
    (out / "renders.json").write_text(json.dumps(document))
    faults = " | ".join(check_outside(out).faults)
    assert "gone.png" in faults and "270 units" in faults and "is not a PNG" in faults
