"""Skin: melanin and blood, lips, freckles, moles, stubble, scalp, brows, pores, wrinkles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.geometry import F32, Floats, bell, dot, smoothstep, unit
from toolkit_plugins.heads360.hair.face import BROW_LENGTH, BROW_START, beard_mask, brow_height
from toolkit_plugins.heads360.hair.scalp import above_hairline
from toolkit_plugins.heads360.hair.styles import hair_recession
from toolkit_plugins.heads360.labels import Label
from toolkit_plugins.heads360.light import Light
from toolkit_plugins.heads360.noise import fractal, noise
from toolkit_plugins.heads360.person import Person
from toolkit_plugins.heads360.shading.samples import Samples

_BASE = np.array([0.20, 0.40, 0.62], F32)
_MELANIN = np.array([1.85, 2.4, 2.75], F32)
_BLOOD = np.array([0.04, 0.46, 0.36], F32)
_YELLOW = np.array([0.0, 0.06, 0.5], F32)
_STUBBLE = {"none": 0.06, "stubble": 0.5, "short": 0.6, "full": 0.6}
_SCALP = {"bald": 0.35, "buzz": 0.85, "balding": 0.6}


class SkinMap(NamedTuple):
    """What skin is like at each vertex of the base mesh."""

    values: Floats
    """[V, len(COLUMNS)]."""
    moles: Floats
    """[M, 4], template place and radius."""


COLUMNS = ("lips", "inside", "ears", "neck", "melanin", "blood", "stubble", "scalp", "open", "forehead", "crow", "fold",
           "oily", "bag")  # fmt: skip


def skin_map(person: Person, openness: Floats) -> SkinMap:
    """All that varies slowly, once per head."""
    base, skin = anatomy(), person.skin
    place = base.template
    x, y, z = place.T
    beside = np.stack([np.abs(x), y, z], 1)
    flat = beside[:, :2]
    masks, seed = base.masks, person.seed % 50
    red = bell(beside, [0.42, 6.95, 1.3], [0.2, 0.17, 0.5]) + 0.8 * bell(place, [0, 6.93, 1.66], [0.13, 0.1, 0.14])
    red += 0.5 * masks["ears"] + 0.25 * bell(place, [0, 6.3, 1.45], [0.15, 0.1, 0.2])
    red += 0.35 * bell(flat, [0.31, 7.17], [0.18, 0.07]) - 0.35 * bell(place, [0, 7.75, 1.4], [0.5, 0.3, 0.5])
    uneven = 0.5 + skin.blemishes
    blood = skin.blood * (1 + 0.3 * uneven * fractal(place, 3, 5.0, 3 + seed)) + 0.32 * red * (0.5 + skin.blood)
    melanin = skin.melanin * (1 + 0.12 * uneven * fractal(place, 3, 3.0, 11 + seed))
    socket = bell(flat, [0.31, 7.15], [0.17, 0.06]) + 0.6 * masks["eyelids"]
    melanin = melanin + 0.09 * socket * (0.4 + skin.melanin) * (0.5 + person.old)
    neck = (base.weights["head"] < 0.5) & (y < 6.6)
    side = bell(flat, [0.62, 7.27], [0.12, 0.13]) + 0.5 * bell(flat, [0.33, 7.1], [0.16, 0.06])
    fold = bell(np.stack([np.abs(x) - (0.24 + 0.30 * (6.95 - y)), y], 1), [0, 6.83], [0.022, 0.14]) * (z > 1.2)
    hair, style = person.hair, person.hair.style
    stubble = (1 - person.feminine) * _STUBBLE.get(hair.beard, 0.3)
    area = "full" if hair.beard in ("none", "stubble", "short", "full") else hair.beard
    scalp = smoothstep(-0.03, 0.10, above_hairline(place, hair_recession(person)) + 0.03 * fractal(place, 2, 9.0))
    scalp = scalp * (masks["ears"] < 0.5) * _SCALP.get(style, 0.92) * (1 if style != "bald" else person.skin.moles)
    if style == "balding":
        scalp = scalp * (1 - 0.85 * smoothstep(7.75, 8.1, y))
    columns = (
        masks["lips"], masks["inside-mouth"], np.maximum(masks["ears"], base.is_ear), neck, melanin, blood,
        stubble * beard_mask(place, area), scalp, openness, bell(place, [0, 7.8, 1.4], [0.5, 0.22, 0.4]), side, fold,
        bell(place, [0, 7.25, 1.6], [0.24, 0.6, 0.35]), bell(flat, [0.30, 7.06], [0.16, 0.035]),
    )  # fmt: skip
    return SkinMap(np.stack([np.asarray(column, F32) for column in columns], 1), _moles(person))


def _moles(person: Person) -> Floats:
    """Up to nine, on face and neck."""
    base, rng = anatomy(), np.random.default_rng(person.seed + 1)
    count = int(9 * person.skin.moles**2)
    _, y, z = base.template.T
    free = np.nonzero(base.is_body & (z > 0.2) & (y > 5.6) & (base.masks["lips"] < 0.1))[0]
    places = base.template[rng.choice(free, count)] + rng.normal(0, 0.03, (count, 3))
    return np.c_[places, rng.uniform(0.008, 0.02, count)].astype(F32)


def albedo_of(melanin: Floats, blood: Floats, yellow: float) -> Floats:
    """Colour [N, 3] of skin with melanin [N] and blood [N]."""
    dark, red = np.clip(melanin, 0, 1.3), np.clip(blood, 0, 2)
    veiled = red * np.exp(-1.5 * np.clip(dark, 0, 1))
    depth = _BASE + dark[:, None] * _MELANIN + veiled[:, None] * _BLOOD + F32(yellow) * _YELLOW
    return np.exp(-depth).astype(F32)


def shade_skin(
    s: Samples, person: Person, skin: SkinMap, irradiance: Floats, light: Light
) -> tuple[Floats, NDArray[np.uint8]]:
    """Radiance [N, 3] and labels [N] of skin."""
    m = dict(zip(COLUMNS, s.mixed(skin.values).T, strict=True))
    place, about = s.places, person.skin
    lip = smoothstep(0.35, 0.65, m["lips"] + 0.06 * noise(place, 25))
    inside = smoothstep(0.4, 0.8, m["inside"]) * (1 - lip)
    colour = albedo_of(*_pigments(place, m, person, skin.moles), about.yellow)
    pores = np.stack([noise(place, 42, shift) for shift in (0, 1, 2)], 1)
    fine = noise(place, 70, 3)
    colour, label_hair, label_brow = _with_hair(colour, place, m, person, fine, lip)
    colour = _with_lips(colour, place, lip, inside, person)
    inner = (inside > 0.5) & (place[:, 2] < 1.44)
    colour = np.where(inner[:, None], colour * F32(0.35), colour)
    normal, crease = _bumped(s, m, person, pores, lip)
    colour = colour * (1 - F32(0.35) * crease)[:, None]
    shade = _relief(normal, s.normals) * (0.55 + 0.45 * m["open"])
    received = s.mixed(irradiance) * shade[:, None]
    lamp = _lamp_on_skin(normal, light, s.lamp)
    bounce = (0.12 * (1 - m["open"]))[:, None] * colour * received.mean(1, keepdims=True)
    radiance = colour * (received + lamp + bounce)
    radiance += _gloss(s, normal, m, light, about.shine, lip) * (1 - F32(0.8) * inner)[:, None]
    labels = np.full(len(s), Label.SKIN, np.uint8)
    for chosen, label in (
        (m["neck"] > 0.5, Label.NECK), (m["ears"] > 0.5, Label.EAR), (label_hair, Label.HAIR),
        (label_brow, Label.BROW), (lip > 0.5, Label.LIP), (inside > 0.5, Label.MOUTH),
    ):  # fmt: skip
        labels[chosen] = label
    return radiance.astype(F32), labels


def _pigments(place: Floats, m: dict[str, Floats], person: Person, moles: Floats) -> tuple[Floats, Floats]:
    about = person.skin
    shift = float(person.seed % 61)
    fine = noise(place, 21, shift)
    melanin = m["melanin"] * (1 + 0.07 * fine) + 0.02 * noise(place, 13, shift)
    blood = m["blood"] * (1 + 0.12 * noise(place, 17, shift + 1) + 0.08 * fine)
    if about.freckles > 0.02:
        x, y = np.abs(place[:, 0]), place[:, 1]
        spots = smoothstep(0.42, 0.7, noise(place, (52, 52, 24), shift) + 0.25 * noise(place, 9, shift))
        melanin = melanin + about.freckles * 0.26 * spots * (bell(np.stack([x, y], 1), [0.2, 7.0], [0.42, 0.26]) + 0.12)
    for *middle, radius in moles:
        away = place - np.array(middle, F32)
        melanin = melanin + 0.45 * smoothstep(1.3, 0.6, np.sqrt(dot(away, away)) / radius)
    return melanin, blood


def _with_hair(
    colour: Floats, place: Floats, m: dict[str, Floats], person: Person, fine: Floats, lip: Floats
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Paint stubble, the scalp under hair, and the ground of the brows."""
    hair = person.hair
    tone = hair.colour * F32(1 - hair.grey) + F32(0.42 * hair.grey)
    stubble = np.clip(m["stubble"] * (0.75 + 0.5 * fine) * (1 - lip), 0, 1) * F32(0.62)
    colour = colour * (1 - stubble[:, None]) + (tone * F32(0.5) + F32(0.02)) * stubble[:, None]
    scalp = np.clip(m["scalp"] * (0.85 + 0.25 * fine), 0, 0.92)
    colour = colour * (1 - scalp[:, None]) + tone * F32(0.4) * scalp[:, None]
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    along = (x - BROW_START) / BROW_LENGTH
    inside = np.clip(along, 0, 1)
    height = brow_height(inside, hair.brow_arch)
    width = 0.033 * (1 - 0.62 * inside**1.5) * hair.brow_thickness
    brow = smoothstep(1.2, 0.3, np.abs(y - height) / width) * (z > 0.9)
    brow = brow * smoothstep(-0.05, 0.2, along) * smoothstep(1.02, 0.75, along) * F32(0.42 * hair.brow_density)
    colour = colour * (1 - brow[:, None]) + (tone * F32(0.5) + F32(0.01)) * brow[:, None]
    return colour, scalp > 0.5, brow > 0.2


