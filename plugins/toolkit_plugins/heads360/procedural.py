"""The people as functions of a latent: the capabilities `DressedHeads` and `DescribedHeads`."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from toolkit.interfaces import RayColours
from toolkit_plugins.heads360.details import draw_details
from toolkit_plugins.heads360.from_latent import person_of
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.identity import expression_latent_of, latent_of
from toolkit_plugins.heads360.latent import EXPRESSION_DIM, LATENT_DIM
from toolkit_plugins.heads360.shaping import UNIT
from toolkit_plugins.heads360.tracing import trace
from toolkit_plugins.heads360.traits import traits_of


class Heads:
    """Clean heads: exactly what the latent says, in the studio's light."""

    latent_dim = LATENT_DIM

    def latent(self, split: str, seed: int, index: int) -> Tensor:
        """The latent [latent_dim] of a subject, float32, RMS 1; splits never share one.

        Raises:
            InputError: An unknown split, or a negative number.
        """
        return latent_of(split, seed, index)

    def with_expression(self, latent: Tensor, split: str, seed: int, index: int, number: int) -> Tensor:
        """The same person [latent_dim] with another expression: `number` 0, 1, 2, ... of this subject.

        Raises:
            InputError: An unknown split, or a negative number.
        """
        other = latent.clone()
        other[-EXPRESSION_DIM:] = expression_latent_of(split, seed, index, number).to(other)
        return other

    def trace(self, latent: Tensor, origins: Tensor, directions: Tensor) -> RayColours:
        """Look along rays [R, 3], [R, 3] (unit) at the head with this latent.

        The last two heads are kept: looking again costs no new set-up.

        Raises:
            InputError: `latent` is not [latent_dim] of finite numbers.
        """
        return _look(_head(_key(latent), None), origins, directions)

    def trace_dressed(
        self, latent: Tensor, outfit: tuple[str, int, int], origins: Tensor, directions: Tensor
    ) -> RayColours:
        """Look along rays [R, 3], [R, 3] (unit) at this head with the wild details and light of another subject.

        Raises:
            InputError: `latent` is not [latent_dim] of finite numbers, or there is no such subject.
        """
        return _look(_head(_key(latent), outfit), origins, directions)

    def labels(self, latent: Tensor, origins: Tensor, directions: Tensor) -> Tensor:
        """What each ray sees, [R] uint8: see `toolkit_plugins.heads360.labels.Label`."""
        head = _head(_key(latent), None)
        return torch.from_numpy(trace(head, _array(origins), _array(directions)).label)

    def traits(self, latent: Tensor) -> Tensor:
        """What the latent amounts to, [T] float32: see `toolkit_plugins.heads360.traits`.

        Raises:
            InputError: `latent` is not [latent_dim] of finite numbers.
        """
        return torch.from_numpy(traits_of(person_of(latent)))

    def landmarks(self, latent: Tensor) -> Tensor:
        """Image-left eye, image-right eye, nose tip, image-left and -right mouth corner in world units [5, 3].

        Raises:
            InputError: `latent` is not [latent_dim] of finite numbers.
        """
        return torch.from_numpy(_head(_key(latent), None).landmarks() / np.float32(UNIT))


def _look(head: Head, origins: Tensor, directions: Tensor) -> RayColours:
    seen = trace(head, _array(origins), _array(directions))
    rgb, depth = (torch.from_numpy(values).to(origins.device) for values in (seen.rgb * 2 - 1, seen.depth))
    return RayColours(rgb, depth, depth > 0)


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().cpu().numpy(), np.float32)


def _key(latent: Tensor) -> tuple[float, ...]:
    return tuple(latent.detach().cpu().reshape(-1).tolist())


@lru_cache(maxsize=2)
def _head(latent: tuple[float, ...], outfit: tuple[str, int, int] | None) -> Head:
    details = None if outfit is None else draw_details(*outfit)
    return Head(person_of(torch.tensor(latent)), details)
