"""A million density queries at the released sizes, in the order of a grid and in random order.

python benchmarks/speed/density_queries.py [--json FILE]
"""

from __future__ import annotations

import full_size
import official_arithmetic as official
import torch
from measuring import Repetition, compare, report
from torch import Tensor

SIDE = 100
CHUNK = 1 << 17
"""Points the official code is asked for at once, so that memory suffices."""


def _points(*, shuffled: bool) -> Tensor:
    line = torch.linspace(-0.5, 0.5, SIDE)
    points = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1).reshape(1, -1, 3)
    return points[:, torch.randperm(SIDE**3, generator=torch.Generator().manual_seed(2))] if shuffled else points


def _ours(*, shuffled: bool) -> Repetition:
    model, points = full_size.generator(), _points(shuffled=shuffled)
    with torch.no_grad():
        planes = model.planes(full_size.code(model))

    def once() -> dict[str, float]:
        with torch.no_grad():
            return {"mean": float(model.density(planes, points).mean())}

    return once


def _official(*, shuffled: bool) -> Repetition:
    model, points = full_size.generator(), _points(shuffled=shuffled)
    with torch.no_grad():
        planes = model.planes(full_size.code(model))

    def once() -> dict[str, float]:
        with torch.no_grad():
            parts = [official.query(model, planes, some)[0] for some in points.split(CHUNK, dim=1)]
            return {"mean": float(torch.cat(parts, dim=1).mean())}

    return once


def grid() -> Repetition:
    return _ours(shuffled=False)


def official_grid() -> Repetition:
    return _official(shuffled=False)


def random() -> Repetition:
    return _ours(shuffled=True)


def official_random() -> Repetition:
    return _official(shuffled=True)


def main() -> None:
    for order, sides in (("grid", (grid, official_grid)), ("random", (random, official_random))):
        found = compare({"ours": sides[0], "official": sides[1]})
        difference = abs(found["ours"].said["mean"] - found["official"].said["mean"])
        report(f"10^6 densities, {order} order", found, means_differ_by=difference)


if __name__ == "__main__":
    main()
