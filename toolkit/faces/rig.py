"""Pictures of calibrated cameras that stand around one head: the whole rig is brought into a generator's world at once.

The five points of the face, found in the pictures that show one, are triangulated; the similarity (scale, rotation,
shift) that puts them on the generator's five points moves every camera of the rig. So the camera of a view from behind
is as exact as that of a view from the front. Each picture is then turned and cropped so that its camera, at its true
place, looks at the head upright and sees it at the usual size.

World points are [N, 3]. Pixel coordinates are (x, y) with the first pixel's centre at (0, 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from toolkit.errors import InputError
from toolkit.faces.images import resize
from toolkit.faces.similarity import Similarity, fitted
from toolkit.faces.template import face_points

if TYPE_CHECKING:
    from toolkit.camera import Camera
    from toolkit.interfaces.dataset import Pinhole
    from toolkit.interfaces.generator import GeneratorSpec, Orbit

FEWEST_FACES = 2
"""Pictures with a face from which five points can be triangulated."""
OUTLIER = 2.5
"""A face this many times farther from the triangulated one than the middle face is left aside."""
AGREEMENT = 0.3
"""Largest median distance of detected from triangulated points, in distances between the eyes. Three rendered heads
with their own cameras gave 0.06 to 0.21; with inverted poses 0.48 to 0.63, with the poses of other views 0.8 to 1.5."""

SeenFace = tuple["Pinhole", np.ndarray]
"""A camera and the landmarks [5, 2] that its picture shows, in pixels."""


@dataclass(frozen=True, eq=False)
class RigView:
    """How a picture of the rig becomes a data set's."""

    camera: Camera
    """Batch of 1, in the generator's world."""
    homography: np.ndarray
    """[3, 3], crop pixels to picture pixels."""


def face_in_rig(faces: Sequence[SeenFace]) -> np.ndarray:
    """Triangulate the five points [5, 3] of a face, in the rig's world; single wrong detections are left aside.

    Raises:
        InputError: Fewer than two pictures show a face, or their points do not agree with the cameras.
    """
    if len(faces) < FEWEST_FACES:
        raise InputError(
            f"only {len(faces)} of its pictures show a face; {FEWEST_FACES} are needed to align calibrated cameras"
        )
    while True:
        cameras = [camera for camera, _ in faces]
        points = np.stack([triangulated(cameras, [seen[index] for _, seen in faces]) for index in range(5)])
        errors = np.array([disagreement(points, face) for face in faces])
        middle = float(np.median(errors))
        kept = [face for face, error in zip(faces, errors, strict=True) if error <= OUTLIER * middle + 1e-9]
        if len(kept) in (len(faces), *range(FEWEST_FACES)):
            break
        faces = kept
    if not middle <= AGREEMENT:
        raise InputError(
            f"the faces in its pictures and its cameras do not agree (the points are {middle:.2f} distances between "
            "the eyes apart): the cameras are of other pictures or of another convention"
        )
    return points


def rig_similarity(face: np.ndarray, spec: GeneratorSpec) -> Similarity:
    """The similarity from the world of a face [5, 3] to a generator's."""
    return fitted(face, face_points(spec))


def disagreement(points: np.ndarray, face: SeenFace) -> float:
    """Mean distance of detected landmarks from where the camera sees points [5, 3], in distances between the eyes."""
    camera, seen = face
    cam2world = np.asarray(camera.cam2world)
    depth = float(((points - cam2world[:3, 3]) @ cam2world[:3, 2]).mean())
    between = camera.intrinsics[0][0] * float(np.linalg.norm(points[0] - points[1])) / max(depth, 1e-9)
    distance = float(np.linalg.norm(projected(camera, points) - seen, axis=1).mean())
    return distance / max(between, 1e-9) if np.isfinite(distance) else np.inf


