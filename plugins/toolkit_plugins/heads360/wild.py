"""The two domains: a clean head follows from its latent alone; a wild one has details that no latent describes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from toolkit.errors import InputError
from toolkit_plugins.heads360 import accessories, marks, paint
from toolkit_plugins.heads360.details import WildDetails, draw_details
from toolkit_plugins.heads360.hair import thickness
from toolkit_plugins.heads360.head import Head, Parts
from toolkit_plugins.heads360.identity import latent_of
from toolkit_plugins.heads360.parameters import HeadParameters, head_parameters
from toolkit_plugins.heads360.solids import Points, bell

DOMAINS = ("clean", "wild")


def make_head(split: str, seed: int, index: int, domain: str = "clean") -> Head:
    """The head of an identity.

    Raises:
        InputError: An unknown split or domain, or a negative number.
    """
    if domain not in DOMAINS:
        raise InputError(f"domain must be one of {', '.join(DOMAINS)}, got {domain!r}")
    parameters = head_parameters(latent_of(split, seed, index))
    return Head(parameters) if domain == "clean" else WildHead(parameters, draw_details(split, seed, index))


class WildHead(Head):
    """A head whose sides differ, with marks, patterns, perhaps a hat or earrings, and its own light."""

    def __init__(self, parameters: HeadParameters, details: WildDetails) -> None:
        """Dress a head; hair lies flat under a hat."""
        if details.hat.kind != "none":
            parameters = replace(parameters, hair_volume=0.0)
        super().__init__(parameters)
        self.details = details
        self.lighting = details.lighting
        self.strand_height *= details.strand_factor

    def distance(self, points: Points) -> Tensor:
        """Signed distance [N] (see `Head.distance`)."""
        return super().distance(self._straightened(points))

    def albedo(self, points: Points) -> Tensor:
        """Colour [3, N] (see `Head.albedo`)."""
        return super().albedo(self._straightened(points))

    def parts(self, points: Points) -> Parts:
        """Signed distance of every part, hat and earrings among them."""
        parts = super().parts(points)
        if self.details.hat.kind != "none":
            parts["hat"] = accessories.hat(points, self.details.hat.kind, self.at, thickness(self.parameters))
        if self.details.earrings.kind != "none":
            parts["earring"] = accessories.earrings(points, self.details.earrings, self.parameters, self.at)
        return parts

    def paints(self, points: Points, parts: Parts) -> dict[str, Tensor]:
        """Colour [3, N] of every part, with the marks over them."""
        details, colours = self.details, super().paints(points, parts)
        skin = marks.wrinkled(colours["skin"], points.folded(), details.wrinkles, self.parameters, self.at)
        for spots in (details.freckles, details.moles):
            skin = marks.spotted(skin, points, spots)
        skin = marks.mottled(skin, points, details.skin)
        colours.update(skin=skin, ear=paint.ear(skin), lid=paint.lid(skin))
        colours["clothes"] = marks.patterned(colours["clothes"], points, details.cloth)
        for name in colours.keys() & {"hair", "beard"}:
            colours[name] = marks.streaked(colours[name], points, details.strand_contrast)
        if "hat" in parts:
            colours["hat"] = accessories.hat_colour(points, details.hat)
        if "earring" in parts:
            colours["earring"] = points.x.new_tensor(details.earrings.colour)[:, None]
        return colours

    def _straightened(self, points: Points) -> Points:
        """Where the points would be if the face were symmetric; shoulders already are."""
        a, at = self.details.asymmetry, self.at
        side = torch.tanh(points.x / 0.05) * torch.sigmoid((points.y + 0.20) / 0.02)
        front = torch.sigmoid((points.z - 0.12) / 0.02)
        x = points.x * (1 + a.stretch * side) + a.nose_shift * front * bell(points.y - at.nose_tip[1], 0.05)
        y = points.y + a.lift * side + a.mouth_tilt * side * front * bell(points.y - at.mouth[1], 0.03)
        return Points(x, y, points.z)
