"""What rays see of a head: colour, depth, label. Depth and label belong to the ray itself, never to a mean."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.clothing.necklines import below_neckline
from toolkit_plugins.heads360.geometry import F32, Floats, dot, unit
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.labels import Label
from toolkit_plugins.heads360.light import tone_mapped
from toolkit_plugins.heads360.parts import STRANDS, Kind
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
    count = len(origins)
    rgb, depth = np.ones((count, 3), F32), np.zeros(count, F32)
    label = np.zeros(count, np.uint8)
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        o, d = np.asarray(origins[part], F32) * F32(UNIT), np.asarray(directions[part], F32)
        hits = head.scene.hits(o, d)
        met = np.nonzero(hits.triangle >= 0)[0]
        if not len(met):
            continue
        where = start + met
        depth[where] = hits.distance[met] / F32(UNIT)
        weights = np.stack([1 - hits.u[met] - hits.v[met], hits.u[met], hits.v[met]], 1)
        samples = _samples(head, hits.triangle[met], weights, o[met], d[met], hits.distance[met])
        radiance, label[where] = shade(head, samples)
        rgb[where] = tone_mapped(radiance, head.details.light)
    return Seen(rgb, depth, label)


def shade(head: Head, s: Samples) -> tuple[Floats, NDArray[np.uint8]]:
    """Radiance [N, 3] and labels [N] of points on a head."""
    light, person = head.details.light, head.person
    radiance, label = np.zeros((len(s), 3), F32), np.zeros(len(s), np.uint8)

    def of(*kinds: Kind) -> NDArray[np.int64]:
        return np.nonzero(np.isin(s.kinds, [int(kind) for kind in kinds]) & ~covered)[0]

    covered = (s.kinds == Kind.SKIN) & (s.places[:, 1] < 6.1)
    covered[covered] = below_neckline(s.places[covered], person.dress.cloth) > _CLOTH_FROM
    if len(own := of(Kind.SKIN)):
        radiance[own], label[own] = shade_skin(s.where(own), person, head.skin, head.irradiance, light)
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
    own = np.nonzero(np.isin(s.kinds, [Kind.CLOTH, Kind.FRAME, Kind.HAT, Kind.METAL, Kind.SCARF]) | covered)[0]
    if len(own):
        chosen = s.where(own)
        radiance[own] = shade_cloth(chosen, person.dress, head.details, head.irradiance, head.openness, light)
        cloth = np.isin(chosen.kinds, [Kind.CLOTH, Kind.SKIN])
        label[own] = np.where(cloth, Label.CLOTH, Label.ACCESSORY)
    if len(own := of(*STRANDS)):
        radiance[own] = shade_strands(s.where(own), person.hair, head.hair_light, light)
        for kind, name in ((Kind.HAIR, Label.HAIR), (Kind.BROW, Label.BROW), (Kind.BEARD, Label.BEARD),
                           (Kind.LASH, Label.EYE)):  # fmt: skip
            label[s.kinds == kind] = name
    return radiance, label


def _samples(
    head: Head, triangle: NDArray[np.int32], weights: Floats, origins: Floats, directions: Floats, distance: Floats
) -> Samples:  # fmt: skip
    solid = head.solid
    corners = solid.faces[triangle]

    features = solid.features.take(corners[:, 0], 0) * weights[:, :1]
    for corner in (1, 2):
        features += solid.features.take(corners[:, corner], 0) * weights[:, corner : corner + 1]
    points = origins + directions * distance[:, None]
    normals = unit(features[:, :3])
    away = dot(normals, directions) > 0.2
    normals[away] *= -1
    kinds = solid.kinds[triangle]
    lamp = np.ones(len(points), F32)
    solids = np.nonzero(~np.isin(kinds, [int(kind) for kind in STRANDS]))[0]
    lamp[solids] = lamp_seen(head.scene, head.details.light, points[solids], normals[solids])
    return Samples(kinds, corners, weights.astype(F32), points, normals, features[:, 3:6], features[:, 6:],
                   -directions, lamp)  # fmt: skip
