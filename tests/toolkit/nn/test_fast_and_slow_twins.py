"""Every fast path of the blocks agrees with its slow twin, gradients included."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from toolkit.nn import styled, trigrid, trigrid_layout
from toolkit.nn import weight_gradient as weight_gradients
from toolkit.nn.convolution import convolve
from toolkit.nn.decoder import PointDecoder, softplus
from toolkit.nn.fir import low_pass
from toolkit.nn.modulated import modulated_convolve
from toolkit.nn.plane_maps import sample_maps, splat_maps
from toolkit.nn.styled import styled_convolution
from toolkit.nn.two_layers import two_layers, two_layers_reference
from toolkit.testing.references import (
    convolve_reference,
    footprint_reference,
    modulated_convolve_reference,
    splat_maps_reference,
    styled_convolution_reference,
)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("up", "size", "demodulate"), [(1, 3, True), (2, 3, True), (1, 1, False)])
def test_modulated_convolution_and_its_gradients(batch: int, up: int, size: int, demodulate: bool) -> None:
    leaves = [randn(batch, 4, 6, 5), randn(3, 4, size, size, seed=1), randn(batch, 4, seed=2)]
    noise = randn(6 * up, 5 * up, seed=3)
    outputs, gradients = [], []
    for form in (modulated_convolve, modulated_convolve_reference):
        own = [leaf.clone().requires_grad_() for leaf in leaves]
        kernel = low_pass().double() if up == 2 else None
        y = form(own[0], own[1], own[2], kernel=kernel, up=up, demodulate=demodulate, noise=noise)
        outputs.append(y)
        gradients.append(torch.autograd.grad(y.sin().sum(), own))
    torch.testing.assert_close(*outputs)
    for fast, slow in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, slow)
    with torch.no_grad():
        quick = modulated_convolve(*leaves, kernel=kernel, up=up, demodulate=demodulate, noise=noise)
    torch.testing.assert_close(quick, outputs[1].detach())


@pytest.mark.parametrize("clamp", [None, 1.2])
@pytest.mark.parametrize("batch", [(1, 1), (3, 3), (3, 1)])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("noisy", [True, False])
def test_a_synthesis_layer_in_one_step(batch: tuple[int, int], up: int, noisy: bool, clamp: float | None) -> None:
    leaves = [randn(batch[0], 4, 6, 5), randn(3, 4, 3, 3, seed=1), randn(batch[1], 4, seed=2), randn(3, seed=3)]
    leaves += [randn(6 * up, 5 * up, seed=4)] if noisy else []
    settings = {"kernel": low_pass().double() if up == 2 else None, "gain": 1.4, "clamp": clamp}
    for asked in (range(len(leaves)), (0, 2), (2,), (0,), (1, 3)):
        results = []
        for form in (styled_convolution, styled_convolution_reference):
            own = [leaf.clone().requires_grad_(index in asked) for index, leaf in enumerate(leaves)]
            y = form(*own[:4], noise=own[4] if noisy else None, **settings)  # type: ignore[arg-type]
            results.append((y, *torch.autograd.grad(y.sin().sum(), [own[index] for index in asked])))
        for fast, slow in zip(*results, strict=True):
            torch.testing.assert_close(fast, slow)


def test_a_synthesis_layer_has_second_derivatives() -> None:
    leaves = [randn(2, 2, 3, 3), randn(2, 2, 3, 3, seed=1), randn(2, 2, seed=2), randn(2, seed=3)]
    own = [leaf.requires_grad_() for leaf in leaves]
    assert torch.autograd.gradgradcheck(lambda *all_of: styled_convolution(*all_of, kernel=low_pass().double()), own)


def test_large_layers_are_differentiated_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    leaves = [randn(1, 4, 6, 5), randn(3, 4, 3, 3, seed=1), randn(1, 4, seed=2), randn(3, seed=3)]
    found = []
    for piece in (1, 30, 1 << 18):
        monkeypatch.setattr(styled, "_PIECE", piece)
        own = [leaf.clone().requires_grad_() for leaf in leaves]
        found.append(torch.autograd.grad(styled_convolution(*own, gain=1.4, clamp=1.2).sin().sum(), own[::2]))
    for fast, slow in zip(*found[:2], strict=True):
        torch.testing.assert_close(fast, slow)
    for fast, slow in zip(*found[1:], strict=True):
        torch.testing.assert_close(fast, slow)


@pytest.mark.parametrize("up", [1, 2])
def test_gradients_keep_the_layout_that_convolutions_take_without_a_copy(up: int) -> None:
    x = randn(1, 4, 6, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight, styles, bias = randn(3, 4, 3, 3, seed=1).requires_grad_(), randn(1, 4, seed=2), randn(3, seed=3)
    y = styled_convolution(x, weight, styles, bias, kernel=low_pass().double() if up == 2 else None, clamp=9.0)
    (gradient,) = torch.autograd.grad(y.sin().sum(), x)
    assert gradient.stride() == x.stride()  # of the only sample, too: PyTorch looks at it


@pytest.mark.parametrize("strip", [1, 60, 1 << 19])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("up", [False, True])
def test_weight_gradients_by_products(monkeypatch: pytest.MonkeyPatch, up: bool, batch: int, strip: int) -> None:
    x = randn(batch, 4, 11, 5).contiguous(memory_format=torch.channels_last)
    gradient = randn(batch, 3, 23, 11, seed=1) if up else randn(batch, 3, 11, 5, seed=1)
    shape = torch.Size((3, 4, 3, 3))
    monkeypatch.setattr(weight_gradients, "products_pay", lambda *_: True)
    monkeypatch.setattr(weight_gradients, "_STRIP", strip)
    fast = weight_gradients.weight_gradient(x, gradient, shape, up=up)
    torch.testing.assert_close(fast, weight_gradients.weight_gradient_reference(x, gradient, shape, up=up))


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_convolution_follows_its_definition(size: int, up: int, down: int, flip: bool) -> None:
    x, weight = randn(2, 4, 8, 6), randn(6, 2, size, size, seed=1)
    kernel = randn(4, 4, seed=2) if max(up, down) > 1 else None
    fast, slow = (
        form(x, weight, kernel, up=up, down=down, groups=2, flip=flip) for form in (convolve, convolve_reference)
    )
    torch.testing.assert_close(fast, slow)


def test_splatting_on_maps_is_the_adjoint_of_reading_them() -> None:
    places, weights = randn(2, 3, 50, 2) * 0.8, randn(2, 3, 50, seed=1)
    found = splat_maps(places, (8, 6), weights)
    torch.testing.assert_close(found, splat_maps_reference(places, (8, 6), weights))
    maps = randn(2, 3, 1, 8, 6, seed=2)
    torch.testing.assert_close((found * maps[:, :, 0]).sum(), (sample_maps(maps, places)[:, :, 0] * weights).sum())


@pytest.mark.parametrize("weighted", [True, False])
def test_footprint_is_the_sum_of_corner_weights(weighted: bool) -> None:
    points = randn(2, 50, 3) * 0.8
    weights = randn(2, 50, seed=1).abs() if weighted else None
    found = trigrid.footprint(points, (3, 8, 6), weights)
    torch.testing.assert_close(found, footprint_reference(points, (3, 8, 6), weights))


def test_footprint_is_the_adjoint_of_reading() -> None:
    points, volumes, weights = randn(1, 40, 3) * 0.7, randn(1, 3, 1, 3, 8, 8, seed=1), randn(1, 40, seed=2)
    read = (trigrid.sample_volumes(volumes, points) * weights[:, None, None]).sum()
    marked = (trigrid.footprint(points, (3, 8, 8), weights) * volumes[:, :, 0]).sum()
    torch.testing.assert_close(read, marked)


def test_layout_does_not_change_a_reading() -> None:
    volumes, points = randn(2, 3, 5, 3, 8, 6), randn(2, 30, 3, seed=1)
    slow = trigrid.read_trigrid(volumes, points)
    torch.testing.assert_close(trigrid.read_trigrid(trigrid_layout.channels_fastest(volumes), points), slow)


def test_gradients_go_back_in_the_layout_that_planes_came_in() -> None:
    rows = randn(2, 8, 8, 45)  # pixels as rows, as a backbone ends with
    gradients: list[Tensor] = []
    for laid_out in (trigrid_layout.channels_fastest, lambda volumes: volumes):
        planes = rows.clone().requires_grad_().permute(0, 3, 1, 2)
        planes.register_hook(gradients.append)
        volumes = laid_out(trigrid_layout.as_volumes(planes.unflatten(1, (3, 15)), 3))
        trigrid.read_trigrid(volumes, randn(2, 30, 3, seed=1)).sin().sum().backward()
    torch.testing.assert_close(*gradients)
    assert gradients[0].stride() == (45 * 64, 1, 45 * 8, 45)


@pytest.mark.parametrize("form", [trigrid.read_trigrid, trigrid.read_trigrid_reference])
def test_fewer_points_read_the_first_volumes(form: Callable[[Tensor, Tensor], Tensor]) -> None:
    volumes, points = randn(3, 3, 5, 3, 8, 8).requires_grad_(), randn(2, 30, 3, seed=1)
    read = form(volumes, points)
    torch.testing.assert_close(read, form(volumes[:2], points))
    (gradient,) = torch.autograd.grad(read.sum(), volumes)
    assert gradient[:2].any() and not gradient[2].any()


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_reading_by_rows_and_its_gradients(spread: float, depth: int) -> None:
    points = randn(2, 40, 3, seed=1) * spread
    points[0, :8] = torch.tensor([[0.0, 0, 0], [0, 0.25, 0], [2 / 3, 0, 0.5], [0.125, 0.875, -1], [1, 1, 1]])[
        [0, 1, 2, 3, 4, 0, 1, 2]
    ]
    leaves = [randn(2, 3, 5, depth, 8, 8), points]
    results = []
    for form in (trigrid.read_trigrid, trigrid.read_trigrid_reference):
        volumes, points = (leaf.clone().requires_grad_() for leaf in leaves)
        read = form(volumes, points)
        results.append((read, *torch.autograd.grad(read.sin().sum(), (volumes, points))))
    for fast, slow in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow)


@pytest.mark.parametrize("channels", [5, 32])  # PyTorch adds wide rows in another way
def test_reading_at_fixed_points_has_the_same_gradient(channels: int) -> None:
    points = randn(2, 40, 3, seed=1)
    volumes = randn(2, 3, channels, 3, 8, 8).requires_grad_()
    results = []
    for form in (trigrid.read_trigrid, trigrid.read_trigrid_reference):
        read = form(volumes, points)
        results.append((read, *torch.autograd.grad(read.sin().sum(), volumes)))
    for fast, slow in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow)


def test_points_far_outside_read_nothing() -> None:
    volumes = randn(1, 3, 5, 3, 8, 8)
    far = torch.tensor([[[3e38, 0, 0], [0, -torch.inf, 0.1], [0.1, 0.2, torch.nan]]], dtype=torch.float64)
    read = trigrid.read_trigrid(volumes, far)
    torch.testing.assert_close(read[..., :2], trigrid.read_trigrid_reference(volumes, far[:, :2]))
    assert torch.isfinite(read).all()


def test_density_alone_equals_the_full_decoder() -> None:
    decoder = PointDecoder(6, 5, hidden=7).double()
    x = randn(2, 6, 20)
    torch.testing.assert_close(decoder.density(x), decoder(x)[0])


@pytest.mark.parametrize("asked", [range(5), (0,), (1, 2, 3, 4), (2, 3)])
def test_two_layers_and_their_gradients(monkeypatch: pytest.MonkeyPatch, asked: Sequence[int]) -> None:
    monkeypatch.setattr("toolkit.nn.two_layers._ROWS", 8)
    leaves = [randn(30, 6) * 9, randn(7, 6, seed=1), randn(7, seed=2), randn(5, 7, seed=3), randn(5, seed=4)]
    results = []
    for form in (two_layers, two_layers_reference):
        own = [leaf.clone().requires_grad_(index in asked) for index, leaf in enumerate(leaves)]
        out = form(own[0], (own[1], own[2]), (own[3], own[4]))
        results.append((out, *torch.autograd.grad(out.sin().sum(), [own[index] for index in asked])))
    for fast, slow in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow)


def test_two_layers_have_second_derivatives_and_take_no_rows() -> None:
    leaves = [randn(3, 2), randn(4, 2, seed=1), randn(4, seed=2), randn(2, 4, seed=3), randn(2, seed=4)]
    own = [leaf.requires_grad_() for leaf in leaves]
    assert torch.autograd.gradgradcheck(lambda x, w, b, v, c: two_layers(x, (w, b), (v, c)), own)
    none = two_layers(own[0][:0], (own[1], own[2]), (own[3], own[4]))
    assert none.shape == (0, 2) and torch.autograd.grad(none.sum(), own[1])[0].eq(0).all()


def test_quick_softplus() -> None:
    x = torch.linspace(-120, 120, 1001, dtype=torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(softplus(x), torch.nn.functional.softplus(x), atol=2e-7, rtol=1e-6)
