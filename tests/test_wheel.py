"""The wheel works by itself: built from the tree, installed into an empty environment, used from another folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel; dependencies come from the running environment."""
    place = tmp_path_factory.mktemp("wheel")
    # a copy, so that what an earlier build left in the tree cannot get into the wheel
    tree = shutil.copytree(
        ROOT, place / "tree", ignore=shutil.ignore_patterns(".*", "build", "dist", "out", "*.egg-info")
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", place, tree],
        check=True, env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )  # fmt: skip
    (wheel,) = place.glob("toolkit-*.whl")
    venv.create(place / "env", with_pip=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(place / "env")}))
    subprocess.run([place / "env/bin/python", "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True)
    # path files inside a folder that a path file adds are not read, so the checkout's editable install stays out
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "env" / "bin"


def test_a_photo_is_inverted_from_the_root_folder(installed: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [installed / "python", "-c", "import toolkit, toolkit_plugins, toolkit_configs; print(toolkit.__file__)"],
        cwd="/", check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert str(ROOT) not in where.stdout
    photo = tmp_path / "astronaut.png"
    write = f"from toolkit.apps.demo import write_astronaut as w; from pathlib import Path; w(Path({str(photo)!r}))"
    subprocess.run([installed / "python", "-c", write], cwd="/", check=True)
    run = subprocess.run(
        [installed / "toolkit", "invert", photo, "--out", tmp_path / "out", "--preset", "fast", "--set", "steps=5",
         "--no-video", "--json"],
        cwd="/", check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["status"] == "done"
    folder = tmp_path / "out" / "astronaut"
    assert {"inversion.json", "inversion.safetensors", "views.png", "mesh.glb", "viewer.html"} <= {
        path.name for path in folder.iterdir()
    }
