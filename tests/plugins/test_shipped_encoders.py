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
SIZES = {"psp": 4, "e4e": 4, "triplanenet": 6, "goae": 8, "dual-encoder": 11}
SHARES = {
    "psp": 0.75, "e4e": 0.85, "triplanenet": 0.75, "goae": 0.8, "encoder1": 0.65, "encoder2": 0.65, "dual-encoder": 0.6,
}  # fmt: skip
"""Largest error at the input view, in errors of the average head."""
SHORT = {"descent_steps": 2}
"""As many as in the training."""
COARSE = {"mask": {"resolution": 64}, "preset": "fast"}
OPTIONS = {"mean": {"samples": 200}, "encoder1": SHORT, "encoder2": SHORT, "dual-encoder": SHORT | COARSE}


@pytest.fixture(scope="module")
def mini() -> Generator:
    return toolkit.load_generator("panohead-mini")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    folder = tmp_path_factory.mktemp("faces") / "heads"
    default_registry().load("dataset", "heads360").make(MakeRequest(folder, 2, "val", 5, "wild", ("front",), 256))
    data = ImageFolder(folder)
    return [data[index] for index in range(len(data))]


@pytest.mark.parametrize("kind", SIZES)
def test_files_are_small_and_belong_to_the_generator(kind: str, mini: Generator) -> None:
    file: Path = find_encoder(None, f"toolkit_plugins.{kind.replace('-', '_')}", kind, mini.spec)
    assert file.stat().st_size < SIZES[kind] * MEBIBYTE
    opened = read_encoder(file, kind)
    opened.check_generator(mini.spec)
    assert opened.about["licence"] == "Apache-2.0"


def error(method: str, mini: Generator, faces: list[Item]) -> float:
    """Squared error at the input views, summed over people."""
    opened = toolkit.load_method(method, mini, **OPTIONS.get(method, {}))
    views = [opened.invert(face.image[None], face.camera, mini).render(mini, face.camera) for face in faces]
    return sum(float(l2(view.image, face.image[None])) for view, face in zip(views, faces, strict=True))


@pytest.fixture(scope="module")
def floor(mini: Generator, faces: list[Item]) -> float:
    return error("mean", mini, faces)


@pytest.mark.parametrize("name", SHARES)
def test_every_encoder_beats_the_average_head(name: str, mini: Generator, faces: list[Item], floor: float) -> None:
    assert error(name, mini, faces) < SHARES[name] * floor


def test_what_is_hidden_comes_from_encoder_2_and_all_else_from_encoder_1(mini: Generator, faces: list[Item]) -> None:
    assert isinstance(mini, Footprint)
    options = {"dual-encoder": COARSE | {"stitcher": "hard", "keep_planes": True}}
    one, two, both = (
        toolkit.load_method(name, mini, **SHORT, **options.get(name, {})).invert(
            faces[0].image[None], faces[0].camera, mini
        )
        for name in ("encoder1", "encoder2", "dual-encoder")
    )
    hidden = mini.expand(both.extra["occlusion"]) == 1
    assert 0.5 < float(hidden.float().mean()) < 0.98
    assert torch.equal(both.planes, torch.where(hidden, two.planes, one.planes))
    assert not torch.isclose(one.planes, two.planes, atol=1e-5)[hidden].all()
