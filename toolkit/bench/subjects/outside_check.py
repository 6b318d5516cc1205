"""Checks a folder of renders that were made elsewhere, before a benchmark uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from toolkit.bench.subjects.outside import OutsideHeads, open_outside
from toolkit.camera import Camera
from toolkit.camera_faults import camera_faults
from toolkit.data.pictures import decode_image
from toolkit.data.store import FolderStore
from toolkit.errors import InputError
from toolkit.export.wanted import RENDERS_FILE, read_wanted
from toolkit.faces.agreement import face_disagreement
from toolkit.faces.images import tensor_to_image

FACES = 12
"""In how many renders a face is looked for and held against its camera."""


@dataclass
class OutsideReport:
    """What a folder of renders made elsewhere holds: how many, of what size, what is missing, what looks wrong."""

    method: str
    inputs: int
    renders: int
    sizes: dict[int, int] = field(default_factory=dict)
    """Side in pixels -> number of renders."""
    missing: int = 0
    """Wanted renders that no camera of the folder comes near to."""
    faults: list[str] = field(default_factory=list)


def check_outside(folder: Path, wanted: Path | None = None) -> OutsideReport:
    """Read every render, its camera and, in some, the face; compare with a run's `wanted.json`.

    Args:
        folder: With `renders.json`.
        wanted: A run's `wanted.json`; None: coverage is not checked.

    Raises:
        InputError: The folder or its list is not as described (see `toolkit.bench.subjects.outside`).
    """
    method = open_outside(folder, 64)
    assert isinstance(method.inverter, OutsideHeads)  # what open_outside makes
    entries = [(source, *entry) for source, some in method.inverter.renders.items() for entry in some]
    report = OutsideReport(method.name, len(method.inverter.renders), len(entries))
    labels = [label.tolist() for _, _, label in entries]
    for index, fault in camera_faults(labels).items():
        report.faults.append(f"{entries[index][1]}: {fault}")
    store, step = FolderStore(folder), max(1, len(entries) // FACES)
    for index, (_, name, label) in enumerate(entries):
        try:
            image = decode_image(store.read(name), name)
        except InputError as error:
            report.faults.append(str(error))
            continue
        side = image.shape[-1]
        report.sizes[side] = report.sizes.get(side, 0) + 1
        if index % step == 0 and (odd := face_disagreement(tensor_to_image(image), Camera.from_label(label))):
            report.faults.append(f"{name}: {odd}")
    if len(report.sizes) > 1:
        report.faults.append(f"renders differ in size: {', '.join(f'{side} px' for side in sorted(report.sizes))}")
    if wanted is not None:
        _compare(method.inverter, wanted, report)
    return report


def _compare(heads: OutsideHeads, wanted: Path, report: OutsideReport) -> None:
    lacking: dict[str, int] = {}
    for source, label in read_wanted(wanted):
        if not heads.covers(source, torch.tensor(label)):
            lacking[source] = lacking.get(source, 0) + 1
    report.missing = sum(lacking.values())
    for source, count in lacking.items():
        report.faults.append(f"{RENDERS_FILE} lacks {count} wanted renders of {source}")
