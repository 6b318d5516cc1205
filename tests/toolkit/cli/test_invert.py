"""What a new user does to `toolkit invert`; whatever it is, one sentence, a code, and nothing half-written."""

from __future__ import annotations

import dataclasses
import json
import os
import struct
import zlib
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import toolkit.apps.invert as inverting
from toolkit.inversion import Inversion
from toolkit.registry import default_registry
from toolkit.tensors import write_tensors

QUICK = ("--method", "mean", "--set", "samples=4", "--no-video", "--no-mesh", "--no-viewer")

pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.fixture
def invert(program, tmp_path: Path):
    """Run `toolkit invert` into `out`, quickly."""

    def run(*arguments: object):
        return program("invert", *arguments, *QUICK, "--out", tmp_path / "out")

    return run


def refused(ended, message: str, place: Path, code: int = 2) -> None:
    """Hold a call to have been refused by one sentence, with nothing written."""
    assert ended.code == code, ended
    last = ended.err.rstrip("\n").splitlines()[-1]
    assert message in last and "Traceback" not in ended.err and ended.out == ""
    assert last.startswith(("error: ", "failed   "))
    assert not (place / "out").exists()


def test_a_photo_with_its_camera_becomes_a_whole_result(invert, photo: Path, tmp_path: Path) -> None:
    ended = invert(photo, "--camera", tmp_path / "camera.json", "--json")
    assert ended.code == 0, ended.err
    (line,) = ended.out.splitlines()
    said = json.loads(line)
    assert (said["status"], said["error"]) == ("done", None)
    folder = Path(said["folder"])
    assert sorted(path.name for path in folder.iterdir()) == ["inversion.json", "inversion.safetensors", "views.png"]
    assert Inversion.load(folder).method == "mean"
    assert invert(photo, "--camera", tmp_path / "camera.json").out == f"skipped  {folder}\n"


def make_bad_picture(kind: str, folder: Path) -> Path:
    """A picture that is none."""
    place = folder / f"{kind}.png"
    whole = Image.effect_noise((64, 64), 50)
    if kind == "directory":
        place.mkdir()
    elif kind == "empty":
        place.touch()
    elif kind == "text":
        place = folder / "text.jpg"
        place.write_text("I am a picture, honestly.\n" * 9)
    elif kind == "cut":
        whole.save(place)
        place.write_bytes(place.read_bytes()[: place.stat().st_size // 2])
    elif kind == "bomb":
        whole.save(place)
        png = place.read_bytes()
        header = b"IHDR" + struct.pack(">II", 60_000, 60_000) + png[24:29]  # a header may promise anything
        place.write_bytes(png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:])
    elif kind == "animation":
        place = folder / "animation.gif"
        whole.save(place)
    return place


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("directory", "is a directory"),
        ("absent", "there is no file"),
        ("empty", "is empty"),
        ("text", "is not a PNG, JPEG"),
        ("cut", "damaged or cut short"),
        ("bomb", "too large"),
        ("animation", "is not a PNG, JPEG"),
    ],
)
def test_a_bad_picture_is_refused_by_name(invert, photo: Path, tmp_path: Path, kind: str, message: str) -> None:
    bad = make_bad_picture(kind, tmp_path)
    ended = invert(bad, "--camera", tmp_path / "camera.json")
    refused(ended, message, tmp_path)
    assert str(bad) in ended.err


def test_one_bad_picture_of_two_costs_only_itself_and_ends_with_1(invert, photo: Path, tmp_path: Path) -> None:
    label = json.loads((tmp_path / "camera.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [[photo.name, label]]}))
    ended = invert(make_bad_picture("cut", tmp_path), photo)
    assert ended.code == 1
    assert ended.out == f"done     {tmp_path / 'out' / 'photo'}\n"
    assert ended.err.splitlines()[-1].startswith(f"failed   {tmp_path / 'cut.png'}: ")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo"]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([1.0] * 24, "must hold 25 numbers, got 24"),
        ([float("nan")] * 25, "NaN or infinity"),
        ([0.0] * 25, "its rotation is not one"),
        ("the front, please", "must hold 25 numbers, got str"),
        ({"camera": 1}, "must hold 25 numbers"),
        (None, "does not exist"),
    ],
    ids=["24", "nan", "zeros", "text", "object", "absent"],
)
def test_a_bad_camera_is_refused_by_name(invert, photo: Path, tmp_path: Path, numbers: object, message: str) -> None:
    camera = tmp_path / "bad.json"
    if numbers is not None:
        camera.write_text(json.dumps(numbers))
    ended = invert(photo, "--camera", camera)
    refused(ended, message, tmp_path)
    assert str(camera) in ended.err


