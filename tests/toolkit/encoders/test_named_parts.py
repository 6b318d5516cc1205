"""A third party's encoder, discriminator, stitcher and loss are used by their registered names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[2]))
from encoder_training import tiny_job

from toolkit import hookimpl, load_method, registry
from toolkit.encoders.method import EncoderMethod, NoOptions
from toolkit.errors import ConfigError, PluginError
from toolkit.interfaces import Code, Generator
from toolkit.registry import Register, Registry, default_registry
from toolkit.testing import conformance
from toolkit.testing.spherical import SphericalGenerator

HERE = __name__


class MeanColour(nn.Module):
    """An encoder: the mean colour moves the average head along one direction."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        latents = generator.spec.latents
        with torch.no_grad():
            z = torch.zeros(1, latents.z_dim)
            self.register_buffer("start", generator.mapping(z, generator.spec.front_camera))
        self.direction = nn.Parameter(torch.ones(latents.num_ws, latents.w_dim))

    def encode(self, image: Tensor, camera: Any, generator: Generator) -> Code:
        ws = self.start + image.mean((1, 2, 3))[:, None, None] * self.direction
        return Code(ws, generator.planes(ws))


def open_mean_colour(generator: Generator, weights: Path | None = None) -> MeanColour:
    return MeanColour(generator)


class Patches(nn.Module):
    domain = "images"

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, width, 4, 4), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x).mean((2, 3))
        return logits


def open_patches(generator: Generator, weights: Path | None = None, *, width: int = 2) -> Patches:
    return Patches(width)


class Codes(Patches):
    domain = "latents"


def open_codes(generator: Generator, weights: Path | None = None) -> Codes:
    return Codes(2)


class Critic(nn.Module):
    domain = "latents"

    def __init__(self, w_dim: int, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(w_dim, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits


def open_critic(generator: Generator, weights: Path | None = None, *, width: int = 2) -> Critic:
    return Critic(generator.spec.latents.w_dim, width)


class Visible:
    """Stitches nothing: the visible planes alone."""

    def stitch(self, visible: Tensor, occluded: Tensor, occlusion: Tensor) -> Tensor:
        return visible


def edges(image: Tensor, target: Tensor) -> Tensor:
    return (image.diff(dim=3) - target.diff(dim=3)).abs().mean()


def make_edges() -> Any:
    return edges


class Plugin:
    @hookimpl
    def register_encoders(self, register: Register) -> None:
        register("mean-colour", f"{HERE}:open_mean_colour", summary="", interface=1)
        register("nothing", f"{HERE}:make_edges_for", summary="", interface=1)

    @hookimpl
    def register_discriminators(self, register: Register) -> None:
        register("patches", f"{HERE}:open_patches", summary="", interface=1)
        register("codes", f"{HERE}:open_codes", summary="", interface=1)
        register("critic", f"{HERE}:open_critic", summary="", interface=1)

    @hookimpl
    def register_stitchers(self, register: Register) -> None:
        register("visible", f"{HERE}:Visible", summary="", interface=1)

    @hookimpl
    def register_losses(self, register: Register) -> None:
        register("edges", f"{HERE}:make_edges", summary="", interface=1)


def make_edges_for(generator: Generator, weights: Path | None = None) -> Any:
    return edges


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Registry:
    """The built-in plugins and this file's."""
    everything = Registry(dict(default_registry().registrations), [], [])
    everything.add_plugin("strange", Plugin())
    assert not everything.broken
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])
    default_registry.cache_clear()
    monkeypatch.setattr(registry, "discover", lambda variable: everything)
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    yield everything  # type: ignore[misc]
    default_registry.cache_clear()


def test_an_encoder_is_a_method_by_its_name(spherical: SphericalGenerator):
    method = load_method("encoder:mean-colour", spherical)
    conformance.check_method(method, spherical)
    image, camera = torch.full((1, 3, 16, 16), 0.5), spherical.spec.front_camera
    found = method.invert(image, camera, spherical)
    assert found.method == "encoder:mean-colour" and found.options == {} and set(found.timings) == {"encode", "total"}
    before = method.fingerprint
    changed = load_method("encoder:mean-colour", spherical)
    with torch.no_grad():
        changed.encoder.direction.add_(1.0)  # type: ignore[attr-defined]
    assert len(before) == 64 and changed.fingerprint != before
    conformance.check_encoder(open_mean_colour(spherical), spherical)


class Tuning(MeanColour):
    """An encoder that changes a weight of the generator, too, for each head by itself."""

    changes = "decode_hidden.bias"

    def encode(self, image: Tensor, camera: Any, generator: Generator) -> Code:
        code = super().encode(image, camera, generator)
        return Code(code.ws, code.planes, {self.changes: code.ws[:, 0, :16] * 0 + 0.25})


def test_an_encoder_may_change_the_generator_for_its_head(spherical: SphericalGenerator):
    conformance.check_encoder(Tuning(spherical), spherical)
    found = EncoderMethod("tuning", Tuning(spherical), NoOptions()).invert(
        torch.zeros(1, 3, 16, 16), spherical.spec.front_camera, spherical
    )
    assert found.tuned is not None and found.tuned["decode_hidden.bias"].shape == (16,)
    own = found.tuned_generator(spherical).state_dict()["decode_hidden.bias"]  # type: ignore[attr-defined]
    torch.testing.assert_close(own - spherical.decode_hidden.bias, torch.full((16,), 0.25))
    wrong = Tuning(spherical)
    wrong.changes = "no.such.weight"
    with pytest.raises(conformance.ConformanceError, match=r"no\.such\.weight"):
        conformance.check_encoder(wrong, spherical)


