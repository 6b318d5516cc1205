"""The image terms that projection and tuning share."""

from __future__ import annotations

from torch import Tensor

from toolkit.interfaces import Perceptual, Render
from toolkit.losses.reconstruction import l2
from toolkit_plugins.optimisation.target import resized


class Objective:
    """How far a render is from the target: perceptual distance, L2, and L2 before super-resolution."""

    def __init__(
        self,
        target: Tensor,
        perceptual: Perceptual,
        *,
        perceptual_size: int,
        perceptual_weight: float,
        pixel_weight: float,
        raw_weight: float = 0.0,
        mask: Tensor | None = None,
    ) -> None:
        """Embed the target once.

        Args:
            target: [1, 3, S, S] in [-1, 1].
            perceptual: The perceptual distance.
            perceptual_size: Larger images are reduced (area means) to this side for it.
            perceptual_weight: Weight of the perceptual distance; 0 leaves it out.
            pixel_weight: Weight of L2 at full size.
            raw_weight: Weight of L2 of the image before super-resolution.
            mask: [1, 1, S, S] in [0, 1]; where it is 0 nothing counts. None counts everything.
        """
        self.target = target
        self.mask = mask
        self.perceptual = perceptual
        self.size = min(perceptual_size, target.shape[-1])
        self.weights = {"perceptual": perceptual_weight, "pixel": pixel_weight, "raw": raw_weight}
        self._embedded = perceptual.embed(self._masked(target)) if perceptual_weight else ()

    def terms(self, render: Render) -> dict[str, Tensor]:
        """Unweighted terms by name, those of weight 0 left out."""
        terms = {}
        if self.weights["perceptual"]:
            terms["perceptual"] = self.perceptual.distance(
                self.perceptual.embed(self._masked(render.image)), self._embedded
            )
        if self.weights["pixel"]:
            terms["pixel"] = l2(render.image, self.target, self.mask)
        if self.weights["raw"]:
            side = render.raw.shape[-1]
            mask = None if self.mask is None else resized(self.mask, side)
            terms["raw"] = l2(render.raw, resized(self.target, side), mask)
        return terms

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Weighted sum of terms, a scalar."""
        return sum((self.weights[name] * value for name, value in terms.items()), self.target.new_zeros(()))

    def perceptual_distance(self, image: Tensor, other: Tensor) -> Tensor:
        """Distance of two images [1, 3, S, S] at the size used for the target, without mask; a scalar."""
        first, second = (self.perceptual.embed(resized(each, self.size)) for each in (image, other))
        return self.perceptual.distance(first, second)

    def _masked(self, image: Tensor) -> Tensor:
        """The image where the mask counts, mid grey elsewhere, at the perceptual distance's size."""
        return resized(image if self.mask is None else image * self.mask, self.size)
