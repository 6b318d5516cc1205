"""Labels of a comparison's pictures that cannot be a head's camera, or that a face in the picture contradicts."""

from __future__ import annotations

from collections.abc import Collection

from toolkit.camera_faults import camera_faults
from toolkit.errors import ToolkitError
from toolkit.faces.agreement import face_disagreement
from toolkit.faces.images import tensor_to_image
from toolkit.interfaces import IndexedDataset

FACES = 12
"""In how many pictures, spread over those that are used, a face is looked for."""
SMALLEST = 48
"""Side in pixels below which a detector sees no face."""


def odd_cameras(data: IndexedDataset, indices: Collection[int], faces: int = FACES) -> dict[int, str]:
    """What is odd about the cameras of these pictures, by index; those without a fault are left out.

    Args:
        data: The pictures.
        indices: Which of them are used.
        faces: In how many of them a face is detected and compared with the label; 0: in none.
    """
    chosen = sorted(indices)
    labels = data.cameras.label[chosen].tolist() if chosen else []
    odd = {chosen[place]: fault for place, fault in camera_faults(labels).items()}
    sound = [index for index in chosen if index not in odd]
    step = max(1, len(sound) // faces) if faces else 1
    for index in sound[::step][:faces]:
        try:
            item = data[index]
        except ToolkitError:  # whoever inverts it will say why it cannot be read
            continue
        if item.image.shape[-1] < SMALLEST:
            continue
        fault = face_disagreement(tensor_to_image(item.image[None]), item.camera)
        if fault is not None:
            odd[index] = fault
    return odd
