"""MEAD: actors filmed from seven sides at once. Its videos become one picture a subject and view.

Three forms are taken:

- prepared frames with `subjects.json` (of `toolkit data prepare mead`);
- one's own crops with cameras (`dataset.json`) whose names tell subject and view: M003/front.png, M003_left_30.jpg,
  M003/neutral/right_60/012.png;
- the videos, for `toolkit data prepare mead`; or one's own frames, named as the crops:

    <id>/video/<view>/<emotion>/<level>/<nnn>.mp4      as a folder, or in <id>/video.tar, <id>/video_1.tar,
                                                       <id>/video/1.tar ...; <id> also as <id>-1, <id>-2

Taken of every subject, as the protocol `multiview` wants it: neutral, level 1, the first clip that all wanted views
have, and of it the frame at half the shortest view's length, the same one in all views. Frames are never shipped:
whoever uses them has signed MEAD's terms.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.cores import usable_cores
from toolkit.data import ImageFolder, layout
from toolkit.data.store import MEMBER_LIMIT, Store, open_store, safe_name
from toolkit.errors import InputError
from toolkit.files import atomic_write
from toolkit.interfaces.dataset import Gathered, Item, Photograph
from toolkit.pictures import SUFFIXES
from toolkit_plugins.face_datasets.layouts import write_pictures

VIEWS = ("front", "left_30", "left_60", "right_30", "right_60")
"""Those that the protocol needs; top and down are left aside."""
EMOTION, LEVEL = "neutral", "level_1"
_CLIP = re.compile(rf"(?:^|/)(?P<view>[a-z_0-9]+)/{EMOTION}/{LEVEL}/(?P<clip>\d+)\.mp4$")
_PICTURE = re.compile(rf"(?:^|/)(?P<id>[MW]\d{{3}})(?:[/_-].*)?[/_-](?P<view>{'|'.join(VIEWS)})(?:[/_.-]|$)")
_SUBJECT = re.compile(r"(?P<id>[MW]\d{3})(-\d+)?")
_MEMBER_LIMIT = 512 * 2**20


@dataclass(frozen=True)
class Clip:
    """Where a video is: a file, or a member of a tar."""

    place: Path
    member: str | None = None


class Mead:
    """The registered data set: calling it opens a prepared folder, `photographs` knows the raw videos."""

    def __new__(cls, path: str | os.PathLike[str], size: int | None = None) -> ImageFolder:  # type: ignore[misc]  # a factory by contract
        """Open what `toolkit data prepare mead` made, or one's own crops with cameras.

        Raises:
            InputError: There is no such folder, it is MEAD itself, or no name tells a subject and a view.
        """
        place = Path(path)
        store = open_store(place)
        names = set(store.names())
        if layout.LABELS_FILE not in names:
            raise InputError(f"{place} holds no prepared frames; make them: toolkit data prepare mead {place} OUT")
        return ImageFolder(store if layout.SUBJECTS_FILE in names else NamedFrames(store), size)

    @staticmethod
    def write_sample(folder: Path, items: Sequence[Item]) -> Path:
        """Write crops whose names tell subject and view, and their cameras."""
        named = [replace(item, id=f"M{index:03d}/{VIEWS[0]}.png") for index, item in enumerate(items)]
        labels = write_pictures(folder, named)
        (folder / layout.LABELS_FILE).write_text(json.dumps({"labels": [*labels.items()]}), encoding="utf-8")
        return folder

    @staticmethod
    def photographs(source: Path, scratch: Path) -> Gathered:
        """Cut one frame a view out of every subject's videos.

        Args:
            source: The folder of subjects, as folders or tars.
            scratch: Where the frames go; those that are there are not cut again.

        Raises:
            InputError: There are no subjects.
        """
        clips, rejects = _find_clips(source)
        own = [] if clips else _find_frames(source)
        if own:
            return Gathered(own, rejects)
        if not clips:
            raise InputError(f"{source} holds no subjects of MEAD (M003/video/front/{EMOTION}/{LEVEL}/001.mp4)")
        found: list[Photograph] = []

        def cut(subject: str) -> dict[str, Path]:
            try:
                return _frames_of(subject, clips[subject], scratch)
            except InputError as error:
                rejects[subject] = str(error)
                return {}

        with ThreadPoolExecutor(usable_cores()) as pool:  # each decodes in a process of its own
            for subject, frames in zip(sorted(clips), pool.map(cut, sorted(clips)), strict=True):
                found += [Photograph(file, f"{subject}/{view}", subject, view) for view, file in frames.items()]
        return Gathered(found, rejects)


class NamedFrames:
    """Crops with cameras whose subjects and views stand in their names, shown with a `subjects.json`; picklable."""

    def __init__(self, store: Store) -> None:
        """Read the names.

        Raises:
            InputError: None tells a subject and a view.
        """
        self.path, self._store = store.path, store
        found = {name: seen for name in store.names() if layout.is_image(name) and (seen := _seen_in(name)) is not None}
        if not found:
            raise InputError(
                f"{store.path}: no picture's name tells a subject and a view (M003/front.png, M003_left_30.png); "
                f"write them into {layout.SUBJECTS_FILE}"
            )
        self._subjects = json.dumps({name: {"subject": who, "view": view} for name, (who, view) in found.items()})

    def names(self) -> list[str]:
        """All file names, sorted."""
        return sorted({*self._store.names(), layout.SUBJECTS_FILE})

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """The bytes of one file (see `Store.read`)."""
        return self._subjects.encode() if name == layout.SUBJECTS_FILE else self._store.read(name, limit)


def _seen_in(name: str) -> tuple[str, str] | None:
    """Subject and view that a picture's name tells."""
    found = _PICTURE.search(name)
    return None if found is None else (found["id"], found["view"])


