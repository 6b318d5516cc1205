from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, run_suite
from toolkit.bench.subjects.outside import open_outside
from toolkit.camera import Camera
from toolkit.data import ImageFolder
from toolkit.errors import InputError
from toolkit.rendering.pixels import to_pixels, write_png
from toolkit.testing.spherical import SphericalGenerator

Make = Callable[..., ComparedMethod]
MakeProtocol = Callable[..., ProtocolSettings]


def test_renders_from_elsewhere_score_as_the_method_that_made_them(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make, protocol: MakeProtocol
):
    requests = [
        BenchRequest(protocol(kind, "l2", "mask_iou", input_yaws=(0.0,)), str(heads_folder), tmp_path / "out", 2)
        for kind in ("reconstruction", "gt360")
    ]
    requests.append(
        BenchRequest(protocol("speed", "seconds", "peak_memory", input_yaws=(0.0,)), str(heads_folder),
                     tmp_path / "out", 2)
    )  # fmt: skip
    drawn = method("drawn", 0)
    run_suite(requests, spherical, [drawn])
    wanted = json.loads((tmp_path / "out" / "wanted.json").read_text())["renders"]
    assert len(wanted) == 2 * 4
    item = ImageFolder(heads_folder)[0]
    inversion = drawn.inverter.invert(item.image[None], item.camera, spherical)
    renders = []
    for number, (name, label) in enumerate(wanted[:-1]):  # the last one was forgotten
        image = inversion.render(spherical, Camera.from_label(label)).image
        write_png(tmp_path / "theirs" / f"{number}.png", to_pixels(image)[0])
        renders.append([name, f"{number}.png", label])
    document = {"method": "goha", "renders": renders, "seconds": {wanted[0][0]: 0.21}}
    (tmp_path / "theirs" / "renders.json").write_text(json.dumps(document))
    theirs = open_outside(tmp_path / "theirs", spherical.spec.image_size)
    results = run_suite(requests, spherical, [drawn, theirs])
    rows = {(row.method, row.protocol, row.metric): row for row in results.rows}
    assert rows["goha", "reconstruction", "l2"].value == pytest.approx(
        rows["drawn", "reconstruction", "l2"].value, rel=0.02
    )
    assert rows["goha", "reconstruction", "l2"].n == 2
    assert ("goha", "gt360", "mask_iou") not in rows  # nobody told its masks
    speed = rows["goha", "speed", "seconds"]
    assert (speed.value, speed.n, speed.failed) == (0.21, 1, 0)
    assert ("goha", "speed", "peak_memory") not in rows
    (failure,) = results.failures
    assert (failure.method, failure.protocol) == ("goha", "gt360")
    assert "no render by the camera at yaw" in failure.error


LABEL = Camera.orbit().label[0].tolist()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "method"),
        ({"method": "x", "renders": []}, "at least one render"),
        ({"method": "taken", "renders": [["a", "a.png", LABEL]]}, "not compared otherwise"),
        ({"method": "x", "renders": [["a", "../a.png", LABEL]]}, "outside the folder"),
        ({"method": "x", "renders": [["a", "a.png", LABEL[:-1]]]}, "25"),
        ({"method": "x", "renders": [["a", "a.png"]]}, "not a list of renders"),
        ({"method": "x", "renders": [["a", "a.png", LABEL]], "seconds": {"a": 0}}, "positive"),
        ({"method": "x", "renders": [["a", "a.png", LABEL]], "seconds": 3}, "not a list of renders"),
    ],
)
def test_a_list_that_is_none_is_refused_in_a_sentence(tmp_path: Path, document: object, words: str):
    (tmp_path / "renders.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=words):
        open_outside(tmp_path, 64, ["taken"])


def test_a_replaced_render_is_another_contender(tmp_path: Path):
    (tmp_path / "renders.json").write_text(json.dumps({"method": "x", "renders": [["a", "a.png", LABEL]]}))
    found = [open_outside(tmp_path, 64).identity]
    for content in (b"one", b"two", b"one"):
        (tmp_path / "a.png").write_bytes(content)
        found.append(open_outside(tmp_path, 64).identity)
    assert found[1] == found[3] and len({str(each) for each in found}) == 3


def test_a_missing_list_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"renders\.json"):
        open_outside(tmp_path, 64)


def test_a_picture_that_is_missing_costs_its_cell(tmp_path: Path, heads_folder: Path):
    item = ImageFolder(heads_folder)[0]
    document = {"method": "x", "renders": [[item.id, "gone.png", item.camera.label[0].tolist()]]}
    (tmp_path / "renders.json").write_text(json.dumps(document))
    head = open_outside(tmp_path, 64).inverter.head(item)
    with pytest.raises(Exception, match=r"gone\.png cannot be read"):
        head.views(Camera(torch.cat([item.camera.label])))


def orbit(**others: float) -> list[float]:
    return Camera.orbit(0.3, **others).label[0].tolist()


def shifted(label: list[float], place: int, by: float) -> list[float]:
    return [entry + by * (index == place) for index, entry in enumerate(label)]


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (orbit(radius=2.8), "place"),
        (orbit(focal=4.0), "focal length"),
        (shifted(orbit(), 16, 0.1), "focal length"),
        (shifted(orbit(), 17, 0.1), "skew"),
        (shifted(orbit(), 18, 0.02), "principal point"),
        (shifted(orbit(), 3, 0.05), "place"),
        (Camera.orbit(0.32).label[0].tolist(), "direction"),
    ],
)
def test_a_render_is_matched_by_its_whole_camera(tmp_path: Path, heads_folder: Path, theirs: list[float], words: str):
    item = ImageFolder(heads_folder)[0]
    write_png(tmp_path / "a.png", to_pixels(item.image[None])[0])
    write_png(tmp_path / "b.png", to_pixels(-item.image[None])[0])
    wanted = Camera.from_label([orbit()])

    def head(renders: list[list[object]]) -> object:
        (tmp_path / "renders.json").write_text(json.dumps({"method": "x", "renders": renders}))
        return open_outside(tmp_path, 64).inverter.head(item)

    with pytest.raises(Exception, match=f"no render by the camera at yaw 17.*{words}"):
        head([[item.id, "a.png", theirs]]).views(wanted)
    near = shifted(orbit(), 3, 0.001)  # what rounding does is no other camera
    both = head([[item.id, "a.png", theirs], [item.id, "b.png", near]]).views(wanted)
    alone = head([[item.id, "b.png", near]]).views(wanted)
    assert torch.equal(both.image, alone.image)
