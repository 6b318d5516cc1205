from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from toolkit.encoders.training.mirror import mirror_loss, pixel_errors
from toolkit.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[3] / "plugins"))
from encoder_golden import TOLERANCE, load


def test_losses_equal_the_published_ones():
    golden = load("triplanenet_v2_losses")
    target, asymmetry = golden.inputs["x_mirror"], golden.inputs["conf"]
    image = 0.7 * target + 0.9 * golden.inputs["other"]
    values = {
        "psp_mirror_l2": mirror_loss(image, target, asymmetry, "square"),
        "triplane_mirror_l1": mirror_loss(image, target, asymmetry, "smooth_l1"),
        "psp_mirror_l2_normalised": mirror_loss(image, target, asymmetry, "square", normalise=True),
        "triplane_mirror_l1_normalised": mirror_loss(image, target, asymmetry, "smooth_l1", normalise=True),
        "psp_l2": pixel_errors(image, target, "square").mean(),
        "triplane_l1": pixel_errors(image, target, "smooth_l1").mean(),
    }
    for name, value in values.items():
        assert golden.error(name, value[None]) < TOLERANCE, name


def test_asymmetry_lessens_an_error_and_normalising_makes_up_for_a_uniform_one():
    image, target = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    assert float(mirror_loss(image, target, torch.zeros(1, 4, 4), "square")) == 1
    assert float(mirror_loss(image, target, torch.full((1, 4, 4), 3.0), "square")) == 0.25
    assert float(mirror_loss(image, target, torch.full((1, 4, 4), 3.0), "square", normalise=True)) == 1


def test_wrong_shapes_and_kinds_are_refused():
    image = torch.zeros(1, 3, 4, 4)
    with pytest.raises(InputError, match="asymmetry must have shape"):
        mirror_loss(image, image, torch.zeros(1, 1, 4, 4))
    with pytest.raises(InputError, match="smooth_l1"):
        pixel_errors(image, image, "l1")  # type: ignore[arg-type]
