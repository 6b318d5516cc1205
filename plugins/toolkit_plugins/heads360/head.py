"""A head as triangles, with what every vertex sees of the surroundings: all that rays need."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
from scipy import sparse

from toolkit_plugins.heads360 import accessories
from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.clothing.garments import Cloth, dress
from toolkit_plugins.heads360.clothing.necklines import below_neckline
from toolkit_plugins.heads360.details import Details, clean_details
from toolkit_plugins.heads360.eyeball import add_eye
from toolkit_plugins.heads360.geometry import F32, Floats, Ints, Surface, triangles_of
from toolkit_plugins.heads360.hair.face import grow_beard, grow_brows, grow_lashes
from toolkit_plugins.heads360.hair.scalp import Scalp
from toolkit_plugins.heads360.hair.styles import grow_hair
from toolkit_plugins.heads360.hats import add_hat
from toolkit_plugins.heads360.light import Light
from toolkit_plugins.heads360.parts import STRANDS, Kind, Parts, Solid, one_of
from toolkit_plugins.heads360.person import Person
from toolkit_plugins.heads360.scene import Scene
from toolkit_plugins.heads360.shading.skin_map import skin_map
from toolkit_plugins.heads360.shaping import bust_of
from toolkit_plugins.heads360.transfer import HairFog, HairLight, hair_visibility, surface_transfer

_LIFT = 0.012
"""Light is gathered this far above a surface."""
_CLOTH_LIFT = 0.2
_HIDDEN_BELOW = 0.15
"""Skin this far below a neckline is left out."""


class Head:
    """A person with details; never changes."""

    def __init__(self, person: Person, details: Details | None = None) -> None:
        """Build everything; takes about a second."""
        self.person, self.details = person, details or clean_details()
        self.bust = bust_of(person)
        rng = np.random.default_rng(person.seed)
        parts, base = Parts(), anatomy()
        self._add_body(parts)
        self.eyes = [add_eye(parts, self.bust, side, person.expression.gaze) for side in "lr"]
        cloth = dress(parts, self.bust, person.dress.cloth, rng)
        accessories.add_glasses(parts, self.bust, person.dress)
        accessories.add_earrings(parts, self.bust, person.dress.earrings, person.dress.glasses_shape[0])
        scalp = Scalp(self.bust, self.details.hat)
        add_hat(parts, scalp, self.details.hat)
        if self.details.scarf:
            accessories.add_scarf(parts, self.bust, rng)
        solids = parts.count
        hair = grow_hair(parts, scalp, person, rng)
        beard = grow_beard(parts, scalp, person, rng)
        grow_brows(parts, self.bust, person, rng)
        grow_lashes(parts, self.bust, person, rng)
        self.solid: Solid = parts.solid()
        self.scene = Scene(self.solid.points, self.solid.faces)
        self._carry_light(solids, cloth, scalp, hair + beard)
        self.skin = skin_map(person, self.openness[: len(base.template)])

    def _add_body(self, parts: Parts) -> None:
        base, bust = anatomy(), self.bust
        hidden = below_neckline(base.template, self.person.dress.cloth) > _HIDDEN_BELOW
        hidden &= base.template[:, 1] < 6.1
        faces = base.body[~hidden[base.body].all(1)]
        parts.add(Surface(bust.points, faces, bust.normals), Kind.SKIN, base.template)
        parts.add_faces(triangles_of(base.group("helper-upper-teeth", "helper-lower-teeth")), Kind.TEETH)
        parts.add_faces(triangles_of(base.group("helper-tongue")), Kind.TONGUE)

    def _carry_light(self, solids: int, cloth: Cloth, scalp: Scalp, strands: list[Floats]) -> None:
        """Gather light at the vertices of all that are not strands."""
        base, solid = anatomy(), self.solid
        own = np.zeros(solids, bool)
        own[solid.faces[~one_of(solid.kinds, STRANDS)]] = True
        own[cloth.where] = False
        own[cloth.mixing.indices] = True
        rows = np.nonzero(own)[0]
        lift = np.full(solids, _LIFT, F32)
        lift[base.vertices_of("helper-tights")] = _CLOTH_LIFT
        blocking = solid.faces[~one_of(solid.kinds, (*STRANDS, Kind.EYE))]
        blockers = Scene(solid.points, blocking)
        fog = HairFog(strands) if strands else None
        points = solid.points[rows] + solid.normals[rows] * lift[rows, None]
        self.transfer = surface_transfer(points, solid.normals[rows], blockers, fog)
        self._fog = fog
        self._hair_visibility = None if fog is None else hair_visibility(fog, scalp, blockers)
        self._spread = _spread(rows, cloth, solids)
        """[solid vertices, rows of the transfer]; 0 where no triangle has a vertex."""
        self.openness = np.asarray(self._spread @ self.transfer.openness(), F32)
        """[solid vertices]: share of the half space that is open."""
        self._light(self.details)

    def _light(self, details: Details) -> None:
        self.details = details
        self.irradiance = np.asarray(self._spread @ self.transfer.irradiance(details.light), F32)
        """[solid vertices, 3] / pi, without the lamp."""
        self.hair_light: HairLight | None = None
        if self._fog is not None and self._hair_visibility is not None:
            self.hair_light = HairLight(self._fog, self._hair_visibility, details.light)

    def relit(self, light: Light) -> Head:
        """The same head in another light, without a new set-up."""
        other = copy(self)
        other._light(replace(self.details, light=light))
        return other

    def landmarks(self) -> Floats:
        """Image-left eye, image-right eye, nose tip, image-left and -right mouth corner [5, 3], decimetres."""
        base, points = anatomy(), self.bust.points
        right, left = self.eyes[1], self.eyes[0]
        x, y, z = base.template.T
        nose = points[
            base.body_vertices[np.argmax((z - 0.4 * np.abs(x) - 3 * (np.abs(y - 6.98) > 0.12))[base.body_vertices])]
        ]
        lips = base.body_vertices[base.masks["lips"][base.body_vertices] > 0.5]
        corners = [points[lips[np.argmax(sign * x[lips])]] for sign in (-1, 1)]
        front = [eye.centre + np.array([0, 0, eye.radius], F32) for eye in (right, left)]
        return np.stack([*front, nose, *corners]).astype(F32)


def _spread(rows: Ints, cloth: Cloth, solids: int) -> sparse.csr_matrix:
    """Shares [solids, rows] that carry light from the vertices where it was gathered: of cloth, from the tights."""
    identity = sparse.csr_matrix((np.ones(len(rows), F32), (rows, np.arange(len(rows)))), (solids, len(rows)))
    mixing = cloth.mixing.tocoo()
    placed = (cloth.where.start + mixing.row, np.searchsorted(rows, mixing.col))
    return (identity + sparse.csr_matrix((mixing.data, placed), (solids, len(rows)))).tocsr()
