"""The pictures of any data set as trainings learn from them: whatever an item shows, as bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from toolkit.data.indexed import Some


class ItemPictures(Some):
    """A data set that offers items only, as `toolkit.interfaces.TrainingPictures`; an item is made for every answer."""

    def has_mask(self, index: int) -> bool:
        """Whether an item has a mask."""
        return self[index].mask is not None

    def pixels(self, index: int, at_least: int) -> tuple[np.ndarray, Tensor | None]:
        """An item's picture in the size that it has: uint8 [S, S, 3], and its mask [1, S, S] in [0, 1], if any."""
        item = self[index]
        numbers = ((item.image.detach().cpu().clamp(-1, 1) + 1) * 127.5).round().byte()
        return numbers.permute(1, 2, 0).contiguous().numpy(), item.mask

    def only(self, indices: Sequence[int]) -> ItemPictures:
        """The items of these numbers, in this order."""
        return ItemPictures(self._dataset, [self._indices[index] for index in indices])

    def as_found(self) -> ItemPictures:
        """The same: there are no files that say more than the items."""
        return self
