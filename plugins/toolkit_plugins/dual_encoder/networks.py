"""The dual encoder: two encoders alike in architecture, joined by what the input view sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from toolkit.camera import Camera
from toolkit.encoders import DescentEncoder, EncoderFile, TriPlaneNetV2
from toolkit.encoders.code_fit import CodeFit, fit_code
from toolkit.encoders.descent import DESCENT
from toolkit.encoders.files import built_from_file
from toolkit.encoders.head_fit import HeadFit
from toolkit.encoders.networks.plane_descent import PlaneDescent, PlaneDescentConfig
from toolkit.encoders.networks.plane_unet import PlaneRefiner, PlaneUnetConfig
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig
from toolkit.encoders.triplanenet import FIRST, SECOND, VIEW
from toolkit.interfaces import Code, Generator, Stitcher
from toolkit_plugins.dual_encoder.joining import MaskSettings, StyleChoice
from toolkit_plugins.dual_encoder.latent_space import MappedEncoder, Space
from toolkit_plugins.dual_encoder.stitching import occluded_share

DUAL, ENCODER_1, ENCODER_2 = "dual-encoder", "encoder1", "encoder2"
SPACE = "space"


class SingleEncoder(TriPlaneNetV2):
    """One of the two encoders: TriPlaneNet v2, whose first stage may encode into z or z+, too."""

    def sizes(self) -> Mapping[str, Any]:
        """As TriPlaneNet's, and the first stage's space where it is not W+."""
        first: nn.Module = self.psp_encoder
        if not isinstance(first, MappedEncoder):
            return super().sizes()
        return {
            FIRST: dataclasses.asdict(first.sizes),
            SECOND: dataclasses.asdict(self.triplanenet_encoder.config),
            VIEW: self.view_resolution,
            SPACE: first.space,
        }


AnyEncoder = SingleEncoder | DescentEncoder
"""What either may be: its planes are refined by a network of images, as in the paper, or by learned descent."""


class DualEncoder(nn.Module):
    """Encoder 1 where the input view sees, encoder 2 where it does not; a `TrainableEncoder`."""

    def __init__(
        self,
        visible: AnyEncoder,
        occluded: AnyEncoder,
        stitcher: Stitcher,
        mask: MaskSettings,
        styles: StyleChoice | None = None,
        *,
        codes: CodeFit | None = None,
        fit: HeadFit | None = None,
        keep_planes: bool = False,
    ) -> None:
        """Put the parts together.

        Args:
            visible: Encoder 1.
            occluded: Encoder 2.
            stitcher: Joins their planes.
            mask: How the occlusion of the input view is found.
            styles: Which encoder's ws drive what is not read from planes; None: encoder 1's.
            codes: How encoder 2's code is fitted to the input view before planes are; None: not at all, as in the
                paper. Only after learned descent.
            fit: How the head is fitted to the input view in the end; None: not at all, as in the paper.
            keep_planes: Whether `encode_with_extras` keeps both encoders' planes and the mask.
        """
        super().__init__()
        self.visible, self.occluded = visible, occluded
        self.stitcher, self.mask, self.styles = stitcher, mask, styles or StyleChoice()
        self.codes, self.fit, self.keep_planes = codes, fit, keep_planes

    @property
    def average_latent(self) -> Tensor:
        """[num_ws, w_dim], the same for both encoders."""
        return self.visible.average_latent

    def encode(self, image: Tensor, camera: Camera, generator: Generator) -> Code:
        """Encode images [B, 3, S, S] in [-1, 1] twice, and take from encoder 2 what encoder 1's head hides.

        Raises:
            CapabilityError: The generator's planes cannot be seen as images, or it does not know its footprint.
        """
        return self.encode_with_extras(image, camera, generator)[0]

    def encode_with_extras(
        self, image: Tensor, camera: Camera, generator: Generator
    ) -> tuple[Code, Mapping[str, Tensor]]:
        """Like `encode`; besides, what `keep_planes` asks for."""
        visible, occluded = self._both(image, camera, generator)
        occlusion = self.mask.find(generator, visible.planes, camera)
        share = occluded_share(self.stitcher, generator, occlusion)
        ws = self.styles.pick(generator, visible.ws, occluded.ws)
        code = Code(ws, self.stitcher.stitch(visible.planes, occluded.planes, share))
        if self.fit is not None:
            code = self.fit.fitted(generator, code, 1 - share, image, camera)
        extras = {"visible_planes": visible.planes, "occluded_planes": occluded.planes, "occlusion": occlusion}
        return code, extras if self.keep_planes else {}

    def _both(self, image: Tensor, camera: Camera, generator: Generator) -> tuple[Code, Code]:
        """What either encoder makes of the images."""
        first, second, codes = self.visible, self.occluded, self.codes
        if codes is None or codes.steps == 0 or not isinstance(first, DescentEncoder):
            return first.encode(image, camera, generator), second.encode(image, camera, generator)
        ws = fit_code(codes, generator, second.codes(image), self.average_latent, image, camera)
        return first.descend(ws, image, camera, generator), Code(ws, generator.planes(ws))

    def parts(self) -> Mapping[str, nn.Module]:
        """Both encoders' networks, each name behind its encoder's."""
        return {
            f"{name}.{part}": network
            for name, encoder in ((ENCODER_1, self.visible), (ENCODER_2, self.occluded))
            for part, network in encoder.parts().items()
        }

    def sizes(self) -> Mapping[str, Any]:
        """Both encoders' sizes, by name."""
        return {ENCODER_1: self.visible.sizes(), ENCODER_2: self.occluded.sizes()}


