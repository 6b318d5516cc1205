"""Check values of StyleGAN2-ADA's projector for 500 steps."""

from __future__ import annotations

import pytest

from toolkit_plugins.optimisation.schedule import learning_rate_factor, noise_factor


@pytest.mark.parametrize(
    ("step", "factor"), [(0, 0.0), (1, 0.04), (12, 0.48), (25, 1.0), (437, 0.506283), (499, 0.000158)]
)
def test_learning_rate_at_the_check_steps(step, factor):
    assert learning_rate_factor(step, 500) == pytest.approx(factor, abs=5e-7)


@pytest.mark.parametrize(
    ("step", "factor"), [(0, 1.0), (1, 0.994674), (125, 0.444444), (250, 0.111111), (375, 0.0), (499, 0.0)]
)
def test_noise_at_the_check_steps(step, factor):
    assert noise_factor(step, 500) == pytest.approx(factor, abs=5e-7)


def test_a_variable_that_starts_later_waits_and_warms_up_from_there():
    assert learning_rate_factor(199, 500, start=200) == 0
    assert learning_rate_factor(200, 500, start=200) == 0
    assert learning_rate_factor(212, 500, start=200) == pytest.approx(0.48)
    assert learning_rate_factor(437, 500, start=200) == learning_rate_factor(437, 500)
