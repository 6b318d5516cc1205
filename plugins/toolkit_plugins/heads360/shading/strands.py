"""Hair, brows, beards and lashes: two highlights along the strand, and light through the hair's mass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.compiled.strands import StrandLook, shade_strand_points
from toolkit_plugins.heads360.geometry import F32, Floats, numbers
from toolkit_plugins.heads360.light import Light
from toolkit_plugins.heads360.person import Hair
from toolkit_plugins.heads360.shading.samples import Samples
from toolkit_plugins.heads360.transfer import HairLight


def shade_strands(
    s: Samples, own: NDArray[np.int64], hair: Hair, within: HairLight | None, light: Light, radiance: Floats
) -> None:
    """Write the radiance of strands of hair: highlights along the strand, shadow inside the volume.

    Args:
        s: N points.
        own: [M], which of them are on strands.
        hair: The person's.
        within: The light inside the hair, where there is any.
        light: The light.
        radiance: [N, 3].
    """
    look = StrandLook(
        numbers(hair.colour), float(hair.grey), numbers(light.lamp_direction), numbers(light.lamp),
        numbers(light.environment().sum(0)),
    )  # fmt: skip
    grids = np.empty((0, 5), F32) if within is None else within.grids
    shade_strand_points(own, s, look, grids, radiance)
