"""Making a data set folder: the same bytes whatever the number of processes, and continued where it was interrupted.

```
heads360.json            what was asked for, and the latent of every subject; written first
00000/front.png          pictures: 8-bit RGB
masks/00000/front.png    8-bit grey: share of the pixel that the head covers
segments/00000/front.png 8-bit grey: what the ray through the pixel's centre sees (`toolkit_plugins.heads360.labels`)
depth/00000/front.png    16-bit grey: distance along the ray through the pixel's centre, 10000 = 1 unit, 0 = none
subjects.json            picture -> subject and view
dataset.json             cameras; written last, so a folder without it is unfinished
```
"""

from __future__ import annotations

import functools
import json
import math
import multiprocessing
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolkit.children import begin_worker
from toolkit.data import layout
from toolkit.data.labels import parse_json
from toolkit.documents import read_document
from toolkit.errors import InputError
from toolkit.files import atomic_write, is_empty
from toolkit.interfaces import MakeRequest, Store
from toolkit_plugins.heads360.identity import check_identity, latent_of
from toolkit_plugins.heads360.latent import LATENT_DIM
from toolkit_plugins.heads360.rendering import SIZE_LIMIT, Picture, render
from toolkit_plugins.heads360.views import check_views, view_camera
from toolkit_plugins.heads360.wild import DOMAINS, make_head, photographed

VERSION = 3
"""Of the pictures: a change of what a request gives makes it one larger."""
RECORD_FILE = "heads360.json"
ANTIALIAS = 2
SUBJECT_LIMIT = 100_000


def make_folder(request: MakeRequest) -> Path:
    """Write the folder that a request describes, or complete it.

    Raises:
        InputError: An impossible request, or the folder holds something else.
        OutputError: The folder cannot be written.
    """
    check_request(request)
    record = _record(request)
    _claim(request.out, record)
    missing = [index for index in range(request.subjects) if _missing_views(request, index)]
    with _renderers(min(request.workers, len(missing))) as render_all:
        for _ in render_all(request, missing):
            pass  # results are files
    names = [(index, view, picture_name(index, view)) for index in range(request.subjects) for view in request.views]
    labels = [[name, _label(request, index, view)] for index, view, name in names]
    seen = {name: {"subject": subject_name(index), "view": view} for index, view, name in names}
    _write_json(request.out / layout.SUBJECTS_FILE, seen)
    _write_json(request.out / layout.LABELS_FILE, {"labels": labels})
    return request.out


def known_latents(store: Store, subjects: Sequence[str | None]) -> Tensor:
    """The latents [N, LATENT_DIM] of subjects of a folder that was made here.

    Raises:
        InputError: The folder has no record, or the record lacks one of them.
    """
    where = f"{store.path}: {RECORD_FILE}"
    document = parse_json(store.read(RECORD_FILE), where)
    known = document.get("latents") if isinstance(document, dict) else None
    found = [known.get(subject) if isinstance(known, dict) else None for subject in subjects]
    for subject, latent in zip(subjects, found, strict=True):
        if not _is_latent(latent):
            raise InputError(f"{where} tells no latent of {LATENT_DIM} numbers for subject {subject!r}")
    return torch.tensor(found, dtype=torch.float32)


def _is_latent(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == LATENT_DIM
        and all(isinstance(number, int | float) and math.isfinite(number) for number in value)
    )


def check_request(request: MakeRequest) -> None:
    """Refuse what cannot be made.

    Raises:
        InputError: Which argument, what was allowed, what came.
    """
    check_identity(request.split, request.seed)
    check_views(request.views)
    if request.domain not in DOMAINS:
        raise InputError(f"domain must be one of {', '.join(DOMAINS)}, got {request.domain!r}")
    bounds = (("subjects", request.subjects, SUBJECT_LIMIT), ("size", request.size, SIZE_LIMIT))
    for name, number, most in (*bounds, ("workers", request.workers, 1024)):
        if not 1 <= number <= most:
            raise InputError(f"{name} must be 1..{most}, got {number}")


def subject_name(index: int) -> str:
    """The name of a subject: five digits."""
    return f"{index:05d}"


