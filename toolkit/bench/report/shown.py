"""Which heads the report shows."""

from __future__ import annotations

SHOWN = 4
"""Pictures whose heads are shown side by side."""
NO_CASES = ("seconds", "peak_memory")
"""Metrics whose best and worst cases nobody sees in a picture."""


def is_case_metric(label: str) -> bool:
    """Whether the best and worst cases of a metric are shown: of whole pictures, from each yaw where it is told so."""
    name, _, part = label.partition("@")
    return name not in NO_CASES and (not part or part.startswith("yaw_"))
