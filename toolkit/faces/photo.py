"""From a photo to what an inversion starts from: an image in the generator's frame, its camera, its mask."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.camera_faults import camera_fault
from toolkit.errors import InputError, PluginError
from toolkit.faces.agreement import face_disagreement
from toolkit.faces.alignment import AlignedFace, Crop, align
from toolkit.faces.background import WHITE
from toolkit.faces.cutout import BackgroundOptions, centre_square, cut_aligned, cut_as_it_is, user_mask
from toolkit.faces.detection import choose_face, detect_faces
from toolkit.faces.images import image_to_tensor, read_image
from toolkit.faces.labels import find_dataset_entry, read_camera, read_landmarks
from toolkit.faces.levelling import level_landmarks
from toolkit.faces.pose import angles_from_rotation
from toolkit.faces.rig import SeenFace, disagreement, face_in_rig, rig_similarity, rig_view, turned
from toolkit.faces.similarity import Similarity
from toolkit.files import file_sha256
from toolkit.notebook import png
from toolkit.registry import default_registry

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.camera import Camera
    from toolkit.interfaces.dataset import Photograph
    from toolkit.interfaces.faces import PoseEstimator
    from toolkit.interfaces.generator import GeneratorSpec

BACKGROUNDS = ("auto", "keep", "remove")
AUTO_POSE = "five_point"
SURE = 0.98
"""Probability from which a face helps to align the cameras of a rig."""
FAR_FROM_CAMERA = 0.3
"""Distances between the eyes from which a detected face speaks against the calibrated camera of its picture."""
ORTHONORMALITY = 0.05
"""How far R^T R of a pose may be from 1."""
"""The registered pose estimator that 'auto' takes."""
MOST_ENLARGED = 2.0
"""A face whose square is enlarged more than that is called small (256 px for a 512 px generator)."""
MUCH_PADDING = 0.05
"""Share of the crop outside the photo from which it is worth a note."""
LARGE_YAW_DEGREES = 45.0
"""Beyond it five landmarks are a weak witness of the pose."""


@dataclass(frozen=True, eq=False)
class PreparedPhoto:
    """A photo in a generator's frame."""

    image: Tensor
    """[1, 3, S, S] in [-1, 1]."""
    camera: Camera
    """Batch of 1."""
    mask: Tensor
    """[1, 1, S, S] in [0, 1], 1 = head; all ones for a picture taken as it is about which nothing is known."""
    notes: list[str]
    """Sentences for the user: what was guessed, what is doubtful."""
    sha256: str
    """Of the photo's file."""
    size: tuple[int, int]
    """(width, height) of the photo, upright, in pixels."""
    landmarks: np.ndarray | None
    """[5, 2] in the photo's pixels; None where none were needed."""

    def __repr__(self) -> str:
        """One line with the shape of the image and the size of the photo."""
        return f"PreparedPhoto(image {list(self.image.shape)}, of {self.size[0]} x {self.size[1]} pixels)"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the photo in the generator's frame."""
        return png(self.image)


