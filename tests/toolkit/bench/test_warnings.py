"""What a run does not trust: cameras that cannot be, methods that change what is not theirs, take too long, or die."""

from __future__ import annotations

import json
import signal
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import toolkit.registry
from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, run_suite
from toolkit.bench.records.schema import Results
from toolkit.errors import InputError
from toolkit.isolation.guard import GeneratorSource, MethodRequest, open_method
from toolkit.isolation.method import IsolatedMethod
from toolkit.isolation.watch import GeneratorWatch
from toolkit.progress import Silence
from toolkit.registry import Registration, Registry
from toolkit.testing.spherical import SphericalGenerator, build_spherical

Make = Callable[..., ComparedMethod]
MakeProtocol = Callable[..., ProtocolSettings]
SPOILT = "00000/yaw_90.png"


class Notes(Silence):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def relabelled(
    folder: Path, change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], *names: str
) -> None:
    """Change the labels of these pictures, by default of one."""
    document = json.loads((folder / "dataset.json").read_text())
    for entry in document["labels"]:
        if entry[0] in (names or (SPOILT,)):
            matrix, intrinsics = change(np.array(entry[1][:16]).reshape(4, 4), np.array(entry[1][16:]).reshape(3, 3))
            entry[1] = [*matrix.ravel().tolist(), *intrinsics.ravel().tolist()]
    (folder / "dataset.json").write_text(json.dumps(document))


