"""The two photographs of the public domain that packages ship, as files."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from toolkit.apps.demo import write_astronaut
from toolkit.errors import MissingDependencyError


def write_photographs(folder: Path) -> list[Path]:
    """Write scikit-image's astronaut (Eileen Collins, NASA) and matplotlib's Grace Hopper (US Navy) into a folder.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    package = importlib.util.find_spec("matplotlib")
    if package is None or package.origin is None:
        raise MissingDependencyError("matplotlib", "the photograph of Grace Hopper", "dev")
    folder.mkdir(parents=True, exist_ok=True)
    hopper = folder / "grace_hopper.jpg"
    shutil.copyfile(Path(package.origin).parent / "mpl-data" / "sample_data" / hopper.name, hopper)
    return [write_astronaut(folder / "astronaut.png"), hopper]
