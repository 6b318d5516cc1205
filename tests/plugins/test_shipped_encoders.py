"""The shipped encoders: small enough, made for the shipped generator, and far better than the average head."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import toolkit
from toolkit.data.folder import ImageFolder
from toolkit.encoders import find_encoder, read_encoder
from toolkit.interfaces import Footprint, Generator, Item, MakeRequest
from toolkit.losses.reconstruction import l2
from toolkit.registry import default_registry

MEBIBYTE = 2**20
SIZES = {"psp": 6, "e4e": 6, "triplanenet": 6, "goae": 6, "dual-encoder": 10}
METHODS = ("psp", "e4e", "triplanenet", "goae", "encoder1", "encoder2", "dual-encoder")


@pytest.fixture(scope="module")
def mini() -> Generator:
    return toolkit.load_generator("panohead-mini")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    folder = tmp_path_factory.mktemp("faces") / "heads"
    default_registry().load("dataset", "heads360").make(MakeRequest(folder, 3, "test", 5, "wild", ("front",), 128))
    data = ImageFolder(folder, size=128)
    return [data[index] for index in range(len(data))]


@pytest.mark.parametrize("kind", SIZES)
def test_files_are_small_and_belong_to_the_generator(kind: str, mini: Generator) -> None:
    file: Path = find_encoder(None, f"toolkit_plugins.{kind.replace('-', '_')}", kind, mini.spec)
    assert file.stat().st_size < SIZES[kind] * MEBIBYTE
    opened = read_encoder(file, kind)
    opened.check_generator(mini.spec)
    assert opened.about["licence"] == "Apache-2.0"


@pytest.mark.parametrize("kind", ["psp", "dual-encoder"])
def test_files_for_the_generator_of_people_are_found_beside_the_others(kind: str) -> None:
    people = toolkit.load_generator("panohead-mini-people")
    file = find_encoder(None, f"toolkit_plugins.{kind.replace('-', '_')}", kind, people.spec)
    assert file.stem == f"{kind}-panohead-mini-people" and file.stat().st_size < 11 * MEBIBYTE
    read_encoder(file, kind).check_generator(people.spec)
    default = default_registry().get("method", "dual-encoder").generator
    assert default == people.spec.name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["psp", "encoder1", "dual-encoder"])
def test_people_come_back_by_the_encoders_that_were_trained_on_people(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    default_registry().load("dataset", "heads360").make(MakeRequest(folder, 3, "val", 5, "wild", ("front",), 256))
    data, people = ImageFolder(folder, size=256), toolkit.load_generator("panohead-mini-people")

    def error(method: str) -> float:
        opened = toolkit.load_method(method, people, **({"samples": 200} if method == "mean" else {}))
        faces = [data[index] for index in range(len(data))]
        views = [opened.invert(face.image[None], face.camera, people).render(people, face.camera) for face in faces]
        return sum(float(l2(view.image, face.image[None])) for view, face in zip(views, faces, strict=True))

    assert error(name) < {"psp": 0.75, "encoder1": 0.6, "dual-encoder": 0.5}[name] * error("mean")


@pytest.mark.parametrize("name", METHODS)
def test_every_encoder_beats_the_average_head(name: str, mini: Generator, faces: list[Item]) -> None:
    def error(method: str) -> float:
        opened = toolkit.load_method(method, mini, **({"samples": 200} if method == "mean" else {}))
        views = [opened.invert(face.image[None], face.camera, mini).render(mini, face.camera) for face in faces]
        return sum(float(l2(view.image, face.image[None])) for view, face in zip(views, faces, strict=True))

    assert error(name) < 0.6 * error("mean")


def test_what_is_hidden_comes_from_encoder_2_and_all_else_from_encoder_1(mini: Generator, faces: list[Item]) -> None:
    assert isinstance(mini, Footprint)
    options = {"dual-encoder": {"stitcher": "hard", "keep_planes": True}}
    one, two, both = (
        toolkit.load_method(name, mini, **options.get(name, {})).invert(faces[0].image[None], faces[0].camera, mini)
        for name in ("encoder1", "encoder2", "dual-encoder")
    )
    hidden = mini.expand(both.extra["occlusion"]) == 1
    assert 0.5 < float(hidden.float().mean()) < 0.98
    assert torch.equal(both.planes, torch.where(hidden, two.planes, one.planes))
    assert not torch.isclose(one.planes, two.planes, atol=1e-5)[hidden].all()
