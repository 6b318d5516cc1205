"""Settings of the three trainings; the defaults are the paper's, with the decisions where it is silent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from toolkit.configuration import Config
from toolkit.encoders.training import (
    DescentSizes,
    EncodingSettings,
    ImageWeights,
    RefinerSizes,
    StageSettings,
    StyleEncoderSizes,
)
from toolkit.encoders.training.named_parts import DiscriminatorOptions
from toolkit.encoders.training.settings import Count, Rate, Weight
from toolkit.losses import adversarial
from toolkit_plugins.dual_encoder.joining import MaskSettings
from toolkit_plugins.dual_encoder.latent_space import Space

PAPER = ImageWeights(l2=1.0, perceptual=0.8, identity=0.5)
"""The reconstruction losses of both encoders (Eqs. 2, 5 and 6)."""


class JointSettings(StageSettings):
    """Both stages of an encoder together, as the paper trains them."""

    images: ImageWeights = PAPER
    first: Weight = 1.0
    """Weight of the same terms on the first stage's render; keeps the code meaningful."""
    around: Weight = 0.0
    """Weight of the same terms on pairs seen from anywhere around, against what the generator itself shows there: what
    no photo can teach. Ours; the paper has no such term."""
    detach: bool = True
    """Whether the second stage's losses stop at the first stage's planes, as in TriPlaneNet."""


class EncoderStages(Config):
    """One encoder's training; stages without steps are left out."""

    codes: StageSettings = StageSettings(steps=0)
    """The first stage alone on pairs with known codes: cheap, nothing need be rendered."""
    first: StageSettings = StageSettings(steps=0)
    """The first stage alone, by reconstruction."""
    joint: JointSettings = JointSettings()


class AdversarySettings(Config):
    """The discriminator that encoder 2 plays against (Eqs. 7 and 8, Table 6)."""

    renamed: ClassVar[Mapping[str, str]] = {
        "domain": "discriminator",
        "width": "options.NAME.width",
        "stride": "options.NAME.stride",
        "pool": "options.NAME.pool",
    }
    discriminator: str = "occlusion-planes"
    """A registered discriminator of planes or of images (renders from all around); 'none': there is none."""
    options: DiscriminatorOptions = Field(default_factory=dict)
    """By discriminator, what its factory takes; for ours `width` (64), `stride` (1) and `pool` (1)."""
    occlusion: bool = True
    """Planes: only what the input view does not see, by one mask on real and encoded ones."""
    weight: Weight = 0.001
    """Of the encoder's adversarial term."""
    discriminator_weight: Rate = adversarial.WEIGHT
    r1_weight: Weight = adversarial.R1_WEIGHT
    r1_interval: Count = adversarial.R1_INTERVAL
    rate: Rate = 1e-4
    optimiser: Literal["ranger", "adam"] = "ranger"
    real: Literal["z", "z+"] = "z+"
    """What real samples are synthesised from: one latent per style, or one per head."""
    truncation: Annotated[float, Field(gt=0, le=1)] = 1.0
    resolution: Annotated[int, Field(ge=8)] | None = None
    """Images: side of the ray grid."""
    mask: MaskSettings = MaskSettings(free_space=0)


class DualSettings(EncodingSettings):
    """Settings of `dual-encoder`; an encoder alone passes over what belongs to the other."""

    network: StyleEncoderSizes = StyleEncoderSizes()
    refiner: RefinerSizes = RefinerSizes()
    descent: DescentSizes | None = None
    """Learned steps down the error of the input view instead of `refiner`, the paper's network of images; ours. Small
    trainings learn much sooner with them: nothing must be learnt of where on the planes a pixel lies. Joint stages then
    take the terms of `images` from here, and look at whole pictures."""
    space: Space = "w+"
    """Of the first stage's codes; z and z+ go through the mapping (the paper's Table 4)."""
    view_resolution: Annotated[int, Field(ge=8)] | None = None
    """Side of the ray grid of the renders that the second stage sees; None: the generator's own."""
    encoder1: EncoderStages = EncoderStages()
    encoder2: EncoderStages = EncoderStages()
    encoder2_from: Literal["encoder1", "itself"] = "encoder1"
    """Where encoder 2 begins: at the trained encoder 1 (of this run, or of a dual encoder's file as `start`), or at
    its own counterpart in `start`, or at random."""
    adversary: AdversarySettings = AdversarySettings()
    stitcher: str = "feathered"
    """A registered stitcher: joins the heads that are shown and scored while training."""
    evaluation_mask: MaskSettings = MaskSettings(resolution=64)
    """Of the stitched heads that are shown and scored while training."""
