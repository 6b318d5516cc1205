"""The benchmark's built-in protocols. A third party's protocol registers in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_PROTOCOLS = {
    "reconstruction": ("reconstruction:Reconstruction", "the input view of an inversion against the input"),
    "gt360": ("gt360:GroundTruth360", "one picture of a subject in, ground truth from all around"),
    "multiview": ("multiview:MultiView", "one frontal picture in, renders at other yaws against pictures from there"),
    "fid360": ("fid360:Fid360", "inversions seen from all around against random heads of the generator"),
    "speed": ("speed:Speed", "seconds per inversion, by stage, and per view; peak memory"),
}


@hookimpl
def register_protocols(register: Register) -> None:
    """Offer the five protocols."""
    for name, (target, summary) in _PROTOCOLS.items():
        register(name, f"toolkit.bench.protocols.{target}", summary=summary, interface=1, headline=True)
