"""Shared by all tests: one thread, repeatable property tests, and the generator that is no tri-grid."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, settings

from toolkit.registry import Registry
from toolkit.testing import plugin as testing_plugin
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator, build_bare, build_spherical

torch.set_num_threads(1)
settings.register_profile(
    "repeatable", deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def spherical() -> SphericalGenerator:
    """The spherical generator with every capability; do not change it."""
    return build_spherical()


@pytest.fixture(scope="session")
def bare() -> BareSphericalGenerator:
    """The spherical generator without optional capabilities; do not change it."""
    return build_bare()


@pytest.fixture
def testing_registry() -> Registry:
    """A registry that holds the test generators and nothing else."""
    registry = Registry()
    registry.add_plugin("testing", testing_plugin)
    return registry
