"""The conformance suite over everything that is registered, and over tiny random PanoHead and EG3D."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from encoder_training import CLASSES, tiny_job

from toolkit.errors import CapabilityError, ConfigError, WeightsError
from toolkit.interfaces import Footprint, Generator, Marching, PlaneImages, ResumableSynthesis, Tunable
from toolkit.registry import Registry, default_registry
from toolkit.testing import conformance
from toolkit.testing import plugin as testing_plugin
from toolkit.testing.spherical import SphericalGenerator

MUST_RUN = {"spherical", "spherical-bare", "panohead-mini"}
TINY_PANOHEAD, TINY_EG3D = "panohead (tiny, random)", "eg3d (tiny, random)"
TINY = (TINY_PANOHEAD, TINY_EG3D)
FULL_FEATURED = (*TINY, "panohead-mini")
"""Generators on which each of our own methods must run."""
TINY_SIZES = {
    "z_dim": 16, "w_dim": 24, "image_size": 32, "raw_size": 8, "channel_base": 256, "channel_max": 16, "plane_size": 16,
    "feature_channels": 8, "decoder_hidden": 16, "sr_widths": (8, 8), "samples": 12, "importance_samples": 12,
}  # fmt: skip
"""The smallest sizes that keep every part."""
QUICK_OPTIONS = (
    {"steps": 1, "samples": 8, "perceptual": "pyramid", "tuning_steps": 1, "perceptual_size": 32},
    {"steps": 1, "samples": 8, "perceptual": "pyramid", "perceptual_size": 32},
    {"descent_steps": 1, "codes": {"steps": 0}, "fit": {"steps": 0}},
    {"descent_steps": 1},
    {},
)
"""The first that a method takes makes it quick."""


@functools.cache
def registry() -> Registry:
    """Every installed plugin, and the test generators."""
    everything = Registry(dict(default_registry().registrations), [], [])
    everything.add_plugin("testing", testing_plugin)
    return everything


@functools.cache
def build(name: str) -> Generator:
    """A generator by its registered name; kept, since several tests want it."""
    if name in TINY:
        return tiny(*(("panohead", "PanoHead") if name == TINY_PANOHEAD else ("eg3d", "EG3D")))
    return registry().load("generator", name)(None, "cpu")


def tiny(plugin: str, name: str) -> Generator:
    """A generator of EG3D's family with `TINY_SIZES` and random weights."""
    config = getattr(pytest.importorskip(f"toolkit_plugins.{plugin}.config"), f"{name}Config")(**TINY_SIZES)
    member = getattr(pytest.importorskip(f"toolkit_plugins.{plugin}.generator"), name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return member(config).eval()


@functools.cache
def probe(name: str) -> conformance.GeneratorProbe:
    """What the checks of one generator share."""
    return conformance.GeneratorProbe(build(name))


def built_or_skipped(name: str) -> Generator:
    """The generator, or a skip with the sentence that says which weights are absent."""
    try:
        return build(name)
    except WeightsError as error:
        if name in MUST_RUN:
            raise
        pytest.skip(str(error))


GENERATORS = [
    *(entry.name for entry in registry().of_kind("generator") if entry.world != "untrained"),  # full size: hours
    *TINY,
]
METHODS = [entry.name for entry in registry().of_kind("method")]
OWN_METHODS = {*CLASSES, "encoder1", "encoder2", "mean", "wplus", "pti"}
CHECKS = [*conformance.GENERATOR_CHECKS, *(name for extra in conformance.CAPABILITY_CHECKS.values() for name in extra)]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", GENERATORS)
def test_generator(name: str, check: str):
    applicable = conformance.generator_checks(built_or_skipped(name))
    if check not in applicable:
        pytest.skip(f"{name} does not offer this capability")
    applicable[check](probe(name))


def test_the_spherical_generator_offers_everything_and_the_bare_one_nothing():
    everything = ["Marching", "Footprint", "PlaneImages", "ResumableSynthesis", "StyleRows", "Tunable"]
    assert conformance.capabilities(build("spherical")) == everything
    assert conformance.capabilities(build("spherical-bare")) == []
    for protocol in (Footprint, Marching, PlaneImages, ResumableSynthesis, Tunable):
        assert all(isinstance(build(name), protocol) for name in TINY)


@pytest.fixture(scope="module")
def untrained(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path | None]:
    """Weights that an untrained encoder of ours exports for a tiny generator, by method; None for others."""

    @functools.cache
    def exported(kind: str, generator_name: str) -> Path:
        path = tmp_path_factory.mktemp(kind) / "weights.safetensors"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TOOLKIT_CACHE", str(path.parent))
            more = ("feature_size=8",) if kind == "goae" else ()
            tiny_job(kind, photo_folder, build(generator_name), *more).export(path)
        return path

    def weights(method: str, generator_name: str) -> Path | None:
        kind = "dual-encoder" if method in ("encoder1", "encoder2") else method
        return exported(kind, generator_name) if kind in CLASSES and generator_name in TINY else None

    return weights


@pytest.mark.parametrize("generator_name", ["spherical", "spherical-bare", *FULL_FEATURED])
@pytest.mark.parametrize("name", METHODS)
def test_method(name: str, generator_name: str, untrained: Callable[[str, str], Path | None]):
    generator = built_or_skipped(generator_name)
    factory = registry().load("method", name)
    weights = untrained(name, generator_name)
    for options in QUICK_OPTIONS:
        try:
            method = factory(generator, weights, options)
            break
        except ConfigError:
            continue
        except (CapabilityError, WeightsError) as error:
            if name in OWN_METHODS and generator_name in FULL_FEATURED:
                raise
            pytest.skip(str(error))
    else:
        pytest.fail(f"method {name} refuses its default options")
    try:
        conformance.check_method(method, generator)
    except CapabilityError as error:
        if name in OWN_METHODS and generator_name in FULL_FEATURED:
            raise
        pytest.skip(str(error))


class Forgetful(SphericalGenerator):
    """Renders with the global random state, and reads planes outside its footprint."""

    def render(self, planes, ws, camera, resolution=None):
        view = super().render(planes, ws, camera, resolution)
        return view._replace(raw=view.raw + 0.01 * torch.randn_like(view.raw))

    def footprint(self, points, weights=None):
        return super().footprint(points[:, :1], None if weights is None else weights[:, :1])

    def tunable_parameters(self):
        return iter([("nothing", torch.nn.Parameter(torch.zeros(3)))])


def test_the_suite_notices_what_is_wrong():
    with pytest.raises(conformance.ConformanceError) as caught:
        conformance.check_generator(Forgetful().eval())
    failed = {line.partition(":")[0] for line in str(caught.value).splitlines()}
    assert {"render_repeats_itself", "footprint_is_where_query_reads", "tunable"} <= failed
    assert not failed & {"mapping", "planes", "query", "plane_images", "resumable_synthesis"}