def picture_name(index: int, view: str) -> str:
    """Where a picture is kept, relative to the folder."""
    return f"{subject_name(index)}/{view}.png"


def _record(request: MakeRequest) -> dict[str, Any]:
    latents = (latent_of(request.split, request.seed, index).tolist() for index in range(request.subjects))
    return {
        "version": VERSION,
        "seed": request.seed,
        "split": request.split,
        "domain": request.domain,
        "views": list(request.views),
        "size": request.size,
        "antialias": ANTIALIAS,
        "depth_scale": layout.DEPTH_SCALE,
        "latents": {subject_name(index): latent for index, latent in enumerate(latents)},
    }


def _claim(out: Path, record: dict[str, Any]) -> None:
    """Start a folder, or recognise one that was started for the same request."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file, a folder is to be written there")
    if is_empty(out):
        _write_json(out / RECORD_FILE, record)
        return
    try:
        found = read_document(out / RECORD_FILE)
    except (OSError, ValueError):
        raise InputError(f"{out} is not empty and holds no readable {RECORD_FILE}; choose another folder") from None
    if found != record:
        keys = [key for key in record if not isinstance(found, dict) or found.get(key) != record[key]]
        what = ("number of subjects" if keys[0] == "latents" else keys[0]) if keys else "kind"
        raise InputError(f"{out} holds a heads360 data set of another {what}; choose another folder")


def _missing_views(request: MakeRequest, index: int) -> list[str]:
    """Views without a picture; mask and depth are written before the picture, so it vouches for them."""
    return [view for view in request.views if not (request.out / picture_name(index, view)).is_file()]


@contextmanager
def _renderers(workers: int) -> Iterator[Any]:
    """A function like `map` over subjects: here, or in spawned processes of one thread each."""
    if workers <= 1:
        yield lambda request, indices: (_make_subject((request, index)) for index in indices)
        return
    context = multiprocessing.get_context("spawn")  # forked threads of torch may hang
    pool = ProcessPoolExecutor(workers, context, initializer=begin_worker, initargs=(1,))
    try:
        yield functools.partial(_map_over_processes, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _map_over_processes(pool: ProcessPoolExecutor, request: MakeRequest, indices: list[int]) -> Iterator[int]:
    with _interrupts_kept_from_children():  # handing out the tasks is what starts the processes
        return pool.map(_make_subject, [(request, index) for index in indices])


@contextmanager
def _interrupts_kept_from_children() -> Iterator[None]:
    """Ctrl-C reaches a whole process group; workers shall finish their head and go, not each print a traceback."""
    if threading.current_thread() is not threading.main_thread():  # elsewhere Python allows no handlers
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _make_subject(task: tuple[MakeRequest, int]) -> int:
    request, index = task
    head = make_head(request.split, request.seed, index, request.domain)
    for view in _missing_views(request, index):
        camera = view_camera(view, request.split, request.seed, index)
        picture = render(head, camera, request.size, ANTIALIAS)
        if request.domain == "wild":
            picture = photographed(picture, request.split, request.seed, index, view)
        _write_picture(request.out, picture_name(index, view), picture)
    return index


def _write_picture(out: Path, name: str, picture: Picture) -> None:
    image = ((picture.image[0].clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0)
    _write_png(out / layout.mask_name(name), _whole(picture.mask[0, 0] * 255, np.uint8))
    _write_png(out / layout.segment_name(name), picture.label[0, 0].numpy())
    _write_png(out / layout.depth_names(name)[0], _whole(picture.depth[0, 0] * layout.DEPTH_SCALE, np.uint16))
    _write_png(out / name, _whole(image, np.uint8))


def _whole(values: Tensor, kind: type[np.generic]) -> np.ndarray:
    return values.round().cpu().numpy().astype(kind)


def _write_png(path: Path, pixels: np.ndarray) -> None:
    with atomic_write(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def _label(request: MakeRequest, index: int, view: str) -> list[float]:
    return view_camera(view, request.split, request.seed, index).label[0].tolist()


def _write_json(path: Path, document: Any) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(document), encoding="utf-8")
