"""Raw photos made into a data set folder: in parallel, resumable, with a reason for every photo that is left out.

Pictures of calibrated cameras are prepared subject by subject (see `toolkit.faces.rig`), all others one by one.

```
prepare.json      what is made: generator, size, background; written first
prepared.jsonl    one line for every photo that was done or rejected, as it happens
dataset.json      cameras; written last, with subjects.json where subjects are known
rejects.json      {photo: reason}
```
"""

from __future__ import annotations

import itertools
import json
import math
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from toolkit.camera import LABEL_SIZE
from toolkit.children import begin_worker
from toolkit.data import layout
from toolkit.documents import parsed, read_document
from toolkit.errors import InputError, OutputError, ToolkitError
from toolkit.files import atomic_write, is_empty
from toolkit.interfaces.dataset import Gathered, Photograph
from toolkit.pictures import FORMATS_IN_WORDS, SUFFIXES, is_picture, read_head
from toolkit.progress import Progress

if TYPE_CHECKING:
    from toolkit.faces.photo import PreparedPhoto
    from toolkit.interfaces import GeneratorSpec

VERSION = 1
REQUEST_FILE = "prepare.json"
JOURNAL_FILE = "prepared.jsonl"
REJECTS_FILE = "rejects.json"
SCRATCH_FOLDER = ".scratch"
_LONGEST = 240
"""Bytes of an item's name; files have 255."""


@dataclass(frozen=True)
class Preparation:
    """What became of the photos."""

    out: Path
    done: int
    """Items in the folder."""
    rejects: Mapping[str, str]
    """Photo -> why it was left out."""
    notes: Mapping[str, Sequence[str]]
    """Item -> what is doubtful about it."""


def find_photographs(source: Path, out: Path | None = None) -> Gathered:
    """All pictures below a folder (or one picture), by their content; names that collide get a number.

    So do folders that are named like a data set's own: photos of `masks/` become `masks-2/...`. Everything else is
    left out with its reason; of a hidden folder the folder alone is named.

    Args:
        source: The folder.
        out: Where the data set is made; nothing in it is a photo.

    Raises:
        InputError: There is nothing at `source`.
    """
    if source.is_file():
        return Gathered([Photograph(source, source.stem)], {})
    if not source.is_dir():
        raise InputError(f"there are no photos at {source}")
    found: dict[str, Photograph] = {}
    rejects: dict[str, str] = {}
    for file in sorted(source.rglob("*")):
        place = file.relative_to(source)
        if any(part.startswith(".") for part in place.parts[:-1]) or (out and _is_below(file, out)):
            continue
        reason = "hidden: its name begins with a dot" if place.name.startswith(".") else _why_no_photograph(file)
        if reason:
            rejects[str(file)] = reason
        elif file.is_file():
            ending = place.suffix.lower() in SUFFIXES
            stem = _outside_own_folders((place.with_suffix("") if ending else place).as_posix())
            name = next(name for name in _numbered(_shortened(stem)) if name not in found)
            found[name] = Photograph(file, name)
    if not found and not rejects:
        rejects[str(source)] = "an empty folder"
    return Gathered(list(found.values()), rejects)


def _is_below(file: Path, out: Path) -> bool:
    place = Path(os.path.abspath(file))
    return Path(os.path.abspath(out)) in (place, *place.parents)


def _why_no_photograph(file: Path) -> str:
    """Why a file or folder gives no photo by itself; empty for pictures and for folders that hold something."""
    if file.is_dir():
        if file.is_symlink():
            return "a link to a folder is not followed: name the folder itself"
        if not os.access(file, os.R_OK | os.X_OK):
            return "a folder that may not be read"
        return "" if any(file.iterdir()) else "an empty folder"
    if not file.is_file():
        return "not a regular file"
    if file.suffix.lower() in SUFFIXES or is_picture(read_head(file)):
        return ""  # whoever reads it says what is wrong with it
    return f"not a {FORMATS_IN_WORDS} picture"


def _outside_own_folders(name: str) -> str:
    first, slash, rest = name.partition("/")
    return f"{first}-2/{rest}" if slash and first.lower() in layout.OWN_FOLDERS else name