def _find_frames(source: Path) -> list[Photograph]:
    """The first picture of every subject and view, by name."""
    found: dict[tuple[str, str], Path] = {}
    for file in sorted(source.rglob("*")):
        seen = _seen_in(file.relative_to(source).as_posix()) if file.suffix.lower() in SUFFIXES else None
        if seen is not None:
            found.setdefault(seen, file)
    return [Photograph(file, f"{who}/{view}", who, view) for (who, view), file in sorted(found.items())]


def _subject_of(place: Path) -> str | None:
    """The subject that one of the first two parts of a path names."""
    names = (_SUBJECT.match(part) for part in place.parts[:2])
    return next((found["id"] for found in names if found is not None), None)


def _find_clips(source: Path) -> tuple[dict[str, dict[str, dict[str, Clip]]], dict[str, str]]:
    """Subject -> view -> clip number -> where; and what could not be read."""
    if not source.is_dir():
        raise InputError(f"there is no folder {source}")
    clips: dict[str, dict[str, dict[str, Clip]]] = {}
    rejects: dict[str, str] = {}
    for file in sorted(source.rglob("*")):
        subject = _subject_of(file.relative_to(source))
        if subject is None or file.suffix not in (".mp4", ".tar"):
            continue
        views = clips.setdefault(subject, {})
        if file.suffix == ".mp4":
            _note(views, file.as_posix(), Clip(file))
            continue
        try:
            for member in _members(file):
                _note(views, member, Clip(file, member))
        except InputError as error:
            rejects[str(file)] = str(error)
    return clips, rejects


def _note(views: dict[str, dict[str, Clip]], name: str, clip: Clip) -> None:
    found = _CLIP.search(name)
    if found is not None:
        views.setdefault(found["view"], {}).setdefault(found["clip"], clip)


def _members(tar: Path) -> Iterator[str]:
    """The plain files of a tar.

    Raises:
        InputError: It is damaged, or a member would leave the folder.
    """
    try:
        with tarfile.open(tar) as archive:
            for info in archive:
                if info.isfile():
                    safe_name(info.name, tar)
                    yield info.name
    except (OSError, EOFError, tarfile.TarError) as error:
        raise InputError(f"{tar} cannot be read ({error})") from error


def _frames_of(subject: str, views: dict[str, dict[str, Clip]], scratch: Path) -> dict[str, Path]:
    files = {view: scratch / subject / f"{view}.png" for view in VIEWS}
    if all(file.is_file() for file in files.values()):
        return files
    missing = [view for view in VIEWS if view not in views]
    if missing:
        raise InputError(f"no {EMOTION} {LEVEL} video of the view {', '.join(missing)}")
    shared = sorted(set.intersection(*(set(views[view]) for view in VIEWS)))
    if not shared:
        raise InputError(f"no clip number that all of {', '.join(VIEWS)} have")
    videos = {view: _on_disk(views[view][shared[0]], scratch / subject / f"{view}.mp4") for view in VIEWS}
    index = min(_frame_count(video) for video in videos.values()) // 2
    for view, video in videos.items():
        _cut(video, index, files[view])
    for view in VIEWS:
        (scratch / subject / f"{view}.mp4").unlink(missing_ok=True)
    return files


def _on_disk(clip: Clip, unpacked: Path) -> Path:
    if clip.member is None:
        return clip.place
    with tarfile.open(clip.place) as archive, atomic_write(unpacked) as temporary, open(temporary, "wb") as target:
        info = archive.getmember(clip.member)
        stream = archive.extractfile(info)
        if stream is None or info.size > _MEMBER_LIMIT:
            raise InputError(f"{clip.place}: {clip.member} is not a video of a possible size")
        shutil.copyfileobj(stream, target)
    return unpacked


def _frame_count(video: Path) -> int:
    import imageio_ffmpeg

    try:
        count, _ = imageio_ffmpeg.count_frames_and_secs(str(video))
    except (RuntimeError, OSError) as error:
        raise InputError(f"{video.name} cannot be decoded") from error
    if count < 1:
        raise InputError(f"{video.name} has no frames")
    return count


def _cut(video: Path, index: int, target: Path) -> None:
    """Write frame `index` of a video as PNG."""
    import imageio_ffmpeg

    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(video), "-map", "0:v:0",
        "-vf", f"select=eq(n\\,{index})", "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-",
    ]  # fmt: skip
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if ended.returncode or not ended.stdout:
        reason = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise InputError(f"frame {index} of {video.name} cannot be decoded {reason}")
    with atomic_write(target) as temporary:
        temporary.write_bytes(ended.stdout)
