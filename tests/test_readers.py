"""Any value, any file: every reader of what users bring gives a result or one sentence, never a traceback."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from bent_inputs import Reader, bent_document, bent_setting, ended, file_reader, with_header
from bent_recipes import recipe_readers, results_readers, zip_readers
from bent_states import handed_in_readers, state_readers

from toolkit import load_generator, load_method
from toolkit.camera import Camera
from toolkit.configuration import load_config
from toolkit.data import pictures
from toolkit.data.check import check_folder
from toolkit.data.folder import ImageFolder
from toolkit.errors import ToolkitError
from toolkit.faces.labels import find_dataset_entry, read_camera, read_landmarks
from toolkit.files import file_sha256
from toolkit.inversion import Inversion
from toolkit.options import parse_settings
from toolkit.registry import default_registry
from toolkit.tensors import read_metadata, read_weights, write_tensors
from toolkit.testing.spherical import SphericalGenerator
from toolkit.training.checkpoints import latest_checkpoint, save_checkpoint
from toolkit.weights.opening import open_state_dict
from toolkit_plugins.triplanenet.training import TriPlaneNetSettings

PLUGINS = Path(__file__).parent.parent / "plugins" / "toolkit_plugins"


def settings_readers(folder: Path) -> dict[str, Reader]:
    text = "seed: 3\nphotos:\n  sources: [a, b]\n  mirror: true\nimages: {steps: 5, rate: 1.0e-4, windows: [1, 0.5]}\n"
    return {
        "--set of a training": Reader(
            lambda source: bent_setting(source.choice(("seed", "images.steps", "photos.sources", "engine")), source),
            lambda text: load_config(TriPlaneNetSettings, None, [text]),
        ),
        "--set of a method": Reader(
            lambda source: bent_setting(source.choice(("keep_planes", "mask.closing", "stitcher", "ws.raw")), source),
            lambda text: load_method("dual-encoder", load_mini(), **parse_settings([text])),
            0.05,
        ),
        "--set of an optimiser": Reader(
            lambda source: bent_setting(source.choice(("steps", "rate", "seed", "preset")), source),
            lambda text: load_method("pti", load_mini(), **parse_settings([text])),
        ),
        "a configuration file": file_reader(
            folder / "config.yaml", text.encode(), lambda path: load_config(TriPlaneNetSettings, path)
        ),
    }


_mini: list[Any] = []


def load_mini() -> Any:
    if not _mini:
        _mini.append(load_generator("panohead-mini"))
    return _mini[0]


def header_reader(path: Path, shipped: Path, read: Callable[[Path], Any], share: float) -> Reader:
    """Bend the JSON description of a shipped file."""
    whole, about = shipped.read_bytes(), read_metadata(shipped)
    return file_reader(path, whole, read, share, lambda data, source: with_header(data, bent_document(about, source)))


def weights_readers(folder: Path) -> dict[str, Reader]:
    write_tensors(folder / "small.safetensors", {"a": torch.ones(3), "b.c": torch.zeros(2, 2)}, {"licence": "x"})
    torch.save({"state_dict": {"a.weight": torch.ones(2, 2)}, "opts": {"a": 1}}, folder / "small.pt")
    small, official = (folder / "small.safetensors").read_bytes(), (folder / "small.pt").read_bytes()
    found = {
        "safetensors": file_reader(folder / "a.safetensors", small, read_weights),
        "a .pt file": file_reader(folder / "a.pt", official, open_state_dict),
        "the header of a generator": header_reader(
            folder / "mini.safetensors",
            PLUGINS / "panohead/weights/panohead-mini.safetensors",
            lambda path: load_generator("panohead-mini", path),
            0.1,
        ),
    }
    for method in ("psp", "e4e", "triplanenet", "goae", "dual-encoder"):
        shipped = PLUGINS / method.replace("-", "_") / "weights" / f"{method}.safetensors"
        found[f"the header of {method}"] = header_reader(
            folder / f"{method}.safetensors", shipped,
            lambda path, method=method: load_method(method, load_mini(), path), 0.05,
        )  # fmt: skip
    return found


def data_readers(folder: Path, photos: Path) -> dict[str, Reader]:
    def items(_: Path) -> None:
        found = ImageFolder(data)
        found[0], found.subjects
        found.digest(0)

    data = folder / "data"
    data.mkdir()
    for file in sorted(photos.rglob("*")):
        target = data / file.relative_to(photos)
        if file.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    labels, subjects = (json.loads((data / name).read_text()) for name in ("dataset.json", "subjects.json"))
    picture = (data / "00000" / "front.png").read_bytes()
    stream = io.BytesIO()
    np.save(stream, np.ones((8, 8), np.float32))
    return {
        "dataset.json": file_reader(data / "dataset.json", labels, items),
        "subjects.json": file_reader(data / "subjects.json", subjects, items),
        "data check": file_reader(data / "dataset.json", labels, lambda _: check_folder(data), 0.04),
        "the label of a photo": file_reader(
            data / "dataset.json", labels, lambda _: find_dataset_entry(data / "00000" / "front.png")
        ),
        "a picture": file_reader(
            folder / "a.png", picture, lambda path: pictures.decode_image(path.read_bytes(), str(path))
        ),
        "a mask": file_reader(folder / "m.png", picture, lambda path: pictures.decode_mask(path.read_bytes(), "m.png")),
        "depth": file_reader(
            folder / "d.npy", stream.getvalue(), lambda path: pictures.decode_depth(path.read_bytes(), "d.npy")
        ),
        "--camera": file_reader(folder / "camera.json", Camera.orbit(0.3).label[0].tolist(), read_camera),
        "--landmarks": file_reader(folder / "five.json", [[10.0, 20.0]] * 5, read_landmarks),
    }


def result_readers(folder: Path, generator: SphericalGenerator) -> dict[str, Reader]:
    ws = torch.zeros(1, generator.spec.latents.num_ws, generator.spec.latents.w_dim)
    inversion = Inversion(
        ws, torch.zeros(1, *generator.spec.planes_shape), Camera.orbit(0.0), "g", "f", "m", "embedded"
    )
    inversion.save(folder / "inversion")
    record = json.loads((folder / "inversion" / "inversion.json").read_text())
    tensors = (folder / "inversion" / "inversion.safetensors").read_bytes()
    save_checkpoint(folder / "run", 3, {"name": "a", "config": {"b": 1}}, {"modules": {"m": {"w": torch.ones(2)}},
                    "plain": [1, "x", {"y": None}]}, keep=1)  # fmt: skip
    seal = folder / "run" / "step-00000003.json"

    def fresh(_: Path) -> None:
        for place in (folder / "run").glob("*.damaged"):
            whole = place.read_bytes()
            place.rename(place.with_name(place.name.removesuffix(".damaged"))).write_bytes(whole)
        latest_checkpoint(folder / "run", lambda text: None)

    return {
        "inversion.json": file_reader(
            folder / "inversion" / "inversion.json", record, lambda path: Inversion.load(path.parent)
        ),
        "inversion.safetensors": file_reader(
            folder / "inversion" / "inversion.safetensors", tensors, lambda path: _resealed(path), 0.5
        ),
        "a checkpoint's seal": file_reader(seal, json.loads(seal.read_text()), fresh, 0.5),
    }


def _resealed(path: Path) -> None:
    """Read tensors whose sha256 was made to fit: what is inside must be checked, too."""
    seal = path.parent / "inversion.json"
    record = json.loads(seal.read_text())
    record["tensors"]["sha256"] = file_sha256(path)
    seal.write_text(json.dumps(record))
    Inversion.load(path.parent)


@pytest.fixture(scope="module")
def readers(
    tmp_path_factory: pytest.TempPathFactory, photo_folder: Path, spherical: SphericalGenerator
) -> dict[str, Reader]:
    folder = tmp_path_factory.mktemp("readers")
    for name in ("settings", "weights", "data", "results", "zips", "recipes", "bench", "handed", "states"):
        (folder / name).mkdir()
    return {
        **settings_readers(folder / "settings"),
        **weights_readers(folder / "weights"),
        **data_readers(folder / "data", photo_folder),
        **result_readers(folder / "results", spherical),
        **zip_readers(folder / "zips", photo_folder),
        **recipe_readers(folder / "recipes"),
        **results_readers(folder / "bench"),
        **handed_in_readers(folder / "handed", photo_folder, spherical),
        **state_readers(folder / "states", photo_folder),
    }


NAMES = (
    "--set of a training", "--set of a method", "--set of an optimiser", "a configuration file", "safetensors",
    "a .pt file", "the header of a generator", "the header of psp", "the header of e4e", "the header of triplanenet",
    "the header of goae", "the header of dual-encoder", "dataset.json", "subjects.json", "data check",
    "the label of a photo", "a picture", "a mask", "depth", "--camera", "--landmarks", "inversion.json",
    "inversion.safetensors", "a checkpoint's seal", "a zip", "dataset.json in a zip", "a picture in a zip",
    "data check of a zip", "--config of bench", "--config of invert", "a recipe as bytes", "a protocol",
    "a command's declaration", "results.json", "results.json as bytes", "a report of results.json",
    "renders made elsewhere", "wanted cameras", "renders of an earlier call", "a method's answer", "a method's mesh",
    "the record of heads360", "the request of data prepare", "the journal of data prepare",
    "the journal as bytes", "the settings of a run", "the sessions of a run", "metrics.jsonl", "cells.jsonl",
    "cells.jsonl as bytes",
)  # fmt: skip

REPORTING = (
    "data check", "the label of a photo", "data check of a zip", "the journal of data prepare", "the journal as bytes",
    "the sessions of a run", "metrics.jsonl", "cells.jsonl as bytes",
)  # fmt: skip
"""They refuse nothing, but say what is wrong, or make again what is damaged."""


@pytest.mark.parametrize("name", NAMES)
def test_a_few_bent_inputs_of_every_reader(name: str, readers: dict[str, Reader]) -> None:
    assert set(readers) == set(NAMES)
    reader = readers[name]
    counts = ended(max(4, int(40 * reader.share)), 0, reader.make, reader.read, ToolkitError)
    assert counts["refused"] or name in REPORTING, counts


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_thousands_of_bent_inputs_of_every_reader(name: str, readers: dict[str, Reader]) -> None:
    reader = readers[name]
    counts = ended(int(2000 * reader.share), 1, reader.make, reader.read, ToolkitError)
    print(f"{name}: {counts}")
    assert sum(counts.values()) == int(2000 * reader.share)


def test_pictures_of_any_size_are_still_read(tmp_path: Path) -> None:
    """The bent pictures above are not all refused because the whole one is."""
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    assert pictures.decode_image((tmp_path / "a.png").read_bytes(), "a.png").shape == (3, 8, 8)
    assert default_registry().of_kind("method")
