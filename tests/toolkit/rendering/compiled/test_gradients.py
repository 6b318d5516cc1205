"""The way back through compiled kernels asks for what the slow twin asks for."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.nn.decoder import FEATURE_ACTIVATIONS, DecoderWeights
from toolkit.nn.trigrid import read_trigrid_reference
from toolkit.nn.two_layers import two_layers_reference
from toolkit.rendering.compiled.march import march_compiled
from toolkit.rendering.marching import Marched, MarchSettings, march
from toolkit.rendering.rays import Rays, camera_rays
from toolkit.rendering.sampling import FIXED_DRAWS, Draws
from toolkit.rendering.trigrid_field import TrigridField

SETTINGS = MarchSettings(20, 12, 2.1, 3.3, white_back=True)
SIDE, CHANNELS, HIDDEN, FEATURES = 16, 6, 20, 5


def heads(
    count: int = 1, *, density: float = 40.0, slices: int = 3, activation: str = "sigmoid", crop: float | None = None
) -> TrigridField:
    """Balls of coloured matter. Channel 0 says how deep inside a point lies, activation 0 makes density of it."""
    source = torch.Generator().manual_seed(slices + count)
    volumes = torch.randn(count, 3, CHANNELS, slices, SIDE, SIDE, generator=source)
    line = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    volumes[:, :, 0] = 20 * (0.05 - line.square()[:, None] - line.square()[None])
    first, last = torch.randn(HIDDEN, CHANNELS, generator=source), torch.randn(1 + FEATURES, HIDDEN, generator=source)
    first_bias, last_bias = torch.randn(HIDDEN, generator=source), torch.randn(1 + FEATURES, generator=source)
    first[0], first_bias[0], last[0] = 0, 0, 0.05
    first[0, 0], last[0, 0], last_bias[0] = 8, density, -2 * density
    return TrigridField(volumes, 2.0, DecoderWeights(first, first_bias, 0.3 * last, 0.3 * last_bias, activation), crop)


def slow(field: TrigridField, rays: Rays, settings: MarchSettings, draws: Draws) -> Marched:
    weights = field.decoder

    def whole(points: Tensor) -> tuple[Tensor, Tensor]:
        volumes = field.volumes.expand(len(points), -1, -1, -1, -1, -1)
        rows = read_trigrid_reference(volumes, points * field.scale).transpose(1, 2).flatten(0, 1)
        out = two_layers_reference(rows, weights[:2], weights[2:4]).unflatten(0, (len(points), -1))
        return out[..., 0], FEATURE_ACTIVATIONS[weights.activation](out[..., 1:]).transpose(1, 2)

    def inside(points: Tensor) -> Tensor:
        return points[..., [0, 2]].abs().amax(dim=-1) <= field.crop

    return march(whole, rays, settings, draws=draws, keep=None if field.crop is None else inside)


def learning(field: TrigridField) -> TrigridField:
    """The same with gradients of its own."""
    decoder = DecoderWeights(*(each.clone().requires_grad_() for each in field.decoder[:4]), field.decoder.activation)
    return dataclasses.replace(field, volumes=field.volumes.clone().requires_grad_(), decoder=decoder)


def asked_of(field: TrigridField, seen: Marched) -> list[Tensor]:
    """Gradients of volumes and weights, where outputs are asked for by fixed random numbers.

    Depth only where something is seen: a ray that sees less than rounding has any depth.
    """
    source = torch.Generator().manual_seed(7)
    asked = [torch.randn(each.shape, generator=source) for each in seen]
    asked[1] *= seen.opacity > 1e-3
    loss = sum((wanted * each).sum() for wanted, each in zip(asked, seen, strict=True))
    return list(torch.autograd.grad(loss, [field.volumes, *field.decoder[:4]]))


def check(field: TrigridField, rays: Rays, settings: MarchSettings = SETTINGS, seed: int | None = None) -> None:
    def draws() -> Draws:
        return FIXED_DRAWS if seed is None else Draws(generator=torch.Generator().manual_seed(seed))

    first, second = learning(field), learning(field)
    expected = asked_of(first, slow(first, rays, settings, draws()))
    found = asked_of(second, march_compiled(second, rays, settings, draws=draws()))
    for one, other in zip(expected, found, strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(other, one, atol=2e-4 * float(one.abs().max()), rtol=0)


def views(count: int = 1, side: int = 14) -> Rays:
    return camera_rays(Camera(torch.cat([Camera.orbit(0.4 + yaw, 0.2).label for yaw in range(count)])), side)


@pytest.mark.parametrize("activation", ["none", "sigmoid", "lrelu"])
@pytest.mark.parametrize("density", [4.0, 40.0, 400.0])
def test_gradients_are_those_of_the_slow_twin(activation: str, density: float) -> None:
    check(heads(activation=activation, density=density), views())


@pytest.mark.parametrize("slices", [1, 2])
@pytest.mark.parametrize("crop", [None, 0.12])
def test_few_slices_and_a_crop_through_matter(slices: int, crop: float | None) -> None:
    check(heads(slices=slices, crop=crop, density=400.0), views())


@pytest.mark.parametrize("count", [1, 3])
def test_heads_and_views(count: int) -> None:
    check(heads(count), views(3))


def test_random_samples() -> None:
    check(heads(), views(2), seed=3)


def test_limits_of_each_ray() -> None:
    check(heads(), views(), dataclasses.replace(SETTINGS, start="auto", end="auto", white_back=False))


def test_several_cores_ask_for_the_same() -> None:
    """More rays than one core takes at once."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        check(heads(2), views(2, side=50))
    finally:
        torch.set_num_threads(before)


def test_only_what_is_asked_for_is_computed() -> None:
    field = heads()
    volumes = field.volumes.requires_grad_()
    seen = march_compiled(field, views(), SETTINGS)
    assert seen.features is not None
    seen.features.sum().backward()
    assert volumes.grad is not None and field.decoder.first_weight.grad is None


def test_what_is_kept_for_the_way_back_does_not_grow_with_channels() -> None:
    """Two numbers a sample, whatever the decoder's width."""
    kept: list[int] = []

    def count(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel() * tensor.element_size() if tensor.ndim == 3 and tensor.shape[1] == 14**2 else 0)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        march_compiled(learning(heads()), views(), SETTINGS)
    samples = 14**2 * (SETTINGS.count + SETTINGS.importance)
    assert sum(kept) <= 3 * 4 * samples


def test_a_second_derivative_is_refused() -> None:
    field = learning(heads())
    seen = march_compiled(field, views(), SETTINGS)
    (slope,) = torch.autograd.grad(seen.opacity.square().sum(), field.volumes, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()
