"""How well metrics agree with what is known: distortions of known severity, and identities that are swapped.

Usage:
    python benchmarks/metric_agreement.py --people 8 --json agreement.json --markdown agreement.md

Pictures are rendered people (front, 256 px) and the two photographs of the public domain that packages ship. Columns:

- least kind: Spearman's correlation of the distance with the severity of a distortion, five steps of each of eight
  kinds, mean over people; the kind with which the metric agrees least. 1 is perfect.
- all kinds, photographs: the same over all 40 distorted pictures of a person (of a photograph) together: a weak
  distortion of one kind should be nearer than a strong one of another.
- fair: how often a paler picture is nearer than one with the same squared error by blur, JPEG, warp or a hole. Squared
  error itself cannot tell (0.5).
- before stranger: how often weak distortions (severity 0.25) are nearer than a stranger in the same view and light.
- blend: the latent goes from one person's to another's in five steps, in the same view and light; Spearman's
  correlation of the distance with the step, mean over pairs.
- same person: how often another picture of the same person (turned by 25 degrees, other light and dress) is nearer than
  a stranger in the same view and light. 0.5 is chance.

Metrics of distributions compare all distorted people with all people.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from photographs import write_photographs
from scipy.stats import spearmanr
from torch import Tensor

import toolkit
from toolkit.camera import Camera
from toolkit.data.transforms import resize
from toolkit.errors import ToolkitError
from toolkit.faces.photo import prepare_photo
from toolkit.files import atomic_write
from toolkit.interfaces import DressedHeads
from toolkit.registry import default_registry
from toolkit.tensors import read_tensors, write_tensors
from toolkit.testing.distortions import DISTORTIONS, distort

SEVERITIES = (0.1, 0.25, 0.45, 0.7, 1.0)
WEAK = 1
"""Place of a weak one among them."""
FAIR = ("blur", "jpeg", "warp", "hole")
COLUMNS = ("least kind", "all kinds", "photographs", "fair", "before stranger", "blend", "same person")
BLENDS = (0.2, 0.4, 0.6, 0.8, 1.0)
SIDE, SUPERSAMPLED = 256, 2
TURN = math.radians(25)
METRICS = ("l2", "psnr", "ssim", "ms_ssim", "lpips_lite", "lpips_alex", "lpips_vgg", "id_dlib",
           "id_curricularface", "fd_lite", "kd_lite", "fid", "kid")  # fmt: skip
OTHER_SEED = 7_000
"""Seed of the subjects whose light and dress the second pictures have."""


@dataclass(frozen=True)
class Scene:
    """What metrics are asked about."""

    fronts: Tensor
    """[P, 3, 256, 256] in [-1, 1]: people in their own light and dress."""
    turned: Tensor
    """The same people from aside, in other light and dress."""
    blends: Tensor
    """[P, 5, 3, 256, 256]: the way from each person to the next one; the last is a stranger in the same view."""
    photos: dict[str, tuple[Tensor, Camera]]
    """Photographs [1, 3, 256, 256] and their cameras."""


def main() -> None:
    """Render, distort, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="heads360", help="whose procedural heads are rendered")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--metrics", nargs="+", default=METRICS)
    parser.add_argument(
        "--pictures", type=Path, help="file in which pictures are kept, and taken from when it is there"
    )
    parser.add_argument("--json", type=Path, help="what is in it already is kept")
    parser.add_argument("--markdown", type=Path, help="the table, for the docs")
    arguments = parser.parse_args()
    scene = kept_scene(arguments.pictures, arguments.dataset, arguments.people)
    known = arguments.json is not None and arguments.json.is_file()
    found: dict[str, dict[str, float]] = json.loads(arguments.json.read_text(encoding="utf-8")) if known else {}
    for name, factory in opened(arguments.metrics):
        row = set_row(factory, scene) if factory().takes == "distribution" else pair_row(factory, scene)
        found[name] = row
        print(f"{name:<20}", "  ".join(f"{key} {value:.2f}" for key, value in row.items()), flush=True)
    table = markdown(found)
    print(table)
    if arguments.json:
        with atomic_write(arguments.json) as temporary:
            temporary.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if arguments.markdown:
        with atomic_write(arguments.markdown) as temporary:
            temporary.write_text(table, encoding="utf-8")


