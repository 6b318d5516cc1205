"""What a generator that offers a named capability must keep; each raises `ConformanceError`."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from toolkit.interfaces import (
    EmptySpace,
    Marching,
    PlaneImages,
    ResumableSynthesis,
    StyleRows,
    SuperResolving,
    Tunable,
)
from toolkit.testing.probe import HEADS, GeneratorProbe
from toolkit.testing.requirements import refusal, require, require_close, require_equal, require_shape

_CANDIDATE_SIZES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512)


def check_marching(probe: GeneratorProbe) -> None:
    """March agrees with render: opacity with the mask, depth where the head is solid."""
    generator = cast(Marching, probe.generator)
    with torch.no_grad():
        seen = generator.march(probe.planes, probe.cameras, probe.small)
        again = generator.march(probe.planes, probe.cameras.label, probe.small)
    require_shape(seen.depth, (HEADS, 1, probe.small, probe.small), "march depth")
    require_shape(seen.opacity, (HEADS, 1, probe.small, probe.small), "march opacity")
    require(bool((seen.opacity >= 0).all() and (seen.opacity <= 1 + 1e-5).all()), "opacity must lie in 0..1")
    require_equal(again.depth, seen.depth, "march depth with a [B, 25] tensor against a Camera's")
    view = probe.small_view
    require_close(seen.opacity, view.mask, "march opacity against the render's mask", 0.01)
    solid = view.mask > 0.95
    require_close(seen.depth[solid], view.depth[solid], "march depth against the render's, where solid", 0.01)


def check_empty_space(probe: GeneratorProbe) -> None:
    """Density alone is the query's; what is said to be empty does not show."""
    generator = cast(EmptySpace, probe.generator)
    with torch.no_grad():
        density = generator.density(probe.planes, probe.points)
        require_close(density, probe.generator.query(probe.planes, probe.points).density[..., 0], "density alone", 1e-4)
        one = (probe.planes[:1], probe.ws[:1], probe.cameras[:1], probe.small)
        skipping = generator.render(*one, occupied=generator.occupied(one[0]))
        whole = generator.render(*one)
    require_close(skipping.image, whole.image, "a view without empty space", 1e-3)
    require_close(skipping.mask, whole.mask, "the mask of a view without empty space", 1e-3)


def check_plane_images(probe: GeneratorProbe) -> None:
    """Planes become feature maps [B, K, H, W] and back, nothing lost, gradients included."""
    generator = cast(PlaneImages, probe.generator)
    images = generator.as_images(probe.planes)
    require(
        images.ndim == 4 and images.shape[0] == HEADS, f"as_images must give [B, K, H, W], got {list(images.shape)}"
    )
    require_equal(generator.from_images(images), probe.planes, "planes after as_images and from_images")
    require_equal(generator.as_images(generator.from_images(images)), images, "images there and back")
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(generator.from_images(leaf).sum(), leaf)
    require_equal(gradient, torch.ones_like(gradient), "the gradient through from_images")


def check_resumable_synthesis(probe: GeneratorProbe) -> None:
    """At every size that it knows, stopping and going on gives the planes; other sizes are refused."""
    generator = cast(ResumableSynthesis, probe.generator)
    sizes = [size for size in _CANDIDATE_SIZES if _is_supported(generator, probe.ws, size)]
    require(bool(sizes), f"features refuses every size of {', '.join(map(str, _CANDIDATE_SIZES))}")
    for size in sizes:
        with torch.no_grad():
            x, skip = generator.features(probe.ws, size)
            resumed = generator.resume(x.clone(), skip.clone(), probe.ws, size)
            moved = generator.resume(x + 0.1 * x.std(), skip, probe.ws, size)
        require(x.shape[0] == HEADS and x.shape[-2:] == (size, size), f"features at {size}: got {list(x.shape)}")
        require_close(resumed, probe.planes, f"planes resumed at {size}", 1e-4)
        require(size == sizes[-1] or not torch.equal(moved, resumed), f"changed features at {size} change no planes")
    with refusal("features at size 7"):
        generator.features(probe.ws, 7)


