"""Skin: melanin and blood, lips, freckles, moles, stubble, scalp, brows, pores, wrinkles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.compiled.skin import shade_skin_points
from toolkit_plugins.heads360.compiled.skin_light import SkinLight
from toolkit_plugins.heads360.compiled.skin_look import SkinLook, SkinNoise
from toolkit_plugins.heads360.geometry import F32, Floats, numbers
from toolkit_plugins.heads360.light import Light
from toolkit_plugins.heads360.noise import noise
from toolkit_plugins.heads360.person import Person
from toolkit_plugins.heads360.shading.samples import Samples
from toolkit_plugins.heads360.shading.skin_map import SkinMap


def shade_skin(
    s: Samples, own: NDArray[np.int64], person: Person, skin: SkinMap, irradiance: Floats, light: Light,
    radiance: Floats, labels: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Write radiance and labels of skin.

    Args:
        s: N points.
        own: [M], which of them are on skin.
        person: The person.
        skin: The person's skin at the vertices.
        irradiance: [V, 3] / pi, without the lamp.
        light: The light.
        radiance: [N, 3].
        labels: [N], see `Label`.
    """
    told = SkinLight(
        numbers(light.lamp_direction), numbers(light.lamp), numbers(light.sky), numbers(light.ground), float(light.side)
    )
    rough = _noise(s.places.take(own, 0), person)
    shade_skin_points(own, s, _look(person, skin), rough, irradiance, told, radiance, labels)


def _noise(places: Floats, person: Person) -> SkinNoise:
    about, actions, shift, nowhere = person.skin, person.expression.actions, float(person.seed % 61), places[:0]
    freckled = places if about.freckles > 0.02 else nowhere
    wrinkled = about.wrinkles > 0.03
    forehead = places if wrinkled or _lifted(person) > 0.1 else nowhere
    crow = places if wrinkled or actions.get("mouthSmileLeft", 0.0) > 0.2 else nowhere
    return SkinNoise(
        edge=noise(places, 25), hair=noise(places, 70, 3), pigment=noise(places, 21, shift),
        melanin=noise(places, 13, shift), blood=noise(places, 17, shift + 1),
        pores=(noise(places, 42, 0), noise(places, 42, 1), noise(places, 42, 2)), lines=noise(places, (60, 8, 8)),
        freckles=noise(freckled, (52, 52, 24), shift) + F32(0.25) * noise(freckled, 9, shift),
        forehead=(noise(forehead, 3, 5), noise(forehead, 7, 6), noise(forehead, 4, 7)), crow=noise(crow, 5, 8),
    )  # fmt: skip


def _lifted(person: Person) -> float:
    actions = person.expression.actions
    return (actions.get("browOuterUpLeft", 0.0) + actions.get("browOuterUpRight", 0.0)) / 2


def _look(person: Person, skin: SkinMap) -> SkinLook:
    about, hair, actions = person.skin, person.hair, person.expression.actions
    return SkinLook(
        map=skin.values, moles=skin.moles, yellow=float(about.yellow),
        freckles=float(about.freckles), shine=float(about.shine), old=float(person.old),
        wrinkles=float(about.wrinkles), lifted=float(_lifted(person)), smile=float(actions.get("mouthSmileLeft", 0.0)),
        lip_melanin=float(about.melanin * 0.8 + 0.04), lip_blood=float(about.blood + 0.5),
        lipstick=float(about.lipstick), lip_colour=numbers(about.lip_colour),
        hair=numbers(hair.colour * F32(1 - hair.grey) + F32(0.42 * hair.grey)),
        brow_arch=float(hair.brow_arch), brow_thickness=float(hair.brow_thickness),
        brow_density=float(hair.brow_density),
    )  # fmt: skip
