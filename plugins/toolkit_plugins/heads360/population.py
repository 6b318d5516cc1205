"""Who the people are: how ages, ancestries, tones, hair and clothes are spread, and how they depend on each other.

| trait                | distribution                                                                      |
| -------------------- | --------------------------------------------------------------------------------- |
| gender               | half each; a fifth of all people in between                                       |
| age                  | 18 to 80 years, median about 42                                                   |
| ancestry             | three shares that sum to 1, alike in distribution; the largest is 0.82 on average |
| melanin              | by ancestry, wide, a fifth of all people much darker than their ancestry says     |
| hair colour          | black to platinum, mostly dark; fair and red only with light skin, grey with age  |
| hair style, beard    | by gender, age and ancestry; every style at some percent of all people            |
| clothes              | twelve kinds, even, some by gender                                                |
| glasses              | none 0.72, thin 0.16, thick 0.12                                                  |
"""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.geometry import F32, Floats, smoothstep
from toolkit_plugins.heads360.latent import Latent

HAIR_STYLES = (
    "bald", "balding", "buzz", "crop", "swept", "parted", "spiky", "curly top",
    "pixie", "bob", "long", "long fringe", "wavy", "curls", "afro", "bun", "pony tail", "braids",
)  # fmt: skip
BEARDS = ("none", "stubble", "moustache", "goatee", "short", "full", "chin strap")
CLOTHES = (
    "t-shirt", "v-neck", "turtleneck", "hoodie", "shirt", "tank top",
    "polo", "suit", "jacket", "sweater", "blouse", "dungarees",
)  # fmt: skip
PATTERNS = ("plain", "stripes", "check", "dots")
GLASSES = ("none", "thin", "thick")
EARRINGS = ("none", "studs", "hoops")
ANCESTRIES = ("african", "asian", "caucasian")

_HAIR_RAMP = np.array(
    [(.018, .015, .014), (.034, .022, .016), (.062, .036, .022), (.11, .068, .04), (.19, .125, .07), (.34, .245, .14),
     (.52, .43, .29)], F32)  # fmt: skip
_RED_RAMP = np.array(
    [(.03, .016, .012), (.07, .026, .015), (.14, .05, .024), (.22, .078, .03), (.32, .13, .05), (.42, .21, .09),
     (.5, .31, .16)], F32)  # fmt: skip
_IRIS_RAMP = np.array(
    [(.045, .02, .012), (.09, .042, .02), (.15, .08, .032), (.15, .125, .055), (.11, .16, .10), (.12, .19, .25),
     (.17, .22, .26)], F32)  # fmt: skip


def ramp(colours: Floats, at: float) -> Floats:
    """The colour [3] at 0..1 along a row of colours."""
    place = float(np.clip(at, 0, 1)) * (len(colours) - 1)
    low = min(int(place), len(colours) - 2)
    return np.asarray(colours[low] + (colours[low + 1] - colours[low]) * F32(place - low))


def ancestry_of(latent: Latent) -> tuple[float, float, float]:
    """Shares of the three ancestries."""
    weights = np.exp(3.2 * latent.normals("ancestry"))
    african, asian, caucasian = weights / weights.sum()
    return float(african), float(asian), float(caucasian)


def years_of(latent: Latent) -> float:
    """Age in years, 18 to 80."""
    return 18 + 62 * latent.quantiles("age")[0] ** 1.25


def melanin_of(ancestry: tuple[float, float, float], quantile: float) -> float:
    """Melanin, 0.03 (very fair) to 1 (very dark)."""
    african, asian, caucasian = ancestry
    middle = 0.66 * african + 0.21 * asian + 0.11 * caucasian
    width = 0.46 * african + 0.24 * asian + 0.17 * caucasian
    extra = 0.25 * float(smoothstep(0.78, 1.0, quantile)) * (1 - african)
    return float(np.clip(middle + width * (quantile - 0.5) + extra, 0.03, 1))


def hair_colour_of(latent: Latent, fairness: float, old: float) -> tuple[Floats, float]:
    """Colour [3] of the hair without grey, and the share of grey hair; `fairness` in 0..1 allows fair hair."""
    tone, red, grey = latent.quantiles("hair colour")
    at = 0.02 + (0.2 + 0.8 * fairness) * tone**0.9
    redness = float(smoothstep(0.8, 0.95, red)) * (0.3 + 0.7 * fairness)
    colour = ramp(_HAIR_RAMP, at) * F32(1 - redness) + ramp(_RED_RAMP, at + 0.1 * redness) * F32(redness)
    share = float(smoothstep(0.14, 0.7, old * (0.35 + 0.9 * grey)))
    return np.asarray(colour), share


def iris_of(latent: Latent, fairness: float) -> Floats:
    """Colour [3] of the iris."""
    tone, shade = latent.quantiles("iris")
    at = tone * (0.28 + 0.72 * fairness) * (1 if fairness > 0.3 else 0.6)
    return np.asarray(ramp(_IRIS_RAMP, at) * F32(0.7 + 0.6 * shade))


def hair_shares(feminine: float, old: float, african: float) -> list[float]:
    """How often each of HAIR_STYLES is worn."""
    coily = 0.6 + 5 * african
    men = (.05 + .05 * old, .03 + .17 * old, .14, .16, .14, .13, .07 * (1 - old), .09, .02, .02, .03, .01, .03,
           .03, .03 * coily, .02, .02, .01)  # fmt: skip
    women = (.01, .0, .015, .03, .05, .04, .01, .02, .08, .13, .14, .10, .11, .08, .035 * coily, .08, .09,
             .06)  # fmt: skip
    return [(1 - feminine) * a + feminine * b + 1e-4 for a, b in zip(men, women, strict=True)]


def beard_shares(feminine: float) -> list[float]:
    """How often each of BEARDS is worn."""
    worn = (1 - feminine) ** 3
    return [1 - 0.6 * worn, *(share * worn for share in (0.17, 0.07, 0.09, 0.12, 0.10, 0.05))]


def cloth_shares(feminine: float) -> list[float]:
    """How often each of CLOTHES is worn."""
    men = (0.16, 0.08, 0.06, 0.10, 0.13, 0.05, 0.09, 0.12, 0.10, 0.10, 0.0, 0.01)
    women = (0.12, 0.12, 0.09, 0.08, 0.09, 0.08, 0.04, 0.07, 0.08, 0.10, 0.10, 0.03)
    return [(1 - feminine) * a + feminine * b + 1e-4 for a, b in zip(men, women, strict=True)]