def _shortened(stem: str) -> str:
    """A name to which a number and an ending can be added on every disk."""
    folder, slash, last = stem.rpartition("/")
    encoded = os.fsencode(last)
    if len(encoded) <= _LONGEST:
        return stem
    return folder + slash + encoded[:_LONGEST].decode("utf-8", "ignore")  # a letter that is cut is left out


def _numbered(stem: str) -> Iterator[str]:
    """The stem, stem-2, stem-3 ..."""
    yield stem
    yield from (f"{stem}-{number}" for number in itertools.count(2))


def prepare_folder(
    gathered: Gathered,
    out: Path,
    spec: GeneratorSpec,
    *,
    background: str = "auto",
    workers: int = 1,
    progress: Progress | None = None,
) -> Preparation:
    """Detect, crop, pose and cut out every photo that is not done yet, then write the labels.

    Args:
        gathered: The photos, and what was rejected before.
        out: The folder; one that was begun for the same generator and background is completed.
        spec: The generator whose crop, size and camera the items get.
        background: As for `toolkit.faces.photo.prepare_photo`.
        workers: Processes, one thread each.
        progress: Hears of every photo that is done.

    Raises:
        InputError: The folder holds something else.
        OutputError: The folder cannot be written, or a process was killed; what is done is kept.
    """
    request = {"version": VERSION, "generator": spec.name, "fingerprint": spec.fingerprint, "size": spec.image_size,
               "background": background}  # fmt: skip
    _claim(out, request)
    journal = out / JOURNAL_FILE
    known = {entry["name"]: entry for entry in _read_journal(journal)}
    missing = [one for one in gathered.photographs if not _is_done(known.get(one.name), one, out)]
    looked_at, total = len(gathered.photographs) - len(missing), len(gathered.photographs)
    with open(journal, "a", encoding="utf-8") as lines:
        for entry in _prepare_all(_groups(gathered.photographs, missing), out, spec, background, workers):
            lines.write(json.dumps(entry) + "\n")
            lines.flush()
            known[entry["name"]] = entry
            looked_at = min(looked_at + 1, total)  # of a subject that was begun, all pictures are made again
            if progress is not None:
                progress.step("prepared", looked_at, total)
    return _finish(gathered, out, known)


def _finish(gathered: Gathered, out: Path, known: Mapping[str, dict[str, Any]]) -> Preparation:
    entries = [(one, known[one.name]) for one in gathered.photographs]
    kept = [(one, entry) for one, entry in entries if "label" in entry]
    rejects = dict(gathered.rejects) | {str(one.path): entry["reason"] for one, entry in entries if "reason" in entry}
    seen = {f"{one.name}.png": {"subject": one.subject, "view": one.view} for one, _ in kept if one.subject}
    if seen:
        _write_json(out / layout.SUBJECTS_FILE, seen)
    _write_json(out / REJECTS_FILE, rejects)
    _write_json(out / layout.LABELS_FILE, {"labels": [[f"{one.name}.png", entry["label"]] for one, entry in kept]})
    return Preparation(out, len(kept), rejects, {one.name: entry["notes"] for one, entry in kept if entry["notes"]})


def _prepare_all(
    groups: Sequence[Sequence[Photograph]], out: Path, spec: GeneratorSpec, background: str, workers: int
) -> Iterator[dict[str, Any]]:
    if workers == 1 or len(groups) < 2:
        for group in groups:
            yield from _prepare(group, out, spec, background)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(groups)), mp_context=context, initializer=begin_worker, initargs=(1,))
    try:
        for future in as_completed([pool.submit(_prepared, one, out, spec, background) for one in groups]):
            yield from future.result()
    except BrokenProcessPool as error:
        raise OutputError(f"a process that prepared photos was killed; run again to go on with {out}") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _groups(photographs: Sequence[Photograph], missing: Sequence[Photograph]) -> list[list[Photograph]]:
    """What is prepared together: all pictures of a subject whose cameras are calibrated; any other photo alone."""
    again = {one.subject for one in missing if one.pinhole is not None}
    rigs: dict[str | None, list[Photograph]] = {subject: [] for subject in sorted(again, key=str)}
    for one in photographs:
        if one.pinhole is not None and one.subject in rigs:
            rigs[one.subject].append(one)
    return [[one] for one in missing if one.pinhole is None] + list(rigs.values())


