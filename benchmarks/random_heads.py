"""Random heads of the embedded generator: a sheet of fronts, and what a recogniser trained on real people says of them.

    pip install toolkit[identity]
    python benchmarks/random_heads.py --count 200 --sheet random-heads.jpg

Every head has a z of its own and is seen from the front. Printed are the share of fronts in which dlib's detector finds
a face, and dlib's descriptor distances between the heads with a face (below 0.6: the same person).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import toolkit
from toolkit.files import atomic_write
from toolkit.interfaces import Generator
from toolkit.metrics.identity import as_pixels
from toolkit_plugins.photo_networks.identity import described_pixels
from toolkit_plugins.photo_networks.recogniser import open_recogniser

COLUMNS = 8


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="default: the shipped ones")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="picture: the first 64 fronts")
    parser.add_argument("--size", type=int, default=128, help="side in pixels of a head on the sheet")
    options = parser.parse_args()
    generator = toolkit.load_generator(toolkit.DEFAULT_GENERATOR, options.weights).requires_grad_(False)
    z = torch.randn(options.count, generator.spec.latents.z_dim, generator=torch.Generator().manual_seed(options.seed))
    recogniser, found, shown = open_recogniser(), [], []
    for one in z:
        image = front(generator, one[None])
        pixels = described_pixels(image)
        box = recogniser.find(pixels)
        found.append(np.full(128, np.nan) if box is None else recogniser.describe(pixels, box))
        shown.append(as_pixels(image))
        if options.sheet and len(shown) == min(64, options.count):
            save(options.sheet, shown, options.size)
    report(np.stack(found))


@torch.no_grad()
def front(generator: Generator, z: torch.Tensor) -> torch.Tensor:
    """The head of z [1, z_dim] from the front, [3, S, S] in [-1, 1]."""
    camera = generator.spec.front_camera
    ws = generator.mapping(z, camera)
    return generator.render(generator.planes(ws), ws, camera).image[0].clamp(-1, 1)


def report(found: np.ndarray) -> None:
    """Print what descriptors [N, 128] say; NaN where no face was found."""
    seen = found[~np.isnan(found[:, 0])]
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(len(seen), 1)]
    print(f"random heads {len(found)}, a face is found on {len(seen) / len(found):.1%}")
    print(f"distance between heads: mean {distance.mean():.3f}, 5th percentile {np.percentile(distance, 5):.3f}")


def save(path: Path, pictures: list[np.ndarray], size: int) -> None:
    """Write pictures side by side, COLUMNS to a row; the name's ending says the format."""
    small = [np.asarray(Image.fromarray(each).resize((size, size), Image.Resampling.LANCZOS)) for each in pictures]
    rows = [np.concatenate(small[first : first + COLUMNS], 1) for first in range(0, len(small), COLUMNS)]
    with atomic_write(path) as temporary:
        kind = "PNG" if path.suffix == ".png" else "JPEG"
        Image.fromarray(np.concatenate(rows, 0)).save(temporary, format=kind, quality=88, optimize=True)


if __name__ == "__main__":
    main()
