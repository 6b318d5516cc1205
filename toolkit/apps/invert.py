"""From photos to finished result folders: prepare, invert, show; one photo's failure costs that photo only."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from toolkit import DEFAULT_METHODS, load_generator, load_method, strangers
from toolkit.apps.result_folders import distinct, result_folders, sources
from toolkit.devices import checked_device
from toolkit.errors import (
    CapabilityError,
    ConfigError,
    InputError,
    OutputError,
    PluginError,
    ToolkitError,
    WeightsError,
)
from toolkit.export.products import Products, is_strangers, write_products
from toolkit.external.method import ExternalMethod
from toolkit.faces.photo import BACKGROUNDS, PreparedPhoto, prepare_photo
from toolkit.files import atomic_folder, check_folder_place, file_sha256
from toolkit.interfaces.method import ReportsProgress
from toolkit.inversion import Inversion, holds_inversion
from toolkit.isolation.guard import GeneratorSource, MethodRequest, changes_as_text, make_inversion, open_method
from toolkit.isolation.messages import InversionRequest, told
from toolkit.isolation.method import BUILDING
from toolkit.isolation.watch import GeneratorWatch
from toolkit.machine_failures import Kind, machine_failure, reason
from toolkit.progress import Progress, losses_as_text
from toolkit.registry import Registration, default_registry, method_and_plugin

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, Method

__all__ = ["Outcome", "PhotoOptions", "Products", "default_method", "invert_photos"]


@dataclass(frozen=True)
class PhotoOptions:
    """What the user says about a photo; None and 'auto' mean: find out."""

    camera: Path | None = None
    landmarks: Path | None = None
    mask: Path | None = None
    face: int | None = None
    pose: str = "auto"
    background: str = "auto"


@dataclass(frozen=True)
class Outcome:
    """What became of one photo."""

    image: Path
    folder: Path
    status: Literal["done", "skipped", "failed"]
    seconds: float
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The outcome in plain JSON types."""
        return {
            "image": str(self.image),
            "folder": str(self.folder),
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "error": self.error,
        }


def invert_photos(
    images: Sequence[Path],
    out: Path,
    *,
    method: str | None,
    generator: str,
    progress: Progress,
    method_weights: Path | None = None,
    weights: Path | None = None,
    options: Mapping[str, Any] | None = None,
    photo: PhotoOptions | None = None,
    products: Products | None = None,
    force: bool = False,
    device: str = "cpu",
    time_limit: float | None = None,
) -> list[Outcome]:
    """Invert photos one after the other into sub-folders of `out`.

    Args:
        images: Photo files.
        out: Folder of the results; made when missing.
        method: Registered method; None: the default (see `default_method`).
        generator: Registered generator.
        progress: Hears of every photo, stage and step.
        method_weights: Checkpoint of the method (None: its own).
        weights: Weights of the generator (None: its own).
        options: Settings of the method.
        photo: What the user says about the photos.
        products: What to write beside the inversion itself.
        force: Do again what is already there.
        device: Where to compute.
        time_limit: Seconds that the inversion of a photo may take; a method, or another part of a stranger's plugin,
            that takes longer is ended.

    Returns:
        One outcome per photo, in order; failures are outcomes, not exceptions.

    Raises:
        ToolkitError: Something that no photo could survive: unknown method or generator, missing weights, bad
            settings, an output folder that cannot be written.
    """
    _check_request(out, photo or PhotoOptions())
    place, limit = checked_device(device), strangers.checked_time_limit(time_limit)
    with strangers.time_limit(limit and max(limit, BUILDING)):
        model = load_generator(generator, weights, place)
    watch, undone = GeneratorWatch(model), list[str]()
    name, inverter, note = (method, None, "") if method else default_method(model, method_weights, options)
    if note:
        progress.note(note)
    if inverter is None or limit is not None:
        source = GeneratorSource(generator, weights, place)
        wanted = MethodRequest(name, source, method_weights, dict(options or {}), limit, progress.note)
        inverter = open_method(wanted, model, watch, undone)
    if undone:
        progress.note(f"note: {changes_as_text(name, undone)}")
    if isinstance(inverter, ReportsProgress):
        inverter.on_step = lambda step, total, losses: progress.step("invert", step, total, losses_as_text(losses))
    work = _Work(model, inverter, name, weights, dict(options or {}), photo or PhotoOptions(), products or Products(),
                 watch, default_registry().get("generator", generator))  # fmt: skip
    photos, outcomes = distinct(images), []
    for index, (image, folder) in enumerate(zip(photos, result_folders(photos, out), strict=True)):
        progress.note(f"photo {index + 1} of {len(photos)}: {image}")
        outcomes.append(_one_outcome(work, image, folder, force, progress, limit))
        progress.note(f"  {outcomes[-1].status} after {outcomes[-1].seconds:.1f} s")
        progress.step("photos", index + 1, len(photos))
    return outcomes


def _one_outcome(
    work: _Work, image: Path, folder: Path, force: bool, progress: Progress, limit: float | None
) -> Outcome:
    started = time.perf_counter()
    try:
        with work.at_arms_length(), strangers.time_limit(limit):
            status = work.invert(image, folder, force, progress)
    except OutputError:
        raise
    except ToolkitError as error:
        return Outcome(image, folder, "failed", time.perf_counter() - started, str(error))
    return Outcome(image, folder, status, time.perf_counter() - started)


class DefaultMethod(NamedTuple):
    """What is used where no method is named."""

    name: str
    method: Method
    note: str = ""
    """Why it is not the first one, for the user."""


