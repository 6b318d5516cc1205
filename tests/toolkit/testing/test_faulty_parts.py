"""The conformance suite names what is wrong with a part of any kind in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.bench import BenchProtocol
from toolkit.camera import Camera
from toolkit.interfaces import Item
from toolkit.registry import KINDS
from toolkit.testing import conformance
from toolkit.testing.requirements import ConformanceError
from toolkit.testing.spherical import build_spherical
from toolkit.testing.verdict import _CHECKS, Given


class Overwriting:
    def stitch(self, visible: Tensor, occluded: Tensor, occlusion: Tensor) -> Tensor:
        return visible.data.lerp_(occluded.data, occlusion.data) + 0 * (visible + occluded + occlusion)


class Detached:
    def stitch(self, visible: Tensor, occluded: Tensor, occlusion: Tensor) -> Tensor:
        return torch.lerp(visible, occluded, occlusion).detach()


class Deaf(nn.Module):
    domain = "latents"

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.bias.expand(len(x), 1)


class Linear(Deaf):
    """R1 of logits that are linear in the samples, without a weight of its own there."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1, keepdim=True) + self.bias


class Greedy:
    kind = "greedy"

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        return True

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> nn.Module:
        return nn.Linear(1, 1)


class Vague:
    kind, licence, generator = "vague", "unknown", ""

    def parts(self) -> list[Any]:
        return []

    def claims(self, settings: Mapping[str, Any]) -> bool | None:
        return None

    def config(self, modules: Mapping[str, nn.Module], settings: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}


class Unwritten(BenchProtocol):
    pass


class Misspelt(BenchProtocol):
    shipped = {"metric": ["l2"]}  # noqa: RUF012

    def measure(self, method: Any, item: Any, inversions: Any) -> Any: ...


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (lambda: conformance.check_stitcher(Overwriting(), (3, 4, 4)), "the caller's planes 'visible'"),
        (lambda: conformance.check_stitcher(Detached(), (3, 4, 4)), "no gradient reaches what was stitched"),
        (lambda: conformance.check_discriminator(Deaf(), build_spherical()), "no gradient reaches the samples"),
        (lambda: conformance.check_discriminator(Linear(), build_spherical()), "R1 reaches no parameter"),
        (
            lambda: conformance.check_loss(lambda a, b: (a - b).square().mean().detach()),
            "no gradient reaches the image",
        ),
        (lambda: conformance.check_architecture(Greedy()), "recognises a file"),
        (lambda: conformance.check_architecture(object()), "must have kind, recognises and build"),
        (lambda: conformance.check_method_file(Vague()), r"must name networks, each once, got \[\]"),
        (lambda: conformance.check_protocol(lambda context: None), "a class derived from toolkit.bench.BenchProtocol"),
        (lambda: conformance.check_protocol(Unwritten), "does not say how to measure"),
        (lambda: conformance.check_protocol(Misspelt), "shipped has no setting metric"),
    ],
)
def test_a_faulty_part_is_named(check: Callable[[], None], sentence: str) -> None:
    with pytest.raises(ConformanceError, match=sentence):
        check()


def test_every_kind_is_checked() -> None:
    assert _CHECKS.keys() == KINDS.keys()


class Discs:
    """A data set without files."""

    def __init__(self, path: Path, size: int | None = None, brightness: float = 1.0) -> None:
        self.image = torch.full((3, 8, 8), brightness)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Item:
        if index >= len(self):
            raise IndexError(index)
        return Item(str(index), self.image, Camera.orbit(0.1 * index))


def test_a_data_set_without_files_is_read_as_it_is() -> None:
    (line,) = _CHECKS["dataset"](Discs, None, Given())  # type: ignore[arg-type]  # no generator is asked for
    assert line.verdict == "passed"
    (line,) = _CHECKS["dataset"](lambda path: Discs(path, brightness=255.0), None, Given())  # type: ignore[arg-type]  # as above
    assert (line.verdict, line.reason) == ("failed", "item 0: its image must lie in -1..1")


def test_a_training_without_a_configuration_is_run_as_it_is() -> None:
    (line,) = _CHECKS["trainable"](lambda *_: object(), None, Given(has_configuration=False))  # type: ignore[arg-type]  # as above
    assert (line.verdict, line.reason) == ("failed", "a training must have name")
    (line,) = _CHECKS["trainable"](lambda *_: object(), None, Given())  # type: ignore[arg-type]  # as above
    assert line.verdict == "not checked"
