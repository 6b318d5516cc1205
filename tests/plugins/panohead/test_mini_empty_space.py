"""Views of the shipped generator that leave out empty space show what whole views show, thin parts included."""

from __future__ import annotations

from typing import cast

import pytest
import torch

import toolkit
from toolkit.rendering.views import around
from toolkit_plugins.panohead.generator import PanoHead


@pytest.mark.parametrize("head", ["average", "random"])
def test_nothing_of_a_head_is_left_out(head: str) -> None:
    model = cast(PanoHead, toolkit.load_generator("panohead-mini"))
    cameras = around(model.spec, torch.arange(4) * (torch.pi / 2))
    with torch.no_grad():
        z = torch.randn(1, model.config.z_dim, generator=torch.Generator().manual_seed(5))
        ws = model.mapping(z, model.spec.front_camera, truncation=0.0 if head == "average" else 0.7)
        planes = model.planes(ws)
        space = model.occupied(planes)
        for index in range(len(cameras)):
            whole, sparing = (
                model.render(planes, ws, cameras[index : index + 1], occupied=occupied) for occupied in (None, space)
            )
            torch.testing.assert_close(sparing.image, whole.image, atol=1e-3, rtol=0)