def prepare_photo(
    path: str | os.PathLike[str],
    spec: GeneratorSpec,
    *,
    camera: Camera | str | os.PathLike[str] | Sequence[float] | None = None,
    landmarks: np.ndarray | str | os.PathLike[str] | None = None,
    mask: np.ndarray | str | os.PathLike[str] | None = None,
    face: int | None = None,
    background: str = "auto",
    pose: str = "auto",
    matting: str = "auto",
    crop: Crop = "generator",
) -> PreparedPhoto:
    """Bring a photo into a generator's frame.

    Args:
        path: The photo.
        spec: The generator.
        camera: A camera or its file: the photo then counts as cropped already (its centre square is taken).
        landmarks: Five points [5, 2] in photo pixels or their file, instead of detection.
        mask: The head's mask (a file or [H, W] in [0, 1]) in the photo's size; wins over every matting.
        face: Which face of several, 0 = the largest (default).
        background: 'keep', 'remove' (put the head on the generator's background colour, else white), or 'auto': remove
            it from photos, leave the pictures of data sets and those with a given camera as they are.
        pose: 'auto' (a data set's label where there is one, else five_point), 'label', or a registered pose estimator.
        matting: 'auto' (keys out a uniform background, else GrabCut) or the name of a registered matting.
        crop: How photos are cropped: 'generator' or 'eg3d' (see `toolkit.faces.alignment.align`).

    Raises:
        InputError: The photo, camera, landmarks or mask cannot be used, or no face was found.
        PluginError: Unknown pose estimator or matting.
    """
    if background not in BACKGROUNDS:
        raise InputError(f"background must be one of {', '.join(BACKGROUNDS)}, got {background!r}")
    image = read_image(path)
    notes: list[str] = []
    options = BackgroundOptions(background, matting, background_colour(spec))
    entry = find_dataset_entry(path) if camera is None and landmarks is None and pose in ("auto", "label") else None
    points: np.ndarray | None = None
    if camera is not None or entry is not None:
        known = entry.camera if entry is not None else read_camera(camera)  # type: ignore[arg-type]  # one of both is there
        source = mask if mask is not None or entry is None else entry.mask
        own_mask = None if source is None else user_mask(source, image.shape)
        notes += camera_warnings(image, known)
        pixels, opacity = cut_as_it_is(image, own_mask, spec.image_size, options, notes)
    elif pose == "label":
        raise InputError(f"no dataset.json near {path} names it: pose 'label' needs one (or give --camera)")
    else:
        points = read_landmarks(landmarks) if landmarks is not None else _find_landmarks(image, face, notes)
        rotation = _rotation(pose, points, spec)
        aligned = align(image, points, rotation, spec, crop=crop)
        _remark(aligned, spec, rotation, notes)
        known = aligned.camera
        own_mask = None if mask is None else user_mask(mask, image.shape)
        pixels, opacity = cut_aligned(image, points, aligned, own_mask, options, notes)
    return PreparedPhoto(
        image=image_to_tensor(pixels),
        camera=known,
        mask=_mask_tensor(opacity, spec.image_size),
        notes=notes,
        sha256=file_sha256(path),
        size=(image.shape[1], image.shape[0]),
        landmarks=points,
    )


def prepare_rig(
    photographs: Sequence[Photograph], spec: GeneratorSpec, *, background: str = "auto"
) -> Iterator[PreparedPhoto | InputError]:
    """Bring the pictures of one subject, seen by calibrated cameras, into a generator's frame together.

    Args:
        photographs: All pictures of the subject, each with its pinhole camera; masks where there are any.
        spec: The generator.
        background: As for `prepare_photo`; without a mask a background is only removed where it has one colour.

    Yields:
        Every picture in the frame, or why it cannot be used, in their order.
    """
    faces: dict[Path, SeenFace] = {}
    faults: dict[Path, InputError] = {}
    for one in photographs:
        try:
            found = detect_faces(read_image(one.path))
        except InputError as error:
            faults[one.path] = error
            continue
        if found and one.pinhole is not None and found[0].probability >= SURE:
            faces[one.path] = (one.pinhole, found[0].landmarks)
    try:
        face = face_in_rig([*faces.values()])
        world = rig_similarity(face, spec)
    except InputError as error:
        yield from (faults.get(one.path, error) for one in photographs)
        return
    for one in photographs:
        try:
            made = faults.get(one.path) or _from_rig(one, world, spec, background)
        except InputError as error:
            made = error
        if not isinstance(made, InputError) and one.path in faces:
            away = disagreement(face, faces[one.path])
            if away > FAR_FROM_CAMERA:
                made.notes.append(f"its face lies {away:.1f} distances between the eyes from where its camera sees it")
        yield made


