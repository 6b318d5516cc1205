"""Cafca and H3DS: heads seen by calibrated cameras from all around. `toolkit data prepare` aligns them.

    Cafca   [00000-00099/]<subject>/<expression>_<environment>/color_image/C00.png ... C29.png
                                                               foreground_mask/C00.png, cameras_json/C00.json
    H3DS    <subject>/image/img_0000.jpg ..., mask/mask_0000.png ..., cameras.npz (world_mat_0 ...)

Taken of every subject of Cafca (synthetic people, 30 views): the neutral expression, 00000, in the environment that all
share, 000. Taken of H3DS (scanned people, about 70 views): everything. Neither is shipped: whoever uses them has
accepted their terms.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data import ImageFolder, layout
from toolkit.data.store import open_store
from toolkit.documents import read_document
from toolkit.errors import InputError
from toolkit.interfaces.dataset import Gathered, Item, Photograph, Pinhole
from toolkit_plugins.face_datasets.layouts import write_pictures

NEUTRAL = "00000_000"
"""Cafca's expression and environment that are taken."""
_CAFCA_SUBJECT, _CAFCA_SCENE = re.compile(r"\d{5}"), re.compile(r"\d{5}_\d{3}")
_CAFCA_VIEW, _H3DS_VIEW = re.compile(r"C\d{2}"), re.compile(r"img_(\d{4})")
_CAMERA_LIMIT = 2**20
"""Largest file of one camera, or array of a file of cameras, in bytes."""


class Rig:
    """What both have in common: calling one opens a prepared folder."""

    title = ""

    def __new__(cls, path: str | os.PathLike[str], size: int | None = None) -> ImageFolder:  # type: ignore[misc]  # a factory by contract
        """Open what `toolkit data prepare` made.

        Raises:
            InputError: There is no such folder, or it is the published data set itself.
        """
        store = open_store(path)
        if layout.LABELS_FILE not in store.names():
            name = cls.title.lower()
            raise InputError(f"{path} holds no prepared pictures; make them: toolkit data prepare {name} {path} OUT")
        return ImageFolder(store, size)

    @staticmethod
    def write_sample(folder: Path, items: Sequence[Item]) -> Path:
        """Write pictures with cameras and subjects as they are prepared."""
        labels = write_pictures(folder, items)
        (folder / layout.LABELS_FILE).write_text(json.dumps({"labels": [*labels.items()]}), encoding="utf-8")
        seen = {item.id: {"subject": item.subject or f"{index:05d}"} for index, item in enumerate(items)}
        (folder / layout.SUBJECTS_FILE).write_text(json.dumps(seen), encoding="utf-8")
        return folder


class Cafca(Rig):
    """Synthetic people with 30 exact cameras and masks."""

    title = "Cafca"

    @staticmethod
    def photographs(source: Path, scratch: Path) -> Gathered:
        """Every subject's neutral expression, from all sides.

        Raises:
            InputError: There are no subjects.
        """
        del scratch
        found, rejects = list[Photograph](), dict[str, str]()
        for folder in _cafca_subjects(source):
            scene = folder / NEUTRAL
            if not scene.is_dir():
                rejects[str(folder)] = f"no neutral expression in the shared environment ({NEUTRAL})"
                continue
            for picture in sorted((scene / "color_image").glob("*.png")):
                if not _CAFCA_VIEW.fullmatch(picture.stem):
                    continue
                mask = scene / "foreground_mask" / picture.name
                with _left_out(picture, rejects):
                    camera = _cafca_camera(scene / "cameras_json" / f"{picture.stem}.json")
                    found.append(_photograph(picture, folder.name, picture.stem, camera, mask))
        return _gathered(source, found, rejects, f"Cafca (00000/{NEUTRAL}/color_image/C00.png)")


class H3ds(Rig):
    """Scanned people with calibrated photographs and masks."""

    title = "H3DS"

    @staticmethod
    def photographs(source: Path, scratch: Path) -> Gathered:
        """Every subject's photographs.

        Raises:
            InputError: There are no subjects.
        """
        del scratch
        found, rejects = list[Photograph](), dict[str, str]()
        for cameras in sorted(source.glob("*/cameras.npz")):
            folder = cameras.parent
            with _left_out(cameras, rejects):
                matrices = dict(_h3ds_matrices(cameras))
                for picture in sorted((folder / "image").glob("*.jpg")):
                    view = _H3DS_VIEW.fullmatch(picture.stem)
                    if view is None:
                        continue
                    mask = folder / "mask" / f"mask_{view[1]}.png"
                    with _left_out(picture, rejects):
                        if int(view[1]) not in matrices:
                            raise InputError(f"{cameras.name} has no camera world_mat_{int(view[1])}")
                        camera = camera_of_projection(matrices[int(view[1])], cameras)
                        found.append(_photograph(picture, folder.name, view[1], camera, mask))
        return _gathered(source, found, rejects, "H3DS (1b2a8613401e42a8/cameras.npz)")


