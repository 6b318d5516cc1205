"""What discriminators, losses, perceptual distances and the parts before a photo's inversion must keep."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.interfaces import (
    Discriminator,
    FaceEmbedder,
    Generator,
    ImageLoss,
    Matting,
    PlaneImages,
    PoseEstimator,
)
from toolkit.testing.probe import GeneratorProbe
from toolkit.testing.requirements import require, require_close, require_equal, require_shape

_LANDMARKS = np.array([[38.0, 50.0], [74.0, 50.0], [56.0, 72.0], [42.0, 92.0], [70.0, 92.0]])
_FACE_SIDE = 112


def check_discriminator(discriminator: Discriminator, generator: Generator) -> None:
    """A discriminator scores every sample alone, passes gradients (twice, for R1) and comes back from its state."""
    require(isinstance(discriminator, Discriminator), "a discriminator must have domain and forward")
    require(isinstance(discriminator, nn.Module), "a discriminator must be a torch.nn.Module")
    samples = discriminator_samples(discriminator, generator).requires_grad_()
    assert isinstance(discriminator, nn.Module)  # for the type checker
    discriminator.eval()
    logits = discriminator(samples)
    require_shape(logits, (samples.shape[0], 1), "logits")
    require_equal(discriminator(samples), logits, "logits of the same samples scored twice")
    require_close(discriminator(samples[1:]), logits[1:], "the logit of one sample of a batch alone", 2e-3)
    reached = (
        logits.requires_grad and torch.autograd.grad(logits.sum(), samples, create_graph=True, allow_unused=True)[0]
    )
    require(isinstance(reached, Tensor) and bool(reached.abs().sum() > 0), "no gradient reaches the samples")
    penalty = reached.square().flatten(1).sum(1).mean()
    parameters = list(discriminator.parameters())
    parts = torch.autograd.grad(penalty, parameters, allow_unused=True) if penalty.requires_grad and parameters else ()
    require(any(part is not None and bool(part.abs().sum() > 0) for part in parts), "R1 reaches no parameter")
    twin = copy.deepcopy(discriminator)
    twin.load_state_dict(discriminator.state_dict())
    require_equal(twin(samples), logits, "logits of a copy with the same state")


def discriminator_samples(discriminator: Discriminator, generator: Generator) -> Tensor:
    """Two samples of a discriminator's domain, made by a generator."""
    probe = GeneratorProbe(generator)
    domain = discriminator.domain
    require(domain in ("planes", "images", "latents"), f"domain must be planes, images or latents, got {domain!r}")
    if domain == "images":
        return probe.view.image.detach().clone()
    if domain == "latents":
        return probe.ws[:, 0].detach().clone()
    require(isinstance(generator, PlaneImages), "planes as images need a generator with that capability")
    assert isinstance(generator, PlaneImages)  # for the type checker
    return generator.as_images(probe.planes).detach().clone()


def check_perceptual(distance: Any) -> None:
    """A perceptual distance is 0 for equal images, grows with a distortion, and passes gradients."""
    for name in ("name", "embed", "distance"):
        require(hasattr(distance, name), f"a perceptual distance must have {name}")
    source = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 8, 8, generator=source) * 2 - 1
    image = torch.nn.functional.interpolate(coarse, size=(96, 96), mode="bicubic").clamp(-1, 1)
    noise = torch.randn(image.shape, generator=source)
    target = distance.embed(image)
    require(float(distance.distance(target, distance.embed(image)).abs()) < 1e-6, "equal images must have distance 0")
    near, far = (float(distance.distance(target, distance.embed((image + s * noise).clamp(-1, 1)))) for s in (0.1, 0.5))
    require(0 < near < far, f"the distance must grow with noise, got {near:.3g} and {far:.3g}")
    leaf = (image + 0.1 * noise).requires_grad_()
    value = distance.distance(distance.embed(leaf), target)
    require(value.requires_grad, "no gradient reaches the image")
    (gradient,) = torch.autograd.grad(value, leaf)
    require(bool(torch.isfinite(gradient).all()) and bool(gradient.abs().sum() > 0), "no gradient reaches the image")


