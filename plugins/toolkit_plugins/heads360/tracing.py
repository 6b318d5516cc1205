"""What rays see of a head: colour, depth, label. Depth and label belong to the ray itself, never to a mean."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.clothing.necklines import below_neckline
from toolkit_plugins.heads360.compiled.hits import gather
from toolkit_plugins.heads360.geometry import F32, Floats, Mask
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.labels import Label
from toolkit_plugins.heads360.light import tone_mapped
from toolkit_plugins.heads360.parts import STRANDS, Kind, one_of
from toolkit_plugins.heads360.scene import Hits
from toolkit_plugins.heads360.shading.cloth import shade_cloth
from toolkit_plugins.heads360.shading.eyes import shade_eye, shade_mouth
from toolkit_plugins.heads360.shading.samples import Samples
from toolkit_plugins.heads360.shading.skin import shade_skin
from toolkit_plugins.heads360.shading.strands import shade_strands
from toolkit_plugins.heads360.shadows import lamp_seen
from toolkit_plugins.heads360.shaping import UNIT

CHUNK = 16384
"""Points shaded at a time: what a processor's cache likes."""
_CLOTH_FROM = 0.03
_STRAND_LABELS = np.zeros(len(Kind), np.uint8)
"""Label of each kind of strand; 0 for every other kind."""
_STRAND_LABELS[[Kind.HAIR, Kind.BROW, Kind.BEARD, Kind.LASH]] = [Label.HAIR, Label.BROW, Label.BEARD, Label.EYE]


class Seen(NamedTuple):
    """What R rays see."""

    rgb: Floats
    """[R, 3] in 0..1; white where nothing is hit."""
    depth: Floats
    """[R], in the rays' unit; 0 where nothing is hit."""
    label: NDArray[np.uint8]
    """[R], see `Label`."""


def trace(head: Head, origins: Floats, directions: Floats) -> Seen:
    """Look along rays at a head on white ground.

    Args:
        head: The head.
        origins: [R, 3] world units.
        directions: [R, 3], unit.
    """
    return seen_of(head, origins, directions, first_hits(head, origins, directions))


def first_hits(head: Head, origins: Floats, directions: Floats) -> Hits:
    """Where rays [R, 3] (world units), [R, 3] (unit) meet a head first, in decimetres."""
    parts = [slice(start, start + CHUNK) for start in range(0, len(origins) or 1, CHUNK)]
    found = [head.scene.hits(*_in_decimetres(origins[part], directions[part])) for part in parts]
    return Hits(*(np.concatenate(values) for values in zip(*found, strict=True)))


def seen_of(head: Head, origins: Floats, directions: Floats, hits: Hits, coloured: Mask | None = None) -> Seen:
    """What rays see where they meet a head.

    Args:
        head: The head.
        origins: [R, 3] world units.
        directions: [R, 3], unit.
        hits: Of these rays.
        coloured: [R], which rays' colours are wanted; strands that the others hit stay white. None: all.
    """
    rgb, label = np.ones((len(origins), 3), F32), np.zeros(len(origins), np.uint8)
    met = hits.triangle >= 0
    depth = np.where(met, hits.distance / F32(UNIT), F32(0))
    if coloured is not None:
        label[met] = _STRAND_LABELS[head.solid.kinds[hits.triangle[met]]]
        met &= coloured | (label == Label.BACKGROUND)
    shaded = np.nonzero(met)[0]
    for start in range(0, len(shaded), CHUNK):
        part = shaded[start : start + CHUNK]
        samples = _samples(head, hits.take(part), *_in_decimetres(origins.take(part, 0), directions.take(part, 0)))
        radiance, label[part] = shade(head, samples)
        rgb[part] = tone_mapped(radiance, head.details.light)
    return Seen(rgb, depth, label)


def _in_decimetres(origins: Floats, directions: Floats) -> tuple[Floats, Floats]:
    return np.asarray(origins, F32) * F32(UNIT), np.asarray(directions, F32)


def shade(head: Head, s: Samples) -> tuple[Floats, NDArray[np.uint8]]:
    """Radiance [N, 3] and labels [N] of points on a head."""
    light, person = head.details.light, head.person
    radiance, label = np.zeros((len(s.kinds), 3), F32), np.zeros(len(s.kinds), np.uint8)

    def of(*kinds: Kind) -> NDArray[np.int64]:
        return np.nonzero(one_of(s.kinds, kinds) & ~covered)[0]

    covered = (s.kinds == Kind.SKIN) & (s.places[:, 1] < 6.1)
    covered[covered] = below_neckline(s.places[covered], person.dress.cloth) > _CLOTH_FROM
    if len(own := of(Kind.SKIN)):
        shade_skin(s, own, person, head.skin, head.irradiance, light, radiance, label)
    for index, eye in enumerate(head.eyes):
        first = s.corners[:, 0]
        own = np.nonzero((s.kinds == Kind.EYE) & (first >= eye.vertices.start) & (first < eye.vertices.stop))[0]
        if len(own):
            radiance[own] = shade_eye(
                s.where(own), head.eyes[index], person.iris, head.irradiance, head.openness, light
            )
            label[own] = Label.EYE
    for kind in (Kind.TEETH, Kind.TONGUE):
        if len(own := of(kind)):
            radiance[own] = shade_mouth(s.where(own), kind == Kind.TEETH, head.irradiance, light)
            label[own] = Label.MOUTH
    own = np.nonzero(one_of(s.kinds, [Kind.CLOTH, Kind.FRAME, Kind.HAT, Kind.METAL, Kind.SCARF]) | covered)[0]
    if len(own):
        chosen = s.where(own)
        radiance[own] = shade_cloth(chosen, person.dress, head.details, head.irradiance, head.openness, light)
        cloth = one_of(chosen.kinds, [Kind.CLOTH, Kind.SKIN])
        label[own] = np.where(cloth, Label.CLOTH, Label.ACCESSORY)
    if len(own := of(*STRANDS)):
        shade_strands(s, own, person.hair, head.hair_light, light, radiance)
        label[own] = _STRAND_LABELS[s.kinds[own]]
    return radiance, label


def _samples(head: Head, hits: Hits, origins: Floats, directions: Floats) -> Samples:
    """Points where rays in decimetres meet the head."""
    solid, count = head.solid, len(hits.triangle)
    kinds, lamp = solid.kinds[hits.triangle], np.ones(count, F32)
    corners, extra = np.empty((count, 3), np.int32), np.empty((count, 2), F32)
    weights, points, normals, places, view = (np.empty((count, 3), F32) for _ in range(5))
    samples = Samples(kinds, corners, weights, points, normals, places, extra, view, lamp)
    gather(solid.faces, solid.features, hits, origins, directions, samples)
    solids = np.nonzero(~one_of(kinds, STRANDS))[0]
    lamp[solids] = lamp_seen(head.scene, head.details.light, points[solids], normals[solids])
    return samples
