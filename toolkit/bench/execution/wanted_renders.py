"""Which renders are needed from a method that runs elsewhere (see `toolkit.bench.subjects.outside`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from toolkit.bench.execution.runs import ProtocolRun
from toolkit.files import atomic_write

WANTED_FILE = "wanted.json"


def write_wanted(out: Path, runs: Sequence[ProtocolRun]) -> None:
    """Write every item's name with the camera labels of all views that protocols look at into a run's folder."""
    wanted: dict[tuple[str, tuple[float, ...]], None] = {}
    for run in runs:
        labels = run.digests.data.cameras.label
        for item in run.protocol.items:
            views = [labels[index].tolist() for index in item.uses]
            views += [camera.label[0].tolist() for camera in run.protocol.other_views(item)]
            for label in views:
                wanted[item.id, tuple(round(entry, 6) for entry in label)] = None
    with atomic_write(out / WANTED_FILE) as path:
        document = {"renders": [[item, list(label)] for item, label in wanted]}
        path.write_text(json.dumps(document) + "\n", encoding="utf-8")
