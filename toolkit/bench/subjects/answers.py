"""The folder of a command's answers, and how a comparison records a failure of the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.bench.records.store import file_name, key_of
from toolkit.bench.subjects.methods import TIME_LIMIT, UnitError
from toolkit.errors import OverTimeError, PluginError
from toolkit.external.method import ExternalMethod
from toolkit.rendering.pixels import to_pixels

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, Item


def failure_of(error: PluginError) -> UnitError:
    """A command's failure, as that of one picture."""
    return UnitError(TIME_LIMIT if isinstance(error, OverTimeError) else "invert", str(error))


def folder_name(method: ExternalMethod, generator: Generator, item: Item) -> str:
    """The folder of the answers for an input picture: another picture, camera, command or generator has another."""
    key = key_of(
        method.fingerprint, generator.spec.fingerprint, item.camera.label.flatten().tolist(),
        to_pixels(item.image[None]).tobytes().hex(),
    )  # fmt: skip
    return file_name(item.id, key)
