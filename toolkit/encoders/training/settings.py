"""Settings that all encoder trainings share; each method's own model derives from `EncodingSettings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from toolkit.configuration import Config
from toolkit.encoders.networks.plane_descent import PlaneDescentConfig
from toolkit.encoders.networks.plane_unet import PlaneUnetConfig, plane_image_shape
from toolkit.encoders.networks.style_encoder import StyleEncoderConfig
from toolkit.interfaces import Generator, GeneratorSpec
from toolkit.interfaces.training import Cadence
from toolkit.training.stepping import EngineSettings

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]


class PhotoSettings(Config):
    """Pictures without known codes: data set folders or zips, or one that makes itself."""

    sources: tuple[str, ...] = ("heads360",)
    """PATH (with dataset.json) or READER:PATH (lpff:lpff.zip), all used together; or a data set that makes itself."""
    held_out: tuple[str, ...] = ()
    """The same for evaluation; empty: made from the validation split, or the last subjects of the sources."""
    held_out_subjects: Count = 8
    held_out_pictures: Count = 24
    """Most held-out pictures that are scored, spread over all yaws."""
    split: Literal["last", "rule"] = "last"
    """What is held out of files where `held_out` names nothing: the last subjects, or the part `val` of each source, by
    the rule of `toolkit data split`; then only the part `train` is learnt from."""
    masks: Literal["optional", "required"] = "optional"
    """Heads with masks are put on white; required: a picture without one is refused before the training."""
    domain: str = "wild"
    """The following describe what is made, once, below the user's cache."""
    seed: Annotated[int, Field(ge=0)] = 0
    subjects: Count = 600
    views: tuple[str, ...] = ("front", "left_30", "right_60")
    workers: Count = 2
    mirror: bool = True
    """Every picture, with its camera, also counts mirrored left-right."""
    rebalance: bool = False
    """Draw rare camera directions more often (LPFF's rule)."""


class PairSettings(Config):
    """Pictures with known codes, rendered by the generator itself."""

    renamed: ClassVar[Mapping[str, str]] = {"disturb": "augment"}

    count: Annotated[int, Field(ge=0)] = 0
    """Made once and kept in the user's cache; 0: new ones for every step."""
    space: Literal["z", "z+", "w+"] = "z"
    """z: one latent per head. z+: one latent per style. w+: one, then noise on each style's w."""
    spread: Weight = 0.5
    """w+: size of that noise, in deviations of w."""
    truncation: Annotated[float, Field(gt=0, le=1)] = 1.0
    resolution: Annotated[int, Field(ge=8)] | None = None
    """Side of the ray grid; None: the generator's own. The picture is as much larger as super-resolution makes it."""
    yaw: Annotated[float, Field(ge=0, le=180)] = 75.0
    """Cameras stand anywhere within so many degrees of the front."""
    pitch: Annotated[float, Field(ge=0, lt=90)] = 15.0
    heads: str | None = None
    """READER:PATH of procedural heads in a folder: their pictures count as pairs, too, with the codes that the
    generator's mapping gives their latents. Only for a generator that learnt from the latents of such heads."""
    augment: Share = 1.0
    """Strength of what is done to their looks (light, colour, blur, noise, things in front) to resemble photos."""


class ImageWeights(Config):
    """Weights of the terms on a render; 0 leaves a term out."""

    l2: Weight = 1.0
    smooth_l1: Weight = 0.0
    raw: Weight = 0.0
    """L2 before super-resolution."""
    perceptual: Weight = 0.8
    identity: Weight = 0.0
    """Only where a whole picture is rendered."""
    by_name: dict[str, Weight] = Field(default_factory=dict)
    """Weights of registered losses on images and of further perceptual distances, by their names."""


class StageSettings(Config):
    """One stage of a training; the published recipes are the defaults."""

    renamed: ClassVar[Mapping[str, str]] = {"doubt": "asymmetry"}

    steps: Annotated[int, Field(ge=0)] = 500_000
    batch: Count = 3
    rate: Rate = 1e-4
    optimiser: Literal["ranger", "adam"] = "ranger"
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Annotated[int, Field(ge=0)] = 0
    """Steps over which the rate grows to its value."""
    clip: Rate | None = None
    """Largest norm of all gradients together."""
    photos: Share = 1.0
    """Share of the batch that are photos; the rest are pairs."""
    codes: Weight = 0.0
    """Weight of the known codes of pairs."""
    codes_by: Literal["numbers", "pictures"] = "numbers"
    """What an error of a code counts as. numbers: mean squared error in units of the codes' variance. pictures: how
    much of it shows from the front, by a linear guess, and a tenth of the former, so that styles stay together. Small
    networks learn much sooner by pictures."""
    reconstruct_pairs: bool = True
    """Whether pairs are also reconstructed, as photos are."""
    resolution: Annotated[int, Field(ge=8)] | None = None
    """Side of the ray grid of reconstructions; None: the generator's own."""
    windows: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0,)
    """Sides of the part of the picture that steps look at, in turn: 1 the whole, 0.5 a random quarter of it."""
    images: ImageWeights = ImageWeights()
    others: Weight = 0.0
    """Weight of the same terms on another picture of the same subject, drawn with each photo: what the input view hides
    or distorts. Photos of subjects that have one picture only stand for themselves. Joint stages look at them."""
    mirror: Weight = 0.0
    """Weight of the same terms on the view from the mirrored camera, against the mirrored picture (TriPlaneNet v2)."""
    mirror_every: Count = 1
    """Steps from one look at the mirrored view to the next; it weighs so many times as much there."""
    asymmetry: Weight = 0.0
    """Mirror terms on pixels count 1 / (1 + asymmetry): how asymmetric heads are taken to be."""


