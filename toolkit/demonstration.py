"""What `toolkit demo` does: nothing but the public steps, in order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from PIL import Image
from skimage import data

from toolkit import load_generator, load_method
from toolkit.files import atomic_write, check_folder_place
from toolkit.interfaces import MakeRequest
from toolkit.inverting import Outcome, Progress, invert_photos
from toolkit.registry import default_registry

GENERATOR = "panohead-mini"
METHODS = ("wplus", "pti")
_FACE_SEED, _FACE_VIEW = 7, "left_30"


def run_demo(out: Path, preset: str, progress: Callable[[int], AbstractContextManager[Progress]]) -> list[Outcome]:
    """Invert the astronaut and one heads360 wild face seen from three quarters, below `out`.

    Both by W+ optimisation; the photograph, far from anything that the generator has seen, by pivotal tuning too.

    Args:
        out: Folder of the results.
        preset: Preset of the methods.
        progress: Makes a listener for a number of photos.

    Raises:
        ToolkitError: The output cannot be written, the preset is unknown, or the embedded weights are missing.
    """
    check_folder_place(out)
    generator = load_generator(GENERATOR)
    for method in METHODS:
        load_method(method, generator, preset=preset)  # refuses now what it would refuse after the faces are made
    photos = [write_astronaut(out / "photos" / "astronaut.png"), *make_faces(out / "heads360")]
    outcomes = []
    for method, chosen in zip(METHODS, (photos, photos[:1]), strict=True):
        with progress(len(chosen)) as listener:
            outcomes += invert_photos(
                chosen, out / method, method=method, generator=GENERATOR, progress=listener,
                options={"preset": preset},
            )  # fmt: skip
    return outcomes


def write_astronaut(path: Path) -> Path:
    """Write scikit-image's photograph of Eileen Collins (NASA, public domain)."""
    with atomic_write(path) as temporary:
        Image.fromarray(data.astronaut()).save(temporary)
    return path


def make_faces(folder: Path) -> list[Path]:
    """Make one held-out heads360 wild subject and return its three-quarter view."""
    request = MakeRequest(folder, 1, "test", _FACE_SEED, "wild", (_FACE_VIEW,), 128)
    default_registry().load("dataset", "heads360").make(request)
    return [folder / "00000" / f"{_FACE_VIEW}.png"]
