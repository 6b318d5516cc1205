"""A method in another environment that answers with renders: asked once per picture, for all views that are wanted.

Its answers are kept in a folder per input picture, in the form of renders that were made elsewhere (see `outside`).
One that answers with a mesh is asked once, too (see `meshes`).
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from toolkit.bench.records.units import InversionRecord
from toolkit.bench.subjects.answers import failure_of, folder_name
from toolkit.bench.subjects.heads import Views
from toolkit.bench.subjects.meshes import CommandedMeshes
from toolkit.bench.subjects.methods import ComparedMethod, UnitError
from toolkit.bench.subjects.outside import OutsideHeads, is_near, open_outside
from toolkit.camera import Camera
from toolkit.errors import InputError, PluginError
from toolkit.export.wanted import RENDERS_FILE, read_wanted
from toolkit.external.method import ExternalMethod
from toolkit.files import atomic_folder
from toolkit.rendering.pixels import to_pixels, write_png

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, Item


def with_answers(compared: ComparedMethod, generator: Generator, out: Path) -> ComparedMethod:
    """A method as it is, or, where it is a command that answers with renders or meshes, in a form that asks for these.

    Args:
        compared: Any method of a comparison.
        generator: What the other methods invert into; the command gets its sizes.
        out: The run's folder: answers are kept in it, and the cameras that are wanted stand there.
    """
    method = compared.inverter
    if not isinstance(method, ExternalMethod) or method.returns == "ws":
        return compared
    asks = CommandedHeads if method.returns == "renders" else CommandedMeshes
    return replace(compared, inverter=asks(method, generator, out), recorded=method.fingerprint)


class CommandedHeads:
    """Stands in the place of a method (a `HeadSource`)."""

    def __init__(self, method: ExternalMethod, generator: Generator, out: Path) -> None:
        """Wrap a method as `with_answers` describes."""
        self.method, self.generator, self._out = method, generator, out
        self._failed: dict[str, UnitError] = {}
        self._opened: tuple[str, OutsideHeads] | None = None

    @property
    def time_limit(self) -> float:
        """Seconds that one call of the command may take."""
        return self.method.time_limit

    def head(self, item: Item) -> CommandedHead:
        """The head of an input picture; the command is called when a view is wanted."""
        return CommandedHead(self, item)

    def record(self, item: Item) -> InversionRecord | None:
        """What the first call for an input picture took; None before it."""
        known = self.answers(item)
        return None if known is None else known.record(item)

    def answers(self, item: Item) -> OutsideHeads | None:
        """The renders of an input picture that are there already."""
        name = self._name(item)
        if self._opened is None or self._opened[0] != name:
            folder = self._folder / name
            if not (folder / RENDERS_FILE).is_file():
                return None
            opened = open_outside(folder, self.generator.spec.image_size).inverter
            assert isinstance(opened, OutsideHeads)  # what open_outside makes
            self._opened = name, opened
        return self._opened[1]

    def ask(self, item: Item, labels: list[Tensor]) -> OutsideHeads:
        """Call the command for views [25] each; the first time also for all others that the run wants of this picture.

        Raises:
            UnitError: The command failed, on this picture now or before.
        """
        name = self._name(item)
        if name in self._failed:
            raise self._failed[name]
        known = self.answers(item)
        wanted = self._wanted(item) if known is None else []
        wanted += [label for label in labels if not any(is_near(label, each) for each in wanted)]
        started = time.perf_counter()
        try:
            pictures = self.method.render(
                item.image[None], item.camera, self.generator, Camera(torch.stack([label.float() for label in wanted]))
            )
        except PluginError as error:
            self._failed[name] = failure_of(error)
            raise self._failed[name] from error
        self._keep(item, known, wanted, pictures, time.perf_counter() - started)
        self._opened = None
        found = self.answers(item)
        assert found is not None  # it was just written
        return found

    def _keep(
        self, item: Item, known: OutsideHeads | None, labels: list[Tensor], pictures: Tensor, seconds: float
    ) -> None:
        """Add renders to those that are kept already; an interruption leaves the old ones."""
        folder = self._folder / self._name(item)
        before = [] if known is None else known.renders[item.id]
        entries = [[item.id, name, label.tolist()] for name, label in before]
        told = None if known is None else known.record(item)
        with atomic_folder(folder) as unfinished:
            for name, _ in before:
                (unfinished / name).write_bytes((folder / name).read_bytes())
            for number, (label, pixels) in enumerate(zip(labels, to_pixels(pictures), strict=True), start=len(before)):
                write_png(unfinished / f"{number}.png", pixels, f"made by {self.method.name}")
                entries.append([item.id, f"{number}.png", label.tolist()])
            first = seconds if told is None or told.seconds is None else told.seconds
            document = {"method": self.method.name, "renders": entries, "seconds": {item.id: first}}
            (unfinished / RENDERS_FILE).write_text(json.dumps(document), encoding="utf-8")

    def _wanted(self, item: Item) -> list[Tensor]:
        """Cameras from which the run looks at what is made of a picture, as far as that is known beforehand."""
        try:
            return [torch.tensor(label) for _, label in read_wanted(self._out / "wanted.json", item.id)]
        except InputError:
            return []

    def _name(self, item: Item) -> str:
        return folder_name(self.method, self.generator, item)

    @property
    def _folder(self) -> Path:
        return self._out / "renders" / self.method.name


class CommandedHead:
    """What the command makes of one picture."""

    def __init__(self, source: CommandedHeads, item: Item) -> None:
        self._source, self._item = source, item

    def input_view(self) -> Views:
        """The render by the input's camera."""
        return self.views(self._item.camera)

    def views(self, cameras: Camera) -> Views:
        """The renders by these cameras; depth and masks are not known.

        Raises:
            UnitError: The command failed, or one of its pictures cannot be read.
        """
        known = self._source.answers(self._item)
        labels = list(cameras.label.cpu())
        missing = labels if known is None else [each for each in labels if not known.covers(self._item.id, each)]
        if missing or known is None:
            known = self._source.ask(self._item, missing)
        return known.head(self._item).views(cameras)
