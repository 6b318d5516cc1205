"""The fused march beside `march`, in Triton's interpreter; `test_fused_march.py` runs this file in its own process."""

from __future__ import annotations

import dataclasses
import os

import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.nn.decoder import PointDecoder
from toolkit.nn.trigrid import read_trigrid_reference
from toolkit.rendering.fused import launching
from toolkit.rendering.fused.marching import march_fused
from toolkit.rendering.marching import Marched, MarchSettings, march
from toolkit.rendering.rays import Rays, camera_rays
from toolkit.rendering.sampling import Draws
from toolkit.rendering.trigrid_field import TrigridField

assert os.environ.get("TRITON_INTERPRET") == "1", "without it, these tests need a GPU"
SETTINGS = MarchSettings(9, 10, 2.3, 3.3)
SHORT = MarchSettings(6, 7, 2.3, 3.3)
"""Samples of one tile."""
BOX = 1.0


@dataclasses.dataclass(frozen=True)
class Scene:
    volumes: Tensor
    decoder: PointDecoder
    crop: float | None = None

    def field(self) -> TrigridField:
        return TrigridField(self.volumes, 2 / BOX, self.decoder.weights(), self.crop)

    def plain(self, points: Tensor) -> tuple[Tensor, Tensor]:
        volumes = self.volumes.expand(len(points), -1, -1, -1, -1, -1)
        return self.decoder(read_trigrid_reference(volumes, points * (2 / BOX)))

    def keep(self, points: Tensor) -> Tensor:
        assert self.crop is not None
        return (points[..., 0].abs() <= self.crop) & (points[..., 2].abs() <= self.crop)

    def leaves(self) -> list[Tensor]:
        return [self.volumes, *self.decoder.parameters()]


def scene(
    depth: int = 3,
    channels: int = 5,
    hidden: int = 20,
    features: int = 7,
    density: float = 20.0,
    activation: str = "none",
    crop: float | None = None,
    heads: int = 1,
) -> Scene:
    torch.manual_seed(depth)
    volumes = torch.randn(heads, 3, channels, depth, 6, 7, requires_grad=True)
    return Scene(
        volumes,
        PointDecoder(channels, features, hidden=hidden, activation=activation, density_scale=density),
        crop,
    )


def some_rays(views: int = 1, kept: slice = slice(3, 5)) -> Rays:
    """Some of the nine rays of each view: by default one beside the middle and the middle one."""
    rays = camera_rays(Camera.orbit(torch.linspace(0.2, 0.9, views), 0.1), 3)
    return rays._replace(directions=rays.directions[:, kept])


def both(scene: Scene, rays: Rays, settings: MarchSettings) -> tuple[Marched, Marched]:
    keep = None if scene.crop is None else scene.keep
    return (
        march_fused(scene.field(), rays, settings),
        march(scene.plain, rays, settings, keep=keep),
    )


def loss(marched: Marched) -> Tensor:
    """Every output counts, each ray and channel differently."""
    assert marched.features is not None
    weighted = (part * torch.arange(1.0, part.numel() + 1).cos().view(part.shape) for part in marched)
    return torch.stack([(each + each.square()).sum() for each in weighted]).sum()


def assert_near(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    assert found.shape == expected.shape
    difference = (found - expected).detach().abs().max()
    assert float(difference) <= tolerance * float(expected.detach().abs().max())


def check(scene: Scene, rays: Rays, settings: MarchSettings = SETTINGS) -> Marched:
    fused, plain = both(scene, rays, settings)
    compare(scene, fused, plain)
    return fused


def compare(scene: Scene, fused: Marched, plain: Marched) -> None:
    """Outputs and gradients agree."""
    for found, expected in zip(fused, plain, strict=True):
        assert_near(found, expected)
    leaves = [each for each in scene.leaves() if each.requires_grad]
    for found, expected in zip(*(torch.autograd.grad(loss(each), leaves) for each in (fused, plain)), strict=True):
        assert_near(found, expected)


@pytest.fixture(autouse=True)
def several_tiles_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "PROGRAMS", 2)


@pytest.mark.parametrize(("depth", "activation"), [(1, "none"), (3, "none"), (1, "sigmoid"), (3, "lrelu")])
def test_slices_and_activations(depth: int, activation: str):
    check(scene(depth, activation=activation), some_rays())


def test_sizes_that_are_powers_of_two_already():
    check(scene(2, channels=16, hidden=32, features=16), some_rays(), SHORT)


def test_opaque_matter_beside_the_crop_shows_what_is_cut_away():
    seen = check(scene(density=4000.0, crop=0.3), some_rays())
    assert float(seen.opacity.detach().max()) > 0.999


def test_thin_matter_and_white_behind_in_one_pass():
    thin = scene(density=0.01)
    with torch.no_grad():
        thin.decoder.net[2].bias[0] = -800.0
    seen = check(thin, some_rays(), dataclasses.replace(SETTINGS, importance=0, count=19, white_back=True))
    assert 0 < float(seen.opacity.detach().max()) < 1e-3


def test_rays_that_miss_everything():
    rays = some_rays()
    aside = Rays(rays.origins + torch.tensor([3.0, 0.0, 0.0]), rays.directions)
    settings = dataclasses.replace(SETTINGS, start="auto", end="auto", white_back=True)
    seen = check(scene(crop=0.4), aside, settings)
    assert seen.features is not None
    assert not seen.opacity.any() and bool((seen.features == 1).all())


def test_each_view_reads_its_own_head_or_all_the_same_and_depths_are_random():
    rays = some_rays(2, slice(4, 5))
    draws = [Draws(generator=torch.Generator().manual_seed(3)) for _ in range(4)]
    for heads, own, same in ((2, *draws[:2]), (1, *draws[2:])):
        looked_at = scene(heads=heads)
        fused = march_fused(looked_at.field(), rays, SHORT, draws=own)
        plain = march(looked_at.plain, rays, SHORT, draws=same)
        compare(looked_at, fused, plain)


def test_frozen_weights_and_frozen_volumes_get_no_gradient():
    frozen = scene()
    frozen.decoder.requires_grad_(False)
    check(frozen, some_rays(), SHORT)
    fixed = scene()
    fixed.volumes.requires_grad_(False)
    check(fixed, some_rays(), SHORT)


def test_without_gradients_nothing_is_recorded():
    with torch.inference_mode():
        looked_at = scene()
        fused, plain = both(looked_at, some_rays(kept=slice(4, 5)), SETTINGS)
    for found, expected in zip(fused, plain, strict=True):
        assert not found.requires_grad
        assert_near(found, expected)


def kept_bytes(settings: MarchSettings, fused: bool) -> int:
    """Bytes that the backward pass of a march keeps, each tensor counted once."""
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        alive.append(tensor)
        return tensor

    alive: list[Tensor] = []
    looked_at, rays = scene(channels=32, hidden=64, features=32), some_rays(kept=slice(4, 5))
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        result = march_fused(looked_at.field(), rays, settings) if fused else march(looked_at.plain, rays, settings)
    assert result.opacity.requires_grad
    return sum(kept.values())


def test_two_numbers_are_kept_per_sample():
    few, many = (MarchSettings(count, 8, 2.3, 3.3) for count in (8, 40))
    assert kept_bytes(many, fused=True) - kept_bytes(few, fused=True) == 32 * 2 * 4
    assert kept_bytes(many, fused=False) - kept_bytes(few, fused=False) > 32 * 32 * 4
