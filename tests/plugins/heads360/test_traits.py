"""What a latent amounts to, in numbers that differ as much as people look different."""

from __future__ import annotations

import pytest
import torch

from toolkit.errors import InputError
from toolkit.interfaces import DescribedHeads
from toolkit_plugins.heads360.from_latent import person_of
from toolkit_plugins.heads360.identity import latent_of
from toolkit_plugins.heads360.latent import LATENT_DIM, PIECES
from toolkit_plugins.heads360.procedural import Heads

HEADS = Heads()


def changed(latent: torch.Tensor, piece: str, values: torch.Tensor) -> torch.Tensor:
    names = [name for name, _ in PIECES]
    start = sum(size for _, size in PIECES[: names.index(piece)])
    other = latent.clone()
    other[start : start + len(values)] = values
    return other


def test_people_describe_themselves():
    latent = latent_of("train", 0, 1)
    traits = HEADS.traits(latent)
    assert isinstance(HEADS, DescribedHeads)
    assert traits.dtype == torch.float32 and traits.shape == HEADS.traits(latent_of("val", 0, 2)).shape
    assert traits.isfinite().all() and torch.equal(traits, HEADS.traits(latent))


def test_what_no_one_would_see_changes_no_trait():
    latent = latent_of("train", 0, 1)
    barefaced = changed(latent, "glasses", torch.tensor([9.0, -9.0, -9.0]))
    other_frame = changed(barefaced, "glasses shape", torch.tensor([2.0, -2.0, 1.0, -1.0]))
    assert torch.equal(HEADS.traits(barefaced), HEADS.traits(other_frame))


def test_another_hair_style_counts_more_than_another_number_of_moles():
    latent = latent_of("train", 0, 1)
    hair = changed(latent, "hair style", 9 * torch.eye(18)[0] - 4)
    moles = changed(latent, "skin", torch.tensor([0.0] * 4 + [2.0] + [0.0] * 3))
    less_moles = changed(latent, "skin", torch.tensor([0.0] * 4 + [-2.0] + [0.0] * 3))
    assert person_of(hair).hair.style != person_of(latent).hair.style
    far = (HEADS.traits(hair) - HEADS.traits(latent)).norm()
    assert far > (HEADS.traits(moles) - HEADS.traits(less_moles)).norm() > 0


def test_a_latent_must_fit():
    with pytest.raises(InputError, match="finite numbers"):
        HEADS.traits(torch.full((LATENT_DIM,), float("inf")))