class NetworkLosses(Config):
    """The networks behind the perceptual and the identity term."""

    perceptual: str = "pyramid"
    """A perceptual distance by name."""
    trunk: str | None = None
    """Weights file of its feature network, for LPIPS."""
    embedder: str = "arcface"
    """A face embedder by name; only built where a stage weighs identity."""
    embedder_weights: str | None = None


class EncodingSettings(Config):
    """What every encoder training has."""

    seed: Annotated[int, Field(ge=0)] = 0
    generator: str = "panohead-mini"
    generator_weights: str | None = None
    recogniser: str | None = None
    """A face recogniser's state dict (safetensors, e.g. `ir_se50.safetensors`) that all IR-SE trunks begin at, as
    published; None: at random."""
    begin_at_average: bool = False
    """Whether style blocks begin at the average code instead of at random ones (published): small networks without a
    recogniser's trunk learn much sooner."""
    start: str | None = None
    """A trained encoder to begin from, a file or by name one that ships: those of its networks that this training has,
    too."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the averaged weights that are shown and exported; 0: the weights themselves."""
    samples: Count = 10_000
    """Random heads whose mean w the codes are offsets from."""
    photos: PhotoSettings = PhotoSettings()
    pairs: PairSettings = PairSettings()
    losses: NetworkLosses = NetworkLosses()
    engine: EngineSettings = EngineSettings()
    cadence: Cadence = Cadence()


class StyleEncoderSizes(Config):
    """Sizes of a style encoder; what is not set follows from the generator, as published."""

    image_size: Annotated[int, Field(ge=32)] | None = None
    width: Count = 64
    units: tuple[int, int, int, int] = (3, 4, 14, 3)
    block_width: Annotated[int, Field(ge=0)] = 0

    def for_generator(self, spec: GeneratorSpec) -> StyleEncoderConfig:
        """The sizes for a generator's codes and images."""
        return StyleEncoderConfig.for_generator(spec, **_chosen(self))


class RefinerSizes(Config):
    """Sizes of a second stage; what is not set follows from the generator, as published."""

    image_size: Annotated[int, Field(ge=16)] | None = None
    """None: as the first stage's."""
    width: Count = 64
    units: tuple[int, int, int, int] = (3, 4, 14, 3)
    head_width: Count | None = None
    """Hidden channels of the last layers; None: as many as the planes have."""
    pixel_shuffle: bool = False
    plane_scale: Count | None = None

    def for_generator(self, generator: Generator, side: int) -> PlaneUnetConfig:
        """The sizes for a generator's planes.

        Args:
            generator: Can see planes as images.
            side: Of the images that the first stage looks at.

        Raises:
            CapabilityError: It cannot.
        """
        chosen: dict[str, Any] = {**_chosen(self), "image_size": self.image_size or side}
        if self.pixel_shuffle and self.plane_scale is None:
            chosen["plane_scale"] = max(1, 2 * plane_image_shape(generator)[1] // chosen["image_size"])
        return PlaneUnetConfig.for_generator(generator, **chosen)


class DescentSizes(Config):
    """Sizes of learned steps down the error of the input view, in the place of a refiner of images."""

    width: Count = 32
    steps: Count = 2
    resolution: Annotated[int, Field(ge=8)] | None = None
    """Side of the ray grid that errors are seen at; None: the generator's own."""
    perceptual: str = "lite0"
    """A perceptual distance by name; inversions need it, too."""
    perceptual_weight: Weight = 0.8

    def for_generator(self, generator: Generator, plane_scale: float) -> PlaneDescentConfig:
        """The sizes for a generator's planes, whose standard deviation is `plane_scale`.

        Raises:
            CapabilityError: Its planes do not fit.
        """
        return PlaneDescentConfig.for_generator(generator, plane_scale=plane_scale, **_chosen(self))


def _chosen(sizes: Config) -> dict[str, Any]:
    """What differs from the generator's own sizes."""
    return {key: value for key, value in sizes.model_dump().items() if value is not None}