def _with_lips(colour: Floats, place: Floats, lip: Floats, inside: Floats, person: Person) -> Floats:
    about = person.skin
    tone = np.array([about.melanin * 0.8 + 0.04], F32), np.array([about.blood + 0.5], F32)
    natural = albedo_of(*tone, about.yellow - 0.05)[0] * np.array([0.92, 0.88, 0.92], F32)
    tint = natural * (1 - about.lipstick) + about.lip_colour * F32(0.85 * about.lipstick)
    lines = 1 + 0.10 * noise(place, (60, 8, 8))
    colour = colour * (1 - lip[:, None]) + tint * (lip * lines)[:, None]
    return np.asarray(colour * (1 - inside[:, None]) + np.array([0.16, 0.035, 0.03], F32) * inside[:, None])


def _bumped(
    s: Samples, m: dict[str, Floats], person: Person, pores: Floats, lip: Floats
) -> tuple[Floats, Floats]:  # fmt: skip
    """Normals [N, 3] with pores and wrinkles, and how deep in a crease each point lies [N]."""
    x, y = np.abs(s.places[:, 0]), s.places[:, 1]
    rough = F32(0.085 + 0.10 * person.old)
    normal = s.normals + rough * pores * (1 - 0.5 * lip)[:, None]
    crease = np.zeros(len(s), F32)
    old = person.skin.wrinkles
    lift = sum(person.expression.actions.get(f"browOuterUp{side}", 0.0) for side in ("Left", "Right")) / 2
    smile = person.expression.actions.get("mouthSmileLeft", 0.0)
    if old > 0.03 or lift > 0.1:
        wave = y * 40 + 1.4 * noise(s.places, 3, 5) + 0.8 * noise(s.places, 7, 6)
        amount = (old + 0.6 * lift) * m["forehead"] * (0.55 + 0.45 * noise(s.places, 4, 7))
        normal[:, 1] += 0.30 * amount * np.cos(wave)
        crease += 0.6 * amount * smoothstep(0.75, 1.0, np.sin(wave))
    if old > 0.03 or smile > 0.2:
        wave = y * 70 + x * (30 + 60 * (y - 7.27)) + 1.5 * noise(s.places, 5, 8)
        amount = (old + 0.3 * smile) * m["crow"]
        normal[:, 1] += 0.24 * amount * np.cos(wave)
        crease += 0.5 * amount * smoothstep(0.7, 1.0, np.sin(wave))
    crease += (0.25 * person.old + 0.55 * old + 0.3 * smile) * m["fold"] + 0.3 * old * m["bag"]
    return unit(normal), np.clip(crease, 0, 1)