def opened(names: Sequence[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The metrics that can be computed here; a line for each of the others."""
    for name in names:
        try:
            factory = default_registry().load("metric", name)
            factory()
        except ToolkitError as error:
            print(f"{name:<20} left out: {error}")
            continue
        yield name, factory


def kept_scene(file: Path | None, dataset: str, count: int) -> Scene:
    """The pictures out of a file, or made (and written there)."""
    if file is not None and file.is_file():
        tensors, names = read_tensors(file)
        photos = zip(names["photos"], tensors["photos"], tensors["labels"], strict=True)
        cut = {name: (image[None], Camera.from_label(label[None])) for name, image, label in photos}
        return Scene(tensors["fronts"], tensors["turned"], tensors["blends"], cut)
    scene = made_scene(dataset, count)
    if file is not None:
        images, cameras = zip(*scene.photos.values(), strict=True)
        labels = torch.cat([camera.label for camera in cameras])
        people = {"fronts": scene.fronts, "turned": scene.turned, "blends": scene.blends}
        write_tensors(file, people | {"photos": torch.cat(images), "labels": labels}, {"photos": list(scene.photos)})
    return scene


def made_scene(dataset: str, count: int) -> Scene:
    """Render the people; cut out the photographs."""
    heads = default_registry().load("dataset", dataset).procedural()
    latents = [heads.latent("test", 0, index) for index in range(count)]
    fronts = torch.stack([seen(heads, latent, ("test", 0, index), 0.0) for index, latent in enumerate(latents)])
    others = [("test", OTHER_SEED, index) for index in range(count)]
    turned = torch.stack([seen(heads, *pair, TURN) for pair in zip(latents, others, strict=True)])
    blends = []
    for index, latent in enumerate(latents):
        other = latents[(index + 1) % count]
        steps = [torch.lerp(latent, other, share) for share in BLENDS]
        blends.append(torch.stack([seen(heads, normalised(step), ("test", 0, index), 0.0) for step in steps]))
    return Scene(fronts, turned, torch.stack(blends), photographs())


def normalised(latent: Tensor) -> Tensor:
    """A latent of RMS 1."""
    return latent / latent.square().mean().sqrt()


def seen(heads: DressedHeads, latent: Tensor, outfit: tuple[str, int, int], yaw: float) -> Tensor:
    """A picture [3, 256, 256] in [-1, 1]."""
    side = SIDE * SUPERSAMPLED
    origins, directions = Camera.orbit(yaw).rays(side)
    colours = heads.trace_dressed(latent, outfit, origins.expand_as(directions[0]), directions[0]).rgb
    return resize(colours.reshape(side, side, 3).permute(2, 0, 1), SIDE)


def photographs() -> dict[str, tuple[Tensor, Camera]]:
    """The two photographs, cut out as inversions get them."""
    spec = replace(toolkit.load_generator(toolkit.DEFAULT_GENERATOR).spec, image_size=SIDE)
    with tempfile.TemporaryDirectory() as folder:
        cut = {path.stem: prepare_photo(path, spec) for path in write_photographs(Path(folder))}
    return {name: (photo.image, photo.camera) for name, photo in cut.items()}


def pair_row(factory: Callable[[], Any], scene: Scene) -> dict[str, float]:
    """Columns of a metric that compares pairs of pictures."""
    sign = 1.0 if factory().direction == "lower" else -1.0

    def distance(image: Tensor, target: Tensor, camera: Camera) -> float:
        metric = factory()
        metric.update(image, target, *((camera,) if metric.takes == "faces" else ()))
        return sign * float(metric.compute().value)

    front = Camera.orbit(0.0)
    originals = [(picture[None], front) for picture in scene.fronts]
    grown = np.array([distorted(distance, *pair, place) for place, pair in enumerate(originals)])
    photos = np.array([distorted(distance, *pair, place) for place, pair in enumerate(scene.photos.values())])
    blends = np.array([[distance(step[None], own, front) for step in steps]
                       for steps, (own, _) in zip(scene.blends, originals, strict=True)])  # fmt: skip
    same = [distance(other[None], own, front) for other, (own, _) in zip(scene.turned, originals, strict=True)]
    fair = [[before(distance(paler(image, spoilt), image, camera), distance(spoilt, image, camera))
             for spoilt in (distort(kind, image, 0.5, place) for kind in FAIR)]
            for place, (image, camera) in enumerate(originals)]  # fmt: skip
    stranger = blends[:, -1]
    return {
        "least kind": min(mean_correlation(grown[:, kind], SEVERITIES) for kind in range(grown.shape[1])),
        "all kinds": mean_correlation(grown.reshape(len(grown), -1), SEVERITIES * grown.shape[1]),
        "photographs": mean_correlation(photos.reshape(len(photos), -1), SEVERITIES * photos.shape[1]),
        "fair": float(np.mean(fair)),
        "before stranger": float(np.mean(grown[:, :, WEAK] < stranger[:, None])),
        "blend": mean_correlation(blends, BLENDS),
        "same person": float(np.mean(np.array(same) < stranger)),
    }


def before(nearer: float, farther: float) -> float:
    """1 where the first distance is smaller, 0 where it is larger, a half where they are the same but for rounding."""
    return 0.5 if math.isclose(nearer, farther, rel_tol=1e-3) else float(nearer < farther)


def distorted(distance: Callable[..., float], image: Tensor, camera: Camera, seed: int) -> list[list[float]]:
    """Distances [kinds, severities] of spoilt pictures from the picture."""
    return [[distance(distort(kind, image, step, seed), image, camera) for step in SEVERITIES] for kind in DISTORTIONS]


def paler(image: Tensor, spoilt: Tensor) -> Tensor:
    """The picture moved towards its mean until the squared error is that of the spoilt one (or all is)."""
    mean = image.mean()
    share = ((spoilt - image).square().mean() / (image - mean).square().mean()).sqrt().clamp_max(1)
    return torch.lerp(image, mean.expand_as(image), share)


def set_row(factory: Callable[[], Any], scene: Scene) -> dict[str, float]:
    """Columns of a metric that compares two sets of pictures."""

    def distance(pictures: Tensor) -> float:
        metric = factory()
        metric.update(scene.fronts, True)
        metric.update(pictures)
        return float(metric.compute().value)

    grown = np.array([[distance(distort(kind, scene.fronts, step, 0)) for step in SEVERITIES] for kind in DISTORTIONS])
    fair = []
    for kind in FAIR:
        spoilt = distort(kind, scene.fronts, 0.5, 0)
        pale = torch.stack([paler(*pair) for pair in zip(scene.fronts, spoilt, strict=True)])
        fair.append(before(distance(pale), distance(spoilt)))
    return {
        "least kind": min(mean_correlation(row[None], SEVERITIES) for row in grown),
        "all kinds": mean_correlation(grown.reshape(1, -1), SEVERITIES * len(grown)),
        "fair": float(np.mean(fair)),
    }


def mean_correlation(rows: np.ndarray, steps: Sequence[float]) -> float:
    """Mean over rows of Spearman's correlation with the steps; NaN where nothing could be scored."""
    whole = [row for row in rows if np.isfinite(row).all() and np.ptp(row) > 0]
    return float(np.mean([spearmanr(row, steps)[0] for row in whole])) if whole else math.nan


def markdown(found: dict[str, dict[str, float]]) -> str:
    """The table: a row per metric."""
    lines = [f"| metric | {' | '.join(COLUMNS)} |", f"| --- |{' ---: |' * len(COLUMNS)}"]
    for name, row in found.items():
        cells = (row.get(column, math.nan) for column in COLUMNS)
        lines.append(f"| `{name}` | {' | '.join('-' if math.isnan(cell) else f'{cell:.2f}' for cell in cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
