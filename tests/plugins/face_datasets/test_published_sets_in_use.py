"""Published data sets where it matters: the bench, the training's photos, `toolkit data check`."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from face_layouts import as_json, lpff, numbers, picture, write
from typer.testing import CliRunner

from toolkit.bench.subjects.data import data_name, effective_limit, open_data
from toolkit.cli.data import data_app
from toolkit.data import ImageFolder, open_source
from toolkit.encoders.training.photos import open_photos
from toolkit.encoders.training.settings import PhotoSettings
from toolkit.errors import InputError
from toolkit.testing.spherical import SphericalGenerator


def panohead(place: Path) -> Path:
    """Two black pictures under new names; the first has a mask in the zip beside: nothing of it is head."""
    renamed = {"old-0.png": "00000/img0.png", "old-1.png": "00000/img1.png"}
    labels = [[old, [str(value) for value in numbers(0.1 * index)]] for index, old in enumerate(renamed)]
    files = {"dataset.json": as_json({"labels": labels, "fnames": renamed})}
    write(place, files | {name: picture(0) for name in renamed.values()})
    write(place.with_name(f"{place.stem}_seg.zip"), {"00000/img0.png": picture(0, mode="L")})
    return place


def test_the_bench_reads_a_published_layout_at_the_generators_size(tmp_path: Path, spherical: SphericalGenerator):
    source = f"lpff:{lpff(tmp_path / 'faces.zip')}"
    data = open_data(source, (), spherical.spec)
    assert data.names == ["id.0.png", "id.1.png"]
    assert data[0].image.shape[-1] == spherical.spec.image_size
    assert (effective_limit(source, None), effective_limit(source, 1)) == (None, 1)
    assert (data_name(source, "wild"), data_name("heads360", "wild")) == ("faces", "heads360-wild")


def test_the_bench_sees_heads_on_white_where_masks_stand_beside(tmp_path: Path, spherical: SphericalGenerator):
    path = panohead(tmp_path / "ffhq.zip")
    data = open_data(f"ffhq:{path}", (), spherical.spec)
    assert [float(item.image.mean()) for item in data] == [1, -1]
    assert data[0].mask is not None and data[1].mask is None
    assert [float(item.image.mean()) for item in pickle.loads(pickle.dumps(data))] == [1, -1]
    (tmp_path / "ffhq_seg.zip").unlink()
    assert float(open_data(f"ffhq:{path}", (), spherical.spec)[0].image.mean()) == -1


def test_a_plain_folder_with_masks_is_benched_as_it_is(tmp_path: Path, spherical: SphericalGenerator):
    files = {"dataset.json": as_json({"labels": [["a.png", numbers(0)]]}), "a.png": picture(0)}
    path = write(tmp_path / "plain", files | {"masks/a.png": picture(0, mode="L")})
    data = open_data(str(path), (), spherical.spec)
    assert float(data[0].image.mean()) == -1
    assert float(data.on_white()[0].image.mean()) == 1 and data.on_white().digest(0) != data.digest(0)
    assert data.digest(0) == ImageFolder(path).digest(0)


def test_training_photos_join_published_layouts(tmp_path: Path):
    sources = (f"ffhq:{panohead(tmp_path / 'ffhq.zip')}", f"lpff:{lpff(tmp_path / 'lpff.zip')}")
    training, held_out = open_photos(PhotoSettings(sources=sources, held_out_subjects=1), 8)
    assert (len(training), len(held_out)) == (3, 1)
    torch.testing.assert_close(training.rows([0, 1, 2]).image.mean((1, 2, 3)), torch.tensor([1.0, -1.0, -1.0]))
    assert float(training.labels[0, 0]) == 1


def test_check_reads_a_published_layout_and_names_every_fault(tmp_path: Path):
    place, fine = lpff(tmp_path / "lpff"), CliRunner().invoke(data_app, ["check", f"lpff:{tmp_path / 'lpff'}"])
    assert (fine.exit_code, fine.stdout.splitlines()[-1]) == (0, "no faults")
    labels = {"id.0": [1.0] * 25, "id.1": [1.0] * 24, "gone": numbers(0)}
    (place / "camera_parameters.json").write_bytes(as_json(labels))
    faulty = CliRunner().invoke(data_app, ["check", "--json", f"lpff:{place}"])
    assert faulty.exit_code == 1
    assert {"id.0.png", "id.1.png", "gone", "dataset.json"} == {
        one["name"] for one in json.loads(faulty.stdout)["faults"]
    }


def test_check_counts_the_masks_beside(tmp_path: Path):
    report = CliRunner().invoke(data_app, ["check", "--json", f"ffhq:{panohead(tmp_path / 'ffhq.zip')}"])
    found = json.loads(report.stdout)
    assert (report.exit_code, found["items"], found["labelled"], found["masks"]) == (0, 2, 2, 1)


@pytest.mark.parametrize(
    ("file", "readers"), [("camera_parameters.json", "lpff:{0}"), ("label.json", "celeba-hq:{0} or ffhq:{0}")]
)
def test_a_plain_path_to_another_layout_names_its_reader(tmp_path: Path, file: str, readers: str):
    write(tmp_path / "set", {file: b"{}", "a.png": picture(0)})
    with pytest.raises(InputError) as caught:
        open_source(str(tmp_path / "set"))
    assert str(caught.value).endswith(f"write {readers.format(tmp_path / 'set')}")
    with pytest.raises(InputError, match="write "):
        CliRunner().invoke(data_app, ["check", str(tmp_path / "set")], catch_exceptions=False)