def default_method(
    generator: Generator, weights: Path | None = None, options: Mapping[str, Any] | None = None
) -> DefaultMethod:
    """Build the first of `DEFAULT_METHODS` that can be built for a generator.

    A checkpoint is for the first one, and a preset for the first one that knows it.

    Raises:
        ToolkitError: What the first says about its checkpoint or settings, or the last about anything.
    """
    chosen, registry = dict(options or {}), default_registry()
    installed = {entry.name for entry in registry.of_kind("method")}
    reasons = []
    for name in DEFAULT_METHODS[:-1]:
        if name not in installed:
            continue
        try:
            return DefaultMethod(name, load_method(name, generator, weights, **chosen))
        except (CapabilityError, WeightsError) as error:
            if weights is not None:
                raise
            reasons.append(str(error))
        except ConfigError:
            if weights is not None:
                raise
            reason = _why_not(name, generator)
            if not reason and "preset" not in chosen:
                raise
            reasons.append(reason or f"{name} has no preset {chosen['preset']!r}")
    last = DEFAULT_METHODS[-1]
    note = f"the method is {last}: {'; '.join(reasons)}" if reasons else ""
    return DefaultMethod(last, load_method(last, generator, weights, **chosen), note)


def _why_not(method: str, generator: Generator) -> str:
    """Why a method cannot be used with this generator, whatever its options; empty: it can."""
    try:
        load_method(method, generator)
    except ToolkitError as error:
        return str(error)
    return ""


def _check_request(out: Path, photo: PhotoOptions) -> None:
    """Refuse at once what would fail for every photo, or would be passed over because a camera is given."""
    check_folder_place(out)
    if photo.background not in BACKGROUNDS:
        raise InputError(f"background must be one of {', '.join(BACKGROUNDS)}, got {photo.background!r}")
    if photo.pose not in ("auto", "label"):
        default_registry().get("pose_estimator", photo.pose)
    if photo.face is not None and photo.face < 0:
        raise InputError(f"face must be 0 (the largest) or more, got {photo.face}")


@dataclass(frozen=True)
class _Work:
    generator: Generator
    inverter: Method
    method: str
    weights: Path | None
    options: dict[str, Any]
    photo: PhotoOptions
    products: Products
    watch: GeneratorWatch
    made_by: Registration
    """Of the generator."""

    def at_arms_length(self) -> AbstractContextManager[None]:
        """What a stranger's generator raises costs a photo."""
        return self.made_by.running(alone=False)

    def invert(self, image: Path, folder: Path, force: bool, progress: Progress) -> Literal["done", "skipped"]:
        if self._is_done(image, folder, force):
            return "skipped"
        prepared = prepare_photo(
            image,
            self.generator.spec,
            camera=self.photo.camera,
            landmarks=self.photo.landmarks,
            mask=self.photo.mask,
            face=self.photo.face,
            background=self.photo.background,
            pose=self.photo.pose,
        )
        for note in prepared.notes:
            progress.note(f"  note: {note}")
        inversion = self._inverted(prepared, progress)
        inversion.provenance.update(
            {
                "input": image.name,
                "input_sha256": prepared.sha256,
                "source": sources(image, folder.parent),
                "request": self._request(),
                "notes": list(prepared.notes),
                "generator_weights": None if self.weights is None else str(self.weights.resolve()),
                "licence": self.generator.spec.licence,
            }
        )
        with atomic_folder(folder, keep=is_strangers) as unfinished:
            inversion.save(unfinished)
            write_products(
                unfinished,
                inversion,
                self.generator,
                prepared.image,
                self.products,
                lambda text: progress.note(f"  note: {text}"),
                progress,
            )
        return "done"

    def _inverted(self, prepared: PreparedPhoto, progress: Progress) -> Inversion:
        device, undone = self.generator.device, list[str]()
        name = self.inverter.name if isinstance(self.inverter, ExternalMethod) else self.method
        image, camera = prepared.image.to(device), prepared.camera.to(device)
        seed = int(prepared.sha256[:12], 16)  # of this photo alone: results do not depend on the order
        request = InversionRequest(name, image, camera, seed)
        try:
            made = make_inversion(self.inverter, request, self.generator, self.watch, undone)
        except ToolkitError:
            raise
        except (Exception, SystemExit) as error:  # a plugin's method may raise anything; that costs this photo only
            if machine_failure(error) == Kind.DISK:
                raise OutputError(f"cannot go on: {reason(error)}") from error
            raise PluginError(f"{method_and_plugin(self.method)} failed: {told(error)}") from error
        finally:
            if undone:
                progress.note(f"  note: {changes_as_text(self.method, undone)}")
        return made.inversion

    def _request(self) -> dict[str, Any]:
        photo = {key: None if value is None else str(value) for key, value in vars(self.photo).items()}
        return {"method": self.method, "generator": self.generator.spec.fingerprint, "options": self.options,
                "photo": photo}  # fmt: skip

    def _is_done(self, image: Path, folder: Path, force: bool) -> bool:
        """Whether the folder holds this very inversion.

        Raises:
            InputError: It holds something else that may not, or was not asked to, be replaced.
        """
        if not holds_inversion(folder):
            if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
                raise InputError(f"{folder} exists and holds no inversion: it is never replaced; give another --out")
            return False
        if force or not image.is_file():
            return False  # reading a photo that is not there will say what is wrong
        provenance = Inversion.load(folder).provenance
        if provenance.get("input_sha256") == file_sha256(image) and provenance.get("request") == self._request():
            return True
        raise InputError(f"{folder} holds another inversion (other photo or settings); use --force or another --out")
