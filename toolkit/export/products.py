"""What a person looks at: the files written beside an inversion, and opening an inversion to write more of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from toolkit import load_generator
from toolkit.camera import Camera
from toolkit.devices import checked_device, told_arithmetic
from toolkit.errors import InputError, WeightsError
from toolkit.export.gallery import Gallery
from toolkit.export.glb import write_glb
from toolkit.export.mesh import METRES_PER_UNIT, inversion_mesh, painting_cameras
from toolkit.export.orbit import FRAMES, orbit_cameras, orbit_frames, write_video
from toolkit.export.sheets import sheet_cameras, views_sheet
from toolkit.export.turntable import viewer_cameras, write_viewer
from toolkit.inversion import RECORD_FILE, TENSORS_FILE, Inversion
from toolkit.progress import PART, Progress
from toolkit.rendering.pixels import to_pixels, write_png
from toolkit.rendering.views import OnView, around, iterate_views

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.interfaces import Generator


@dataclass(frozen=True)
class Products:
    """Which files to write beside the inversion itself; `views.png` always is."""

    video: bool = True
    mesh: bool = True
    viewer: bool = True


OURS = {TENSORS_FILE, RECORD_FILE, "views.png", "orbit.mp4", "mesh.glb", "viewer.html", "renders"}
"""What commands write into the folder of an inversion."""


def is_strangers(name: str) -> bool:
    """Whether a file in the folder of an inversion is somebody else's, and stays when the inversion is replaced."""
    return name not in OURS


