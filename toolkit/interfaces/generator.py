"""What a 3D generator must offer, and what it may offer besides.

Nobody but the generator knows how its `planes` are laid out: other code adds, blends, moves and saves them,
and asks for everything else through the named capabilities below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Parameter

    from toolkit.camera import Camera


class Render(NamedTuple):
    """One batch of rendered views."""

    image: Tensor
    """[B, 3, S, S], nominally in [-1, 1], after super-resolution."""
    raw: Tensor
    """[B, 3, R, R], nominally in [-1, 1], before super-resolution."""
    depth: Tensor
    """[B, 1, R, R], distance along the unit ray in world units."""
    mask: Tensor
    """[B, 1, R, R], accumulated opacity (PanoHead's affine kept: -0.001 to 1.001)."""

    def __repr__(self) -> str:
        """One line with the shape of every field."""
        return f"Render({', '.join(f'{name} {list(value.shape)}' for name, value in self._asdict().items())})"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the views side by side."""
        from toolkit.notebook import png

        return png(self.image)


class Query(NamedTuple):
    """What a generator reads at points of space."""

    density: Tensor
    """[B, M, 1], raw, before the density activation."""
    features: Tensor
    """[B, M, F]."""


class March(NamedTuple):
    """Volume rendering without colours finished: geometry only."""

    depth: Tensor
    """[B, 1, R, R], distance along the unit ray in world units."""
    opacity: Tensor
    """[B, 1, R, R] in [0, 1]."""


class Latents(NamedTuple):
    """Sizes of the latent spaces."""

    z_dim: int
    w_dim: int
    num_ws: int


@dataclass(frozen=True)
class Orbit:
    """The camera path on which a generator's heads are shown."""

    radius: float = 2.7
    """Distance of the camera from the world's origin."""
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The point that the camera looks at."""
    focal: float = 4.2647
    """Focal length divided by the image's width."""
    pitch: float = 0.0
    """Radians; positive looks from above."""


@dataclass(frozen=True)
class GeneratorSpec:
    """Everything about a generator that a caller would otherwise assume."""

    name: str
    latents: Latents
    image_size: int
    """Side of the final image in pixels."""
    raw_size: int
    """Side of the ray grid that `render` uses by default."""
    box: float
    """Side of the cube, centred at the origin, in which content lives (world units)."""
    visible_half_extent: tuple[float, float, float]
    """|x|, |y|, |z| beyond which the renderer shows nothing (world units)."""
    planes_shape: tuple[int, ...]
    """Shape of one head's planes, without the batch."""
    front_camera: Camera
    """The camera that conditions the mapping (batch of 1)."""
    orbit: Orbit = field(default_factory=Orbit)
    surface_level: float = 10.0
    """Raw density at which the head's surface is extracted."""
    truncation: float = 1.0
    """Truncation that random heads are drawn with by default."""
    face_points: tuple[tuple[float, float, float], ...] = ()
    """Image-left eye, image-right eye, nose tip, image-left and image-right mouth corner of the generator's average
    face in world coordinates: what a photo is aligned to. Empty where unknown."""
    background: tuple[float, float, float] | None = None
    """Colour in [-1, 1] of empty space, if it has one; None where a network paints it."""
    fingerprint: str = ""
    """sha256 over the weights and the configuration: the generator's identity in results."""
    near: float | None = None
    """Distance along the unit ray at which rendering starts, if it is fixed (world units)."""
    world: str = "embedded"
    """'embedded', 'full', or 'untrained' (random weights, for timings): results of two never stand in one table."""
    licence: str = ""
    """Licence of the weights, named wherever they are used."""


@runtime_checkable
class Generator(Protocol):
    """A 3D GAN: latent to planes to views. Also a `torch.nn.Module` (moved, copied, frozen like one).

    A `camera` is a `Camera` or a [B, 25] tensor. Rendering is deterministic unless randomness is asked for.
    """

    @property
    def spec(self) -> GeneratorSpec:
        """Sizes, ranges and identity of this generator."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the generator's parameters are, and hence where its inputs must be."""
        ...

    def mapping(
        self, z: Tensor, camera: Camera | Tensor, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """Map z [B, z_dim] under a conditioning camera to ws [B, num_ws, w_dim]."""
        ...

    def planes(self, ws: Tensor) -> Tensor:
        """Turn ws [B, num_ws, w_dim] into planes [B, *spec.planes_shape]."""
        ...

    def render(self, planes: Tensor, ws: Tensor, camera: Camera | Tensor, resolution: int | None = None) -> Render:
        """Render planes from a camera; `resolution` is the side of the ray grid (default `spec.raw_size`)."""
        ...

    def query(self, planes: Tensor, points: Tensor) -> Query:
        """Read raw density and features at world points [B, M, 3], without crop or noise."""
        ...


@runtime_checkable
class Marching(Protocol):
    """Capability: geometry of a view without colours and super-resolution."""

    def march(self, planes: Tensor, camera: Camera | Tensor, resolution: int) -> March:
        """Depth and opacity on a ray grid of side `resolution`."""
        ...


@runtime_checkable
class EmptySpace(Protocol):
    """Capability: density alone, and views that leave out what is known to be empty. For planes seen many times."""

    def density(self, planes: Tensor, points: Tensor) -> Tensor:
        """Raw density [B, M] at world points [B, M, 3], what `query` gives."""
        ...

    def occupied(self, planes: Tensor) -> Callable[[Tensor], Tensor]:
        """A function from world points [..., 3] to booleans: whether one head's planes [1, ...] hold matter near."""
        ...

    def render(
        self,
        planes: Tensor,
        ws: Tensor,
        camera: Camera | Tensor,
        resolution: int | None = None,
        *,
        occupied: Callable[[Tensor], Tensor] | None = None,
    ) -> Render:
        """Render as ever, but look at occupied points only; no number may change by more than 1e-3."""
        ...


@runtime_checkable
class Footprint(Protocol):
    """Capability: where in the representation a world point is read from."""

    def footprint(self, points: Tensor, weights: Tensor | None = None) -> Tensor:
        """Accumulate the interpolation weights of points [B, M, 3] (weights [B, M]) in the occupancy's own shape."""
        ...

    def close(self, occupancy: Tensor, radius: int) -> Tensor:
        """Close a 0/1 occupancy morphologically by `radius` texels."""
        ...

    def smooth(self, occupancy: Tensor) -> Tensor:
        """Blur an occupancy (9x9 Gaussian, sigma 1.5) for soft blending."""
        ...

    def expand(self, occupancy: Tensor) -> Tensor:
        """Broadcast an occupancy to the shape of planes."""
        ...


@runtime_checkable
class VisibleEntries(Protocol):
    """Capability: which entries a view shows, where a positive footprint says too much.

    For a representation in which every point is read a little from places that stand for other directions, such as the
    second ball of SphereHead.
    """

    def visible_entries(self, points: Tensor, weights: Tensor) -> Tensor:
        """Mark (0 or 1, in the occupancy's shape) what a view shows that shows points [B, M, 3] (weights [B, M])."""
        ...


@runtime_checkable
class SlotMerging(Protocol):
    """Capability: a footprint whose entries lie behind each other in slots, which can be taken as one column."""

    def merge_slots(self, occupancy: Tensor) -> Tensor:
        """Give every entry the largest value of its column; the shape stays."""
        ...


@runtime_checkable
class PlaneImages(Protocol):
    """Capability: planes seen as an ordinary stack of feature maps."""

    def as_images(self, planes: Tensor) -> Tensor:
        """Planes to [B, K, H, W]."""
        ...

    def from_images(self, images: Tensor) -> Tensor:
        """Planes [B, *planes_shape] from their images [B, K, H, W]: the inverse of `as_images`."""
        ...


@runtime_checkable
class ResumableSynthesis(Protocol):
    """Capability: stop the backbone at a size, and continue from changed features."""

    def features(self, ws: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Run up to and including the block of side `size`: (features [B, C, size, size], skip image)."""
        ...

    def resume(self, x: Tensor, skip: Tensor, ws: Tensor, size: int) -> Tensor:
        """Go on from (features, skip) after the block of side `size` to planes."""
        ...


@runtime_checkable
class Tunable(Protocol):
    """Capability: the parameters that pivotal tuning may change."""

    def tunable_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Names (as in the state dict) and parameters that a rendered view depends on."""
        ...


@runtime_checkable
class SuperResolving(Protocol):
    """Capability: super-resolution by itself, so that it can be tuned without rendering again."""

    def rendered_features(self, planes: Tensor, ws: Tensor, camera: Camera | Tensor) -> Tensor:
        """What rays bring [B, C, R, R], R = `spec.raw_size`, background included; arguments as of `render`."""
        ...

    def superresolved(self, features: Tensor, ws: Tensor) -> Tensor:
        """Images [B, 3, S, S] in about [-1, 1] of rendered features, as `render` makes them."""
        ...

    def superresolution_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Names (as in the state dict) and parameters that only `superresolved` depends on, styles left out."""
        ...


@runtime_checkable
class StyleRows(Protocol):
    """Capability: which rows of ws drive what is rendered besides the planes."""

    def style_rows(self) -> Mapping[str, tuple[int, ...]]:
        """Rows of ws by the part that reads them ('background', 'raw', 'super_resolution'; absent ones left out)."""
        ...


@runtime_checkable
class CameraShift(Protocol):
    """Capability: a latent says how far the camera that saw its head stands beside the given one (PanoHead)."""

    def camera_shift(self, z: Tensor, camera: Camera | Tensor) -> Tensor:
        """The shift [B, 3] in world units for latents [B, z_dim] and B cameras, or one for all."""
        ...


@runtime_checkable
class SynthesisNoise(Protocol):
    """Capability: fixed noise inside the synthesis of planes, which an optimisation may change."""

    def noise_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Names (as in the state dict) and buffers [S, S] of the noise, of planes only (not of super-resolution)."""
        ...
