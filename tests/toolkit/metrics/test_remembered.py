from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from toolkit.metrics import PerceptualMetric
from toolkit.metrics.perceptual import perceptual_distance
from toolkit.metrics.remembered import REMEMBERED, Remembered


class Counted:
    """Feature maps that count their calls."""

    def __init__(self) -> None:
        self.calls = 0

    def embed(self, image: Tensor) -> tuple[Tensor, ...]:
        self.calls += 1
        return (image * 2, image[..., ::2, ::2])


def counted(found: list[int]) -> Callable[[Tensor], Tensor]:
    def compute(picture: Tensor) -> Tensor:
        found.append(1)
        return picture + 1

    return compute


def test_a_result_is_computed_once_per_content_and_forgotten_when_there_is_no_room():
    calls: list[int] = []
    known, owner = Remembered(limit=3 * 400), object()
    pictures = [torch.full((100,), float(value)) for value in range(4)]
    for picture in (pictures[0], pictures[0].clone(), pictures[1], pictures[2], pictures[0]):
        assert torch.equal(known.get(owner, picture, counted(calls)), picture + 1)
    assert (len(calls), len(known)) == (3, 3)
    known.get(owner, pictures[3], counted(calls))  # the oldest, 1, goes
    known.get(owner, pictures[0], counted(calls))
    assert len(calls) == 4
    known.get(owner, pictures[1], counted(calls))
    assert (len(calls), len(known)) == (5, 3)
    known.get(object(), pictures[1], counted(calls))
    known.get(owner, pictures[1].double(), counted(calls))
    known.get(owner, pictures[1], counted(calls), "otherwise")
    assert len(calls) == 8
    assert Remembered(limit=10).get(owner, pictures[0], counted(calls)) is not None


def test_gradients_are_never_remembered():
    calls: list[int] = []
    picture = torch.ones(4, requires_grad=True)
    for _ in range(2):
        Remembered().get(calls, picture, counted(calls)).sum().backward()
    assert len(calls) == 2 and picture.grad is not None


def test_a_target_is_embedded_once_for_all_methods_and_regions_and_the_score_is_the_same():
    network = Counted()
    source = torch.Generator().manual_seed(0)
    target, *renders = (torch.rand(1, 3, 32, 32, generator=source) * 2 - 1 for _ in range(4))
    region = torch.ones(1, 1, 32, 32)
    region[..., 16:] = 0
    found = []
    for image in renders:
        for arguments in ((image, target), (image, target, region)):
            metric = PerceptualMetric(network, "lpips_lite", "embedded")
            metric.update(*arguments)
            found.append(metric.compute().value)
    assert network.calls == 4  # the target and three renders
    assert len(REMEMBERED) > 0
    plain = Counted()
    for (image, *more), value in zip(
        [(each, *part) for each in renders for part in ((), (region,))], found, strict=True
    ):
        maps = [plain.embed(each) for each in (image, target)]

        assert float(perceptual_distance(maps[0], maps[1], *more)) == value


def test_of_a_batch_only_new_pictures_are_computed_all_together_and_rows_come_in_order() -> None:
    sizes: list[int] = []

    def maps(pictures: Tensor) -> tuple[Tensor, ...]:
        sizes.append(len(pictures))
        return pictures * 2, pictures[:, :1]

    known, owner = Remembered(), object()
    pictures = torch.arange(12.0).reshape(6, 2)
    assert torch.equal(known.rows(owner, pictures[2:3], maps)[0], pictures[2:3] * 2)
    twice = torch.cat([pictures, pictures[:1]])
    first, second = known.rows(owner, twice, maps)
    assert torch.equal(first, twice * 2) and torch.equal(second, twice[:, :1])
    assert sizes == [1, 5]
    known.rows(owner, pictures.flip(0), maps)
    assert sizes == [1, 5]
    assert torch.equal(known.rows(owner, pictures, lambda each: each + 1, "otherwise"), pictures + 1)
    little = Remembered(limit=2 * 12)
    for _ in range(2):
        assert torch.equal(little.rows(owner, pictures, maps)[0], pictures * 2)
