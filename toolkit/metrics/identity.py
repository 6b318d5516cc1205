"""Identity: the cosine of two face embeddings; a pair in which a face is not found is counted, never scored."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.data.transforms import resize
from toolkit.devices import moved_to
from toolkit.errors import InputError
from toolkit.interfaces.faces import FaceEmbedder
from toolkit.interfaces.metric import Direction
from toolkit.losses.reconstruction import check_same_shape
from toolkit.metrics.remembered import REMEMBERED
from toolkit.metrics.state import MeanMetric

FaceCrop = Callable[[Tensor, Camera | None], Tensor | None]
"""From an image [3, H, W] in [-1, 1] and the camera that sees it, if known, to an aligned face [3, P, P] in [-1, 1];
None where there is no face."""
DETECTED_AT = 256
"""Side in pixels at which the published metric looks for faces."""


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosine [B] of embeddings [B, E], -1 to 1."""
    return torch.nn.functional.cosine_similarity(first, second, dim=1, eps=1e-12)


class DetectedFace:
    """The published metric's crop: 8-bit, 256 px, five detected points moved onto the 112 px template."""

    def __init__(self, size: int = 112) -> None:
        self.size = size

    @property
    def settings(self) -> tuple[object, ...]:
        """Everything that decides a crop."""
        return "detected", self.size

    def __call__(self, image: Tensor, camera: Camera | None = None) -> Tensor | None:
        """Crop the face out of an image [3, H, W] in [-1, 1]; None where none is found."""
        del camera
        from toolkit.faces.alignment import arcface_crop
        from toolkit.faces.detection import detect_faces

        pixels = as_pixels(resize(image.clamp(-1, 1), DETECTED_AT))
        faces = detect_faces(pixels)
        if not faces:
            return None
        best = max(faces, key=lambda face: face.probability)
        return _as_face(arcface_crop(pixels, best.landmarks, self.size, antialias=False))


_ROUNDING = 0.01
"""Degrees: a camera put at 60 degrees is read back as 60.000002."""


class ProjectedFace:
    """A crop without a detector: where the camera sees five known points of the average face.

    For worlds whose cameras are exact and whose faces no detector of photographs knows.
    """

    def __init__(self, points: Sequence[Sequence[float]], size: int = 112, widest: float = 60.0) -> None:
        """Say where the face is.

        Args:
            points: Five points [5, 3] in world units, in the order of `GeneratorSpec.face_points`.
            size: Side of the crop.
            widest: Degrees of yaw beyond which a view shows no face; up to a hundredth of one is taken for rounding.
        """
        self.size, self.widest = size, widest
        self._points = torch.tensor(points, dtype=torch.float32)

    @property
    def settings(self) -> tuple[object, ...]:
        """Everything that decides a crop."""
        return "projected", self.size, self.widest, tuple(self._points.flatten().tolist())

    def __call__(self, image: Tensor, camera: Camera | None = None) -> Tensor | None:
        """Crop the face out of an image [3, S, S] in [-1, 1]; None without a camera, or from too far aside."""
        from toolkit.faces.alignment import arcface_crop

        if camera is None or abs(math.degrees(float(camera.angles().yaw[0]))) > self.widest + _ROUNDING:
            return None
        landmarks = camera.to("cpu").project(self._points)[0].double().numpy() * image.shape[-1] - 0.5
        return _as_face(arcface_crop(as_pixels(image), landmarks, self.size))


def _as_face(crop: np.ndarray) -> Tensor:
    return torch.from_numpy(crop).permute(2, 0, 1).float() / 127.5 - 1


def as_pixels(image: Tensor) -> np.ndarray:
    """An image [3, H, W] in [-1, 1] as uint8 [H, W, 3]."""
    scaled = ((image.detach().clamp(-1, 1) + 1) * 127.5).round()
    return scaled.permute(1, 2, 0).to(torch.uint8).cpu().numpy()


class IdentityMetric(MeanMetric):
    """Cosine of two images' face embeddings, higher is more alike."""

    direction: Direction = "higher"
    takes = "faces"

    def __init__(self, embedder: FaceEmbedder, name: str, backend: str, crop: FaceCrop | None = None) -> None:
        """Take an embedder and a way to find the face (None: detector and template)."""
        super().__init__()
        self.name, self.backend = name, backend
        self._embedder, self._crop = embedder, crop or DetectedFace()

    def score(self, image: Tensor, target: Tensor, camera: Camera | None = None) -> Tensor:
        """Scores [B] of images seen by `camera` (B of them, where known); NaN where either face is not found."""
        check_same_shape(image, target)
        cameras = [None if camera is None else camera.expand(len(image))[index] for index in range(len(image))]
        pairs = [self._faces_of(*both) for both in zip(image, target, cameras, strict=True)]
        there = [place for place, pair in enumerate(pairs) if pair is not None]
        scores = torch.full((len(pairs),), math.nan, dtype=torch.float64)
        if there:
            # one after the other: together, what is known of one side would change which faces are embedded together
            sides = [torch.stack([pair[side] for pair in pairs if pair is not None]) for side in (0, 1)]
            mine, theirs = (self._embedded(side.to(image.device)) for side in sides)
            scores[there] = cosine(mine, theirs).cpu()
        return scores

    def _embedded(self, faces: Tensor) -> Tensor:
        embedder = moved_to(self._embedder, faces.device)
        found: Tensor = REMEMBERED.rows(self._embedder, faces, lambda each: embedder.embed(each), "embedded")
        return found.double()

    def _face_of(self, image: Tensor, camera: Camera | None) -> Tensor | None:
        """The face cut out of an image; each image is searched once."""
        seen = None if camera is None else tuple(camera.label.flatten().tolist())
        crop = self._crop
        if not isinstance(crop, (DetectedFace, ProjectedFace)):  # nobody knows what else it depends on
            return crop(image, camera)
        how = seen, crop.settings
        face: Tensor | None = REMEMBERED.get(self._embedder, image, lambda each: crop(each, camera), *how)
        return face

    def _faces_of(self, image: Tensor, target: Tensor, camera: Camera | None) -> tuple[Tensor, Tensor] | None:
        """Both faces; None where one is not found."""
        try:
            theirs, mine = self._face_of(target, camera), self._face_of(image, camera)
        except InputError:  # points that cannot be a face
            return None
        return None if mine is None or theirs is None else (mine, theirs)