def write_products(
    folder: str | os.PathLike[str],
    inversion: Inversion,
    generator: Generator,
    input_image: Tensor | None,
    products: Products | None = None,
    note: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write `views.png` and what `products` asks for (`orbit.mp4`, `mesh.glb`, `viewer.html`) into a folder.

    Args:
        folder: Where to.
        inversion: One head.
        generator: The generator that it was made with.
        input_image: [1, 3, S, S] in [-1, 1], shown beside the reconstruction.
        products: Which files; None means all.
        note: Told when the head has no surface to make a mesh of; None raises the error.
        progress: Hears of every file's views.

    Returns:
        The files.

    Raises:
        InputError: Not the generator of this inversion.
        OutputError: The folder cannot be written.
        MissingDependencyError: A package that a file needs is not installed.
    """
    folder, wanted = Path(folder), products or Products()
    gallery = _gallery(inversion, generator, wanted)
    sheet = views_sheet(inversion, generator, input_image, steps_of(progress, "views.png"), gallery)
    files = [write_png(folder / "views.png", sheet, describe(inversion))]
    if wanted.video:
        files.append(write_orbit(folder / "orbit.mp4", inversion, generator, progress=progress, gallery=gallery))
    if wanted.mesh:
        try:
            mesh = folder / "mesh.glb"
            files.append(write_mesh(mesh, inversion, generator, progress=progress, gallery=gallery))
        except InputError as error:
            if note is None:
                raise
            note(f"no mesh.glb: {error}")
    if wanted.viewer:
        viewer = folder / "viewer.html"
        tell = steps_of(progress, viewer.name)
        files.append(write_viewer(viewer, inversion, generator, on_view=tell, gallery=gallery))
    return files


def _gallery(inversion: Inversion, generator: Generator, wanted: Products) -> Gallery:
    """The views of a head, which renders those once that several files show."""
    gallery, spec = Gallery.of(inversion, generator), generator.spec
    gallery.expect(sheet_cameras(inversion, spec))
    for asked, cameras in (
        (wanted.video, orbit_cameras),
        (wanted.mesh, painting_cameras),
        (wanted.viewer, viewer_cameras),
    ):
        if asked:
            gallery.expect(cameras(spec))
    return gallery


def steps_of(progress: Progress | None, name: str) -> OnView | None:
    """A function that reports the progress of one file; None where there is no listener."""
    return None if progress is None else lambda done, total: progress.step(f"head{PART}{name}", done, total)


def write_views(
    folder: str | os.PathLike[str],
    inversion: Inversion,
    generator: Generator,
    angles: Sequence[tuple[float, float | None]],
    resolution: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write one PNG per (yaw, pitch) in degrees, named after them; a pitch of None is the generator's own."""
    shown = inversion.tuned_generator(generator)
    level = math.degrees(shown.spec.orbit.pitch)
    pairs = [(yaw, level if pitch is None else pitch) for yaw, pitch in angles]
    for yaw, pitch in pairs:
        if not (math.isfinite(yaw) and -90 <= pitch <= 90):
            raise InputError(f"a view needs a finite yaw and a pitch of -90 to 90 degrees, got {yaw:g} and {pitch:g}")
    radians = torch.deg2rad(torch.tensor(pairs, dtype=torch.float64)).float()
    cameras: Camera = around(shown.spec, radians[:, 0], radians[:, 1])
    files: list[Path] = []
    tell = steps_of(progress, "views")
    for part in iterate_views(shown, inversion.planes, inversion.ws, cameras, resolution=resolution, on_view=tell):
        for pixels in to_pixels(part.image):
            yaw, pitch = pairs[len(files)]
            name = f"yaw{yaw:+06.1f}_pitch{pitch:+05.1f}.png"
            files.append(write_png(Path(folder) / name, pixels, describe(inversion)))
    return files


def write_orbit(
    path: str | os.PathLike[str],
    inversion: Inversion,
    generator: Generator,
    frames: int = FRAMES,
    resolution: int | None = None,
    progress: Progress | None = None,
    gallery: Gallery | None = None,
) -> Path:
    """Write a video of a full turn (see `toolkit.export.orbit`)."""
    tell = steps_of(progress, Path(path).name)
    frames_of_it = orbit_frames(inversion, generator, frames, resolution, tell, gallery)
    return write_video(path, frames_of_it, description=", ".join(told_arithmetic()))


def write_mesh(
    path: str | os.PathLike[str],
    inversion: Inversion,
    generator: Generator,
    resolution: int = 128,
    scale: float = METRES_PER_UNIT,
    progress: Progress | None = None,
    gallery: Gallery | None = None,
) -> Path:
    """Write the head as binary glTF (see `toolkit.export.mesh`)."""
    tell, surface = steps_of(progress, Path(path).name), steps_of(progress, "surface")
    mesh = inversion_mesh(inversion, generator, resolution, scale, tell, surface, gallery)
    details = {"method": inversion.method, "generator": inversion.generator, "metres_per_unit": scale}
    if told_arithmetic():
        details["arithmetic"] = ", ".join(told_arithmetic())
    return write_glb(path, mesh, details)


def describe(inversion: Inversion) -> str:
    """One line for metadata: method, generator, and faster arithmetic where it is used now."""
    told = f"method {inversion.method}, generator {inversion.generator} {inversion.fingerprint[:12]}".rstrip()
    return told + "".join(f", {name}" for name in told_arithmetic())


def open_inversion(
    folder: str | os.PathLike[str], weights: str | os.PathLike[str] | None = None, device: str = "cpu"
) -> tuple[Inversion, Generator]:
    """Load an inversion and the generator that it was made with.

    Args:
        folder: What `Inversion.save` wrote.
        weights: The generator's weights; None takes the file that the inversion names, or the generator's own.
        device: Where to put the generator.

    Raises:
        InputError: Not an inversion, an unknown device, or a generator other than the one it was made with.
        PluginError: The generator is not registered here.
        WeightsError: The generator's weights are missing or damaged.
    """
    inversion = Inversion.load(folder)
    named = inversion.provenance.get("generator_weights")
    chosen = Path(weights) if weights is not None else Path(named) if isinstance(named, str) else None
    if chosen is not None and not chosen.is_file():
        raise WeightsError(f"the generator's weights {chosen} are not there; name their place with --weights")
    generator = load_generator(inversion.generator, chosen, checked_device(device))
    inversion.check_generator(generator)
    return inversion, generator
