"""What an inversion method must offer, and what a long one may offer besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from pydantic import BaseModel
    from torch import Tensor

    from toolkit.camera import Camera
    from toolkit.interfaces.generator import Generator
    from toolkit.inversion import Inversion

OnStep = Callable[[int, int, Mapping[str, float]], None]
"""Told after each step: steps done, steps in all, losses by name."""


@runtime_checkable
class Method(Protocol):
    """Turns an image and its camera into an inversion."""

    @property
    def fingerprint(self) -> str:
        """Identity of everything that inversions depend on besides name, options and generator.

        A sha256 of the weights, say; empty for a method that has none. The benchmark keeps inversions by it: a method
        whose weights change under an unchanged fingerprint would get its old inversions back.
        """
        ...

    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Invert one image [1, 3, S, S] in [-1, 1] (background removed), seen by `camera` (batch of 1)."""
        ...


@runtime_checkable
class ReportsProgress(Protocol):
    """Capability of a method: it says how far an inversion is."""

    on_step: OnStep | None
    """Set before `invert`; None: nobody listens."""


@runtime_checkable
class KnowsItsPictures(Protocol):
    """Capability of a method: it knows which pictures its weights were trained on."""

    @property
    def trained_on(self) -> Tensor | None:
        """[N, 64] uint8, their prints (see `toolkit.data.prints`); None: the weights do not tell."""
        ...


@runtime_checkable
class TellsOptions(Protocol):
    """Capability of a method's factory, or of the object whose method it is: it tells which options it takes."""

    options_model: type[BaseModel]
    presets: Mapping[str, Mapping[str, Any]]
    """Values that `--preset NAME` stands for; empty where there are none."""


_Factory = TypeVar("_Factory", bound=Callable[..., Any])


def takes_options(
    model: type[BaseModel], presets: Mapping[str, Mapping[str, Any]] | None = None
) -> Callable[[_Factory], _Factory]:
    """Make a factory tell its options (see `TellsOptions`)."""

    def tell(factory: _Factory) -> _Factory:
        factory.options_model, factory.presets = model, presets or {}  # type: ignore[attr-defined]  # functions take any
        return factory

    return tell
