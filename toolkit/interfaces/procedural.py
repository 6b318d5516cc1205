"""What a procedural data set offers besides: it can be made by a command, and its heads can be seen from anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class MakeRequest:
    """What `toolkit data make` asks a procedural data set for."""

    out: Path
    subjects: int
    split: str
    seed: int
    domain: str
    views: tuple[str, ...]
    size: int
    workers: int = 1


@runtime_checkable
class Makeable(Protocol):
    """Capability of a data set plugin: it can make its folder from nothing."""

    def make(self, request: MakeRequest) -> Path:
        """Write a data set folder (pictures and `dataset.json`) and return it."""
        ...


@runtime_checkable
class VersionedMaker(Makeable, Protocol):
    """Capability of a data set plugin that makes its folder: it says when the same request gives other pictures."""

    version: int
    """Of the pictures; larger after every change of what a request gives. Kept pictures of others are not used."""


class RayColours(NamedTuple):
    """What rays of a procedural head see."""

    rgb: Tensor
    """[R, 3] in [-1, 1]; white where nothing is hit."""
    depth: Tensor
    """[R], distance along the unit ray; 0 where nothing is hit."""
    hit: Tensor
    """[R] bool."""


@runtime_checkable
class ProceduralHeads(Protocol):
    """Capability of a data set plugin: heads that can be seen along any ray, made from a latent."""

    latent_dim: int

    def latent(self, split: str, seed: int, index: int) -> Tensor:
        """The latent [latent_dim] of a subject, scaled to RMS 1; splits never share one."""
        ...

    def trace(self, latent: Tensor, origins: Tensor, directions: Tensor) -> RayColours:
        """Look along rays [R, 3], [R, 3] (unit) at the head with this latent."""
        ...

    def landmarks(self, latent: Tensor) -> Tensor:
        """Image-left eye, image-right eye, nose tip, image-left and -right mouth corner in world units [5, 3]."""
        ...


@runtime_checkable
class DescribedHeads(ProceduralHeads, Protocol):
    """Procedural heads that can also say what a latent amounts to: surface, hair, colours."""

    def traits(self, latent: Tensor) -> Tensor:
        """Traits [T], float32, of the head with this latent; equal distances look about equally different."""
        ...


@runtime_checkable
class DressedHeads(ProceduralHeads, Protocol):
    """Procedural heads that can also be seen with what no latent says: visible details and light of a subject."""

    def trace_dressed(
        self, latent: Tensor, outfit: tuple[str, int, int], origins: Tensor, directions: Tensor
    ) -> RayColours:
        """Like `trace`, dressed and lit as the subject `outfit` (split, seed, index) of the wild domain."""
        ...


@runtime_checkable
class KnownLatents(Protocol):
    """Capability of an opened data set: it tells the latent of the head on each of its pictures."""

    def latents(self) -> Tensor:
        """Latents [N, latent_dim], RMS 1, in the order of the pictures."""
        ...