def _prepared(group: Sequence[Photograph], out: Path, spec: GeneratorSpec, background: str) -> list[dict[str, Any]]:
    return list(_prepare(group, out, spec, background))


def _prepare(group: Sequence[Photograph], out: Path, spec: GeneratorSpec, background: str) -> Iterator[dict[str, Any]]:
    """The lines of the journal of photos that belong together; their pictures are written before."""
    for photograph, made in zip(group, _brought_into_frame(group, spec, background), strict=True):
        entry: dict[str, Any] = {"name": photograph.name, "source": _stamp(photograph.path)}
        if isinstance(made, str):
            yield entry | {"reason": made}
            continue
        picture = f"{photograph.name}.png"
        pixels = (made.image[0].permute(1, 2, 0) * 127.5 + 127.5).round().clamp(0, 255).byte().numpy()
        _write_picture(out / picture, pixels)
        _write_picture(out / layout.mask_name(picture), (made.mask[0, 0] * 255).round().byte().numpy())
        yield entry | {"label": made.camera.label[0].tolist(), "notes": made.notes}


def _brought_into_frame(
    group: Sequence[Photograph], spec: GeneratorSpec, background: str
) -> Iterator[PreparedPhoto | str]:
    """Each photo in the generator's frame, or why it cannot be used."""
    from toolkit.faces.photo import prepare_photo, prepare_rig

    done = 0
    try:
        if group[0].pinhole is None:
            yield prepare_photo(group[0].path, spec, background=background)
            return
        for made in prepare_rig(group, spec, background=background):
            yield str(made) if isinstance(made, InputError) else made
            done += 1
    except OutputError:
        raise
    except ToolkitError as error:
        yield from [str(error)] * (len(group) - done)
    except Exception as error:  # whatever a damaged file sets off in a decoder costs that photo only
        yield from [f"{type(error).__name__}: {error}"] * (len(group) - done)


def _is_done(entry: Mapping[str, Any] | None, photograph: Photograph, out: Path) -> bool:
    if entry is None or entry.get("source") != _stamp(photograph.path):
        return False
    return "reason" in entry or (out / f"{photograph.name}.png").is_file()


def _stamp(path: Path) -> list[int]:
    """Size and time of a file: a photo that has changed is processed again."""
    try:
        facts = os.stat(path)
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns]


def _claim(out: Path, request: Mapping[str, Any]) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file, a folder is to be written there")
    if not (out / REQUEST_FILE).is_file():
        if not is_empty(out, besides=SCRATCH_FOLDER):
            raise InputError(f"{out} is not empty and holds no {REQUEST_FILE}; choose another folder")
        _write_json(out / REQUEST_FILE, request)
        return
    try:
        found = read_document(out / REQUEST_FILE)
    except (OSError, ValueError) as error:
        raise InputError(f"{out / REQUEST_FILE} cannot be read; choose another folder") from error
    for key, value in request.items():
        if not isinstance(found, dict) or found.get(key) != value:
            was = found.get(key) if isinstance(found, dict) else None
            raise InputError(f"{out} was begun with {key} {was!r}, now it is {value!r}; choose another folder")


def _read_journal(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    data = path.read_bytes()
    for line in data.splitlines():
        try:
            entry = parsed(line)
        except ValueError:  # cut off in the writing
            continue
        if _is_entry(entry):
            yield entry
    if data and not data.endswith(b"\n"):
        with open(path, "ab") as file:
            file.write(b"\n")


def _is_entry(entry: Any) -> bool:
    """Whether a line of the journal is whole; the photo of a broken line is processed again."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return False
    if "reason" in entry:
        return isinstance(entry["reason"], str)
    label, notes = entry.get("label"), entry.get("notes")
    if not isinstance(label, list) or not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        return False
    return len(label) == LABEL_SIZE and all(isinstance(each, float) and math.isfinite(each) for each in label)


def _write_picture(path: Path, pixels: np.ndarray) -> None:
    with atomic_write(path) as temporary:
        Image.fromarray(pixels).save(temporary)


def _write_json(path: Path, document: Any) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
