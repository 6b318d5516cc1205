"""Readers of zips, of recipes (YAML files that commands take) and of results, with what they read."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from bent_inputs import Reader, bent_bytes, bent_document, file_reader

from toolkit.bench import read_results, write_report
from toolkit.bench.protocols.registered import open_protocol
from toolkit.bench.report.compare import as_text, compare_runs
from toolkit.cli.main import app
from toolkit.data.check import check_folder
from toolkit.data.folder import ImageFolder
from toolkit.errors import ConfigError
from toolkit.external.declaration import read_declaration


def document() -> dict[str, Any]:
    """Small results with something under every key."""
    origin = {"protocol": "reconstruction", "data": "heads"}
    row = {**origin, "method": "m", "metric": "psnr", "value": 20.5, "low": 20.0, "high": 21.0, "n": 2, "failed": 0,
           "direction": "higher", "unit": "dB", "backend": "none", "world": "embedded"}  # fmt: skip
    seconds = {**row, "metric": "seconds", "unit": "s", "direction": "lower", "value": 0.5, "low": 0.4, "high": 0.6}
    twin = {**row, "method": "other", "value": 19.5}
    run = {**origin, "settings": {"digest": "1", "seed": 0, "name": "reconstruction"}, "pictures": {"cells": 2},
           "image_size": 64, "interval": "i", "comparison": "c", "methods": {"m": {"options": {"preset": "fast"}}},
           "environment": {"threads": 1}, "machine": {"device": "cpu"}, "engine": {"name": "local", "workers": 1},
           "command": "toolkit bench"}  # fmt: skip
    values = [{**origin, "method": name, "metric": "psnr", "values": {"a": 20.0, "b": 21.0}} for name in ("m", "other")]
    pair = {**origin, "metric": "psnr", "first": "m", "second": "other", "difference": 1.0, "low": 0.5, "high": 1.5}
    return {
        "format": "toolkit-bench", "schema_version": 4,
        "generator": {"name": "mini", "fingerprint": "0" * 64, "world": "embedded", "licence": "free"},
        "runs": {"reconstruction on heads": run},
        "rows": [row, twin, seconds, {**seconds, "method": "other"}],
        "curves": [{**row, "input_yaw": 0.0, "yaw": yaw} for yaw in (-90.0, 0.0, 180.0)],
        "values": values,
        "comparisons": [{**pair, "n": 2}],
        "cells": [{**origin, "item": item, "subject": item, "pictures": item} for item in "ab"],
        "failures": [{**origin, "method": "m", "item": "b", "stage": "invert", "error": "RuntimeError"}],
        "unavailable": [{**origin, "metric": "ms_ssim", "reason": "too small"}],
        "left_out": [{"protocol": "gt360", "data": "heads", "reason": "no subjects"}],
        "heads": [{"data": "heads", "item": item, "method": None, "frames": item, "yaw": 0.0} for item in "ab"],
    }  # fmt: skip


def packed(members: dict[str, bytes]) -> bytes:
    """A zip of files by name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return stream.getvalue()


def zip_readers(folder: Path, photos: Path) -> dict[str, Reader]:
    """A data set in one file: its bytes, its labels and its pictures are bent."""
    names = ["dataset.json", "subjects.json", *(f"{number:05d}/front.png" for number in range(2))]
    members = {name: (photos / name).read_bytes() for name in names}
    labels = json.loads(members["dataset.json"])

    def items(path: Path) -> None:
        found = ImageFolder(path)
        found[0], found.subjects
        found.digest(0)

    def with_labels(_: Any, source: random.Random) -> bytes:
        return packed({**members, "dataset.json": bent_document(labels, source)})

    def with_picture(_: Any, source: random.Random) -> bytes:
        return packed({**members, names[2]: bent_bytes(members[names[2]], source)})

    whole = packed(members)
    return {
        "a zip": file_reader(folder / "a.zip", whole, items),
        "dataset.json in a zip": file_reader(folder / "b.zip", whole, items, 1.0, with_labels),
        "a picture in a zip": file_reader(folder / "c.zip", whole, items, 0.5, with_picture),
        "data check of a zip": file_reader(folder / "d.zip", whole, check_folder, 0.04, with_labels),
    }


def parsed(command: str) -> Callable[[Path], None]:
    """What takes a recipe's values as a command's options, and goes no further."""
    group: Any = typer.main.get_command(app)
    found = group.commands[command]

    def read(path: Path) -> None:
        try:
            found.make_context(command, ["--config", str(path), *(["x.png"] if command == "invert" else [])])
        except Exception as error:
            text = getattr(error, "message", None)
            if text is None:
                raise
            raise ConfigError(text) from error  # the command line's own sentence

    return read


def recipe_readers(folder: Path) -> dict[str, Reader]:
    """YAML files that commands take."""
    bench = {
        "methods": "mean,wplus", "data": "heads360", "limit": 3, "method-weights": {"psp": "a.safetensors"},
        "option": {"wplus": {"steps": 5}}, "set": ["seed=3", "metrics=[psnr, l2]"], "retry-failed": True,
        "time-limit": 3.5, "out": "there",
    }  # fmt: skip
    invert = {"method": "pti", "set": {"steps": 5, "rate": 1e-3}, "out": "heads", "video": False, "background": "keep"}
    protocol = {
        "kind": "reconstruction", "name": "mine", "metrics": ["psnr", "l2"], "views": ["yaw_0"], "input_yaws": [0.0],
        "seed": 3, "options": {"a": 1},
    }  # fmt: skip
    declaration = {
        "name": "mine", "command": ["python", "run.py"], "depends_on": [], "seed": 1, "environment": {"A": "1"},
        "time_limit": 5.0,
    }  # fmt: skip
    text = "methods: mean\nset: {seed: 3, metrics: [psnr, l2]}\noption:\n  - mean.samples=4\nlimit: 3\n"
    return {
        "--config of bench": file_reader(folder / "bench.yaml", bench, parsed("bench"), 0.3),
        "--config of invert": file_reader(folder / "invert.yaml", invert, parsed("invert"), 0.3),
        "a recipe as bytes": file_reader(folder / "bytes.yaml", text.encode(), parsed("bench")),
        "a protocol": file_reader(folder / "protocol.yaml", protocol, lambda path: open_protocol(str(path))),
        "a command's declaration": file_reader(
            folder / "declaration.yaml", declaration, lambda path: read_declaration(path).fingerprint
        ),
    }


def results_readers(folder: Path) -> dict[str, Reader]:
    """results.json with something under every key of its schema."""

    def compared(path: Path) -> None:
        found = read_results(path)
        as_text(compare_runs(found, found))

    def reported(path: Path) -> None:
        write_report(path.parent, read_results(path))

    places = [folder / name / "results.json" for name in ("document", "bytes", "report")]
    return {
        "results.json": file_reader(places[0], document(), compared),
        "results.json as bytes": file_reader(places[1], json.dumps(document()).encode(), compared),
        "a report of results.json": file_reader(places[2], document(), reported, 0.2),
    }
