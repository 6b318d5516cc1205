"""Which ws drive which part of rendering, and planes as the discriminator sees them."""

from __future__ import annotations

import pytest
import torch

from toolkit.errors import CapabilityError, ConfigError
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator
from toolkit_plugins.dual_encoder.joining import StyleChoice, masked_images


class FiveRows(SphericalGenerator):
    """Five rows: the background reads the first two, raw colours and super-resolution the last."""

    def style_rows(self) -> dict[str, tuple[int, ...]]:
        return {"background": (0, 1), "raw": (4,), "super_resolution": (4,)}


VISIBLE, OCCLUDED = torch.zeros(1, 5, 2), torch.ones(1, 5, 2)


@pytest.mark.parametrize(("choice", "rows"), [
    ({}, [0, 0, 0, 0, 0]),
    ({"background": "occluded"}, [1, 1, 0, 0, 0]),
    ({"raw": "occluded", "super_resolution": "occluded"}, [0, 0, 1, 1, 1]),
    ({"background": "occluded", "raw": "occluded", "super_resolution": "occluded"}, [1, 1, 1, 1, 1]),
])  # fmt: skip
def test_each_part_gets_the_rows_that_it_reads(choice: dict[str, str], rows: list[int]):
    picked = StyleChoice.model_validate(choice).pick(FiveRows(), VISIBLE, OCCLUDED)
    assert picked[0, :, 0].tolist() == rows
    assert float(VISIBLE.sum()) == 0


def test_parts_that_read_the_same_row_cannot_differ():
    with pytest.raises(ConfigError, match="must be the same"):
        StyleChoice(raw="occluded").pick(FiveRows(), VISIBLE, OCCLUDED)
    with pytest.raises(ConfigError, match=r"ws\.raw and ws\.super_resolution must be the same: generator 'spherical'"):
        StyleChoice(raw="occluded").check(FiveRows())
    StyleChoice(raw="occluded", super_resolution="occluded").check(FiveRows())


def test_a_generator_that_does_not_say_takes_one_encoder_for_all(bare: BareSphericalGenerator):
    with pytest.raises(CapabilityError, match="which rows of ws"):
        StyleChoice(background="occluded").pick(bare, VISIBLE, OCCLUDED)
    assert StyleChoice().pick(bare, VISIBLE, OCCLUDED) is VISIBLE


def test_the_discriminator_sees_nothing_of_visible_places(spherical: SphericalGenerator):
    planes = torch.rand(2, *spherical.spec.planes_shape) + 1
    occlusion = (torch.rand(2, 2, 12, 24, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    seen = masked_images(spherical, planes, occlusion)
    hidden = spherical.as_images(spherical.expand(occlusion)) == 0
    assert bool((seen[hidden] == 0).all()) and bool((seen[~hidden] >= 1).all())
    assert torch.equal(masked_images(spherical, planes, None), spherical.as_images(planes))
