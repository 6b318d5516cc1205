"""A package that `plugins new` writes, of every kind: installed into a fresh environment, checked and used there.

The environment takes torch and the toolkit from the running one; the package itself is built and installed by pip.
"""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit import load_generator
from toolkit.apps.new_plugin import KINDS, write_plugin
from toolkit.camera import Camera
from toolkit.rendering.pixels import to_pixels

pytestmark = pytest.mark.slow

SMALL = ("photos.held_out_subjects=1", "pairs.count=8", "samples=64")
"""Settings that make any encoder's training small."""


class Place:
    """An environment with all packages, and photos with their cameras."""

    def __init__(self, root: Path) -> None:
        """Make the environment and the photos, and install a package of every kind."""
        self.root, self.python = root, root / "env" / "bin" / "python"
        self.packages = {kind: write_plugin(f"third-{kind}", kind, root / "packages") for kind in KINDS}
        venv.create(root / "env")
        folder = Path(sysconfig.get_path("purelib", vars={"base": str(root / "env")}))
        shared = [*site.getsitepackages(), str(Path(__file__).parent.parent)]
        lines = [f"import site; site.addsitedir({place!r})" for place in shared]
        (folder / "shared.pth").write_text("\n".join(lines) + "\n")
        packages = [f"{folder}[test]" for folder in self.packages.values()]
        self.run("pip", "install", "--quiet", "--no-index", "--no-build-isolation", *packages)
        self._draw_photos()

    def run(self, module: str, *arguments: str | Path, folder: Path | None = None) -> str:
        """Run `python -m module` in the environment, which must succeed; what it prints."""
        hidden = ("PYTHONPATH", "TOOLKIT_PLUGINS", "TOOLKIT_WEIGHTS")
        environment = {key: value for key, value in os.environ.items() if key not in hidden}
        environment |= {"TOOLKIT_CACHE": str(self.root / "cache"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        result = subprocess.run(
            [self.python, "-m", module, *arguments],
            cwd=folder or self.root, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def invert(self, *arguments: str | Path) -> dict[str, object]:
        """The record of an inverted photo."""
        out = self.root / "inversions" / f"{len(list(self.root.glob('inversions/*')))}"
        products = ("--no-video", "--no-mesh", "--no-viewer", "--camera", self.root / "camera.json", "--out", out)
        self.run("toolkit", "invert", self.root / "photos" / "2.png", *products, *arguments)
        return dict(json.loads((out / "2" / "inversion.json").read_text()))

    def bench(self, *arguments: str | Path, data: str = "photos") -> set[tuple[str, str]]:
        """Methods and metrics of a run on two pictures that have a value."""
        out = self.root / "runs" / f"{len(list(self.root.glob('runs/*')))}"
        given = ("--data", data, "--protocol", "reconstruction", "--limit", "2", "--out", out)
        self.run("toolkit", "bench", *given, *arguments)
        rows = json.loads((out / "results.json").read_text())["rows"]
        return {(row["method"], row["metric"]) for row in rows if row["value"] is not None and not row["failed"]}

    def _draw_photos(self, count: int = 4) -> None:
        """A data set in the toolkit's layout, and the same pictures in the layout of the new reader."""
        generator = load_generator("panohead-mini")
        source = torch.Generator().manual_seed(5)
        with torch.no_grad():
            z = torch.randn(count, generator.spec.latents.z_dim, generator=source)
            ws = generator.mapping(z, generator.spec.front_camera.expand(count), 0.7)
            cameras = Camera.orbit(torch.linspace(-0.4, 0.4, count))
            pictures = to_pixels(generator.render(generator.planes(ws), ws, cameras).image)
        labels = [[f"{index}.png", label] for index, label in enumerate(cameras.label.tolist())]
        for name in ("photos", "poses"):
            (self.root / name).mkdir()
        for (name, _), picture in zip(labels, pictures, strict=True):
            Image.fromarray(np.asarray(picture)).save(self.root / "photos" / name)
            shutil.copy(self.root / "photos" / name, self.root / "poses")
        (self.root / "photos" / "dataset.json").write_text(json.dumps({"labels": labels}))
        lines = [",".join([name, *map(str, numbers)]) for name, numbers in labels]
        (self.root / "poses" / "poses.csv").write_text("\n".join(lines))
        (self.root / "camera.json").write_text(json.dumps(labels[2][1]))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The environment with a package of every kind."""
    return Place(tmp_path_factory.mktemp("packages"))


def settings(*texts: str) -> list[str]:
    return [part for text in texts for part in ("--set", text)]


def test_the_packages_are_installed_and_not_only_found(place: Place) -> None:
    where = "import third_metric, torch, sys; print(third_metric.__file__.startswith(sys.prefix), torch.__file__)"
    out = subprocess.run([place.python, "-c", where], cwd="/", capture_output=True, text=True, check=True).stdout
    assert out.split() == ["True", torch.__file__]


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_passes_its_own_tests(place: Place, kind: str) -> None:
    place.run("pytest", "-q", "-p", "no:cacheprovider", folder=place.packages[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_passes_the_suite(place: Place, kind: str) -> None:
    lines = json.loads(place.run("toolkit", "plugins", "check", f"third-{kind}", "--json"))
    checks = [check for part in lines.values() for check in part]
    assert not [check for check in checks if check["verdict"] == "failed"]
    assert len([check for check in checks if check["verdict"] == "passed"]) >= 2
    # only an encoder's own weights, which fit one generator, leave something unchecked
    left = [check["check"] for check in checks if check["verdict"] == "not checked"]
    assert left == (["builds for spherical"] * 2 if kind == "encoder" else [])


def test_a_generator_is_inverted_into_and_learned_for(place: Place) -> None:
    own = ("--generator", "third-generator")
    assert place.invert(*own, "--method", "wplus", *settings("steps=3"))["generator"]["name"] == "third-generator"
    found = place.bench(*own, "--methods", "mean,wplus,pti", "--preset", "fast", "--option", "wplus.steps=3")
    assert {("mean", "l2"), ("wplus", "l2"), ("pti", "l2")} <= found
    words = ("generator=third-generator", "photos.sources=['photos']", *SMALL)
    assert "projected total" in place.run("toolkit", "train", "third-encoder", "--dry-run", *settings(*words))


def test_an_encoder_is_trained_inverts_and_is_scored(place: Place) -> None:
    small = ("codes.steps=2", "images.steps=2", "images.batch=2", "photos.sources=['photos']", *SMALL)
    place.run("toolkit", "train", "third-encoder", *settings(*small), "--out", "trained")
    weights = place.root / "trained" / "weights.safetensors"
    for name in ("third-encoder", "encoder:third-encoder"):
        assert place.invert("--method", name, "--method-weights", weights)["method"]
    found = place.bench("--methods", "mean,third-encoder", "--method-weights", f"third-encoder={weights}")
    assert ("third-encoder", "l2") in found


def test_a_discriminator_and_a_stitcher_serve_a_training(place: Place) -> None:
    parts = ("adversary.discriminator=third-discriminator", "stitcher=third-stitcher")
    dry = place.run(
        "toolkit", "train", "dual-encoder", "--dry-run", *settings(*parts, "photos.sources=['photos']", *SMALL)
    )
    assert (
        "  discriminator         50,209 parameters" in dry
    )  # the new package's, which is smaller than the shipped one


def test_a_stitcher_joins_the_planes_of_an_inversion(place: Place) -> None:
    assert place.invert("--method", "dual-encoder", *settings("stitcher=third-stitcher"))["options"] == {
        **place.invert("--method", "dual-encoder")["options"], "stitcher": "third-stitcher",
    }  # fmt: skip
    found = place.bench("--methods", "dual-encoder", "--option", "dual-encoder.stitcher=third-stitcher")
    assert ("dual-encoder", "l2") in found


def test_a_method_inverts_and_is_one_of_all(place: Place) -> None:
    assert place.invert("--method", "third-method")["options"] == {"preset": "default", "heads": 8, "seed": 0}
    fast = place.invert("--method", "third-method", "--preset", "fast", *settings("seed=3"))
    assert (fast["method"], fast["options"]) == ("third-method", {"preset": "fast", "heads": 2, "seed": 3})
    assert "heads" in place.run("toolkit", "invert", "--list-options", "third-method")
    assert ("third-method", "l2") in place.bench("--methods", "mean,third-method")


def test_a_metric_scores_beside_the_others(place: Place) -> None:
    found = place.bench("--methods", "mean", *settings("metrics=[l2,third-metric]"))
    assert found == {("mean", "l2"), ("mean", "third-metric")}


def test_a_data_set_is_checked_compared_on_and_learned_from(place: Place) -> None:
    assert "no faults" in place.run("toolkit", "data", "check", "third-dataset:poses")
    assert ("mean", "l2") in place.bench("--methods", "mean", data="third-dataset:poses")
    words = ("photos.sources=['third-dataset:poses']", *SMALL)
    assert "projected total" in place.run("toolkit", "train", "third-encoder", "--dry-run", *settings(*words))
