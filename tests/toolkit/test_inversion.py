from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.inversion import RECORD_FILE, TENSORS_FILE, Inversion
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator


def delta_for(generator: SphericalGenerator, size: float) -> dict[str, torch.Tensor]:
    return {"decode.weight": torch.full_like(generator.decode.weight, size)}


def rewrite_record(folder: Path, **changes: object) -> None:
    record = json.loads((folder / RECORD_FILE).read_text())
    (folder / RECORD_FILE).write_text(json.dumps({**record, **changes}))


def test_everything_survives_a_round_trip(inversion: Inversion, spherical: SphericalGenerator, tmp_path: Path) -> None:
    inversion.tuned = delta_for(spherical, 0.25)
    inversion.extra = {"before.mixing": torch.arange(6.0).reshape(2, 3)}
    loaded = Inversion.load(inversion.save(tmp_path / "head"))
    assert loaded.is_identical(inversion)
    assert loaded.timings == inversion.timings and loaded.options == {"steps": 3}
    assert loaded.provenance["seed"] == 1
    assert torch.equal(loaded.extra["before.mixing"], inversion.extra["before.mixing"])
    assert sorted(path.name for path in (tmp_path / "head").iterdir()) == [RECORD_FILE, TENSORS_FILE]


def test_views_of_one_buffer_can_be_saved(inversion: Inversion, tmp_path: Path) -> None:
    shared = torch.arange(12.0)
    inversion.extra = {"first": shared[:6], "second": shared[3:9], "all": shared.reshape(3, 4).T}
    loaded = Inversion.load(inversion.save(tmp_path))
    assert torch.equal(loaded.extra["all"], shared.reshape(3, 4).T)


def test_the_record_says_that_the_head_is_synthetic(inversion: Inversion, tmp_path: Path) -> None:
    record = json.loads((inversion.save(tmp_path) / RECORD_FILE).read_text())
    assert record["generated"] is True
    assert "synthetic" in record["statement"]
    assert record["generator"] == {"name": "spherical", "fingerprint": inversion.fingerprint}
    assert record["schema_version"] == 1


def test_values_that_json_lacks_are_saved_in_plain_form(inversion: Inversion, tmp_path: Path) -> None:
    inversion.provenance = {"loss": float("nan"), "path": Path("a/b"), "angles": torch.tensor([1.0, 2.0])}
    loaded = Inversion.load(inversion.save(tmp_path))
    assert loaded.provenance == {"loss": None, "path": str(Path("a/b")), "angles": [1.0, 2.0]}


def test_timings_do_not_make_inversions_different_but_numbers_do(inversion: Inversion) -> None:
    assert inversion.is_identical(replace(inversion, timings={"all": 99.0}))
    assert not inversion.is_identical(replace(inversion, ws=inversion.ws + 1e-6))
    assert not inversion.is_identical(replace(inversion, options={"steps": 4}))


def test_a_diverged_inversion_is_not_saved(inversion: Inversion, tmp_path: Path) -> None:
    inversion.planes = inversion.planes * float("nan")
    with pytest.raises(InputError, match=r"'drawn'.*'planes'.*NaN"):
        inversion.save(tmp_path / "head")
    assert not (tmp_path / "head").exists()


@pytest.mark.parametrize("missing", [RECORD_FILE, TENSORS_FILE])
def test_a_missing_file_is_named(inversion: Inversion, tmp_path: Path, missing: str) -> None:
    (inversion.save(tmp_path) / missing).unlink()
    with pytest.raises(InputError, match=missing):
        Inversion.load(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        Inversion.load(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"format": "else"}', "[" * 100_000, "\udcff"])
def test_a_record_that_is_not_one_is_refused(inversion: Inversion, tmp_path: Path, text: str) -> None:
    (inversion.save(tmp_path) / RECORD_FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=RECORD_FILE):
        Inversion.load(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": [[1.0] * 24]},
        {"camera": [[float("nan")] * 25]},
        {"camera": "front"},
        {"camera": None},
        {"generator": "spherical"},
        {"options": 3},
        {"timings": None},
    ],
)
def test_a_damaged_record_is_refused(inversion: Inversion, tmp_path: Path, changes: dict[str, object]) -> None:
    rewrite_record(inversion.save(tmp_path), **changes)
    with pytest.raises(InputError, match="is damaged"):
        Inversion.load(tmp_path)


def test_a_newer_schema_is_refused(inversion: Inversion, tmp_path: Path) -> None:
    rewrite_record(inversion.save(tmp_path), schema_version=2)
    with pytest.raises(InputError, match="schema version 2"):
        Inversion.load(tmp_path)


