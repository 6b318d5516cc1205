"""Readers of what commands leave for the next one, and of what others hand in: renders, answers, journals."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
from bent_inputs import Reader, bent_bytes, bent_document, file_reader

from toolkit.bench.records.store import Store
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.methods import UnitError
from toolkit.bench.subjects.outside import open_outside
from toolkit.camera import Camera
from toolkit.data import preparation
from toolkit.errors import InputError
from toolkit.export import wanted
from toolkit.external.exchange import RESULT_FILE, read_mesh, read_renders, read_ws
from toolkit.interfaces.dataset import Gathered, Photograph
from toolkit.tensors import write_tensors
from toolkit.testing.spherical import SphericalGenerator
from toolkit.training.metrics_log import MetricsLog
from toolkit.training.resuming import settings_to_resume
from toolkit.training.run_file import note_session
from toolkit_plugins.heads360 import folder as heads360

LABEL = Camera.orbit(0.3).label[0].tolist()


def handed_in_readers(folder: Path, photos: Path, generator: SphericalGenerator) -> dict[str, Reader]:
    """Renders made elsewhere, cameras that are wanted, and the answers of methods in other environments."""
    picture = (photos / "00000" / "front.png").read_bytes()
    for name in ("renders", "earlier", "answer"):
        (folder / name).mkdir()
        (folder / name / "a.png").write_bytes(picture)
    renders = {"method": "goha", "renders": [["00000/front.png", "a.png", LABEL]], "seconds": {"00000/front.png": 0.2}}

    def outside(path: Path) -> None:
        found: Any = open_outside(path.parent, 48).inverter
        try:
            for name, shown in found.renders.items():
                found.head(_Asked(name)).views(Camera.from_label(shown[0][1][None]))
        except UnitError as error:
            raise InputError(str(error)) from error

    def cameras(path: Path) -> None:
        labels = [label for _, label in wanted.read_wanted(path)]
        Camera(torch.tensor(labels, dtype=torch.float32)).checked("a wanted camera")

    latents = generator.spec.latents
    write_tensors(folder / "answer" / "ws.safetensors", {"ws": torch.zeros(1, latents.num_ws, latents.w_dim)}, {})
    corners = torch.eye(3)
    triangles = {"vertices": corners, "faces": torch.tensor([[0, 1, 2]]), "colours": corners}
    write_tensors(folder / "answer" / "mesh.safetensors", triangles, {})
    result = {"ws": "ws.safetensors", "mesh": "mesh.safetensors", "renders": ["a.png"]}
    (folder / "answer" / RESULT_FILE).write_text(json.dumps(result))

    def answer(path: Path) -> None:
        read_ws(path.parent, generator)
        read_renders(path.parent, 1)
        read_mesh(path.parent)

    mesh = folder / "answer" / "mesh.safetensors"
    return {
        "renders made elsewhere": file_reader(folder / "renders" / wanted.RENDERS_FILE, renders, outside),
        "wanted cameras": file_reader(folder / "wanted.json", {"renders": [["a.png", LABEL]] * 2}, cameras),
        "renders of an earlier call": file_reader(
            folder / "earlier" / wanted.RENDERS_FILE, renders, lambda path: wanted._kept(path, "goha")
        ),
        "a method's answer": file_reader(folder / "answer" / RESULT_FILE, result, answer),
        "a method's mesh": file_reader(mesh, mesh.read_bytes(), lambda path: read_mesh(path.parent)),
    }


class _Asked:
    """An item, as far as renders made elsewhere look at it."""

    def __init__(self, name: str) -> None:
        self.id, self.camera = name, Camera.from_label([LABEL])


def state_readers(folder: Path, photos: Path) -> dict[str, Reader]:
    """What killed commands may leave, and the next ones go on with."""
    found = {}
    record = {"seed": 0, "split": "train", "size": 32, "views": ["front"], "latents": {"00000": [0.5, 1.0]}}
    found["the record of heads360"] = file_reader(
        folder / "heads360" / heads360.RECORD_FILE, record, lambda path: heads360._claim(path.parent, record)
    )
    photo, prepared = Photograph(photos / "00000" / "front.png", "a"), folder / "prepared"
    entry = {"name": "a", "source": [1, 2], "label": LABEL, "notes": ["x"]}
    request = {"version": 1, "generator": "spherical", "fingerprint": "f", "size": 48, "background": "auto"}

    def go_on(path: Path) -> None:
        known = {entry["name"]: entry for entry in preparation._read_journal(path)}
        if "a" in known:
            preparation._finish(Gathered([photo], {}), path.parent, known)
            labels = json.loads((path.parent / "dataset.json").read_text())["labels"]
            Camera.from_label([label for _, label in labels] or [LABEL])

    run = {"name": "psp", "config": {"seed": 3, "images": {"steps": 5}}, "sessions": [{"from_step": 0, "threads": 1}]}
    lines = b'{"step": 1, "losses": {"a": 1.0}}\n{"step": 2, "evaluation": {"b": null}}\n'
    cell = CellRecord(key="k", protocol="reconstruction", method="mean", item="a.png").as_json()

    def session(path: Path) -> None:
        note_session(path, {"name": "psp", "config": {}}, 3, lambda text: None)

    return found | {
        "the request of data prepare": file_reader(
            prepared / preparation.REQUEST_FILE, request, lambda path: preparation._claim(path.parent, request)
        ),
        "the journal of data prepare": file_reader(prepared / preparation.JOURNAL_FILE, entry, go_on),
        "the journal as bytes": file_reader(
            prepared / preparation.JOURNAL_FILE, json.dumps(entry).encode() + b"\n", go_on
        ),
        "the settings of a run": file_reader(
            folder / "run" / "run.json", run, lambda path: settings_to_resume(path.parent, None, ["seed=3"])
        ),
        "the sessions of a run": file_reader(folder / "sessions" / "run.json", run, session, 0.3),
        "metrics.jsonl": file_reader(folder / "metrics.jsonl", lines, lambda path: MetricsLog(path).rewind(1), 0.3),
        "cells.jsonl": file_reader(
            folder / "cells.jsonl", cell, lambda path: Store(path, CellRecord), 1.0,
            lambda document, source: bent_document(document, source) + b"\n",
        ),
        "cells.jsonl as bytes": file_reader(
            folder / "bytes" / "cells.jsonl", (json.dumps(cell) + "\n").encode() * 2,
            lambda path: Store(path, CellRecord), 1.0, bent_bytes,
        ),
    }  # fmt: skip
