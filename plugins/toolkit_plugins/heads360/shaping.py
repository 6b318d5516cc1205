"""From a person to the vertices of a bust, in decimetres round the middle of the head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit_plugins.heads360.anatomy import Anatomy, anatomy
from toolkit_plugins.heads360.geometry import F32, Floats, Ints, rotation, vertex_normals
from toolkit_plugins.heads360.person import Person

UNIT = 5.2
"""Decimetres in one unit of the world."""
EYE_HEIGHT = 0.08
"""Of the eyes' middle above the origin, decimetres."""
REACH, TOP, FLOOR = 1.85, 1.9, -1.92
"""All a head has lies within this radius about the y axis, and between these heights, decimetres."""
_ARM_ANGLE = np.deg2rad(38)
_CHANGE_LIMIT = 0.9
_HABIT = {"nose-scale-horiz-decr-incr": -0.10, "nose-width2-decr-incr": -0.08}
_HABIT_OF_WOMEN = {
    "chin-width-decr-incr": -0.35, "chin-bones-decr-incr": -0.3, "chin-jaw-drop-decr-incr": -0.15,
    "mouth-upperlip-volume-decr-incr": 0.2, "mouth-lowerlip-volume-decr-incr": 0.15, "eye-scale-decr-incr": 0.12,
    "nose-scale-horiz-decr-incr": -0.2, "nose-volume-decr-incr": -0.15,
}  # fmt: skip
"""Shifts of the mean: MakeHuman's noses are wide and its women's jaws square once shapes vary this much."""
_SHAPE_STRENGTH = 1.95


class Bust(NamedTuple):
    """The deformed base mesh."""

    points: Floats
    """[V, 3]."""
    normals: Floats
    """[V, 3]."""
    centre: Floats
    """[3], what was subtracted: template + offset = points + centre."""
    turn: Floats
    """[3, 3], the head's lean."""


def bust_of(person: Person) -> Bust:
    """Deform the base mesh."""
    base = anatomy()
    points = base.template + (target_amounts(person) @ base.targets).reshape(-1, 3).astype(F32)
    _show_teeth(points, base, person)
    points = _lower_arms(points, base)
    turn = rotation(*person.expression.lean)
    points = _lean_head(points, base, turn)
    eyes = [points[base.vertices_of(f"helper-{side}-eye")].mean(0) for side in "lr"]
    middle = (eyes[0] + eyes[1]) / 2
    back = points[base.vertices_of("joint-head")].mean(0)[2] + 0.25
    centre = np.array([middle[0] * 0.5, middle[1] - EYE_HEIGHT, back], F32)
    points = (points - centre).astype(F32)
    normals = vertex_normals(points, _all_triangles())
    return Bust(confined(points), normals, centre, turn)


