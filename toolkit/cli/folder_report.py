"""What `toolkit data check` prints about a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.cli.text import counted_faults, printable

if TYPE_CHECKING:
    from toolkit.data import FolderReport


def as_document(report: FolderReport) -> dict[str, object]:
    """What `toolkit data check --json` prints."""
    return {
        "items": report.items,
        "labelled": report.labelled,
        "masks": report.masks,
        "depths": report.depths,
        "subjects": report.subjects,
        "faces_compared": report.faces_compared,
        "sizes": {str(side): count for side, count in sorted(report.sizes.items())},
        "faults": [{"name": fault.name, "problem": fault.problem} for fault in report.faults],
    }


def as_text(report: FolderReport) -> str:
    """What `toolkit data check` prints: counts, then every fault."""
    sizes = ", ".join(f"{count} of {side} px" for side, count in sorted(report.sizes.items())) or "none readable"
    lines = [
        f"pictures  {report.items} ({sizes})",
        f"cameras   {report.labelled}",
        f"masks     {report.masks}",
        f"depth     {report.depths}",
        f"subjects  {report.subjects}",
        f"faces     {report.faces_compared} pictures held against their labels",
        *(f"fault     {fault.name}: {fault.problem}" for fault in report.faults),
        counted_faults(len(report.faults)),
    ]
    return "\n".join(map(printable, lines))
