"""What a recogniser trained on real people says of the procedural ones: alike within a person, unlike between people.

    pip install toolkit[identity]
    python benchmarks/people_identity.py --people 100

Every person is seen three times, 25 degrees to the left, from the front and 25 degrees to the right, give or take 4,
each time in another wild light (no hats or scarves, and no camera noise), at 256 px. Printed are dlib's descriptor
distances (below 0.6: the same person) and the best balanced verification accuracy over all pairs.
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import torch

from toolkit.camera import Camera
from toolkit_plugins.heads360.details import clean_details, wild_light
from toolkit_plugins.heads360.from_latent import person_of
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.identity import latent_of, stream
from toolkit_plugins.heads360.rendering import render
from toolkit_plugins.photo_networks.identity import described_pixels
from toolkit_plugins.photo_networks.recogniser import open_recogniser

YAWS = (-25.0, 0.0, 25.0)


def descriptors(task: tuple[str, int, bool]) -> np.ndarray:
    """Descriptors [3, 128] of a person's views; NaN where no face is found."""
    split, index, bare = task
    recogniser, rng = open_recogniser(), stream(f"benchmark/{split}", 0, index)
    person = person_of(latent_of(split, 0, index))
    if bare:
        person = replace(person, dress=replace(person.dress, glasses="none"))
    head, found = Head(person, clean_details()), []
    for yaw in YAWS:
        camera = Camera.orbit(math.radians(yaw + rng.uniform(-4, 4)), math.radians(rng.normal(0, 5)))
        pixels = described_pixels(render(head.relit(wild_light(rng)), camera, 256).image[0])
        box = recogniser.find(pixels)
        found.append(np.full(128, np.nan) if box is None else recogniser.describe(pixels, box))
    return np.stack(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--split", default="val")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--bare", action="store_true", help="take everyone's glasses off")
    options = parser.parse_args()
    tasks = [(options.split, index, options.bare) for index in range(options.people)]
    if options.workers > 1:
        with ProcessPoolExecutor(options.workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            found = np.stack(list(pool.map(descriptors, tasks)))
    else:
        found = np.stack([descriptors(task) for task in tasks])
    report(found)


def report(found: np.ndarray) -> None:
    """Print what descriptors [people, views, 128] say."""
    people, views, _ = found.shape
    flat = found.reshape(-1, 128)
    owner = np.repeat(np.arange(people), views)
    seen = ~np.isnan(flat[:, 0])
    flat, owner = flat[seen], owner[seen]
    distance = np.sqrt(np.maximum(((flat[:, None] - flat[None]) ** 2).sum(-1), 0))
    upper = np.triu(np.ones_like(distance, bool), 1)
    same = upper & (owner[:, None] == owner[None])
    inside, between = distance[same], distance[upper & ~same]
    limits = np.linspace(0.1, 0.9, 401)
    accuracy = [((inside < limit).mean() + (between >= limit).mean()) / 2 for limit in limits]
    best = int(np.argmax(accuracy))
    print(f"people {people}, views {views}, faces not found {int((~seen).sum())} of {people * views}")
    print(f"same person       mean {inside.mean():.3f}  95th percentile {np.percentile(inside, 95):.3f}")
    print(f"different people  mean {between.mean():.3f}   5th percentile {np.percentile(between, 5):.3f}")
    print(f"verification      {accuracy[best]:.1%} balanced accuracy at {limits[best]:.3f}")


if __name__ == "__main__":
    main()