def _relief(normal: Floats, smooth: Floats) -> Floats:
    """Ambient light [N] on a bump, relative to the smooth surface."""
    return np.clip(1 + 0.55 * (normal[:, 1] - smooth[:, 1]), 0.5, 1.5).astype(F32)


def _lamp_on_skin(normal: Floats, light: Light, shadow: Floats) -> Floats:
    """The lamp's irradiance [N, 3] / pi, bleeding round edges, most in red."""
    facing = normal @ light.lamp_direction
    wrapped = [np.clip((facing + wrap) / (1 + wrap), 0, 1) ** (1 + wrap) for wrap in (0.22, 0.09, 0.04)]
    edges = np.stack([shadow**power for power in (0.7, 0.95, 1.0)], 1)
    return np.asarray(np.stack(wrapped, 1) * edges * light.lamp / np.pi, F32)


def _gloss(s: Samples, normal: Floats, m: dict[str, Floats], light: Light, shine: float, lip: Floats) -> Floats:
    """Mirrored light [N, 3]."""
    half = unit(light.lamp_direction + s.view)
    sharp = np.where(lip > 0.5, 60, 15 + 14 * m["oily"])
    along = np.clip(dot(normal, half), 1e-4, 1)
    lobe = (sharp + 8) / 25 * along**sharp * np.clip(normal @ light.lamp_direction, 0, 1) * s.lamp
    amount = 0.030 * shine * (1 + 0.9 * lip) * (0.65 + 0.9 * m["oily"])
    facing = np.clip(dot(normal, s.view), 0, 1)
    fresnel = (0.022 + 0.4 * (1 - facing) ** 5) * m["open"] * 0.5
    mirrored = 2 * dot(normal, s.view)[:, None] * normal - s.view
    return np.asarray((amount * lobe)[:, None] * light.lamp / 3 + fresnel[:, None] * light.radiance(mirrored), F32)
