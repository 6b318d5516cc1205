"""Who the people are: the shares and spreads that `population` states."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from toolkit_plugins.heads360 import population
from toolkit_plugins.heads360.from_latent import person_of
from toolkit_plugins.heads360.identity import latent_of
from toolkit_plugins.heads360.latent import biases
from toolkit_plugins.heads360.person import Person

COUNT = 400


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return [person_of(latent_of("train", 11, index)) for index in range(COUNT)]


@pytest.mark.parametrize("shares", [(0.72, 0.16, 0.12), (0.5, 0.5), (0.9, 0.06, 0.03, 0.01)])
def test_choices_come_as_often_as_their_share(shares: tuple[float, ...]):
    draws = np.random.default_rng(0).normal(size=(40_000, len(shares))) + biases(shares)
    found = np.bincount(draws.argmax(1), minlength=len(shares)) / len(draws)
    assert np.abs(found - shares).max() < 0.012


def test_what_is_never_worn_never_wins():
    draws = np.random.default_rng(0).normal(size=(20_000, 3)) + biases((0.5, 0.5, 0.0))
    assert not (draws.argmax(1) == 2).any()


def test_genders_ages_and_ancestries_are_balanced(people: list[Person]):
    feminine = np.array([person.feminine for person in people])
    assert 0.43 < (feminine > 0.5).mean() < 0.57
    assert ((feminine > 0.1) & (feminine < 0.9)).mean() < 0.45
    years = np.array([person.years for person in people])
    assert years.min() >= 18 and years.max() <= 80 and 38 < np.median(years) < 49
    assert (years > 60).mean() > 0.2 and (years < 30).mean() > 0.2
    shares = np.array([person.ancestry for person in people])
    assert np.allclose(shares.sum(1), 1) and np.abs(shares.mean(0) - 1 / 3).max() < 0.06
    assert 0.74 < shares.max(1).mean() < 0.88


def test_skin_covers_all_tones(people: list[Person]):
    melanin = np.array([person.skin.melanin for person in people])
    counts, _ = np.histogram(melanin, [0, 0.15, 0.3, 0.5, 1.01])
    assert counts.min() > 0.12 * COUNT


def test_every_style_beard_and_cloth_is_worn(people: list[Person]):
    styles = Counter(person.hair.style for person in people)
    assert set(styles) == set(population.HAIR_STYLES) and max(styles.values()) < 0.2 * COUNT
    assert set(Counter(person.hair.beard for person in people)) == set(population.BEARDS)
    assert set(Counter(person.dress.cloth for person in people)) == set(population.CLOTHES)


def test_women_wear_no_beards_and_glasses_are_as_rare_as_stated(people: list[Person]):
    assert all(person.hair.beard == "none" for person in people if person.feminine > 0.93)
    glasses = Counter(person.dress.glasses for person in people)
    for name, share in zip(population.GLASSES, (0.72, 0.16, 0.12), strict=True):
        assert abs(glasses[name] / COUNT - share) < 0.06


def test_hair_is_grey_with_age_and_fair_with_fair_skin(people: list[Person]):
    young = [person.hair.grey for person in people if person.years < 35]
    aged = [person.hair.grey for person in people if person.years > 65]
    assert np.mean(young) < 0.02 and np.mean(aged) > 0.4
    bright = [person for person in people if person.hair.colour[1] > 0.1]
    assert len(bright) > 0.05 * COUNT and all(person.skin.melanin < 0.5 for person in bright)


def test_expressions_smile_and_speak(people: list[Person]):
    smiles = [person.expression.actions.get("mouthSmileLeft", 0.0) for person in people]
    assert 0.4 < np.mean(np.array(smiles) > 0.05) < 0.7
    assert 0.2 < np.mean([person.expression.teeth > 0.2 for person in people]) < 0.5
    assert 0.01 < np.mean([person.expression.actions.get("eyeBlinkLeft", 0.0) > 0.3 for person in people]) < 0.08
