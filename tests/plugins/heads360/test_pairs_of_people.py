"""Pictures of people as pairs of an encoder's training: their codes are what the mapping gives their latents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from toolkit.camera import Camera
from toolkit.encoders.training.pairs import joined, open_known_heads, pairs_of_heads, rows
from toolkit.errors import InputError
from toolkit.interfaces import KnownLatents, MakeRequest
from toolkit_plugins.heads360.dataset import Heads360
from toolkit_plugins.heads360.identity import latent_of
from toolkit_plugins.heads360.latent import LATENT_DIM
from toolkit_plugins.panohead.loading import build
from toolkit_plugins.panohead.training.settings import MiniSettings

NETWORK = {"w_dim": 12, "channel_base": 128, "channel_max": 16, "plane_size": 32, "image_size": 64, "sr_widths": [4, 4]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("people") / "heads"
    return Heads360.make(MakeRequest(out, 2, "train", 0, "wild", ("front",), 32))


@pytest.fixture(scope="module")
def generator():
    settings = MiniSettings.model_validate({"network": NETWORK})
    torch.manual_seed(0)
    return build(settings.generator_config(LATENT_DIM, ((0.0, 0.0, 0.0),) * 5)).eval().requires_grad_(False)


def test_a_folder_tells_its_latents_in_the_order_of_its_pictures(folder: Path):
    people = Heads360(folder)
    assert isinstance(people, KnownLatents)
    wanted = [latent_of("train", 0, int(subject or "")) for subject in people.subjects]
    torch.testing.assert_close(people.latents(), torch.stack(wanted))


def test_pictures_of_people_are_pairs(folder: Path, generator):
    pairs = pairs_of_heads(generator, *open_known_heads(generator, f"heads360:{folder}"))
    assert pairs.image.dtype == torch.uint8 and pairs.image.shape == (2, 3, 64, 64)
    assert torch.equal(pairs.label, Heads360(folder).labels)
    codes = generator.mapping(Heads360(folder).latents(), Camera.orbit())
    torch.testing.assert_close(pairs.ws, codes)
    assert pairs.image[:, :, 0, 0].float().mean() > 250  # on white, by the mask
    both = joined(pairs, pairs)
    assert torch.equal(rows(both, torch.tensor([3])).ws, pairs.ws[1:])


@pytest.mark.parametrize("latents", [{}, {"00000": [0.0]}, {"00000": ["x"] * LATENT_DIM}, 3, None])
def test_a_record_without_the_latents_is_refused(latents: object, folder: Path, generator, tmp_path: Path):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    record = json.loads((copy / "heads360.json").read_text())
    (copy / "heads360.json").write_text(json.dumps(record | {"latents": latents}))
    with pytest.raises(InputError, match="tells no latent"):
        open_known_heads(generator, f"heads360:{copy}")


def test_a_data_set_that_tells_none_is_refused(folder: Path, generator):
    with pytest.raises(InputError, match="does not tell"):
        open_known_heads(generator, str(folder))
