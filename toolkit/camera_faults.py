"""Camera labels that cannot be a head's: what is wrong with the numbers, and the likely cause.

A label that came out of another convention is usually a perfectly good matrix. It is told by what it would show: a head
at the world's origin must lie in front of the camera, in the picture, upright, and at a size at which one can see it.
Where it does not, the usual mistakes are undone one by one, and the one after which all is well is named.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from toolkit.camera import FOCAL, LABEL_SIZE, RADIUS

DISTANCES = (1.2, 5.0)
"""World units from the origin at which cameras stand; EG3D's family uses 2.7, its cars 1.3 to 1.7."""
SIZES = (0.5, 2.8)
"""Focal length over distance: how large a head appears; 1.58 in face crops."""
FOCALS = (0.3, 20.0)
"""Of intrinsics divided by the picture's side."""
MARGIN = 0.25
"""How far outside the picture, in picture sides, the head's centre may lie."""
ROLL = math.radians(75)
_ORTHONORMALITY = 0.05
SQUARENESS = 0.1
"""How far the two focal lengths, and the skew from 0, may be apart: pixels of a square crop are square."""
_UNITS = (10, 100, 1000, 10_000, 2)
_ENOUGH = 0.9
"""Share of faulty labels that a mistake explains, from which no combination of more mistakes is tried."""
_JUDGED = 12
"""Faulty labels of a data set, spread over it, that decide which causes are considered."""
_CAUSES = 5
"""How many are considered for each label: with anybody's numbers, too, the work is bounded."""


class _Label(NamedTuple):
    cam2world: np.ndarray
    """[4, 4]."""
    intrinsics: np.ndarray
    """[3, 3]."""


_Repair = Callable[[_Label], _Label]


def camera_fault(numbers: Sequence[float]) -> str | None:
    """Say what is wrong with a label of 25 numbers, and the likely cause; None where it can be a head's camera.

    Args:
        numbers: The flattened 4x4 cam2world matrix and the flattened 3x3 intrinsics.
    """
    return camera_faults([numbers]).get(0)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # numbers are anybody's, 1e308 included
