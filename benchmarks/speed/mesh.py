"""The surface of a head with hair at 256^3 and 512^3; the twin asks for every point, as the official script.

    python benchmarks/speed/mesh.py [--json FILE]

The twin's seconds are those of a sixteenth of the grid, times sixteen.
"""

from __future__ import annotations

import official_arithmetic as official
import torch
from full_size import average_code
from measuring import Measured, Repetition, compare, report

import toolkit
from toolkit.export.surface import extract_surface

SHARE, CHUNK = 16, 1 << 17


def _ours(side: int) -> Repetition:
    model = toolkit.load_generator("panohead-mini")
    with torch.no_grad():
        planes = model.planes(average_code(model))

    def once() -> dict[str, float]:
        return {"vertices": float(len(extract_surface(model, planes, side).vertices))}

    return once


def ours_256() -> Repetition:
    return _ours(256)


def ours_512() -> Repetition:
    return _ours(512)


def grid() -> Repetition:
    """A sixteenth of 256^3 queries."""
    model = toolkit.load_generator("panohead-mini")
    with torch.no_grad():
        planes = model.planes(average_code(model))
    half, line = model.config.box / 2, torch.linspace(-1, 1, 256)
    slab = torch.stack(torch.meshgrid(line[: 256 // SHARE], line, line, indexing="ij"), dim=-1).reshape(1, -1, 3) * half

    def once() -> None:
        with torch.no_grad():
            for some in slab.split(CHUNK, dim=1):
                official.query(model, planes, some)

    return once


def main() -> None:
    found = compare({"ours": ours_256, "grid": grid}, repetitions=2)
    slab = found["grid"].cpu * SHARE
    for side, one in ((256, found["ours"]), (512, compare({"ours": ours_512}, repetitions=1, warm_up=False)["ours"])):
        official_seconds = slab * (side / 256) ** 3
        report(f"mesh {side}^3", {"ours": one, "official": Measured(official_seconds, official_seconds, None, 0.0)})


if __name__ == "__main__":
    main()