def check_tunable(probe: GeneratorProbe) -> None:
    """Tunable parameters are the module's own, by their names, and a view depends on (nearly) all of them."""
    named = list(cast(Tunable, probe.generator).tunable_parameters())
    own = dict(probe.module.named_parameters())
    state = probe.module.state_dict()
    require(bool(named), "there are no tunable parameters")
    require(len({name for name, _ in named}) == len(named), "a tunable parameter is named twice")
    for name, parameter in named:
        require(name in state, f"tunable parameter {name!r} is not in the state dict")
        require(own.get(name) is parameter, f"tunable parameter {name!r} is not the module's parameter of that name")
    wanted = [parameter.requires_grad for parameter in own.values()]
    try:
        probe.module.requires_grad_(True)
        ws = probe.ws[:1]
        view = probe.generator.render(probe.generator.planes(ws), ws, probe.cameras[0], probe.small)
        loss = view.image.square().mean() + view.raw.square().mean()
        gradients = torch.autograd.grad(loss, [parameter for _, parameter in named], allow_unused=True)
    finally:
        for parameter, want in zip(own.values(), wanted, strict=True):
            parameter.requires_grad_(want)
    unseen = {name: each.numel() for (name, each), found in zip(named, gradients, strict=True) if found is None}
    share = sum(unseen.values()) / sum(each.numel() for _, each in named)  # a switched-off noise strength is no harm
    require(share < 0.01, f"no view depends on the tunable parameters {', '.join(unseen)}")


def check_super_resolving(probe: GeneratorProbe) -> None:
    """Super-resolution by itself makes what `render` makes; its parameters change that and no rendered feature."""
    generator = cast(SuperResolving, probe.generator)
    own, named = dict(probe.module.named_parameters()), dict(generator.superresolution_parameters())
    require(bool(named), "there are no super-resolution parameters")
    for name, parameter in named.items():
        require(own.get(name) is parameter, f"parameter {name!r} is not the module's parameter of that name")
    ws, planes, camera = probe.ws[:1], probe.planes[:1], probe.cameras[0]
    with torch.no_grad():
        features = generator.rendered_features(planes, ws, camera)
        image = generator.superresolved(features, ws)
        require_close(
            image, probe.generator.render(planes, ws, camera).image, "an image by super-resolution alone", 1e-5
        )
    wanted = [parameter.requires_grad for parameter in own.values()]
    try:
        probe.module.requires_grad_(True)
        loss = generator.superresolved(features, ws).square().mean()
        gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
        features = generator.rendered_features(planes, ws, camera)
        below = torch.autograd.grad(features.square().mean(), list(named.values()), allow_unused=True)
    finally:
        for parameter, want in zip(own.values(), wanted, strict=True):
            parameter.requires_grad_(want)
    for name, found, under in zip(named, gradients, below, strict=True):
        require(found is not None, f"the image does not depend on {name!r}")
        require(under is None, f"rendered features depend on {name!r}")


def check_style_rows(probe: GeneratorProbe) -> None:
    """Rendering given planes depends on some of the named rows of ws, and on no others."""
    rows = cast(StyleRows, probe.generator).style_rows()
    named = {row for each in rows.values() for row in each}
    count = probe.spec.latents.num_ws
    require(set(rows) <= {"background", "raw", "super_resolution"}, f"unknown parts in style_rows: {', '.join(rows)}")
    require(named <= set(range(count)), f"style_rows must name rows 0..{count - 1}, got {sorted(named)}")
    ws, planes, camera = probe.ws[:1], probe.planes[:1], probe.cameras[0]
    other = ws + probe.ws.std()
    with torch.no_grad():
        before = probe.generator.render(planes, ws, camera, probe.small).image
        mixed = torch.where(torch.tensor([row in named for row in range(count)], device=ws.device)[:, None], ws, other)
        unchanged = probe.generator.render(planes, mixed, camera, probe.small).image
        changed = probe.generator.render(planes, ws + other - mixed, camera, probe.small).image
    require_equal(unchanged, before, "a view after rows of ws changed that style_rows does not name")
    require(not torch.equal(changed, before), "the rows that style_rows names change nothing in a view")


def _is_supported(generator: ResumableSynthesis, ws: Tensor, size: int) -> bool:
    try:
        with torch.no_grad():
            generator.features(ws[:1], size)
    except ToolkitError:
        return False
    except Exception as error:
        raise AssertionError(f"features at size {size} must work or raise a ToolkitError: {_name(error)}") from error
    return True


def _name(error: Exception) -> str:
    return f"raised {type(error).__name__}: {cast(Any, error)}"