def test_a_camera_belongs_to_one_photo(invert, photo: Path, tmp_path: Path) -> None:
    refused(invert(photo, photo, "--camera", tmp_path / "camera.json"), "belong to one photo", tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "wpls"], "unknown method 'wpls'; did you mean 'wplus'?"),
        (["--generator", "panohed"], "unknown generator 'panohed'; did you mean 'panohead'?"),
        (["--method", "wplus", "--preset", "fst"], "did you mean 'fast'?"),
        (["--method", "psp", "--preset", "fast"], "method 'psp' has no presets, got 'fast'"),
        (["--method", "dual-encoder", "--set", "mask.resolutio=3"], "did you mean 'mask.resolution'?"),
        (["--method", "wplus", "--set", "stps=3"], "did you mean 'steps'?"),
        (["--set", "samples"], "--set takes KEY=VALUE"),
        (["--set", "=4"], "--set takes KEY=VALUE"),
        (["--set", "samples=[1"], "--set samples"),
        (["--set", "samples=many"], "'samples'"),
        (["--set", "samples=1"], "'samples'"),
        (["--set", "samples=3", "--set", "samples=4"], "given twice"),
        (["--device", "warp"], "device 'warp'"),
        (["--pose", "sideways"], "unknown pose estimator 'sideways'"),
        (["--background", "purple"], "background must be one of auto, keep, remove"),
        (["--face", "-1"], "face must be 0"),
        (["--method-weights", "x.safetensors"], "has no weights of its own"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_refused_before_any_work(
    program, photo: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    method = [] if "--method" in words else ["--method", "mean"]
    ended = program("invert", photo, "--camera", tmp_path / "camera.json", "--out", tmp_path / "out", *method, *words)
    refused(ended, message, tmp_path)
    assert ended.err.count("\n") == 1


def test_weights_of_another_architecture_are_refused(invert, photo: Path, tmp_path: Path) -> None:
    save_file({"encoder.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("these are no tensors at all")
    for name, message in (
        ("other.safetensors", "panohead weights do not fit"),
        ("text.safetensors", "is not a sound safetensors file"),
        ("gone.safetensors", "does not exist"),
        (".", "is not a file"),
    ):
        refused(invert(photo, "--generator", "panohead", "--weights", tmp_path / name), message, tmp_path)


def test_an_output_that_is_a_file_is_refused_before_any_work(program, photo: Path, tmp_path: Path) -> None:
    for out in (photo, photo / "below"):
        ended = program("invert", photo, "--camera", tmp_path / "camera.json", *QUICK, "--out", out)
        refused(ended, f"{photo} is not a folder", tmp_path)
        assert ended.err.count("\n") == 1


def test_a_read_only_output_is_refused_before_any_work(
    invert, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: mode == os.R_OK and real(place, mode))  # root may write all
    ended = invert(photo, "--camera", tmp_path / "camera.json")
    refused(ended, "is read-only", tmp_path, code=1)


def test_a_disk_that_fills_up_leaves_nothing_and_ends_with_1(
    invert, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, *_: object) -> None:
        (folder / "views.png").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inverting, "write_products", full)
    ended = invert(photo, "--camera", tmp_path / "camera.json")
    assert ended.code == 1 and ended.err.splitlines()[-1].startswith("error: cannot write ")
    assert list((tmp_path / "out").iterdir()) == []


def test_another_result_is_not_overwritten_without_force(invert, photo: Path, tmp_path: Path) -> None:
    assert invert(photo, "--camera", tmp_path / "camera.json").code == 0
    before = (tmp_path / "out" / "photo" / "inversion.json").read_bytes()
    ended = invert(photo, "--camera", tmp_path / "camera.json", "--set", "samples=5")
    assert ended.code == 2
    ended = invert(photo, "--camera", tmp_path / "camera.json", "--background", "keep")
    assert ended.code == 2 and "--force" in ended.err
    assert (tmp_path / "out" / "photo" / "inversion.json").read_bytes() == before
    assert invert(photo, "--camera", tmp_path / "camera.json", "--background", "keep", "--force").code == 0


def test_without_plugins_the_sentence_says_so(program, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit import registry

    for variable, message in (("", "available: none"), ("panohaed", "kept out as broken: panohaed")):
        monkeypatch.setattr(registry, "default_registry", lambda said=variable: registry.discover(said))
        ended = program("invert", photo)
        assert ended.code == 2 and message in ended.err and ended.err.count("\n") == 1


def test_options_of_a_method_are_listed_without_a_photo(program) -> None:
    run = program("invert", "--list-options", "wplus")
    assert run.code == 0
    lines = run.out.splitlines()
    assert any(line.startswith("steps ") and "int = 500" in line for line in lines)
    assert lines[-1].startswith("presets: ") and "fast" in lines[-1]


def test_a_call_without_a_photo_says_what_is_missing(program) -> None:
    run = program("invert")
    assert run.code == 2 and "images are missing" in run.err


@pytest.mark.parametrize(
    ("words", "generator"),
    [
        ((), "panohead-mini"),
        (("--method", "psp"), "panohead-mini"),
        (("--method", "mean"), "eg3d"),
        (("--method", "mean", "--generator", "panohead-mini"), "panohead-mini"),
    ],
)
def test_a_method_chooses_its_generator_unless_another_is_named(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], generator: str
) -> None:
    taken: list[object] = []
    entry = dataclasses.replace(default_registry().get("method", "mean"), generator="eg3d")
    monkeypatch.setitem(default_registry().registrations, ("method", "mean"), entry)
    monkeypatch.setattr(inverting, "invert_photos", lambda *_, **named: taken.append(named["generator"]) or [])
    assert program("invert", tmp_path / "a.png", *words, "--out", tmp_path / "out").code == 0
    assert taken == [generator]


@pytest.mark.parametrize(
    ("header", "words", "generator"),
    [
        ({"name": "eg3d"}, (), "eg3d"),
        ({"name": "panohead-mini"}, ("--method", "pti"), "panohead-mini"),
        ({"name": "eg3d"}, ("--generator", "panohead-mini"), "panohead-mini"),
        ({"name": "not-installed"}, ("--method", "psp"), "panohead-mini"),
        ({"name": 3}, ("--method", "psp"), "panohead-mini"),
        ("text", ("--method", "psp"), "panohead-mini"),
    ],
)
def test_a_checkpoint_says_which_generator_it_is_for(
    program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    header: object,
    words: tuple[str, ...],
    generator: str,
) -> None:
    file, taken = tmp_path / "mine.safetensors", list[object]()
    write_tensors(file, {"x": torch.zeros(1)}, {"generator": header})
    monkeypatch.setattr(inverting, "invert_photos", lambda *_, **named: taken.append(named["generator"]) or [])
    run = program("invert", tmp_path / "a.png", *words, "--method-weights", file, "--out", tmp_path / "out")
    assert run.code == 0 and taken == [generator]


def test_a_checkpoint_that_is_none_is_refused_by_its_reader(program, tmp_path: Path) -> None:
    for name, content in (("text.safetensors", b"no weights"), ("empty.pt", b"")):
        (tmp_path / name).write_bytes(content)
        run = program("invert", tmp_path / "a.png", "--method-weights", tmp_path / name, "--out", tmp_path / "out")
        assert run.code == 2 and name in run.err and "Traceback" not in run.err