@contextlib.contextmanager
def _left_out(place: Path, rejects: dict[str, str]) -> Iterator[None]:
    """What cannot be used in the block is left out, with the reason."""
    try:
        yield
    except InputError as error:
        rejects[str(place)] = str(error)


def _gathered(source: Path, found: list[Photograph], rejects: dict[str, str], what: str) -> Gathered:
    if not found and not rejects:
        raise InputError(f"{source} holds no subjects of {what}")
    return Gathered(found, rejects)


def camera_of_projection(matrix: np.ndarray, where: Path) -> Pinhole:
    """The camera of a projection matrix [3, 4] from the world to pixels: intrinsics times world-to-camera.

    Raises:
        InputError: It is no camera's.
    """
    from scipy.linalg import rq

    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :3])) < 1e-12:
        raise InputError(f"{where.name} holds a matrix that is no camera's")
    if np.linalg.det(matrix[:, :3]) < 0:  # a projection has no sign of its own
        matrix = -matrix
    intrinsics, rotation = rq(matrix[:, :3])
    signs = np.sign(np.diag(intrinsics))
    intrinsics, rotation = intrinsics * signs, signs[:, None] * rotation
    cam2world = np.eye(4)
    cam2world[:3, :3] = rotation.T
    cam2world[:3, 3] = -np.linalg.solve(matrix[:, :3], matrix[:, 3])
    return _pinhole(intrinsics / intrinsics[2, 2], cam2world, where)


def _photograph(picture: Path, subject: str, view: str, camera: Pinhole, mask: Path) -> Photograph:
    if not mask.is_file():
        raise InputError(f"it has no mask {mask.parent.name}/{mask.name}")
    return Photograph(picture, f"{subject}/{view}", subject, view, camera, mask)


def _cafca_subjects(source: Path) -> list[Path]:
    """Folders of subjects, in the source itself or in its chunks."""
    if not source.is_dir():
        raise InputError(f"there is no folder {source}")
    places = [*source.glob("*"), *source.glob("*-*/*")]
    found = [place for place in places if _CAFCA_SUBJECT.fullmatch(place.name) and place.is_dir()]
    scenes = [one for one in found if any(_CAFCA_SCENE.fullmatch(scene.name) for scene in one.iterdir())]
    return sorted(scenes, key=lambda folder: folder.name)


def _cafca_camera(file: Path) -> Pinhole:
    """A camera of Cafca: `K` in pixels, and `cam2world` or its inverse."""
    try:
        document: Any = read_document(file, _CAMERA_LIMIT)
    except (OSError, ValueError) as error:
        raise InputError(f"its camera {file.name} cannot be read ({error})") from error
    if not isinstance(document, dict) or "K" not in document or not {"cam2world", "world2cam"} & document.keys():
        raise InputError(f"its camera {file.name} has no K and cam2world")
    intrinsics = _matrix(document["K"], 3, file)
    if "cam2world" in document:
        return _pinhole(intrinsics, _matrix(document["cam2world"], 4, file), file)
    world2cam = _matrix(document["world2cam"], 4, file)
    if abs(np.linalg.det(world2cam)) < 1e-12:
        raise InputError(f"{file.name} holds a matrix that is no camera's")
    return _pinhole(intrinsics, np.linalg.inv(world2cam), file)


def _matrix(values: Any, side: int, file: Path) -> np.ndarray:
    """A matrix [side, side]; one of poses may leave out its last row (0, 0, 0, 1)."""
    try:
        matrix = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{file.name} holds something else than a matrix of numbers") from error
    if matrix.shape == (3, 4) and side == 4:
        matrix = np.vstack([matrix, [0.0, 0.0, 0.0, 1.0]])
    if matrix.shape != (side, side) or not np.isfinite(matrix).all():
        raise InputError(f"{file.name} holds no finite matrix of {side} rows and columns")
    return matrix


def _pinhole(intrinsics: np.ndarray, cam2world: np.ndarray, where: Path) -> Pinhole:
    rotation = cam2world[:3, :3]
    bad_rotation = np.abs(rotation.T @ rotation - np.eye(3)).max() > 1e-2 or np.linalg.det(rotation) < 0
    if bad_rotation or min(intrinsics[0, 0], intrinsics[1, 1], intrinsics[2, 2]) <= 0:
        raise InputError(f"{where.name} holds a matrix that is no camera's")
    return Pinhole(tuple(map(tuple, intrinsics.tolist())), tuple(map(tuple, cam2world.tolist())))


def _h3ds_matrices(file: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Projection matrices [3, 4] of a file of cameras, by number."""
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                number = re.fullmatch(r"world_mat_(\d{1,6})\.npy", info.filename)
                if number is None or info.file_size > _CAMERA_LIMIT:
                    continue
                matrix = np.load(io.BytesIO(archive.read(info)), allow_pickle=False)
                yield int(number[1]), _matrix(np.asarray(matrix)[:3, :4].tolist(), 4, file)[:3]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, IndexError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{file.name} cannot be read ({error})") from error
