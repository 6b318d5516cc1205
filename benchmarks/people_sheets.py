"""Contact sheets of the procedural people: many fronts in wild light, and some from all around.

    python benchmarks/people_sheets.py docs/images

Writes people-fronts.jpg (64 people of the validation split, yaw and pitch vary as in portraits) and people-around.jpg
(16 clean people from 8 sides).
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from toolkit.camera import Camera
from toolkit_plugins.heads360.identity import stream
from toolkit_plugins.heads360.rendering import render
from toolkit_plugins.heads360.wild import make_head, photographed

SIDES = 8


def front(task: tuple[int, int]) -> np.ndarray:
    """One wild person from somewhere before the face, uint8 [S, S, 3]."""
    index, size = task
    rng = stream("sheet/fronts", index)
    camera = Camera.orbit(math.radians(rng.normal(0, 15)), math.radians(rng.normal(0, 6)))
    picture = render(make_head("val", 0, index, "wild"), camera, size, 3)
    return _pixels(photographed(picture, "val", 0, index, "front").image)


def around(task: tuple[int, int]) -> np.ndarray:
    """One clean person from all sides, uint8 [S, SIDES * S, 3]."""
    index, size = task
    head = make_head("val", 0, index)
    views = [render(head, Camera.orbit(2 * math.pi * side / SIDES), size, 3).image for side in range(SIDES)]
    return np.concatenate([_pixels(view) for view in views], 1)


def _pixels(image: torch.Tensor) -> np.ndarray:
    return ((image[0].clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def main() -> None:
    """Draw both sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fronts", type=int, default=64)
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--from", dest="start", type=int, default=0, help="index of the first person")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        tasks = [(options.start + index, options.size) for index in range(options.fronts)]
        faces = list(pool.map(front, tasks))
        rows = list(pool.map(around, [(options.start + index, 128) for index in range(options.people)]))
    columns = 8
    sheet = np.concatenate([np.concatenate(faces[i : i + columns], 1) for i in range(0, len(faces), columns)], 0)
    for name, pixels in (("people-fronts.jpg", sheet), ("people-around.jpg", np.concatenate(rows, 0))):
        Image.fromarray(pixels).save(options.out / name, quality=80, optimize=True)
        print(options.out / name)


if __name__ == "__main__":
    main()
