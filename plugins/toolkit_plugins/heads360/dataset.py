"""The data set `heads360`: reads a folder, makes one, and offers the heads themselves."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from toolkit.data import ImageFolder
from toolkit.interfaces import MakeRequest, ProceduralHeads
from toolkit_plugins.heads360.folder import VERSION, known_latents, make_folder
from toolkit_plugins.heads360.procedural import Heads


class Heads360(ImageFolder):
    """Items of a folder that `make` wrote: image, camera, subject, view, mask and depth."""

    version = VERSION
    """Of the pictures that `make` writes."""

    @staticmethod
    def make(request: MakeRequest) -> Path:
        """Write a data set folder (see `toolkit_plugins.heads360.folder`) and return it.

        Raises:
            InputError: An impossible request, or a folder there that holds something else.
            OutputError: The folder cannot be written.
        """
        return make_folder(request)

    @staticmethod
    def procedural() -> ProceduralHeads:
        """The heads as functions of a latent, which can be seen along any ray."""
        return Heads()

    def latents(self) -> Tensor:
        """The latent [LATENT_DIM] of the person on each picture: [N, LATENT_DIM].

        Raises:
            InputError: The folder does not tell the latents.
        """
        return known_latents(self._store, self.subjects)
