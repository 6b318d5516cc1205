"""From a latent to a person."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from toolkit.errors import InputError
from toolkit_plugins.heads360 import population
from toolkit_plugins.heads360.expression import expression_of
from toolkit_plugins.heads360.geometry import F32, Floats, smoothstep
from toolkit_plugins.heads360.latent import LATENT_DIM, Latent
from toolkit_plugins.heads360.person import Dress, Hair, Person, Skin


def person_of(latent: Tensor) -> Person:
    """Read a latent [LATENT_DIM].

    Raises:
        InputError: Another shape, or numbers that are not finite.
    """
    values = latent.detach().cpu().double().numpy()
    if values.shape != (LATENT_DIM,) or not np.isfinite(values).all():
        raise InputError(f"a latent must be {LATENT_DIM} finite numbers, got shape {list(values.shape)}")
    read = Latent(values)
    feminine = float(0.5 + 0.5 * np.tanh(4 * read.normals("gender")[0]))
    years, ancestry = population.years_of(read), population.ancestry_of(read)
    old = max(0.0, (years - 25) / 65)
    muscle, weight = read.quantiles("build")
    melanin = population.melanin_of(ancestry, read.quantiles("skin")[0])
    fairness = ancestry[2] ** 1.5 * float(smoothstep(0.4, 0.2, melanin))
    digest = np.ascontiguousarray(latent.detach().cpu().float().numpy()).tobytes()
    return Person(
        feminine=feminine,
        years=years,
        ancestry=ancestry,
        muscle=0.15 + 0.7 * muscle,
        weight=0.12 + 0.76 * weight,
        shape=read.normals("shape").astype(F32),
        form=_form(read),
        asymmetry=read.normals("asymmetry").astype(F32),
        skin=_skin(read, feminine, old, melanin),
        iris=population.iris_of(read, fairness),
        hair=_hair(read, feminine, old, ancestry, fairness),
        dress=_dress(read, feminine),
        expression=expression_of(read),
        seed=int(np.frombuffer(digest, np.uint32).sum(dtype=np.uint64) & 0x7FFFFFFF),
    )


def _form(read: Latent) -> Floats:
    return np.clip(read.normals("form") - 0.4, 0, 2).astype(F32) * F32(0.3)


def _skin(read: Latent, feminine: float, old: float, melanin: float) -> Skin:
    _, blood, yellow, freckles, moles, wrinkles, blemishes, shine = read.quantiles("skin")
    paint, hue = read.quantiles("makeup")
    colours = np.array([(0.40, 0.03, 0.06), (0.48, 0.10, 0.12), (0.30, 0.04, 0.10), (0.5, 0.18, 0.15)], F32)
    return Skin(
        melanin=melanin,
        blood=0.12 + 0.55 * blood,
        yellow=-0.08 + 0.22 * yellow,
        freckles=float(smoothstep(0.72, 1.0, freckles)) * float(smoothstep(0.42, 0.2, melanin)),
        moles=moles,
        wrinkles=float(np.clip(1.25 * old * (0.6 + 0.8 * wrinkles) - 0.05, 0, 1)),
        blemishes=blemishes,
        shine=0.5 + 0.9 * shine,
        lipstick=float(smoothstep(0.6, 0.95, paint)) * float(smoothstep(0.6, 0.95, feminine)),
        lip_colour=population.ramp(colours, hue),
    )


def _hair(
    read: Latent, feminine: float, old: float, ancestry: tuple[float, float, float], fairness: float
) -> Hair:  # fmt: skip
    length, volume, curl, parting, recession, tidiness = read.quantiles("hair shape")
    thickness, density, arch = read.quantiles("brows")
    beard_length, beard_density = read.quantiles("beard shape")
    colour, grey = population.hair_colour_of(read, fairness, old)
    style = population.HAIR_STYLES[read.choice("hair style", population.hair_shares(feminine, old, ancestry[0]))]
    return Hair(
        style=style,
        colour=colour,
        grey=grey,
        length=length,
        volume=volume,
        curl=float(np.clip(curl + 0.45 * ancestry[0] - 0.3 * ancestry[1], 0, 1)),
        parting=2 * parting - 1,
        recession=(1 - feminine) * float(np.clip(0.25 * recession + 1.1 * old * recession, 0, 1)),
        tidiness=tidiness,
        brow_thickness=(0.75 + 0.75 * thickness) * (1 - 0.3 * feminine),
        brow_density=0.35 + 0.6 * density,
        brow_arch=2 * arch - 1,
        beard=population.BEARDS[read.choice("beard", population.beard_shares(feminine))],
        beard_length=beard_length,
        beard_density=0.45 + 0.55 * beard_density,
    )


def _dress(read: Latent, feminine: float) -> Dress:
    hue, saturation, value, hue2, value2 = read.quantiles("cloth colour")
    width, height, squareness, colour = read.quantiles("glasses shape")
    return Dress(
        cloth=population.CLOTHES[read.choice("cloth", population.cloth_shares(feminine))],
        pattern=population.PATTERNS[read.choice("pattern", (0.74, 0.10, 0.10, 0.06))],
        colours=np.stack([_dye(hue, saturation, value), _dye(hue2, 1 - saturation, value2)]),
        glasses=population.GLASSES[read.choice("glasses", (0.72, 0.16, 0.12))],
        glasses_shape=(width, height, squareness, colour),
        earrings=population.EARRINGS[read.choice("earrings", (0.96 - 0.5 * feminine, 0.03 + 0.27 * feminine,
                                                              0.01 + 0.23 * feminine))],
    )  # fmt: skip


def _dye(hue: float, saturation: float, value: float) -> Floats:
    """A colour of cloth [3]: many muted, few vivid, from black to white."""
    wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue + np.array([0, 0.33, 0.67])))
    amount = saturation**2.2 * 0.9
    return np.asarray(((1 - amount) + amount * wheel) * (0.015 + 0.7 * value**1.5), F32)