def test_what_is_no_encoder_is_said_in_a_sentence(spherical: SphericalGenerator):
    with pytest.raises(PluginError, match="unknown encoder 'mean-color'; did you mean 'mean-colour'"):
        load_method("encoder:mean-color", spherical)
    with pytest.raises(PluginError, match="encoder 'nothing' makes a function"):
        load_method("encoder:nothing", spherical)
    with pytest.raises(ConfigError, match="encoder:mean-colour"):
        load_method("encoder:mean-colour", spherical, width=3)


def train_encoder2(photos: Path, generator: Generator, *more: str) -> tuple[Any, list[Mapping[str, float]]]:
    job = tiny_job("dual-encoder", photos, generator, "encoder1.joint.steps=0", *more, steps=2)
    return job, [job.training_step(job.batch(step), step) for step in range(job.steps)]


def test_a_training_takes_discriminator_stitcher_and_loss_by_name(
    photo_folder: Path, spherical: SphericalGenerator, tmp_path: Path
):
    job, logged = train_encoder2(
        photo_folder, spherical, "adversary.discriminator=patches", "adversary.options.patches.width=3",
        "stitcher=visible", "encoder2.joint.images.by_name.edges=0.5",
    )  # fmt: skip
    opponent = job.recipe.opponents["discriminator"]
    assert isinstance(opponent.discriminator, Patches) and opponent.discriminator.net[0].out_channels == 3
    assert {"encoder2/joint/edges", "encoder2/joint/first_edges", "discriminator/discriminator"} <= set(logged[0])
    assert logged[0]["encoder2/joint/edges"] > 0
    *_, stitched = job.shown(2)
    image, camera = torch.zeros(1, 3, 16, 16), spherical.spec.front_camera
    with torch.no_grad():
        codes = [encoder.encode(image, camera, spherical) for encoder in (stitched.visible, stitched)]
    assert torch.equal(codes[0].planes, codes[1].planes)
    job.export(tmp_path / "dual.safetensors")


@pytest.mark.parametrize("kind", ["e4e", "goae"])
def test_a_discriminator_of_latents_learns_beside_an_encoder_of_codes(
    kind: str, photo_folder: Path, spherical: SphericalGenerator
):
    named = ("latents.discriminator=critic", "latents.options.critic.width=5", "latents.weight=1")
    critic = tiny_job(kind, photo_folder, spherical, *named).recipe.opponents["discriminator"]
    assert isinstance(critic.discriminator, Critic) and critic.discriminator.net[0].out_features == 5
    before = critic.discriminator.net[0].weight.clone()
    latents = spherical.spec.latents
    ws = torch.randn(2, latents.num_ws, latents.w_dim, requires_grad=True)
    logged = critic.learn(lambda: ws.detach(), (2,), 1)
    assert logged and not torch.equal(critic.discriminator.net[0].weight, before)
    critic.losses(ws)["adversarial"].backward()
    assert ws.grad is not None and ws.grad.abs().sum() > 0


def test_a_perceptual_distance_is_weighed_by_name_like_a_loss(photo_folder: Path, spherical: SphericalGenerator):
    _, once = train_encoder2(photo_folder, spherical, "losses.perceptual=pyramid")
    job, logged = train_encoder2(
        photo_folder, spherical, "losses.perceptual=pyramid", "encoder2.joint.images.by_name.pyramid=0.5",
        "encoder2.joint.images.by_name.lite0=0.25", "encoder2.joint.images.by_name.edges=0",
    )  # fmt: skip
    weight = job.settings.encoder2.joint.images.perceptual
    assert logged[0]["encoder2/joint/perceptual"] == once[0]["encoder2/joint/perceptual"]
    assert logged[0]["encoder2/joint/pyramid"] / 0.5 == pytest.approx(logged[0]["encoder2/joint/perceptual"] / weight)
    assert logged[0]["encoder2/joint/lite0"] > 0 and "encoder2/joint/edges" not in logged[0]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("latents.discriminator=critik", "unknown discriminator 'critik'; did you mean 'critic'"),
        ("latents.discriminator=patches", "discriminator 'patches' judges images; this training has latents"),
        ("latents.options.critic.widht=3", "did you mean 'width'"),
    ],
)
def test_a_wrong_discriminator_of_latents_is_named(
    photo_folder: Path, spherical: SphericalGenerator, setting: str, message: str
):
    with pytest.raises((ConfigError, PluginError), match=message):
        tiny_job("e4e", photo_folder, spherical, "latents.discriminator=critic", setting)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("adversary.discriminator=patchs", "unknown discriminator 'patchs'; did you mean 'patches'"),
        ("adversary.discriminator=codes", "discriminator 'codes' judges latents; this training has planes or images"),
        ("stitcher=invisible", "unknown stitcher 'invisible'; did you mean 'visible'"),
        ("encoder2.joint.images.by_name.edge=1", "unknown loss 'edge'; did you mean 'edges'"),
        ("encoder2.joint.images.by_name.piramid=1", "unknown loss 'piramid'; did you mean 'pyramid'"),
        ("adversary.options.occlusion-planes.widht=3", "did you mean 'width'"),
        ("adversary.options.occlusion-plane.width=3", "did you mean 'occlusion-planes'"),
        ("adversary.domain=planes", "'adversary.domain' is now 'adversary.discriminator'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    photo_folder: Path, spherical: SphericalGenerator, setting: str, message: str
):
    with pytest.raises((ConfigError, PluginError), match=message):
        tiny_job("dual-encoder", photo_folder, spherical, setting)
