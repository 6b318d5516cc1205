"""How far reconstructions are from pictures: the terms of a stage, weighted."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module

from toolkit.arms_length import asked, fault_of_gradient, fault_of_tensor, guarded
from toolkit.camera import Camera
from toolkit.encoders.networks.style_encoder import fit_image
from toolkit.encoders.training.settings import ImageWeights, NetworkLosses
from toolkit.errors import ConfigError, PluginError
from toolkit.interfaces import FaceEmbedder, GeneratorSpec, ImageLoss, Perceptual, Render
from toolkit.losses.identity import IdentityLoss
from toolkit.losses.perceptual import fault_of_loss, open_perceptual, perceptual_names
from toolkit.losses.reconstruction import l2
from toolkit.registry import Registration, default_registry, unknown_name

LARGEST_SIDE = 256
"""Larger pictures are compared at this side, as the published trainings do."""


class ImageLosses:
    """The terms on images, with their networks."""

    def __init__(
        self,
        settings: NetworkLosses,
        spec: GeneratorSpec,
        device: torch.device,
        *,
        identity: bool = False,
        names: Iterable[str] = (),
    ) -> None:
        """Open the networks.

        Args:
            settings: Which.
            spec: The generator's: says where faces are.
            device: Where to compute.
            identity: Whether the identity term is used.
            names: Registered losses and perceptual distances that are used by name.

        Raises:
            ConfigError: Unknown perceptual distance or loss.
            PluginError: Unknown face embedder.
            WeightsError: Their weights are not there.
        """
        trunk = None if settings.trunk is None else Path(settings.trunk).expanduser()
        self.perceptual = open_perceptual(settings.perceptual, trunk, device)
        self.perceptual_distance = PerceptualLoss(self.perceptual)
        """Mean over images of the perceptual distance; no gradient reaches the target."""
        self.identity = _identity(settings, spec, device) if identity else None
        self.by_name: dict[str, ImageLoss] = {name: _named(name, device) for name in sorted(set(names))}

    def terms(
        self, weights: ImageWeights, render: Render, target: Tensor, camera: Camera, *, whole: bool = True
    ) -> dict[str, Tensor]:
        """Weighted terms by name.

        Args:
            weights: Their weights; terms of weight 0 are left out.
            render: Of B views.
            target: [B, 3, S, S] in [-1, 1], what they should show; brought to the render's size.
            camera: The views' cameras.
            whole: Whether whole pictures are shown, so that there is a face to recognise.
        """
        side = min(render.image.shape[-1], LARGEST_SIDE)
        image, wanted = fit_image(render.image, side), fit_image(target, side)
        terms: dict[str, Tensor] = {}
        if weights.l2:
            terms["l2"] = weights.l2 * l2(image, wanted)
        if weights.smooth_l1:
            terms["smooth_l1"] = weights.smooth_l1 * F.smooth_l1_loss(image, wanted)
        if weights.raw:
            terms["raw"] = weights.raw * l2(render.raw, fit_image(target, render.raw.shape[-1]))
        if weights.perceptual:
            terms["perceptual"] = weights.perceptual * self.perceptual_distance(image, wanted)
        if weights.identity and whole and self.identity is not None:
            terms["identity"] = weights.identity * self.identity_distance(image, wanted, camera)
        for name, weight in weights.by_name.items():
            if weight:
                terms[name] = weight * self.by_name[name](image, wanted)
        return terms

    def identity_distance(self, image: Tensor, target: Tensor, camera: Camera) -> Tensor:
        """Mean over images of one minus the faces' cosine; no gradient reaches the target."""
        assert self.identity is not None  # callers ask only where it was opened
        return self.identity(image, target, camera)


class PerceptualLoss:
    """A perceptual distance as a loss on images; no gradient reaches the target."""

    def __init__(self, perceptual: Perceptual) -> None:
        """Take in the distance, which embeds each image once."""
        self.perceptual = perceptual

    def __call__(self, image: Tensor, target: Tensor) -> Tensor:
        """Mean distance over images: a scalar."""
        with torch.no_grad():
            wanted = self.perceptual.embed(target)
        return self.perceptual.distance(self.perceptual.embed(image), wanted)


def _named(name: str, device: torch.device) -> ImageLoss:
    """A registered loss, or a registered perceptual distance as one.

    Raises:
        ConfigError: Neither is registered under the name.
    """
    registry = default_registry()
    losses, distances = [entry.name for entry in registry.of_kind("loss")], perceptual_names()
    if name in losses:
        loss = _loss(registry.get("loss", name))
    elif name in distances:
        return PerceptualLoss(open_perceptual(name, device=device))
    else:
        raise ConfigError(unknown_name("loss", name, [*losses, *distances]))
    if isinstance(loss, Module):
        loss.to(device)
    return loss


def _loss(entry: Registration) -> ImageLoss:
    """A registered loss; a stranger's at arm's length.

    Raises:
        PluginError: It cannot be built, or cannot be called.
    """
    loss: ImageLoss = entry.build()
    if not callable(loss):
        raise PluginError(f"{entry.whose} makes a {type(loss).__name__}, which cannot be called")
    if not entry.is_strangers or isinstance(loss, Module):
        return guarded(loss, entry, {"forward": fault_of_loss})
    return functools.partial(asked, entry, "__call__", loss, fault_of_loss)


def _identity(settings: NetworkLosses, spec: GeneratorSpec, device: torch.device) -> IdentityLoss:
    weights = None if settings.embedder_weights is None else Path(settings.embedder_weights).expanduser()
    entry = default_registry().get("face_embedder", settings.embedder)
    embedder: Any = entry.build(weights)
    if not isinstance(embedder, FaceEmbedder):
        raise PluginError(f"{entry.whose} makes a {type(embedder).__name__}, which has no embed")
    guarded(embedder, entry, {"embed": _fault_of_vectors})
    if isinstance(embedder, Module):
        embedder.to(device)
    return IdentityLoss(embedder, face_points=spec.face_points)


def _fault_of_vectors(found: Any, given: Sequence[Any]) -> str:
    """What is wrong with vectors of faces [B, 3, P, P]; empty: nothing."""
    faces = given[0]
    return fault_of_tensor(found, given, (len(faces), None)) or fault_of_gradient(found, faces.requires_grad)