def _from_rig(one: Photograph, world: Similarity, spec: GeneratorSpec, background: str) -> PreparedPhoto:
    """One picture of an aligned rig.

    Raises:
        InputError: Picture or mask cannot be read, or the head is behind the camera.
    """
    notes: list[str] = []
    image, size = read_image(one.path), spec.image_size
    if one.pinhole is None:
        raise InputError("its camera is not known")
    view = rig_view(one.pinhole, world, spec.orbit, size)
    mask = None if one.mask is None else user_mask(one.mask, image.shape)
    options = BackgroundOptions("keep" if background == "keep" else "remove", "auto", background_colour(spec))
    pixels, opacity = cut_as_it_is(
        turned(image, view.homography, size),
        None if mask is None else turned(mask, view.homography, size),
        size,
        options,
        notes,
    )
    notes += _label_warnings(camera_fault(view.camera.label[0].tolist()))
    return PreparedPhoto(
        image=image_to_tensor(pixels),
        camera=view.camera,
        mask=_mask_tensor(opacity, size),
        notes=notes,
        sha256=file_sha256(one.path),
        size=(image.shape[1], image.shape[0]),
        landmarks=None,
    )


def camera_warnings(image: np.ndarray, camera: Camera) -> list[str]:
    """What speaks against a photo's camera label: its own numbers, and where a face lies in the photo."""
    return _label_warnings(camera_fault(camera.label[0].tolist()), face_disagreement(centre_square(image), camera))


def _label_warnings(*faults: str | None) -> list[str]:
    return [f"the camera label is doubtful: {fault}" for fault in faults if fault]


def background_colour(spec: GeneratorSpec) -> tuple[float, float, float]:
    """The colour (0..255) that heads are put on for a generator: its own background, white where it has none."""
    if spec.background is None:
        return WHITE
    red, green, blue = ((value + 1) * 127.5 for value in spec.background)
    return red, green, blue


def _find_landmarks(image: np.ndarray, face: int | None, notes: list[str]) -> np.ndarray:
    faces = detect_faces(image)
    chosen = choose_face(faces, face)
    if len(faces) > 1 and face is None:
        notes.append(f"{len(faces)} faces found, the largest was taken (--face chooses another)")
    if chosen.probability < 0.95:
        notes.append(f"the face was found with a probability of {chosen.probability:.2f} only; check the crop")
    return level_landmarks(image, chosen.landmarks)


def _rotation(name: str, points: np.ndarray, spec: GeneratorSpec) -> np.ndarray:
    """What a registered pose estimator says of five points, which it gets a copy of.

    Raises:
        PluginError: Its plugin fails, or tells no rotation.
    """
    entry = default_registry().get("pose_estimator", AUTO_POSE if name == "auto" else name)
    estimator: PoseEstimator = entry.build()
    with entry.running():
        rotation = np.array(estimator.estimate(points.copy(), spec).rotation, dtype=np.float64)
    if rotation.shape != (3, 3) or not np.abs(rotation.T @ rotation - np.eye(3)).max() < ORTHONORMALITY:
        raise PluginError(f"{entry.whose} told no rotation of three rows and columns")
    if np.linalg.det(rotation) < 0:
        raise PluginError(f"{entry.whose} told a mirrored rotation (determinant -1)")
    return rotation


def _remark(aligned: AlignedFace, spec: GeneratorSpec, rotation: np.ndarray, notes: list[str]) -> None:
    side = aligned.photo_side
    if spec.image_size > MOST_ENLARGED * side:
        notes.append(
            f"the face is small: its square of {side:.0f} px was enlarged {spec.image_size / side:.1f} times; "
            "expect a soft result"
        )
    if aligned.padding > MUCH_PADDING:
        notes.append(f"{aligned.padding:.0%} of the crop lies outside the photo")
    yaw = np.degrees(angles_from_rotation(rotation).yaw)
    if abs(yaw) > LARGE_YAW_DEGREES:
        notes.append(f"the head is turned by about {abs(yaw):.0f} degrees, where five landmarks tell the pose badly")


def _mask_tensor(opacity: np.ndarray | None, size: int) -> Tensor:
    import torch

    if opacity is None:
        return torch.ones(1, 1, size, size)
    return torch.from_numpy(np.ascontiguousarray(opacity, dtype=np.float32))[None, None]
