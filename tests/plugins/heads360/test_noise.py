"""Noise from a block against its slow twin."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.noise import STEPS, noise, smooth_noise


def test_a_lookup_is_the_noise_at_the_nearest_sample():
    points = np.random.default_rng(0).uniform(-3, 3, (500, 3)).astype(np.float32)
    shift = 2.0
    cells = np.floor(points * 5 * STEPS + shift * 7.31 * np.arange(1, 4) + 0.5) / STEPS
    exact = smooth_noise(cells.astype(np.float32))
    assert np.abs(noise(points, 5, shift) - exact).max() < 1e-4


def test_noise_is_smooth_and_centred():
    points = np.random.default_rng(1).uniform(-8, 8, (4000, 3)).astype(np.float32)
    values = smooth_noise(points)
    assert abs(values.mean()) < 0.05 and 0.2 < values.std() < 0.5 and np.abs(values).max() <= 1
    assert np.abs(smooth_noise(points + np.float32(1e-3)) - values).max() < 0.02
    assert np.abs(noise(points) - values).mean() < 0.06
