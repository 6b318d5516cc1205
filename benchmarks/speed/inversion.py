"""One photograph through the default method, stage by stage: photo, inversion, each file.

    python benchmarks/speed/inversion.py [--json FILE]

What is loaded with a generator and a method is not counted: `startup.py` measures it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import Repetition, Stages, compare, report

import toolkit
from toolkit.apps.demo import write_astronaut
from toolkit.export import products
from toolkit.faces.photo import prepare_photo

FILES = {
    "views_sheet": "views.png",
    "write_orbit": "orbit.mp4",
    "write_mesh": "mesh.glb",
    "write_viewer": "viewer.html",
}


def photograph() -> Repetition:
    """All stages, the files in the order in which they are made: later ones show views of earlier ones."""
    folder = Path(tempfile.mkdtemp())
    photo = write_astronaut(folder / "astronaut.png")
    model = toolkit.load_generator("panohead-mini")
    method = toolkit.load_method("dual-encoder", model)
    files = Stages()
    for function, name in FILES.items():
        files.watch(products, function, name)

    def once() -> dict[str, float]:
        took: dict[str, float] = {}
        with _counted(took, "photo"):
            prepared = prepare_photo(photo, model.spec)
        with _counted(took, "inversion"):
            inversion = method.invert(prepared.image, prepared.camera, model)
        with _counted(took, "saving"):
            inversion.save(folder / "inversion")
        products.write_products(folder, inversion, model, prepared.image, note=print)
        return took | files.taken()

    return once


@contextmanager
def _counted(took: dict[str, float], stage: str) -> Iterator[None]:
    started = time.process_time()
    yield
    took[stage] = time.process_time() - started


def main() -> None:
    found = compare({"ours": photograph}, repetitions=1, warm_up=False)
    report("one photograph, all files", found, **found["ours"].said)


if __name__ == "__main__":
    main()
