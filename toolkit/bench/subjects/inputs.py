"""Which pictures of a data set are inverted, and which others of the same subject belong to each."""

from __future__ import annotations

import math
from collections import defaultdict

from toolkit.bench.protocols.protocol import BenchProtocol
from toolkit.bench.protocols.rows import Cell
from toolkit.bench.subjects.inversions import CellError
from toolkit.data import ImageFolder
from toolkit.errors import InputError, ToolkitError
from toolkit.interfaces import Item

TARGET_CAMERAS = "the target pictures' own, as their data set labels them, not nominal yaws"
"""Where renders are seen from that are compared with other pictures of a subject, as results tell it."""


def pictures_by_subject(data: ImageFolder) -> dict[str, list[int]]:
    """Indices of the pictures of each named subject, in the data set's order."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, subject in enumerate(data.subjects):
        if subject is not None:
            found[subject].append(index)
    return dict(found)


def yaws_of(data: ImageFolder) -> list[float]:
    """Yaws of all cameras in degrees."""
    return [math.degrees(yaw) for yaw in data.cameras.angles().yaw.tolist()]


def input_pictures(data: ImageFolder, protocol: BenchProtocol, limit: int | None) -> list[int]:
    """Indices of the pictures to invert.

    Args:
        data: Pictures.
        protocol: Its `starts` choose pictures of each subject by yaw; without any, or in data without subjects, every
            picture is an input.
        limit: Subjects at most, or pictures where every picture is an input.

    Raises:
        InputError: No subject has a picture near enough to a yaw that is asked for.
    """
    subjects = pictures_by_subject(data)
    if not protocol.starts or not subjects:
        return list(range(len(data)))[:limit]
    yaws, chosen = yaws_of(data), []
    for pictures in subjects.values():
        near = [nearest(pictures, yaws, yaw, protocol.yaw_tolerance) for yaw in protocol.starts]
        found = list(dict.fromkeys(index for index in near if index is not None))
        chosen += [found] if found else []
    if not chosen:
        raise InputError(
            f"{protocol.title} inverts a picture of each subject within {protocol.yaw_tolerance:g} degrees of yaw "
            f"{', '.join(f'{yaw:g}' for yaw in protocol.starts)}; {data.path} has none"
        )
    return [index for found in chosen[:limit] for index in found]


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


def read_item(data: ImageFolder, index: int) -> Item:
    """Read an item.

    Raises:
        CellError: It is missing or damaged.
    """
    try:
        return data[index]
    except (ToolkitError, OSError) as error:
        raise CellError("read", str(error)) from error


def single_cells(data: ImageFolder, protocol: BenchProtocol, limit: int | None) -> list[Cell]:
    """A cell for every picture that is inverted."""
    return [
        Cell(data.names[index], data.subjects[index] or data.names[index], uses=(index,))
        for index in input_pictures(data, protocol, limit)
    ]
