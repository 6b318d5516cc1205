"""Compare distances of distributions pairwise: the same random heads and the same resampled pictures for all methods.

Usage:
    python benchmarks/paired_fid.py out/reproduction/views:encoder1 out/reproduction/views:dual-encoder
    python benchmarks/paired_fid.py RUN:METHOD RUN:METHOD ... --resamples 200

Each argument is a method of a finished `toolkit bench` run with fid360; all runs must be of the same pictures. The
intervals of `fid360` itself are over draws of random heads, which move all methods together; here each draw is compared
with all methods, so that this cancels. Prints every method's mean, and for every two neighbours the mean difference
with a 95 % bootstrap interval over heads and draws.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.metrics.distributions import frechet_distance
from toolkit.weights.tensors import read_tensors


class Side(NamedTuple):
    """A method's inversions."""

    name: str
    features: dict[str, Tensor]
    """[1, size] of each picture, by the picture's name."""


def main() -> None:
    """Read the features, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", help="RUN:METHOD")
    parser.add_argument("--resamples", type=int, default=200)
    arguments = parser.parse_args()
    if not arguments.methods:
        parser.exit(0, "nothing to compare: name finished runs as RUN:METHOD\n")
    sides = [read_side(text) for text in arguments.methods]
    draws = read_draws(Path(arguments.methods[0].rpartition(":")[0]))
    items = sorted(set.intersection(*(set(side.features) for side in sides)))
    print(f"{len(items)} pictures, {len(draws)} draws of random heads")
    stacked = [torch.cat([side.features[item] for item in items]) for side in sides]
    means = [[frechet_distance(draw, features) for draw in draws] for features in stacked]
    for side, values in zip(sides, means, strict=True):
        print(f"{side.name}: {sum(values) / len(values):.3f}")
    source = torch.Generator().manual_seed(0)
    resampled = []
    for number in range(arguments.resamples):
        chosen = torch.randint(0, len(items), (len(items),), generator=source)
        draw = draws[number % len(draws)]
        resampled.append([frechet_distance(draw, features[chosen]) for features in stacked])
    table = torch.tensor(resampled)
    for first in range(len(sides) - 1):
        difference = sum(b - a for a, b in zip(means[first], means[first + 1], strict=True)) / len(draws)
        low, high = torch.quantile(table[:, first + 1] - table[:, first], torch.tensor([0.025, 0.975])).tolist()
        print(f"{sides[first + 1].name} minus {sides[first].name}: {difference:+.3f} [{low:+.3f}, {high:+.3f}]")


def read_side(text: str) -> Side:
    """The features of RUN:METHOD."""
    run, _, method = text.rpartition(":")
    found = {}
    for line in (Path(run) / "cells.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["protocol"] == "fid360" and record["method"] == method and record["error"] is None:
            file = Path(run) / "features" / record["scores"][0]["features"]
            found[record["item"]] = features_in(file)
    return Side(text, found)


def read_draws(run: Path) -> list[Tensor]:
    """The features of a run's random heads, [N, size] each; those of a run with a smaller limit are left out."""
    found = [features_in(file) for file in sorted((run / "features").glob("random-*"))]
    return [draw for draw in found if len(draw) == max(map(len, found))]


def features_in(file: Path) -> Tensor:
    """The features of a file's first network (embedded runs have one)."""
    tensors, _ = read_tensors(file)
    return tensors[min(tensors)]


if __name__ == "__main__":
    main()
