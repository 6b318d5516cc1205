"""Stitchers of strangers: what they do wrong is refused by their name, and ends no program."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch

from toolkit.encoders.training.named_parts import open_stitcher
from toolkit.errors import PluginError
from toolkit.registry import Registration, default_registry


def mixed(visible: Any, occluded: Any, occlusion: Any) -> Any:
    return visible + (occluded - visible) * occlusion


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], Any]:
    """Open a stranger's stitcher that answers as a function does."""

    def register(answer: Callable[..., Any]) -> Any:
        module = types.ModuleType("odd_stitchers")
        module.Odd = type("Odd", (), {"stitch": lambda self, *given: answer(*given)})  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "odd_stitchers", module)
        entry = Registration("stitcher", "odd", "odd_stitchers:Odd", "s", 1, "sx")
        monkeypatch.setitem(default_registry().registrations, ("stitcher", "odd"), entry)
        return open_stitcher("odd")

    return register


def given() -> tuple[torch.Tensor, ...]:
    return torch.zeros(1, 3, 4), torch.ones(1, 3, 4), torch.full((1, 3, 4), 0.5)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda *planes: os._exit(0), "tried to end the program"),
        (lambda *planes: {}["x"], "failed: KeyError"),
        (lambda *planes: None, "gave a NoneType"),
        (lambda *planes: mixed(*planes)[:, :1], "not torch.float32"),
        (lambda *planes: mixed(*planes).double(), "gave torch.float64"),
        (lambda *planes: mixed(*planes) / 0, "gave NaN or infinity"),
        (lambda *planes: planes[0].fill_(1), "wrote into what `stitch` was given"),
        (lambda *planes: (planes[2].zero_(), mixed(*planes))[1], "wrote into what `stitch` was given"),
    ],
)
def test_what_is_no_stitch_is_refused_by_name(
    opened: Callable[..., Any], answer: Callable[..., Any], told: str
) -> None:
    with pytest.raises(PluginError, match=r"^stitcher 'odd' of plugin 'sx'") as caught:
        opened(answer).stitch(*given())
    assert told in str(caught.value)


def test_a_sound_one_is_differentiable_as_ever(opened: Callable[..., Any]) -> None:
    visible, occluded, occlusion = given()
    found = opened(mixed).stitch(visible.requires_grad_(), occluded, occlusion)
    found.sum().backward()
    assert torch.equal(found, mixed(*given())) and visible.grad is not None