def far(matrix: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = np.ones((4, 4))
    scale[:3, 3] = 10 / 2.7
    return matrix * scale, intrinsics


def looking_away(matrix: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return matrix @ np.diag([-1.0, 1, -1, 1]), intrinsics


def inside(matrix: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = np.ones((4, 4))
    scale[:3, 3] = 0.02
    return matrix * scale, intrinsics


@pytest.mark.parametrize(
    "change",
    [
        far,
        looking_away,
        inside,
        lambda matrix, intrinsics: (matrix, intrinsics + np.diag([1010.0, 1010, 0])),
        lambda matrix, intrinsics: (np.linalg.inv(matrix), intrinsics),
        lambda matrix, intrinsics: (matrix @ np.diag([1.0, -1, -1, 1]), intrinsics),
    ],
    ids=["10 units away", "looking away", "inside the head", "focal in pixels", "inverse", "opengl"],
)
def test_a_camera_that_cannot_be_is_warned_of_before_the_work_and_stands_beside_the_numbers(
    spherical: SphericalGenerator,
    own_heads: Path,
    tmp_path: Path,
    method: Make,
    protocol: MakeProtocol,
    change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
):
    relabelled(own_heads, change)
    notes = Notes()
    request = BenchRequest(protocol("reconstruction", "l2"), str(own_heads), tmp_path / "out", limit=4)
    results = run_suite([request], spherical, [method("m", 0)], notes)
    assert [(entry.item, entry.method) for entry in results.warnings] == [(SPOILT, None)]
    assert results.warnings[0].text.startswith("its camera: ") and len(results.warnings[0].text) > 30
    assert any(note.startswith(f"warning: camera of {SPOILT}: ") for note in notes.notes)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Not to be trusted as it stands" in page and SPOILT in page
    again = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [entry["item"] for entry in again["warnings"]] == [SPOILT]


def turned(degrees: float) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The whole camera carried round the head."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    around = np.array([[cosine, 0, sine, 0], [0, 1, 0, 0], [-sine, 0, cosine, 0], [0, 0, 0, 1]])
    return lambda matrix, intrinsics: (around @ matrix, intrinsics)


def test_subjects_without_a_picture_at_the_input_yaw_are_named_and_the_report_shows_every_method_of_them(
    spherical: SphericalGenerator, own_heads: Path, tmp_path: Path, method: Make, protocol: MakeProtocol
):
    relabelled(own_heads, turned(12), "00000/yaw_0.png")
    wide = protocol("reconstruction", "l2", input_yaws=(0.0,), yaw_tolerance=20.0)
    requests = [BenchRequest(each, str(own_heads), tmp_path / "out") for each in (protocol("gt360", "l2"), wide)]
    results = run_suite(requests, spherical, [method("a", 0), method("b", 1), method("c", 2)], Silence())
    (warning,) = results.warnings
    assert warning.protocol == "gt360" and warning.text == (
        "1 of 3 subjects left out, without a picture within 5 degrees of yaw 0 (yaw_tolerance) or one to compare with: "
        "00000"
    )
    shown = {(head.item, head.method) for head in results.heads}
    items = {item for item, _ in shown}
    assert {(item, name) for item in items for name in ("a", "b", "c", None)} == shown and len(items) == 3
    limited = BenchRequest(protocol("gt360", "l2"), str(own_heads), tmp_path / "limited", limit=1)
    assert not run_suite([limited], spherical, [method("a", 0)], Silence()).warnings  # one was asked for, one taken


@pytest.mark.parametrize(
    "change", [looking_away, lambda matrix, intrinsics: (matrix @ np.diag([1.0, -1, -1, 1]), intrinsics)]
)
def test_cameras_for_which_no_picture_is_used_are_warned_of(
    spherical: SphericalGenerator,
    own_heads: Path,
    tmp_path: Path,
    method: Make,
    protocol: MakeProtocol,
    change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
):
    names = [entry[0] for entry in json.loads((own_heads / "dataset.json").read_text())["labels"]]
    relabelled(own_heads, change, *names)
    notes = Notes()
    settings = protocol("reconstruction", "l2", input_yaws=(0.0,))
    kept = json.loads((own_heads / "dataset.json").read_text())["labels"]
    behind = [entry for entry in kept if "yaw_0" in entry[0]]  # what was frontal looks from behind now
    (own_heads / "dataset.json").write_text(json.dumps({"labels": behind}))
    request = BenchRequest(settings, str(own_heads), tmp_path / "out", limit=4)
    with pytest.raises(InputError, match="has none"):
        run_suite([request], spherical, [method("m", 0)], notes)
    assert any(note.startswith(f"warning: camera of {behind[0][0]}: it looks away") for note in notes.notes)


def test_sound_cameras_bring_no_warning(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make, protocol: MakeProtocol
):
    notes = Notes()
    request = BenchRequest(protocol("reconstruction", "l2"), str(heads_folder), tmp_path / "out", limit=4)
    assert run_suite([request], spherical, [method("m", 0)], notes).warnings == []
    assert not any("warning" in note for note in notes.notes)


STRANGERS = """
import os, signal, time
import torch
from toolkit.inversion import Inversion, identity_of

class Method:
    fingerprint = "stranger"
    def __init__(self, generator, weights, options):
        self.what = options["what"]
    def invert(self, image, camera, generator):
        second = os.path.exists(os.environ["SX_MARK"])
        open(os.environ["SX_MARK"], "w").close()
        if not second and self.what == "loops":
            while True: pass
        if not second and self.what == "leaves": os._exit(0)
        if not second and self.what == "crashes": os.kill(os.getpid(), signal.SIGSEGV)
        if not second and self.what == "is killed": os.kill(os.getpid(), signal.SIGKILL)
        identity = identity_of(generator.spec)
        image.zero_()
        ws = torch.zeros(1, generator.spec.latents.num_ws, generator.spec.latents.w_dim)
        with torch.no_grad():
            planes = generator.planes(ws)
            if self.what == "changes":
                for each in generator.parameters(): each.mul_(2)
        return Inversion(ws=ws, planes=planes, camera=camera, method="stranger", **identity)
"""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ComparedMethod]]:
    """A stranger's method, as `bench` opens it: in a process of its own."""
    (tmp_path / "strangers_bench_module.py").write_text(textwrap.dedent(STRANGERS))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SX_MARK", str(tmp_path / "called"))
    registry = Registry()
    entry = Registration("method", "stranger", "strangers_bench_module:Method", "", 1, "strangers-plugin")
    made_by = Registration("generator", "round", "toolkit.testing.spherical:build_spherical", "", 1, "testing")
    registry.registrations = dict(toolkit.registry.default_registry().registrations)
    registry.registrations |= {("method", "stranger"): entry, ("generator", "round"): made_by}
    monkeypatch.setattr(toolkit.registry, "default_registry", lambda: registry)
    monkeypatch.setattr("toolkit.isolation.guard.default_registry", lambda: registry)
    opened: list[IsolatedMethod] = []

    def make(what: str, time_limit: float | None = None) -> ComparedMethod:
        generator = build_spherical()
        request = MethodRequest("stranger", GeneratorSource("round"), None, {"what": what}, time_limit)
        method = open_method(request, generator, GeneratorWatch(generator), [])
        assert isinstance(method, IsolatedMethod)
        opened.append(method)
        return ComparedMethod("stranger", method, {"what": what})

    yield make
    for method in opened:
        method.close()


def numbers_of(results: Results, name: str) -> dict[str, float | None]:
    return {row.metric: row.value for row in results.rows if row.method == name and "seconds" not in row.metric}


@pytest.mark.parametrize(
    ("what", "limit", "stage", "words"),
    [
        ("loops", 3.0, "time_limit", "took longer than its limit of 3 s and was ended"),
        ("leaves", None, "invert", "ended its process (exit code 0)"),
        ("crashes", None, "invert", f"crashed its process ({signal.Signals.SIGSEGV.name})"),
        ("is killed", None, "worker", "was killed from outside (SIGKILL"),
    ],
)
def test_whatever_a_stranger_does_to_its_process_costs_its_cell_and_names_it(
    spherical: SphericalGenerator,
    heads_folder: Path,
    tmp_path: Path,
    method: Make,
    protocol: MakeProtocol,
    stranger: Callable[..., ComparedMethod],
    what: str,
    limit: float | None,
    stage: str,
    words: str,
):
    request = BenchRequest(protocol("reconstruction", "l2", "psnr"), str(heads_folder), tmp_path / "out", limit=2)
    results = run_suite([request], spherical, [stranger(what, limit), method("other", 0)])
    lost = [(entry.method, entry.stage) for entry in results.failures]
    assert lost == [("stranger", stage)] and words in results.failures[0].error
    assert "'strangers-plugin'" in results.failures[0].error
    rows = {row.method: row for row in results.rows if row.metric == "l2"}
    assert (rows["stranger"].n, rows["stranger"].failed) == (1, 1) and rows["other"].n == 2
    again = run_suite([request], spherical, [stranger(what, limit), method("other", 0)])
    tried = what == "is killed"  # says nothing of the method, so it is done again; the others' failures stay theirs
    assert [(entry.method, entry.stage) for entry in again.failures] == ([] if tried else lost)


def test_a_longer_limit_tries_again(
    spherical: SphericalGenerator,
    heads_folder: Path,
    tmp_path: Path,
    protocol: MakeProtocol,
    stranger: Callable[..., ComparedMethod],
):
    request = BenchRequest(protocol("reconstruction", "l2"), str(heads_folder), tmp_path / "out", limit=1)
    assert len(run_suite([request], spherical, [stranger("loops", 0.5)]).failures) == 1
    assert run_suite([request], spherical, [stranger("loops", 60.0)]).failures == []


def test_a_stranger_that_paints_and_changes_weights_wins_nothing_and_harms_nobody(
    spherical: SphericalGenerator,
    heads_folder: Path,
    tmp_path: Path,
    method: Make,
    protocol: MakeProtocol,
    stranger: Callable[..., ComparedMethod],
):
    settings = protocol("reconstruction", "l2", "psnr")
    before = {name: tensor.clone() for name, tensor in spherical.state_dict().items()}

    def run(out: str, *methods: ComparedMethod) -> Results:
        return run_suite([BenchRequest(settings, str(heads_folder), tmp_path / out, limit=2)], spherical, list(methods))

    alone = run("alone", method("other", 0))
    beside = run("beside", stranger("changes"), method("other", 0))
    sound = run("sound", stranger("nothing"))
    assert numbers_of(beside, "other") == numbers_of(alone, "other")
    assert numbers_of(beside, "stranger") == numbers_of(sound, "stranger")
    psnr = numbers_of(beside, "stranger")["psnr"]
    assert psnr is not None and psnr < 60
    assert {(entry.method, "weights of the generator" in entry.text) for entry in beside.warnings} == {
        ("stranger", True)
    }
    assert sound.warnings == []
    assert all(torch.equal(spherical.state_dict()[name], before[name]) for name in before)