def lay_out_encoder(
    first: StyleEncoderConfig,
    second: PlaneUnetConfig,
    generator: Generator,
    average_latent: Tensor,
    space: Space = "w+",
    view_resolution: int | None = None,
) -> SingleEncoder:
    """One encoder with random weights; its second stage begins by changing nothing.

    Args:
        first: Sizes of the first stage.
        second: Sizes of the second.
        generator: Whose codes and planes are wanted.
        average_latent: [num_ws, w_dim].
        space: Where the first stage's codes are, before the mapping.
        view_resolution: Side of the ray grid of the renders that the second stage sees.
    """
    codes: nn.Module
    codes = GradualStyleEncoder(first) if space == "w+" else MappedEncoder(space, first, generator, average_latent)
    refiner = PlaneRefiner(second)
    refiner.begin_still()
    # TriPlaneNet asks its first stage for offsets and for its sizes only
    return SingleEncoder(cast(GradualStyleEncoder, codes), refiner, average_latent, view_resolution)


@built_from_file
def read_encoder_of(file: EncoderFile, name: str, generator: Generator, steps: int | None = None) -> AnyEncoder:
    """An encoder out of its own file or of a dual encoder's.

    Args:
        file: Of kind `name`, or a dual encoder's.
        name: ENCODER_1 or ENCODER_2.
        generator: Which codes are wanted for.
        steps: How many steps of learned descent an inversion takes, where the file has it; None: the training's.

    Raises:
        WeightsError: The weights do not fit.
    """
    prefix = f"{name}." if file.kind == DUAL else ""
    place = (name,) if prefix else ()
    sizes: Any = file.config.get(name, {}) if prefix else file.config
    first, average_latent = file.settings(StyleEncoderConfig, *place, FIRST), file.average_latent.to(generator.device)
    encoder: AnyEncoder
    if DESCENT in sizes:
        descent = PlaneDescent(file.settings(PlaneDescentConfig, *place, DESCENT))
        encoder = DescentEncoder(GradualStyleEncoder(first), descent, average_latent, steps)
    else:
        encoder = lay_out_encoder(
            first,
            file.settings(PlaneUnetConfig, *place, SECOND),
            generator,
            average_latent,
            sizes.get(SPACE, "w+"),
            file.count(*place, VIEW),
        )
    for part, network in encoder.parts().items():
        file.load_into(network, prefix + part)
    return encoder
