from __future__ import annotations

import numpy as np
import torch

from toolkit import latents
from toolkit.camera import Camera
from toolkit.latents import latent_statistics
from toolkit.testing.spherical import SphericalGenerator


def test_average_and_spread_follow_the_definition_across_chunks(spherical, monkeypatch):
    monkeypatch.setattr(latents, "CHUNK", 7)
    monkeypatch.setattr(latents, "_known", {})
    got = latent_statistics(spherical, samples=50)
    z = torch.from_numpy(np.random.RandomState(123).randn(50, 16)).float()
    with torch.no_grad():
        ws = spherical.mapping(z, spherical.spec.front_camera.expand(50))
    assert torch.allclose(got.average, ws.mean(0, keepdim=True), atol=1e-6)
    distance_squares = (ws[:, 0] - ws[:, 0].mean(0)).square().sum() / 50
    assert abs(got.spread - float(distance_squares.sqrt())) < 1e-5


def test_a_generator_is_measured_once_and_told_apart_by_its_weights(monkeypatch):
    monkeypatch.setattr(latents, "_known", {})
    first, again, other = SphericalGenerator(), SphericalGenerator(), SphericalGenerator(seed=1)
    kept = latent_statistics(first, samples=20)
    assert latent_statistics(again, samples=20) is kept
    assert latent_statistics(first, samples=21) is not kept
    assert not torch.equal(latent_statistics(other, samples=20).average, kept.average)
    assert not torch.equal(latent_statistics(first, Camera.orbit(1.5), samples=20).average, kept.average)


def test_the_global_random_state_is_left_alone(spherical, monkeypatch):
    monkeypatch.setattr(latents, "_known", {})
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    latent_statistics(spherical, samples=20)
    assert torch.equal(torch_state, torch.random.get_rng_state())
    assert (np.random.get_state()[1] == numpy_state).all()
