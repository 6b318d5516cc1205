"""What a training has seen: prints of its pictures, which go into its weights, and the pictures that it left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from toolkit.data.prints import PRINT_SIZE
from toolkit.encoders.training.photos import PhotoSet, Sightings, no_prints
from toolkit.training.distribution import gathered, gathered_text

_KINDS = 2
"""Prints of a picture: as the file has it, and as it is learnt from."""


class PhotoLedger:
    """Takes note of every batch's photos, of all processes."""

    def __init__(self, photos: PhotoSet, inherited: Tensor | None = None) -> None:
        """Begin with nothing seen.

        Args:
            photos: What batches are drawn from.
            inherited: [N, 64] prints of what the weights that the training begins at have seen.
        """
        self._photos = photos
        self._prints = torch.zeros(len(photos), _KINDS, PRINT_SIZE, dtype=torch.uint8)
        self._seen = torch.zeros(len(photos), dtype=torch.bool)
        self._before = no_prints() if inherited is None else inherited
        self.unreadable: dict[str, str] = {}
        """Reason by name."""
        self._untold: dict[str, str] = {}

    def note(self, sightings: Sightings) -> None:
        """Take note of a batch; every process of a training comes here with its own rows."""
        places, prints = (torch.cat(gathered(part)) for part in (sightings.places, sightings.prints))
        self._prints[places], self._seen[places] = prints, True
        self.note_unreadable(sightings.unreadable)

    def note_unreadable(self, found: tuple[tuple[str, str], ...]) -> None:
        """Take note of pictures that could not be read by this process."""
        for name, reason in found:
            if name not in self.unreadable:
                self.unreadable[name] = self._untold[name] = reason

    def news(self) -> list[str]:
        """A sentence for every picture that turned out to be unreadable since this was last asked, in any process."""
        mine = json.dumps(self._untold)
        self._untold = {}
        told = {name: reason for text in gathered_text(mine) for name, reason in json.loads(text).items()}
        self.unreadable |= told
        count = len(self.unreadable)
        sentences = (reason if reason.startswith(name) else f"{name}: {reason}" for name, reason in told.items())
        return [f"left out ({count} so far): {sentence}" for sentence in sentences]

    def prints(self) -> Tensor:
        """The prints [M, 64] of all pictures that were seen, none twice."""
        mine = self._prints[self._seen].flatten(0, 1)
        return torch.unique(torch.cat([self._before, mine]), dim=0)

    def state(self) -> Mapping[str, Any]:
        """What a checkpoint keeps of the ledger."""
        state = {"prints": self._prints, "seen": self._seen, "before": self._before}
        return {**state, "unreadable": dict(self.unreadable)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave; where there are other photos now, what was seen before stays on record.

        Photos that could not be read in another place are left out of the count: they are tried again here.
        """
        here = {self._photos.name(index) for index in range(len(self._photos))}
        known = {name: reason for name, reason in state["unreadable"].items() if name in here}
        self.unreadable = {**known, **self._untold}
        if state["seen"].shape == self._seen.shape:
            self._prints, self._seen, self._before = state["prints"], state["seen"], state["before"]
        else:
            self._before = torch.cat([state["before"], state["prints"][state["seen"]].flatten(0, 1)])
