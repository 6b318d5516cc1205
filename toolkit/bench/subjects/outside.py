"""Renders made elsewhere, by methods that this toolkit cannot run, as one more method.

A folder with pictures and `renders.json`:

```
{"method": "goha",
 "renders": [["00000/yaw_0.png", "out/00000-front.png", [25 numbers]], ...],
 "seconds": {"00000/yaw_0.png": 0.21}}
```

Each entry of `renders` names the input picture (as the data set does), the render (relative to the folder) and the
camera that it shows. `seconds`, which may be left out, says what an inversion took there, by input picture. Which
renders are wanted is written into a run's folder as `wanted.json`, in the same form.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor

from toolkit.bench.records.store import key_of
from toolkit.bench.records.units import InversionRecord
from toolkit.bench.subjects.heads import Views
from toolkit.bench.subjects.methods import ComparedMethod, UnitError
from toolkit.camera import Camera, rotation_distance
from toolkit.data import resize
from toolkit.data.pictures import decode_image
from toolkit.data.store import FolderStore
from toolkit.documents import read_document
from toolkit.errors import InputError, ToolkitError
from toolkit.export.wanted import RENDERS_FILE
from toolkit.files import file_sha256
from toolkit.interfaces import Item

TOLERANCES = {"direction": 0.5, "place": 0.01, "focal length": 0.01, "skew": 0.01, "principal point": 0.01}
"""How far a render's camera may miss the wanted one: degrees; shares of the camera's distance from the origin, of the
focal length, again of it, and of the picture's side."""

Entry = tuple[str, Tensor]
"""File and camera label [25]."""


class OutsideHeads:
    """Stands in the place of a method, and shows what it was given."""

    def __init__(
        self, name: str, folder: Path, renders: dict[str, list[Entry]], size: int, seconds: Mapping[str, float]
    ) -> None:
        self._name, self._folder, self._size, self._seconds = name, folder, size, seconds
        self.renders: Mapping[str, list[Entry]] = renders
        """By input picture."""

    def record(self, item: Item) -> InversionRecord | None:
        """What the inversion of an input picture took, if that was told; counted as warm."""
        if item.id not in self._seconds:
            return None
        return InversionRecord(method=self._name, item=item.id, warm=True, seconds=self._seconds[item.id])

    def head(self, item: Item) -> OutsideHead:
        """The renders of an input picture.

        Raises:
            UnitError: There are none.
        """
        if item.id not in self.renders:
            raise UnitError("invert", f"{self._folder / RENDERS_FILE} has no renders of {item.id}")
        return OutsideHead(self._folder, self.renders[item.id], item.camera, self._size)

    def covers(self, source: str, label: Tensor) -> bool:
        """Whether a render of an input picture comes near enough to a wanted camera [25]."""
        return any(is_near(label, other) for _, other in self.renders.get(source, []))


class OutsideHead:
    """The renders of one input."""

    def __init__(self, folder: Path, renders: list[Entry], camera: Camera, size: int) -> None:
        self._folder, self._renders, self._camera, self._size = folder, renders, camera, size

    def input_view(self) -> Views:
        """The render by the input's camera."""
        return self.views(self._camera)

    def views(self, cameras: Camera) -> Views:
        """The renders nearest to these cameras; depth and masks are not known.

        Raises:
            UnitError: One is missing or cannot be read.
        """
        return Views(torch.cat([self._view(label) for label in cameras.label]))

    def _view(self, label: Tensor) -> Tensor:
        name, misses = min(
            ((name, _misses(label, other)) for name, other in self._renders), key=lambda each: max(each[1].values())
        )
        if max(misses.values()) > 1:
            yaw = math.degrees(float(Camera.from_label(label[None]).angles().yaw[0]))
            apart = ", ".join(f"{part} {miss:.3g} times" for part, miss in misses.items() if miss > 1)
            raise UnitError(
                "invert", f"no render by the camera at yaw {yaw:.1f}: {name} misses its tolerance ({apart})"
            )
        try:
            image = decode_image(FolderStore(self._folder).read(name), name)
        except ToolkitError as error:
            raise UnitError("invert", f"the render {name} cannot be read: {error}") from error
        return resize(image[None], self._size)


def open_outside(folder: Path, size: int, taken: Collection[str] = ()) -> ComparedMethod:
    """Read a folder of renders.

    Args:
        folder: With `renders.json`.
        size: Side in pixels that pictures are brought to.
        taken: Names of methods that are compared, which it must not have.

    Raises:
        InputError: The folder, its list or a camera is not as described.
    """
    path = folder / RENDERS_FILE
    try:
        document = read_document(path)
        json.dumps(document, ensure_ascii=False).encode()  # names that are no text
        name = str(document["method"])
        renders: dict[str, list[Entry]] = defaultdict(list)
        for source, file, label in document["renders"]:
            if Path(file).is_absolute() or ".." in Path(file).parts:
                raise InputError(f"{path}: the render {file!r} lies outside the folder")
            renders[str(source)].append((str(file), Camera.from_label([label]).label[0]))
        seconds = {str(source): float(value) for source, value in dict(document.get("seconds", {})).items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a list of renders: {error}") from error
    if not renders or name in taken or not name:
        raise InputError(f"{path} must name a method that is not compared otherwise, and at least one render")
    if not all(0 < value < math.inf for value in seconds.values()):
        raise InputError(f"{path}: `seconds` must be positive numbers")
    files = sorted({file for entries in renders.values() for file, _ in entries})
    digest = key_of(file_sha256(path), [_digest(folder / file) for file in files])
    return ComparedMethod(
        name, OutsideHeads(name, folder, dict(renders), size, seconds), {"renders": folder.name}, digest
    )


def _digest(file: Path) -> str:
    """sha256 of a render; empty where it is missing, which costs its cell later."""
    try:
        return file_sha256(file)
    except (OSError, ValueError):  # a name that no disk has
        return ""


def is_near(wanted: Tensor, other: Tensor) -> bool:
    """Whether a camera [25] comes near enough to a wanted one to show the same view (see `TOLERANCES`)."""
    return max(_misses(wanted, other).values()) <= 1


def _misses(wanted: Tensor, other: Tensor) -> dict[str, float]:
    """How far a camera is from the wanted one in each respect, as shares of `TOLERANCES`."""
    one, two = Camera.from_label(wanted[None]), Camera.from_label(other[None])
    intrinsics, theirs = one.intrinsics[0], two.intrinsics[0]
    focal = torch.stack([intrinsics[0, 0], intrinsics[1, 1]]), torch.stack([theirs[0, 0], theirs[1, 1]])
    found = {
        "direction": math.degrees(float(rotation_distance(one, two)[0])),
        "place": float((one.position - two.position).norm() / one.position.norm().clamp_min(1e-6)),
        "focal length": float(((focal[0] - focal[1]) / focal[0]).abs().max()),
        "skew": float(((intrinsics[0, 1] - theirs[0, 1]) / focal[0][0]).abs()),
        "principal point": float((intrinsics[:2, 2] - theirs[:2, 2]).abs().max()),
    }
    return {part: miss / TOLERANCES[part] for part, miss in found.items()}