def confined(points: Floats) -> Floats:
    """Squeeze what lies far out into the visible cylinder: shoulders end as in the crops of portrait data sets."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    radius = np.sqrt(x * x + z * z)
    factor = _saturated(radius, F32(1.3), F32(REACH)) / np.maximum(radius, F32(1e-6))
    high = np.where(y > 0, _saturated(y, F32(1.5), F32(TOP)), y)
    low = np.where(y < 0, -_saturated(-y, F32(1.8), F32(-FLOOR)), high)
    return np.stack([x * factor, low, z * factor], -1).astype(F32)


def target_amounts(person: Person) -> Floats:
    """Amount [targets] of every target."""
    base = anatomy()
    amounts = np.zeros(len(base.target_names), F32)
    index = base.target_index
    genders = {"male": 1 - person.feminine, "female": person.feminine}
    ages = {"young": 1 - person.old, "old": person.old}
    muscles, weights = _three(person.muscle), _three(person.weight)
    races = dict(zip(("african", "asian", "caucasian"), person.ancestry, strict=True))
    for gender, by_gender in genders.items():
        for age, by_age in ages.items():
            for muscle, by_muscle in muscles.items():
                for weight, by_weight in weights.items():
                    name = f"universal {gender} {age} {muscle} {weight}"
                    amounts[index[name]] = by_gender * by_age * by_muscle * by_weight
            for race, share in races.items():
                amounts[index[f"ancestry {race} {gender} {age}"]] = share * by_gender * by_age
    _add_changes(amounts, person, base)
    for amount, name in zip(person.form, [n for n in base.target_names if n.startswith("form ")], strict=True):
        amounts[index[name]] = amount
    for name, amount in person.expression.actions.items():
        amounts[index[f"action {name}"]] = amount
    return amounts


def _add_changes(amounts: Floats, person: Person, base: Anatomy) -> None:
    strength = _SHAPE_STRENGTH * base.shape_basis[:, : len(person.shape)] @ person.shape
    habit = [_HABIT.get(n, 0.0) + person.feminine * _HABIT_OF_WOMEN.get(n, 0.0) for n in base.shape_names]
    strength = np.clip(strength + np.array(habit, F32), -_CHANGE_LIMIT, _CHANGE_LIMIT)
    uneven = np.random.default_rng(11).normal(size=(len(strength), len(person.asymmetry))) @ person.asymmetry
    for name, amount, odd in zip(base.shape_names, strength, 0.012 * uneven, strict=True):
        for side, extra in (("", 0.0), ("l-", odd), ("r-", -odd)):
            value = float(amount + extra)
            row = base.target_index.get(f"{'more' if value > 0 else 'less'} {side}{name}")
            if row is not None:
                amounts[row] = abs(value)
    rows = [row for row, name in enumerate(base.target_names) if name.startswith("asymmetry ")]
    mixing = np.random.default_rng(12).normal(size=(len(rows), len(person.asymmetry))) @ person.asymmetry
    amounts[rows] = np.clip(0.035 * mixing, 0, 0.2)


def _three(value: float) -> dict[str, float]:
    """Weights of MakeHuman's three steps."""
    return {"min": max(0.0, 1 - 2 * value), "average": 1 - abs(2 * value - 1), "max": max(0.0, 2 * value - 1)}


def _show_teeth(points: Floats, base: Anatomy, person: Person) -> None:
    """Bring the teeth, which lie deep, to where a smile shows them."""
    amount = F32(min(1.0, 1.6 * person.expression.teeth))
    upper, lower = base.vertices_of("helper-upper-teeth"), base.vertices_of("helper-lower-teeth")
    points[np.concatenate([upper, lower]), 2] += F32(0.03) * amount
    points[upper, 1] -= F32(0.03) * amount
    points[lower, 1] -= F32(0.02) * amount


def _lower_arms(points: Floats, base: Anatomy) -> Floats:
    """The rest pose lifts the shoulders."""
    for joint, arm, sign in (("joint-l-shoulder", "left arm", 1), ("joint-r-shoulder", "right arm", -1)):
        weight = base.weights[arm]
        pivot = points[base.vertices_of(joint)].mean(0)
        angle = (-sign * _ARM_ANGLE * weight).astype(F32)
        away = points - pivot
        cos, sin = np.cos(angle), np.sin(angle)
        turned = [away[:, 0] * cos - away[:, 1] * sin, away[:, 0] * sin + away[:, 1] * cos, away[:, 2]]
        points = np.where(weight[:, None] > 1e-3, pivot + np.stack(turned, 1), points).astype(F32)
    return points


def _lean_head(points: Floats, base: Anatomy, turn: Floats) -> Floats:
    weight = np.clip(base.weights["head"] + 0.5 * base.weights["neck"], 0, 1)
    tights = np.isin(np.arange(len(points)), base.vertices_of("helper-tights"))
    in_head = ~base.is_body & ~tights & (base.template[:, 1] > 6.1)
    weight = np.where(in_head, F32(1), weight)
    pivot = points[base.vertices_of("joint-neck")].mean(0)
    turned = (points - pivot) @ turn.T + pivot
    return np.asarray(points + weight[:, None] * (turned - points), F32)


def _saturated(values: Floats, start: np.float32, end: np.float32) -> Floats:
    room = end - start
    return np.where(values > start, start + room * np.tanh((values - start) / room), values)


def _all_triangles() -> Ints:
    quads = anatomy().quads
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
