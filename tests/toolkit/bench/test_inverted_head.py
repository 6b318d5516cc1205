"""Views of an inversion that is measured: empty space is found once, and numbers depend on no other view."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.bench.subjects import inverted_head
from toolkit.bench.subjects.inverted_head import InvertedHead
from toolkit.inversion import Inversion
from toolkit.rendering.views import around, render_views
from toolkit.testing.spherical import SphericalGenerator


def test_empty_space_is_found_before_the_first_view_and_kept(
    inversion: Inversion, spherical: SphericalGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Tensor] = []
    handed: list[Any] = []

    def everything(points: Tensor) -> Tensor:
        return torch.ones(points.shape[:-1], dtype=torch.bool)

    def find(_: Any, planes: Tensor) -> Any:
        asked.append(planes)
        return everything

    def render(*arguments: Any, space: Any, **options: Any) -> Any:
        handed.append(space)
        return render_views(*arguments, **options)

    monkeypatch.setattr(inverted_head, "empty_space", find)
    monkeypatch.setattr(inverted_head, "render_views", render)
    cameras = around(spherical.spec, torch.tensor([0.0, 1.0]))
    head = InvertedHead(inversion, spherical)
    first, both = head.views(cameras[:1]), head.views(cameras)
    assert len(asked) == 1 and handed == [everything] * 2
    assert torch.equal(first.image[0], both.image[0])
