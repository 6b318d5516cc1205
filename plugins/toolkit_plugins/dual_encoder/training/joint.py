"""One step of an encoder with both stages together: reconstruction, and for encoder 2 the adversarial term."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders.networks.style_encoder import fit_image
from toolkit.encoders.training import EncodingBatch, LossContext, Reconstruction, code_error
from toolkit.encoders.training.photos import Photos
from toolkit.encoders.triplanenet import FirstInversion, TriPlaneNetV2
from toolkit.interfaces import Code, Generator, Render
from toolkit.rendering.views import around
from toolkit.training.distribution import row_numbers
from toolkit_plugins.dual_encoder.training.adversary import Adversary
from toolkit_plugins.dual_encoder.training.settings import JointSettings


def joint_losses(
    context: LossContext,
    encoder: TriPlaneNetV2,
    stage: JointSettings,
    adversary: Adversary | None,
    batch: EncodingBatch,
    local: int,
) -> Mapping[str, Tensor]:
    """Weighted losses of a batch (Eqs. 2, 5 and 6); the discriminator, where there is one, takes its step here.

    Args:
        context: Generator and image terms.
        encoder: The one that learns.
        stage: Weights, and how reconstructions are rendered.
        adversary: Encoder 2's opponent.
        batch: Photos first, pairs after them.
        local: The stage's step.
    """
    seen, target, label, ws_of_pairs = joined_rows(batch)
    camera = Camera(label)
    first, shown = first_inversion(encoder, seen, camera, context.generator)
    with torch.no_grad():
        mirrored = encoder.mirrored_view(first, camera, context.generator)
    code = encoder.second(first, mirrored, seen, context.generator, detach=stage.detach)
    losses: dict[str, Tensor] = {}
    photos = len(seen) - len(ws_of_pairs)
    if stage.codes and len(ws_of_pairs):
        losses["codes"] = stage.codes * code_error(context, stage, first.ws[photos:] - ws_of_pairs)
    rows = len(seen) if stage.reconstruct_pairs else photos
    if rows:
        some = slice(rows)
        if stage.first:
            view = Render(*(part[some] for part in shown))
            terms = context.images.terms(stage.images, view, target[some], camera[some])
            losses |= {f"first_{name}": stage.first * term for name, term in terms.items()}
        final = Reconstruction(code.planes[some], code.ws[some], target[some], label[some], batch.window)
        losses |= final.losses(context, stage, local, "square")
    if batch.others is not None:
        losses |= others_losses(context, stage, Code(code.ws[:photos], code.planes[:photos]), batch.others)
    if stage.around and batch.yaws is not None:
        pairs = Code(code.ws[photos:], code.planes[photos:])
        losses |= around_losses(context, stage, pairs, ws_of_pairs, batch.yaws)
    if adversary is not None:
        losses["adversarial"] = adversarial_loss(context, adversary, code, first.planes, camera, batch)
    return losses


def others_losses(context: LossContext, stage: JointSettings, found: Code, others: Photos) -> Mapping[str, Tensor]:
    """Weighted terms on heads of photos as other photos of the same subjects show them."""
    terms = _terms_elsewhere(context, stage, found, others.image, Camera(others.label))
    return {f"others_{name}": stage.others * term for name, term in terms.items()}


def around_losses(
    context: LossContext, stage: JointSettings, found: Code, ws: Tensor, yaws: Tensor
) -> Mapping[str, Tensor]:
    """Weighted terms on heads of pairs as they look from elsewhere, where their pictures showed nothing; no identity.

    Args:
        context: Generator and image terms.
        stage: Weights, and how reconstructions are rendered.
        found: What the encoder made of the pairs' pictures.
        ws: The pairs' own codes [P, num_ws, w_dim].
        yaws: Yaws [P] in radians to look from.
    """
    truth, camera = shown_around(context, stage, ws, yaws)
    terms = _terms_elsewhere(context, stage, found, truth, camera)
    return {f"around_{name}": stage.around * term for name, term in terms.items()}


def _terms_elsewhere(
    context: LossContext, stage: JointSettings, found: Code, truth: Tensor, camera: Camera
) -> Mapping[str, Tensor]:
    """Terms on heads seen by other cameras than the input's; no identity, for there may be no face to know."""
    view = context.generator.render(found.planes, found.ws, camera, stage.resolution)
    return context.images.terms(stage.images, view, truth, camera, whole=False)


@torch.no_grad()
def shown_around(context: LossContext, stage: JointSettings, ws: Tensor, yaws: Tensor) -> tuple[Tensor, Camera]:
    """What the generator shows of codes [P, num_ws, w_dim] from yaws [P] in radians: pictures, and what saw them."""
    camera = around(context.generator.spec, yaws)
    return context.generator.render(context.generator.planes(ws), ws, camera, stage.resolution).image, camera


def adversarial_loss(
    context: LossContext, adversary: Adversary, code: Code, planes: Tensor, camera: Camera, batch: EncodingBatch
) -> Tensor:
    """The weighted adversarial term of encoded heads; the discriminator takes its step here.

    Args:
        context: The generator.
        adversary: Encoder 2's opponent.
        code: What is judged.
        planes: Say what the input views hide.
        camera: The input views.
        batch: The heads' numbers.
    """
    settings = adversary.settings
    masked = adversary.domain == "planes" and settings.occlusion
    occlusion = settings.mask.find(context.generator, planes.detach(), camera) if masked else None
    return adversary.loss(code.planes, code.ws, occlusion, row_numbers(*batch.blocks))


def joined_rows(batch: EncodingBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the encoder sees, what it should show, camera labels, and the pairs' codes (the last rows)."""
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    codes = torch.empty(0)
    if batch.photos is not None:
        parts.append((batch.photos.image, batch.photos.image, batch.photos.label))
    if batch.pairs is not None and batch.seen is not None:
        side = parts[0][0].shape[-1] if parts else batch.pairs.image.shape[-1]
        parts.append((fit_image(batch.seen, side), fit_image(batch.pairs.image, side), batch.pairs.label))
        codes = batch.pairs.ws
    seen, target, label = (torch.cat(column) for column in zip(*parts, strict=True))
    return seen, target, label, codes


def first_inversion(
    encoder: TriPlaneNetV2, image: Tensor, camera: Camera, generator: Generator
) -> tuple[FirstInversion, Render]:
    """The first stage's result, and the whole render that its view was taken from."""
    ws = encoder.codes(image)
    planes = generator.planes(ws)
    shown = generator.render(planes, ws, camera, encoder.view_resolution)
    return FirstInversion(ws, planes, fit_image(shown.image, encoder.image_size)), shown
