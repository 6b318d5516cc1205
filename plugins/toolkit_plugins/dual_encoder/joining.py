"""From two encoders' codes of one view to one head: the view's occlusion mask, joined planes, chosen styles."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol, runtime_checkable

from pydantic import Field
from torch import Tensor

from toolkit.camera import Camera
from toolkit.configuration import Config
from toolkit.errors import CapabilityError, ConfigError
from toolkit.interfaces import Footprint, Generator, PlaneImages, StyleRows
from toolkit.rendering.occlusion import CLOSING, occlusion_mask

Side = Literal["visible", "occluded"]
LARGEST_MASK = 256
"""Side of the ray grid of masks for large images, the paper's."""
PARTS = ("background", "raw", "super_resolution")
"""Parts of rendering that styles drive; where two read the same row of ws, the later one has its way."""


@runtime_checkable
class _StyledGenerator(Generator, StyleRows, Protocol):
    """A generator that says which rows of ws its rendering reads."""


class MaskSettings(Config):
    """How the occlusion of the input view is found."""

    resolution: Annotated[int, Field(ge=1)] | None = None
    """Side of the ray grid; None: the image's side, at most 256."""
    per_slot: bool = True
    """Entries that differ in depth only count apart; false: a hit makes its whole column visible."""
    closing: Annotated[int, Field(ge=0)] = CLOSING
    """Radius in texels by which gaps between hits are closed."""
    free_space: Annotated[int, Field(ge=0)] = 4
    """Places per pixel between the camera and the surface that count as seen, too.

    Between three pairs of the miniature's own heads (benchmarks/occlusion_masks.py --heads 3, feathered), 4 bring the
    input view 0.3 dB nearer to the first head's and cost the opposite view 0.4 dB against the second's; the mask takes
    as long. The fits that follow only mend what the input view sees. The paper has none.
    """
    shell: Annotated[float, Field(ge=0)] = 0.0
    """World units by which the surface is thickened to both sides."""

    def find(self, generator: Generator, planes: Tensor, camera: Camera) -> Tensor:
        """The occlusion in the generator's occupancy shape (see `occlusion_mask`).

        Raises:
            CapabilityError: The generator lacks something that masks need.
        """
        side = self.resolution or min(LARGEST_MASK, generator.spec.image_size)
        return occlusion_mask(
            generator,
            planes,
            camera,
            side,
            per_slot=self.per_slot,
            closing=self.closing,
            free_space=self.free_space,
            shell=self.shell,
        )


class StyleChoice(Config):
    """Which encoder's ws drive the parts of rendering that are not read from planes."""

    background: Side = "visible"
    raw: Side = "visible"
    """The raw colours that super-resolution starts from."""
    super_resolution: Side = "visible"

    def check(self, generator: Generator) -> None:
        """Refuse what this generator cannot do, before anything is computed.

        Raises:
            CapabilityError: The parts differ, and the generator does not say which rows they read.
            ConfigError: The parts differ, but one of them would get none of its rows.
        """
        self._owners(generator)

    def pick(self, generator: Generator, visible: Tensor, occluded: Tensor) -> Tensor:
        """Put together ws [B, num_ws, w_dim] from both encoders'.

        Raises:
            CapabilityError: As `check`.
            ConfigError: As `check`.
        """
        sources = {"visible": visible, "occluded": occluded}
        owner = self._owners(generator)
        if not owner:
            return sources[self.super_resolution]
        ws = sources[self.super_resolution].clone()
        for row, part in owner.items():
            ws[:, row] = sources[getattr(self, part)][:, row]
        return ws

    def _owners(self, generator: Generator) -> dict[int, str]:
        """Which part has its way with a row of ws; none where all parts come from one encoder."""
        chosen = {part: getattr(self, part) for part in PARTS}
        if len(set(chosen.values())) == 1:
            return {}
        if not isinstance(generator, _StyledGenerator):
            raise CapabilityError(
                f"generator {generator.spec.name!r} does not say which rows of ws each part reads: "
                f"let {', '.join(PARTS)} all come from one encoder"
            )
        rows = generator.style_rows()
        owner: dict[int, str] = {}
        for part in PARTS:
            owner.update(dict.fromkeys(rows.get(part, ()), part))
        for part in PARTS:
            read = rows.get(part, ())
            if read and all(chosen[owner[row]] != chosen[part] for row in read):
                raise ConfigError(
                    f"ws.{part} and ws.{owner[read[-1]]} must be the same: generator {generator.spec.name!r} reads "
                    "both from one row of ws"
                )
        return owner


def masked_images(generator: Generator, planes: Tensor, occlusion: Tensor | None) -> Tensor:
    """Planes as images [B, K, H, W], set to zero where `occlusion` (in the occupancy's shape, None: nowhere) is 0.

    Raises:
        CapabilityError: The planes cannot be seen as images, or the generator does not know its footprint.
    """
    if not isinstance(generator, PlaneImages):
        raise CapabilityError(f"generator {generator.spec.name!r} has planes that cannot be seen as images")
    if occlusion is None:
        return generator.as_images(planes)
    if not isinstance(generator, Footprint):
        raise CapabilityError(f"generator {generator.spec.name!r} does not know its footprint")
    return generator.as_images(planes * generator.expand(occlusion))