def triangulated(cameras: Sequence[Pinhole], pixels: Sequence[np.ndarray]) -> np.ndarray:
    """The point [3] that lies nearest to the rays through one pixel of each camera (least squares)."""
    matrix, vector = np.zeros((3, 3)), np.zeros(3)
    for camera, pixel in zip(cameras, pixels, strict=True):
        cam2world = np.asarray(camera.cam2world)
        ray = cam2world[:3, :3] @ np.linalg.solve(np.asarray(camera.intrinsics), [pixel[0], pixel[1], 1.0])
        ray /= np.linalg.norm(ray)
        across = np.eye(3) - np.outer(ray, ray)
        matrix += across
        vector += across @ cam2world[:3, 3]
    return np.asarray(np.linalg.lstsq(matrix, vector, rcond=None)[0])


def projected(camera: Pinhole, points: np.ndarray) -> np.ndarray:
    """Pixels [N, 2] at which a camera sees world points; NaN for those behind it."""
    cam2world = np.asarray(camera.cam2world)
    local = (points - cam2world[:3, 3]) @ cam2world[:3, :3]
    pixels = local @ np.asarray(camera.intrinsics).T
    return np.where(local[:, 2:] > 0, pixels[:, :2] / np.where(pixels[:, 2:] == 0, 1, pixels[:, 2:]), np.nan)


def rig_view(pinhole: Pinhole, world: Similarity, orbit: Orbit, size: int) -> RigView:
    """Turn and crop a picture so that its camera looks at the generator's pivot, upright, at the usual size.

    The camera keeps its true distance; the focal length makes up for it.

    Args:
        pinhole: The picture's camera.
        world: From the rig's world to the generator's.
        orbit: The generator's.
        size: Side of the crop in pixels.

    Raises:
        InputError: The head is behind the camera.
    """
    import torch

    from toolkit.camera import Camera, look_at
    from toolkit.camera import pinhole as standard_intrinsics

    cam2world = np.asarray(pinhole.cam2world, dtype=float)
    old = world.rotation @ cam2world[:3, :3]
    position = world.points(cam2world[None, :3, 3])[0]
    forward = np.asarray(orbit.pivot) - position
    distance = float(np.linalg.norm(forward))
    if not (old.T @ forward)[2] > 0:
        raise InputError("its camera looks away from the head")
    matrix = look_at(torch.from_numpy(position)[None], torch.tensor(orbit.pivot, dtype=torch.float64))
    focal = orbit.focal * distance / orbit.radius
    crop = np.array([[focal * size, 0, size / 2 - 0.5], [0, focal * size, size / 2 - 0.5], [0, 0, 1]])
    return RigView(
        Camera.from_matrices(matrix.float(), standard_intrinsics(focal)),
        np.asarray(pinhole.intrinsics, dtype=float) @ old.T @ matrix[0, :3, :3].numpy() @ np.linalg.inv(crop),
    )


def turned(image: np.ndarray, homography: np.ndarray, size: int) -> np.ndarray:
    """Cut [size, size] out of uint8 RGB [H, W, 3] or a float32 map [H, W]; 0 outside, free of aliasing.

    Args:
        image: What to cut from.
        homography: [3, 3], crop pixels to picture pixels.
        size: Side of the crop.
    """
    middle = (size - 1) / 2
    here, aside = (homography @ [middle + step, middle, 1.0] for step in (0, 1))
    step = float(np.linalg.norm(aside[:2] / aside[2] - here[:2] / here[2]))
    if step > 1:  # shrink first, with a filter as wide as that asks for
        height, width = image.shape[:2]
        new_width, new_height = max(round(width / step), 1), max(round(height / step), 1)
        image = resize(image, new_width, new_height)
        x, y = new_width / width, new_height / height
        homography = np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]]) @ homography
    # Pillow counts from pixel corners: its (0.5, 0.5) is our (0, 0)
    corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    data = corner @ homography @ np.linalg.inv(corner)
    coefficients = (data / data[2, 2]).ravel()[:8].tolist()
    kernel = Image.Resampling.BILINEAR if image.ndim == 2 else Image.Resampling.BICUBIC
    crop = np.array(Image.fromarray(image).transform((size, size), Image.Transform.PERSPECTIVE, coefficients, kernel))
    return crop.clip(0, 1) if crop.dtype == np.float32 else crop
