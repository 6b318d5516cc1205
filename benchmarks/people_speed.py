"""What the procedural people cost on one thread: setting up a head, a view of 256 px, and a data set of 128 px.

    python benchmarks/people_speed.py --heads 20

CPU seconds of this process, with the views that `toolkit data make` would make: 2x2 samples a pixel, wild domain. The
hours of a whole data set are extrapolated from these heads, writing the files included.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from toolkit.camera import Camera
from toolkit.interfaces import MakeRequest
from toolkit_plugins.heads360.folder import ANTIALIAS, make_folder
from toolkit_plugins.heads360.rendering import render
from toolkit_plugins.heads360.wild import make_head

VIEWS = tuple(f"yaw_{yaw}" for yaw in range(0, 360, 45))
YAWS = (0.0, 0.8, 1.6, 3.1)
PEOPLE, CORES = 2000, 2
_Made = TypeVar("_Made")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    render(make_head("train", 0, options.heads, "wild"), Camera.orbit(), 32)  # tables that are made once
    setups, views = [], []
    for index in range(options.heads):
        seconds, head = timed(lambda index=index: make_head("train", 0, index, "wild"))
        setups.append(seconds)
        for yaw in YAWS if index < options.heads // 4 + 1 else ():
            views.append(timed(lambda head=head, yaw=yaw: render(head, Camera.orbit(yaw), 256, ANTIALIAS))[0])
    told("set-up of a head", setups)
    told("view of 256 px, 2x2 samples", views)
    with tempfile.TemporaryDirectory() as folder:
        request = MakeRequest(Path(folder) / "set", options.heads, "train", 0, "wild", VIEWS, 128)
        seconds, _ = timed(lambda: make_folder(request))
    hours = seconds / options.heads * PEOPLE / CORES / 3600
    print(f"{options.heads} heads x {len(VIEWS)} views of 128 px: {seconds:.0f} CPU-s")
    print(f"extrapolated to {PEOPLE} heads on {CORES} cores: {hours:.2f} h")


def timed(run: Callable[[], _Made]) -> tuple[float, _Made]:
    """CPU seconds of a call, and its result."""
    began = time.process_time()
    made = run()
    return time.process_time() - began, made


def told(what: str, seconds: list[float]) -> None:
    """Print mean, median and largest."""
    print(f"{what}: mean {np.mean(seconds):.2f}, median {np.median(seconds):.2f}, max {np.max(seconds):.2f} CPU-s")


if __name__ == "__main__":
    main()
