"""What the toolkit asks of every method, asked of these."""

from __future__ import annotations

import pytest

from toolkit.testing.conformance import check_method
from toolkit_plugins.optimisation.mean import open_mean
from toolkit_plugins.optimisation.pivotal_tuning import open_pti
from toolkit_plugins.optimisation.wplus import open_wplus

OPTIONS = {"samples": 64, "steps": 4}


@pytest.mark.parametrize("preset", ["fast", "default", "quality"])
def test_wplus_and_pti_conform(generator, preset):
    options = {**OPTIONS, "preset": preset}
    check_method(open_wplus(generator, None, options), generator)
    check_method(open_pti(generator, None, {**options, "tuning_steps": 3}), generator)


def test_the_mean_head_conforms_and_needs_no_capability(generator, bare):
    for each in (generator, bare):
        check_method(open_mean(each, None, {"samples": 64}), each)


def test_wplus_needs_no_capability(bare):
    check_method(open_wplus(bare, None, OPTIONS), bare)