def camera_faults(labels: Sequence[Sequence[float]]) -> dict[int, str]:
    """The same for the labels of one data set, by index; labels without a fault are left out.

    One data set has one convention, so the cause that explains most faults is preferred.
    """
    odd: dict[int, tuple[_Label | None, list[str]]] = {}
    for index, numbers in enumerate(labels):
        label = _parsed(numbers)
        symptoms = [f"it is not {LABEL_SIZE} finite numbers"] if label is None else _symptoms(label)
        if symptoms:
            odd[index] = label, symptoms
    parsed = [label for label, _ in odd.values() if label is not None]
    repairs = _by_success(parsed[:: max(1, len(parsed) // _JUDGED)][:_JUDGED])
    faults = {}
    for index, (label, symptoms) in odd.items():
        cause = None if label is None else next((name for name, mend in repairs if _is_mended(label, mend)), None)
        faults[index] = "; ".join(symptoms) + (f" (likely cause: {cause})" if cause else "")
    return faults


def _parsed(numbers: Sequence[float]) -> _Label | None:
    values = np.asarray(numbers, dtype=np.float64)
    if values.shape != (LABEL_SIZE,) or not np.isfinite(values).all():
        return None
    return _Label(values[:16].reshape(4, 4), values[16:].reshape(3, 3))


def _symptoms(label: _Label) -> list[str]:
    """What cannot be true of a head's camera, the most basic first; later ones are judged only if earlier ones hold."""
    intrinsics, matrix = _intrinsics_symptom(label.intrinsics), _matrix_symptom(label.cam2world)
    if intrinsics or matrix:
        return [symptom for symptom in (matrix, intrinsics) if symptom]
    return _view_symptoms(label)


def _matrix_symptom(matrix: np.ndarray) -> str:
    if np.abs(matrix[3] - [0, 0, 0, 1]).max() > 1e-3:
        return "the last row of its cam2world matrix is not (0, 0, 0, 1)"
    rotation = matrix[:3, :3]
    error = np.abs(rotation.T @ rotation - np.eye(3)).max()
    if error > _ORTHONORMALITY or np.linalg.det(rotation) < 0.5:
        return f"its rotation is not one (|R^T R - 1| = {error:.3g}, determinant {np.linalg.det(rotation):.3g})"
    return ""


def _intrinsics_symptom(intrinsics: np.ndarray) -> str:
    focal, centre = intrinsics[[0, 1], [0, 1]], intrinsics[:2, 2]
    if abs(intrinsics[2, 2] - 1) > 1e-3 or (focal <= 0).any() or np.abs(intrinsics[[1, 2, 2], [0, 0, 1]]).max() > 1e-3:
        return "its intrinsics are not a pinhole camera's (focal lengths > 0, last row 0, 0, 1)"
    if not (FOCALS[0] <= focal.min() and focal.max() <= FOCALS[1]):
        return f"its focal length is {focal.max():.4g} picture sides ({FOCAL} is usual)"
    if abs(focal[0] / focal[1] - 1) > SQUARENESS or abs(intrinsics[0, 1]) > SQUARENESS:
        return f"its pixels are not square (focal lengths {focal[0]:.4g}, {focal[1]:.4g}, skew {intrinsics[0, 1]:.3g})"
    if (centre < 0.1).any() or (centre > 0.9).any():
        return f"its principal point is ({centre[0]:.3g}, {centre[1]:.3g}), not near the picture's centre (0.5, 0.5)"
    return ""


def _view_symptoms(label: _Label) -> list[str]:
    rotation, position = label.cam2world[:3, :3], label.cam2world[:3, 3]
    distance = float(np.linalg.norm(position))
    if distance < DISTANCES[0] / 2:
        return [f"it stands inside the head, {distance:.3g} units from the origin ({RADIUS} is usual)"]
    centre = rotation.T @ -position
    if centre[2] <= 0.2 * distance:
        return ["it looks away from the head at the origin"]
    x, y, _ = label.intrinsics @ (centre / centre[2])
    found = _size_symptoms(label, distance)
    if not (-MARGIN <= x <= 1 + MARGIN and -MARGIN <= y <= 1 + MARGIN):
        found.insert(0, f"it sees the head at ({x:.2f}, {y:.2f}), outside the picture (0 to 1)")
    roll = _roll(rotation)
    if abs(roll) > ROLL:
        found.append(f"it is rolled by {math.degrees(roll):.0f} degrees: the head would not stand upright")
    return found


def _size_symptoms(label: _Label, distance: float) -> list[str]:
    """What is strange about the head's distance and its size in the picture."""
    found = []
    if not DISTANCES[0] <= distance <= DISTANCES[1]:
        found.append(f"it stands {distance:.3g} units from the head ({RADIUS} is usual)")
    size = float(label.intrinsics[0, 0]) / distance
    if not SIZES[0] <= size <= SIZES[1]:
        found.append(f"a head would fill {50 * size:.0f} % of the picture's height (79 % is usual)")
    return found


def _roll(rotation: np.ndarray) -> float:
    """Angle of the world's up (y) against the picture's; 0 where the camera looks straight up or down."""
    up = rotation.T @ [0.0, 1.0, 0.0]
    return 0.0 if math.hypot(up[0], up[1]) < 0.2 else math.atan2(up[0], -up[1])


def _by_success(labels: Sequence[_Label]) -> list[tuple[str, _Repair]]:
    """Mistakes that explain most labels first: single ones, and with others where no single one explains enough.

    A combination has at most one mistake of the matrix, one of the unit and one of the intrinsics. Of two that explain
    the same number the simpler one comes first.
    """
    found: list[tuple[int, str, _Repair]] = []
    for size in (1, 2, 3):
        found += [(_successes(labels, repair), name, repair) for name, repair in _combinations(size)]
        if max(count for count, _, _ in found) >= _ENOUGH * len(labels):
            break
    best = sorted((entry for entry in found if entry[0]), key=lambda entry: -entry[0])
    return [(name, repair) for _, name, repair in best[:_CAUSES]]


def _combinations(size: int) -> Iterator[tuple[str, _Repair]]:
    """So many mistakes together, each of another group."""
    for groups in itertools.combinations((_MATRIX_REPAIRS, _UNIT_REPAIRS, _INTRINSICS_REPAIRS), size):
        for several in itertools.product(*(group.items() for group in groups)):
            yield " and ".join(name for name, _ in several), _one_after_another([repair for _, repair in several])


def _one_after_another(repairs: Sequence[_Repair]) -> _Repair:
    return lambda label: functools.reduce(lambda changed, repair: repair(changed), repairs, label)


def _successes(labels: Sequence[_Label], repair: _Repair) -> int:
    return sum(_is_mended(label, repair) for label in labels)


def _is_mended(label: _Label, repair: _Repair) -> bool:
    try:
        return not _symptoms(repair(label))
    except np.linalg.LinAlgError:
        return False


def _with_matrix(change: Callable[[np.ndarray], np.ndarray]) -> _Repair:
    return lambda label: _Label(change(label.cam2world), label.intrinsics)


def _in_world(rows: Sequence[Sequence[float]]) -> _Repair:
    """Turn the world: `rows` are the new axes in the old ones."""
    turn = np.eye(4)
    turn[:3, :3] = rows
    return _with_matrix(lambda matrix: turn @ matrix)


def _in_units(factor: float) -> _Repair:
    scale = np.ones((4, 4))
    scale[:3, 3] = factor
    return _with_matrix(lambda matrix: matrix * scale)


def _unscaled(matrix: np.ndarray) -> np.ndarray:
    mended = matrix.copy()
    mended[:3, :3] /= np.cbrt(abs(np.linalg.det(matrix[:3, :3]))) or 1.0
    return mended


def _with_last_row(matrix: np.ndarray) -> np.ndarray:
    return np.vstack([matrix[:3], [0, 0, 0, 1]]) if not matrix[3].any() else matrix


def _with_rotation_transposed(matrix: np.ndarray) -> np.ndarray:
    mended = matrix.copy()
    mended[:3, :3] = matrix[:3, :3].T
    return mended


def _on_camera_axes(x: float, y: float, z: float) -> _Repair:
    return _with_matrix(lambda matrix: matrix @ np.diag([x, y, z, 1.0]))


def _turned_by_a_quarter(side: float) -> _Repair:
    turn = np.array([[0.0, -side, 0, 0], [side, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    return _with_matrix(lambda matrix: matrix @ turn)


def _intrinsics_first(label: _Label) -> _Label:
    values = np.concatenate([label.cam2world.ravel(), label.intrinsics.ravel()])
    return _Label(values[9:].reshape(4, 4), values[:9].reshape(3, 3))


def _out_of_pixels(label: _Label) -> _Label:
    side = 2 * label.intrinsics[:2, 2].max()
    return _Label(label.cam2world, np.diag([1 / side, 1 / side, 1]) @ label.intrinsics) if side > 4 else label


def _focal_out_of_pixels(label: _Label) -> _Label:
    """The focal length alone is in pixels: of the usual one in a picture of 64 to 2048 px."""
    focal = label.intrinsics[0, 0]
    if not 64 * FOCALS[0] <= focal <= 4096 * FOCALS[1] or focal <= FOCALS[1]:
        return label
    return _Label(label.cam2world, np.diag([FOCAL / focal, FOCAL / focal, 1]) @ _with_centre(label.intrinsics))


def _with_centre(intrinsics: np.ndarray) -> np.ndarray:
    centred = intrinsics.copy()
    centred[:2, 2] = 0.5 * intrinsics[0, 0] / FOCAL
    return centred


def _out_of_signed_coordinates(label: _Label) -> _Label:
    if np.abs(label.intrinsics[:2, 2]).max() > MARGIN:
        return label
    mended = label.intrinsics.copy()
    mended[:2] /= 2
    mended[:2, 2] += 0.5
    return _Label(label.cam2world, mended)


def _with_focal(label: _Label, horizontal: float, vertical: float) -> _Label:
    mended = label.intrinsics.copy()
    mended[0, 0], mended[1, 1] = horizontal, vertical
    return _Label(label.cam2world, mended)


def _from_field_of_view(radians: float) -> _Repair:
    """The number is an angle, in a unit of so many radians."""

    def mend(label: _Label) -> _Label:
        half = label.intrinsics[0, 0] * radians / 2
        if not math.radians(2) < half < math.radians(60):
            return label
        focal = 0.5 / math.tan(half)
        return _with_focal(label, focal, focal)

    return mend


def _with_square_pixels(label: _Label) -> _Label:
    """One side counts where pictures are cropped to squares: the number nearer to the usual one was divided by it."""
    both = label.intrinsics[[0, 1], [0, 1]]
    if (both <= 0).any():
        return label
    focal = both[np.abs(np.log(both / FOCAL)).argmin()]
    return _with_focal(label, focal, focal)


def _with_positive_focal(label: _Label) -> _Label:
    return _with_focal(label, *np.abs(label.intrinsics[[0, 1], [0, 1]]))


def _with_centred_point(label: _Label) -> _Label:
    mended = label.intrinsics.copy()
    if mended[:2, 2].min() > 4:
        mended[:2, 2] = 0.5
    return _Label(label.cam2world, mended)


def _with_places_changed(label: _Label) -> _Label:
    mended = label.intrinsics.copy()
    mended[[0, 1], [0, 1]], mended[:2, 2] = label.intrinsics[:2, 2], label.intrinsics[[0, 1], [0, 1]]
    return _Label(label.cam2world, mended)


_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
_MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
_FROM_INVERSE = _with_matrix(np.linalg.inv)
_FROM_OPENGL = _with_matrix(lambda matrix: matrix @ _OPENGL)
_FROM_Z_UP = _in_world([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
_MATRIX_REPAIRS: dict[str, _Repair] = {
    "the matrix maps world to camera, the inverse of cam2world": _FROM_INVERSE,
    "the camera's axes are OpenGL's (y up, z backwards), not OpenCV's (y down, z forward)": _FROM_OPENGL,
    "the matrix is an OpenGL view matrix: world to camera, y up, z backwards": _with_matrix(
        lambda matrix: np.linalg.inv(_OPENGL @ matrix)
    ),
    "the matrix is transposed (the translation stands in the last row)": _with_matrix(np.transpose),
    "the matrix is transposed, and maps world to camera": _with_matrix(lambda matrix: np.linalg.inv(matrix.T)),
    "the last row of the matrix was left out": _with_matrix(_with_last_row),
    "the intrinsics come first, then the matrix": _intrinsics_first,
    "the rotation is scaled": _with_matrix(_unscaled),
    "the axes are left-handed": _with_matrix(lambda matrix: matrix @ _MIRROR),
    "the world's y axis points down": _in_world([[1, 0, 0], [0, -1, 0], [0, 0, -1]]),
    "the world's z axis points up": _FROM_Z_UP,
    "the world's z axis points up and the matrix maps world to camera": _one_after_another([_FROM_INVERSE, _FROM_Z_UP]),
    "the world's z axis points up and the camera's axes are OpenGL's": _one_after_another([_FROM_OPENGL, _FROM_Z_UP]),
    "the world's y and z axes have changed places": _in_world([[1, 0, 0], [0, 0, 1], [0, 1, 0]]),
    "the rotation is transposed": _with_matrix(_with_rotation_transposed),
    "the camera's y axis alone points up: the axes are left-handed": _on_camera_axes(1, -1, 1),
    "the camera's z axis alone points backwards: the axes are left-handed": _on_camera_axes(1, 1, -1),
    "the world's x axis points left: it is left-handed": _in_world([[-1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    "the world's z axis points backwards: it is left-handed": _in_world([[1, 0, 0], [0, 1, 0], [0, 0, -1]]),
    "the picture was turned by a quarter after the camera was written down": _turned_by_a_quarter(1),
    "the picture was turned by a quarter after the camera was written down, to the other side": _turned_by_a_quarter(
        -1
    ),
}
"""Undoes each usual mistake of the matrix; the simplest first."""
_UNIT_REPAIRS: dict[str, _Repair] = {
    f"the translation is in a unit that is {count} times {'smaller' if small else 'larger'}": _in_units(
        1 / count if small else count
    )
    for count in _UNITS
    for small in (True, False)
}
"""Undoes other units of length."""
_INTRINSICS_REPAIRS: dict[str, _Repair] = {
    "the intrinsics are in pixels, not divided by the picture's side": _out_of_pixels,
    "the focal length is in pixels or millimetres, not divided by the picture's or the film's side": (
        _focal_out_of_pixels
    ),
    "the focal length is a field of view in degrees": _from_field_of_view(math.radians(1)),
    "the focal length is a field of view in radians": _from_field_of_view(1.0),
    "the focal lengths were divided by the width and the height of a picture that is not square": _with_square_pixels,
    "the principal point is in pixels": _with_centred_point,
    "focal lengths are negative, as in OpenGL's projections": _with_positive_focal,
    "the intrinsics are for coordinates from -1 to 1, not from 0 to 1": _out_of_signed_coordinates,
    "the intrinsics are transposed": lambda label: _Label(label.cam2world, label.intrinsics.T),
    "focal length and principal point have changed places": _with_places_changed,
}