def check_loss(loss: ImageLoss) -> None:
    """A loss on images is a scalar >= 0, smallest for equal images, and passes gradients to its first argument."""
    require(isinstance(loss, ImageLoss), "a loss must be called with (image, target)")
    source = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 8, 8, generator=source) * 2 - 1
    target = torch.nn.functional.interpolate(coarse, size=(96, 96), mode="bicubic").clamp(-1, 1)
    image = (target + 0.3 * torch.randn(target.shape, generator=source)).clamp(-1, 1).requires_grad_()
    value = loss(image, target)
    require(value.ndim == 0 and bool(torch.isfinite(value)), f"a loss must be one number, got {list(value.shape)}")
    with torch.no_grad():
        equal = float(loss(target, target))
    cost = float(value.detach())
    require(0 <= equal < cost, f"equal images cost {equal:.3g}, different ones {cost:.3g}")
    require(value.requires_grad, "no gradient reaches the image")
    (gradient,) = torch.autograd.grad(value, image, allow_unused=True)
    require(gradient is not None and bool(torch.isfinite(gradient).all()), "no finite gradient reaches the image")
    require(bool(gradient.abs().sum() > 0), "the gradient of the image is 0")


def check_pose_estimator(estimator: PoseEstimator, generator: Generator) -> None:
    """A pose is a rotation, the same each time."""
    require(isinstance(estimator, PoseEstimator), "a pose estimator must have estimate")
    first, second = (estimator.estimate(_LANDMARKS.copy(), generator.spec) for _ in range(2))
    rotation = np.asarray(first.rotation, dtype=float)
    require(rotation.shape == (3, 3), f"a rotation must have shape [3, 3], got {list(rotation.shape)}")
    error = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    require(error < 1e-3 and np.linalg.det(rotation) > 0, f"the pose is not a rotation (|R^T R - 1| = {error:.3g})")
    require(bool(np.array_equal(rotation, second.rotation)), "the same landmarks give two poses")
    require(bool(first.method), "a pose must name its estimator")


def check_matting(matting: Matting) -> None:
    """A mask has the photo's size and values from 0 to 1; the photo stays as it is."""
    require(isinstance(matting, Matting), "a matting must have matte")
    rows, columns = np.mgrid[:160, :128]
    head = (((rows - 75) / 45) ** 2 + ((columns - 64) / 34) ** 2 < 1)[..., None]
    photo = np.where(head, [205, 160, 140], [40, 70, 120]).astype(np.uint8)
    kept = photo.copy()
    mask = matting.matte(photo, np.array([[50.0, 65], [78, 65], [64, 80], [54, 95], [74, 95]]))
    require(mask.shape == (160, 128), f"a mask must have shape [160, 128], got {list(mask.shape)}")
    require(mask.dtype == np.float32, f"a mask must be float32, got {mask.dtype}")
    require(bool((mask >= 0).all() and (mask <= 1).all()), "a mask must lie in [0, 1]")
    require(bool(np.array_equal(photo, kept)), "matte changed the photo")


def check_face_embedder(embedder: FaceEmbedder) -> None:
    """Embeddings are unit vectors, the same each time and for every face of a batch alone."""
    require(isinstance(embedder, FaceEmbedder), "a face embedder must have embed")
    source = torch.Generator().manual_seed(0)
    faces = torch.rand(2, 3, _FACE_SIDE, _FACE_SIDE, generator=source) * 2 - 1
    with torch.no_grad():
        found, again, alone = embedder.embed(faces), embedder.embed(faces), embedder.embed(faces[1:])
    require(found.ndim == 2 and found.shape[0] == 2, f"embeddings must have shape [2, E], got {list(found.shape)}")
    require_close(found.norm(dim=1), torch.ones(2), "the length of embeddings, which must be 1", 1e-3)
    require_equal(again, found, "embeddings of the same faces")
    require_close(alone, found[1:], "the embedding of one face of a batch alone", 2e-3)
