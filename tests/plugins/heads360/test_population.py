"""Who the people are: the shares and spreads that `population` states."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from toolkit_plugins.heads360 import population
from toolkit_plugins.heads360.details import draw_details
from toolkit_plugins.heads360.from_latent import person_of
from toolkit_plugins.heads360.hats import HATS
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
    assert 0.15 < ((feminine > 0.1) & (feminine < 0.9)).mean() < 0.35
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


def test_three_of_five_men_wear_a_beard_and_every_kind_is_worn(people: list[Person]):
    beards = Counter(person.hair.beard for person in people if person.feminine < 0.1)
    assert 0.28 < beards["none"] / beards.total() < 0.52
    worn = [beards[name] / beards.total() for name in population.BEARDS[1:]]
    assert min(worn) > 0.02 and max(worn) < 0.3


def test_most_clothes_are_plain_and_mostly_women_wear_earrings(people: list[Person]):
    patterns = Counter(person.dress.pattern for person in people)
    for name, share in zip(population.PATTERNS, (0.74, 0.10, 0.10, 0.06), strict=True):
        assert abs(patterns[name] / COUNT - share) < 0.06
    earrings = Counter(person.dress.earrings for person in people if person.feminine > 0.9)
    assert 0.4 < earrings["none"] / earrings.total() < 0.68 and min(earrings.values()) > 0.1 * earrings.total()
    assert np.mean([person.dress.earrings != "none" for person in people if person.feminine < 0.1]) < 0.12


def test_a_fifth_of_wild_people_wear_a_hat_and_few_a_scarf():
    details = [draw_details("train", 11, index) for index in range(COUNT)]
    hats = Counter(each.hat for each in details)
    assert set(hats) == set(HATS) and 0.15 < 1 - hats["none"] / COUNT < 0.27
    assert 0.04 < np.mean([each.scarf for each in details]) < 0.13


def test_hair_is_black_brown_or_fair_as_often_as_the_page_says(people: list[Person]):
    luma = np.array([person.hair.colour for person in people]) @ [0.2126, 0.7152, 0.0722]
    black, brown, fair = (luma < 0.03), (luma >= 0.03) & (luma < 0.12), (luma >= 0.12)
    assert 0.6 < black.mean() < 0.8 and 0.15 < brown.mean() < 0.35 and 0.02 < fair.mean() < 0.1
    assert 0.25 < np.mean([person.hair.grey > 0.3 for person in people]) < 0.45


def test_the_page_counts_what_there_is():
    page = (Path(__file__).parents[3] / "docs/data.md").read_text(encoding="utf-8")
    counts = re.search(r"(\d+) styles.*?(\d+) beards and none", page)
    assert counts is not None
    assert tuple(map(int, counts.groups())) == (len(population.HAIR_STYLES), len(population.BEARDS) - 1)
    assert "| twelve kinds, four patterns |" in page
    assert (len(population.CLOTHES), len(population.PATTERNS)) == (12, 4)
    assert len(population.HAIR_STYLES) >= 14 and len(population.BEARDS) - 1 >= 6


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