@pytest.mark.parametrize("position", [0, 8, 60, -1])
def test_a_flipped_byte_in_the_tensors_is_noticed(inversion: Inversion, tmp_path: Path, position: int) -> None:
    path = inversion.save(tmp_path) / TENSORS_FILE
    data = bytearray(path.read_bytes())
    data[position] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        Inversion.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"1234", struct.pack("<Q", 2**60) + b"{}", b"\x80\x04" + b"." * 40])
def test_foreign_tensors_are_refused(inversion: Inversion, tmp_path: Path, content: bytes) -> None:
    (inversion.save(tmp_path) / TENSORS_FILE).write_bytes(content)
    with pytest.raises(InputError, match="is not a sound safetensors file"):
        Inversion.load(tmp_path)


def test_tensors_of_another_inversion_are_noticed(inversion: Inversion, tmp_path: Path) -> None:
    inversion.save(tmp_path)
    save_file({"ws": inversion.ws, "planes": inversion.planes.contiguous()}, tmp_path / TENSORS_FILE)
    with pytest.raises(InputError, match="another inversion"):
        Inversion.load(tmp_path)


def test_shapes_that_do_not_go_together_are_refused(inversion: Inversion) -> None:
    with pytest.raises(InputError, match="planes"):
        replace(inversion, planes=inversion.planes.expand(2, -1, -1, -1, -1))
    with pytest.raises(InputError, match="num_ws"):
        replace(inversion, ws=inversion.ws[0])


def test_rendering_equals_the_generators_own(inversion: Inversion, spherical: SphericalGenerator) -> None:
    camera = Camera.orbit(torch.tensor([0.0, 1.0, 3.0]))
    seen = inversion.render(spherical, camera, resolution=8)
    with torch.no_grad():
        expected = spherical.render(inversion.planes, inversion.ws, camera[1], 8)
    assert seen.image.shape == (3, 3, 48, 48) and seen.depth.shape == (3, 1, 8, 8)
    torch.testing.assert_close(seen.image[1:2], expected.image, atol=1e-5, rtol=0)
    assert inversion.render(spherical).image.shape[0] == 1


def test_another_generator_or_other_weights_are_refused(inversion: Inversion, bare: BareSphericalGenerator) -> None:
    with pytest.raises(InputError, match=r"'spherical', not with 'spherical-bare'"):
        inversion.render(bare)
    with pytest.raises(InputError, match="other weights"):
        inversion.render(SphericalGenerator(seed=1))


def test_a_tuned_inversion_renders_with_its_delta_and_leaves_the_generator_alone(
    inversion: Inversion, spherical: SphericalGenerator
) -> None:
    before = {name: value.clone() for name, value in spherical.state_dict().items()}
    plain = inversion.render(spherical).image
    inversion.tuned = delta_for(spherical, 0.5)
    tuned = inversion.tuned_generator(spherical)
    assert isinstance(tuned, SphericalGenerator) and tuned is not spherical
    torch.testing.assert_close(tuned.decode.weight, spherical.decode.weight + 0.5)
    assert not torch.equal(inversion.render(spherical).image, plain)
    assert all(torch.equal(value, before[name]) for name, value in spherical.state_dict().items())


def test_the_tuned_generator_is_made_once_and_never_tuned_again(
    inversion: Inversion, spherical: SphericalGenerator
) -> None:
    inversion.tuned = delta_for(spherical, 0.5)
    tuned = inversion.tuned_generator(spherical)
    assert inversion.tuned_generator(spherical) is tuned
    assert inversion.tuned_generator(tuned) is tuned


def test_without_a_delta_the_generator_itself_is_used(inversion: Inversion, spherical: SphericalGenerator) -> None:
    assert inversion.tuned_generator(spherical) is spherical


@pytest.mark.parametrize("delta", [{"nothing": torch.zeros(1)}, {"decode.weight": torch.zeros(2, 2)}])
def test_a_delta_that_does_not_fit_is_refused(
    inversion: Inversion, spherical: SphericalGenerator, delta: dict[str, torch.Tensor]
) -> None:
    inversion.tuned = delta
    with pytest.raises(InputError, match="does not fit"):
        inversion.tuned_generator(spherical)


@pytest.mark.parametrize("kind", ["plain", "tuned", "extra", "both"])
def test_equal_inversions_are_equal_bytes_in_whatever_order_their_tensors_came(
    inversion: Inversion, tmp_path: Path, kind: str
) -> None:
    names = ["b.weight", "a", "layer.10.bias", "layer.9.bias", "\u00e9"]
    written = set()
    for run in range(4):
        order = names[run:] + names[:run]
        named = {name: torch.full((2, 3), float(len(name))) for name in order}
        one = replace(inversion, tuned=named if kind in ("tuned", "both") else None)
        one.extra = dict(named) if kind in ("extra", "both") else {}
        one.provenance = {name: 1 for name in order}
        written.add((one.save(tmp_path / str(run)) / TENSORS_FILE).read_bytes())
    assert len(written) == 1
