"""Compare FID and KID of methods of different runs, paired: the same random heads, the same resampled pictures.

Usage:
    python benchmarks/paired_fid.py out/a:encoder2 out/b:encoder2
    python benchmarks/paired_fid.py RUN:METHOD RUN:METHOD ... --metrics fid,kid

Each argument is a method of a finished `toolkit bench` run with fid360; all runs must be of the same pictures and share
files of random heads. Methods of one run are compared by the bench itself (`comparisons` of results.json), in the same
way: see `toolkit.bench.paired_distances`. Prints, for every argument and the one before it, their difference with its
95 % interval.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from pathlib import Path
from typing import NamedTuple

import torch

from toolkit.bench.paired_distances import Made, PairedDistances
from toolkit.bench.random_heads import Side
from toolkit.bench.scoring import EMBEDDED_SUFFIX, open_metrics
from toolkit.errors import InputError
from toolkit.weights.tensors import read_tensors

_PLACE = re.compile(r"-(\d+)-of-(\d+)\.safetensors$")
"""How a file of features ends: the picture's place, which is that of its random heads, and how many there are."""


class Contestant(NamedTuple):
    """A method of a run."""

    run: Path
    made: Made
    items: dict[int, str]
    """The pictures' names by place."""
    count: int
    """Of places."""


def main() -> None:
    """Read the features, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", help="RUN:METHOD")
    parser.add_argument("--metrics", default="fid-e,kid-e", help="of one backend")
    parser.add_argument("--protocol", default="fid360", help="what the runs call it")
    arguments = parser.parse_args()
    if len(arguments.methods) < 2:
        parser.exit(0, "nothing to compare: name methods of finished runs as RUN:METHOD\n")
    try:
        compare(arguments.methods, arguments.metrics.split(","), arguments.protocol)
    except InputError as error:
        parser.error(str(error))


def compare(texts: list[str], names: list[str], protocol: str) -> None:
    """Print the difference of every method and the one before it."""
    found = {text: read_contestant(text, protocol) for text in texts}
    first = found[texts[0]]
    for text, each in found.items():
        if each.count != first.count or any(first.items.get(at, name) != name for at, name in each.items.items()):
            raise InputError(f"{text} and {texts[0]} are not of the same pictures")
    draws = read_draws([each.run for each in found.values()], first.count)
    backend = "embedded" if names[0].endswith(EMBEDDED_SUFFIX) else "reference"
    metrics = open_metrics(names, backend, "embedded", 512)
    print(f"{len(draws)} draws of {first.count} random heads")
    known = subjects_of(first.run, protocol)
    subjects = [known.get(first.items.get(place, ""), str(place)) for place in range(first.count)]
    made = {text: each.made for text, each in found.items()}
    for name in metrics.samples:
        paired = PairedDistances(metrics, name, draws, made, subjects, seed=0)
        for before, text in itertools.pairwise(texts):
            pair = paired.difference(text, before, range(first.count))
            if pair is not None:
                numbers = f"{pair['difference']:+.4g} [{pair['low']:+.4g}, {pair['high']:+.4g}]"
                print(f"{name}: {text} minus {before}: {numbers}, n = {pair['n']}")


def read_contestant(text: str, protocol: str) -> Contestant:
    """The features of RUN:METHOD.

    Raises:
        InputError: There are none.
    """
    run, _, method = text.rpartition(":")
    files: dict[int, tuple[str, Path]] = {}
    count = 0
    for line in (Path(run) / "cells.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if (record["protocol"], record["method"], record["error"]) == (protocol, method, None):
            name = record["scores"][0]["features"]
            place, count = (int(number) for number in _PLACE.search(name).groups())  # the last line of a place counts
            files[place] = (record["item"], Path(run) / "features" / name)
    if not files:
        raise InputError(f"{text}: no results of {protocol}")
    files = {
        place: entry for place, entry in sorted(files.items()) if entry[1].name.endswith(f"-of-{count}.safetensors")
    }
    sides = [read_tensors(file)[0] for _, file in files.values()]
    features = {name: torch.cat([side[name] for side in sides]) for name in sides[0]}
    return Contestant(Path(run), Made(list(files), features), {at: item for at, (item, _) in files.items()}, count)


def subjects_of(run: Path, protocol: str) -> dict[str, str]:
    """Whose picture each item is."""
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    return {cell["item"]: cell["subject"] for cell in results["cells"] if cell["protocol"] == protocol}


def read_draws(runs: list[Path], count: int) -> list[Side]:
    """The random heads that all runs share, as many as there are pictures.

    Raises:
        InputError: There are none.
    """
    shared = set.intersection(*({file.name for file in (run / "features").glob("random-*")} for run in runs))
    found = [read_tensors(runs[0] / "features" / name) for name in shared]
    found.sort(key=lambda pair: pair[1]["draw"])
    draws = [side for side, about in found if about["heads"] == count]
    if not draws:
        raise InputError(f"these runs share no {count} random heads")
    return draws


if __name__ == "__main__":
    main()
