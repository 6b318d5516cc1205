"""`toolkit invert` with the shipped encoders, into the generator that ships."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolkit.inversion import Inversion


@pytest.mark.parametrize(
    ("method", "words"),
    [
        *((name, ()) for name in ("psp", "e4e", "triplanenet", "goae")),
        ("dual-encoder", ("--preset", "fast", "--set", "descent_steps=3")),
    ],
)
def test_an_encoder_on_board_makes_a_head_of_a_photo(
    program, photo: Path, tmp_path: Path, method: str, words: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    ended = program(
        "invert", photo, "--camera", tmp_path / "camera.json", "--method", method, *words, "--no-video", "--no-mesh",
        "--no-viewer", "--json", "--out", out,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    assert (said["status"], said["error"]) == ("done", None)
    folder = Path(said["folder"])
    assert sorted(path.name for path in folder.iterdir()) == ["inversion.json", "inversion.safetensors", "views.png"]
    inversion = Inversion.load(folder)
    assert (inversion.method, inversion.generator) == (method, "panohead-mini")
    assert inversion.provenance["encoder"]["weights"] == f"{method}.safetensors"
