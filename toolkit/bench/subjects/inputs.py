"""Which pictures of a data set are inverted, and which others of the same subject belong to each."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch

from toolkit.bench.records.store import key_of
from toolkit.bench.subjects.methods import UnitError
from toolkit.errors import InputError, ToolkitError
from toolkit.interfaces import IndexedDataset, Item

TARGET_CAMERAS = "the target pictures' own, as their data set labels them, not nominal yaws"
"""Where renders are seen from that are compared with other pictures of a subject, as results tell it."""


@dataclass(frozen=True)
class BenchItem:
    """What every method is asked once in a protocol: an input picture, and the pictures that it is compared with."""

    id: str
    subject: str
    """Resampling draws subjects, so that a subject's pictures stay together."""
    comparisons: int = 1
    """How many times each metric is asked; all of them count as failed where the method fails."""
    uses: tuple[int, ...] = ()
    """Indices of the pictures that it depends on, the input first."""


class Nearness(Protocol):
    """What settings of a protocol say about which pictures are inputs."""

    yaw_tolerance: float

    @property
    def title(self) -> str:
        """What results call the protocol."""
        ...


def pictures_by_subject(data: IndexedDataset) -> dict[str, list[int]]:
    """Indices of the pictures of each named subject, in the data set's order."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, subject in enumerate(data.subjects):
        if subject is not None:
            found[subject].append(index)
    return dict(found)


def yaws_of(data: IndexedDataset) -> list[float]:
    """Yaws of all cameras in degrees."""
    return [math.degrees(yaw) for yaw in data.cameras.angles().yaw.tolist()]


def input_pictures(
    data: IndexedDataset,
    settings: Nearness,
    yaws: Sequence[float],
    limit: int | None,
    draw: int | None = None,
    alone: bool = False,
) -> list[int]:
    """Indices of the pictures to invert.

    Args:
        data: Pictures.
        settings: How near to a yaw a picture must be.
        yaws: Degrees: of each subject the picture nearest to each; without any, or in data without subjects, every
            picture is an input.
        limit: Subjects at most, or pictures where every picture is an input.
        draw: Seed of the subset that the limit takes; None: the first ones.
        alone: Whether a picture without a subject, beside others that have one, is a subject of its own, whatever its
            yaw; otherwise it is left out.

    Raises:
        InputError: No subject has a picture near enough to a yaw that is asked for.
    """
    subjects = pictures_by_subject(data)
    if not yaws or not subjects:
        return chosen_of(list(range(len(data))), limit, draw)
    known, chosen = yaws_of(data), []
    for pictures in subjects.values():
        near = [nearest(pictures, known, yaw, settings.yaw_tolerance) for yaw in yaws]
        found = list(dict.fromkeys(index for index in near if index is not None))
        chosen += [found] if found else []
    chosen += [[index] for index, subject in enumerate(data.subjects) if alone and subject is None]
    if not chosen:
        raise InputError(
            f"{settings.title} inverts a picture of each subject within {settings.yaw_tolerance:g} degrees of yaw "
            f"{', '.join(f'{yaw:g}' for yaw in yaws)}; {data.path} has none"
        )
    return [index for found in chosen_of(chosen, limit, draw) for index in found]


def subjects_left_out(subjects: Iterable[str], items: Sequence[BenchItem], limit: int | None) -> list[str]:
    """The subjects that no item is of, where fewer were taken than were asked for.

    Args:
        subjects: All.
        items: What a protocol made of them.
        limit: Subjects at most; None: all are asked for.
    """
    taken = {item.subject for item in items}
    missing = [subject for subject in subjects if subject not in taken]
    return missing if limit is None or len(taken) < limit else []


Chosen = TypeVar("Chosen")


def chosen_of(found: list[Chosen], limit: int | None, draw: int | None) -> list[Chosen]:
    """At most `limit` of what was found, in its order; a larger limit keeps what a smaller one takes.

    Args:
        found: Subjects or pictures.
        limit: None: all.
        draw: Seed of a draw without replacement; None: the first ones.
    """
    if limit is None or limit >= len(found) or draw is None:
        return found[:limit]
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(draw)).tolist()
    return [found[place] for place in sorted(order[:limit])]


def nearest(pictures: list[int], yaws: list[float], yaw: float, tolerance: float) -> int | None:
    """The picture nearest to a yaw (degrees), if it is near enough."""
    best = min(pictures, key=lambda index: turn(yaws[index], yaw))
    return best if turn(yaws[best], yaw) <= tolerance else None


def turn(first: float, second: float) -> float:
    """Angle between two yaws in degrees, 0 to 180."""
    return abs((first - second + 180) % 360 - 180)


def whole_yaw(yaw: float) -> float:
    """A yaw in whole degrees, -179 to 180: curves of several subjects meet there."""
    whole = round(yaw)
    return float(180 if whole == -180 else whole)


def read_item(data: IndexedDataset, index: int) -> Item:
    """Read an item.

    Raises:
        UnitError: It is missing or damaged.
    """
    try:
        return data[index]
    except (ToolkitError, OSError) as error:
        raise UnitError("read", str(error)) from error


def truth_key(item: BenchItem, digests: Mapping[int, str], size: int) -> str:
    """Under what the true pictures of an input's subject are kept as frames: their files, and their side in pixels."""
    return key_of("truth", [digests[index] for index in sorted(set(item.uses))], size)
