"""Compare presets of `wplus` and `pti` on multi-view heads: how views seen and unseen come out, and how long it takes.

Usage:
    python benchmarks/optimisation_presets.py
    python benchmarks/optimisation_presets.py --try wplus:fast --try pti:default:view_weight=0.5 --sheet sheet.png
    toolkit data make heads360 heads --subjects 4 --split val --seed 7 --views front,right_60,right_90,back --size 256
    python benchmarks/optimisation_presets.py heads --input front --try wplus:fast

Each subject is inverted from its view named --input; the others only judge. L2 and PSNR are of images in [-1, 1].
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import toolkit
from toolkit.bench.subjects.data import open_data
from toolkit.data.folder import ImageFolder
from toolkit.interfaces import Generator, Item
from toolkit.losses.reconstruction import l2
from toolkit.options import parse_settings

DEFAULT_TRIALS = ("wplus:fast", "pti:fast")


def main() -> None:
    """Run the presets and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="heads360", help="multi-view data set with subjects.json")
    parser.add_argument("--generator", default=toolkit.DEFAULT_GENERATOR)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--input", default="yaw_0", help="view that is inverted")
    parser.add_argument("--subjects", type=int, default=4)
    parser.add_argument("--try", dest="trials", action="append", help="METHOD[:PRESET[:key=value ...]]")
    parser.add_argument("--sheet", type=Path, help="write a picture: a row per trial and subject, a column per view")
    arguments = parser.parse_args()
    generator = toolkit.load_generator(arguments.generator, arguments.weights)
    data = open_data(arguments.data, (), generator.spec, arguments.subjects)
    heads = subjects(data, arguments.input, arguments.subjects)
    rows = [row_of([item.image for item in views]) for views in heads]
    for trial in arguments.trials or DEFAULT_TRIALS:
        rows += run_trial(trial, generator, heads)
    if arguments.sheet:
        Image.fromarray(np.concatenate(rows)).save(arguments.sheet)


def subjects(folder: ImageFolder, first: str, count: int) -> list[list[Item]]:
    """Items by subject, the view named `first` in front."""
    by_subject: dict[str, list[Item]] = {}
    for index in range(len(folder)):
        item = folder[index]
        by_subject.setdefault(item.subject or item.id, []).append(item)
    return [sorted(views, key=lambda item: item.view != first) for views in list(by_subject.values())[:count]]


def run_trial(trial: str, generator: Generator, heads: list[list[Item]]) -> list[np.ndarray]:
    """Invert every head, print one line, return a row of pictures a head."""
    name, _, rest = trial.partition(":")
    preset, _, settings = rest.partition(":")
    options = parse_settings(settings.split()) | ({"preset": preset} if preset else {})
    method = toolkit.load_method(name, generator, **options)
    errors: dict[str, list[float]] = {}
    rows, wall, cpu = [], time.perf_counter(), time.process_time()
    for views in heads:
        inversion = method.invert(views[0].image[None], views[0].camera, generator)
        shown = [inversion.render(generator, item.camera).image[0] for item in views]
        for item, image in zip(views, shown, strict=True):
            errors.setdefault(item.view or item.id, []).append(float(l2(image[None], item.image[None])))
        rows.append(row_of(shown))
    scores = "  ".join(f"{view} {np.mean(e):.4f} {psnr(e):.1f} dB" for view, e in errors.items())
    seconds = (time.perf_counter() - wall) / len(heads), (time.process_time() - cpu) / len(heads)
    print(f"{trial:40s} {seconds[0]:6.1f} s {seconds[1]:6.1f} cpu-s  {scores}", flush=True)
    return rows


def psnr(errors: list[float]) -> float:
    """Mean of the images' PSNR in dB, from their L2 (peak to peak 2)."""
    return float(np.mean([10 * np.log10(4 / max(error, 1e-9)) for error in errors]))


def row_of(images: list[Tensor]) -> np.ndarray:
    """Images [3, S, S] in [-1, 1] beside each other, uint8 [S, n S, 3]."""
    wide = torch.cat([image.clamp(-1, 1) for image in images], dim=2)
    return ((wide + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


if __name__ == "__main__":
    main()
