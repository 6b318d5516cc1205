"""What `toolkit demo` does: the public steps, one after the other."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from skimage import data

from toolkit import DEFAULT_GENERATOR, load_generator, load_method
from toolkit.apps.invert import Outcome, invert_photos
from toolkit.devices import checked_device
from toolkit.files import atomic_write, check_folder_place
from toolkit.interfaces import MakeRequest
from toolkit.progress import Progress
from toolkit.registry import default_registry

ENCODER, OPTIMISER = "dual-encoder", "pti"
_FACE_SEED, _FACE_VIEW = 7, "left_30"


def run_demo(out: Path, preset: str, progress: Progress, device: str = "cpu") -> list[Outcome]:
    """Invert the astronaut and one procedural person in wild light seen from three quarters, below `out`.

    Both by the dual encoder, in seconds; the photograph also by pivotal tuning, in minutes.

    Args:
        out: Folder of the results.
        preset: Preset of the tuning.
        progress: Hears of every photo.
        device: Where to compute.

    Raises:
        ToolkitError: The output cannot be written, the preset is unknown, or embedded weights are missing.
    """
    check_folder_place(out)
    options: dict[str, dict[str, str]] = {OPTIMISER: {"preset": preset}, ENCODER: {}}
    place = checked_device(device)
    generator = load_generator(device=place)
    for method, chosen in options.items():
        load_method(method, generator, **chosen)  # refuses now what it would refuse after the faces are made
    photos = [write_astronaut(out / "photos" / "astronaut.png"), *make_faces(out / "people")]
    outcomes = []
    for method, some in ((ENCODER, photos), (OPTIMISER, photos[:1])):
        outcomes += invert_photos(
            some,
            out / method,
            method=method,
            generator=DEFAULT_GENERATOR,
            progress=progress,
            options=options[method],
            device=place,
        )
    return outcomes


def write_astronaut(path: Path) -> Path:
    """Write scikit-image's photograph of Eileen Collins (NASA, public domain)."""
    with atomic_write(path) as temporary:
        Image.fromarray(data.astronaut()).save(temporary)
    return path


def make_faces(folder: Path) -> list[Path]:
    """Make one held-out person in wild light and return the three-quarter view."""
    request = MakeRequest(folder, 1, "test", _FACE_SEED, "wild", (_FACE_VIEW,), 256)
    default_registry().load("dataset", "heads360").make(request)
    return [folder / "00000" / f"{_FACE_VIEW}.png"]
