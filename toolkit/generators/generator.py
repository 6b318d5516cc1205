"""The generator that EG3D, PanoHead and SphereHead are: latent to planes to views."""

from __future__ import annotations

import hashlib
import json

import torch
from torch import Tensor

from toolkit.camera import Camera, as_camera
from toolkit.devices import superresolution_precision
from toolkit.errors import InputError
from toolkit.generators.capabilities import VolumeCapabilities
from toolkit.generators.config import VolumeConfig
from toolkit.generators.networks import Seed
from toolkit.interfaces.generator import GeneratorSpec, Latents, Orbit, Query, Render
from toolkit.nn.superresolution import resize
from toolkit.nn.synthesis import Noise
from toolkit.rendering.compiled.march import compiled_can_march, march_compiled
from toolkit.rendering.fused.choosing import fused_can_march
from toolkit.rendering.marching import KeepMask, Marched, march
from toolkit.rendering.occupancy import Occupancy, occupied_space
from toolkit.rendering.rays import Rays, camera_rays
from toolkit.rendering.sampling import FIXED_DRAWS, Draws
from toolkit.rendering.sparse import StepwiseField, march_sparsely

QUERY_CHUNK = 1 << 16
"""Points queried at once where no gradient is kept."""
MASK_SCALE, MASK_SHIFT = 1.002, 0.001


class VolumeGenerator(VolumeCapabilities):
    """A member of the family; deterministic unless a seed, draws or a noise mode say otherwise.

    A derived class says how planes are read (`volumes`, `read`, `finished`) and, as a capability, where a point is read
    from (`footprint`).
    """

    def __init__(self, config: VolumeConfig) -> None:
        """Lay out the networks with random weights."""
        super().__init__(config)
        self._spec: GeneratorSpec | None = None
        self.register_load_state_dict_post_hook(_renew_spec)

    @property
    def spec(self) -> GeneratorSpec:
        """Sizes, ranges and identity; the fingerprint is that of the weights last loaded (see `renew_spec`)."""
        if self._spec is None:
            self._spec = _spec(self.config, fingerprint(self))
        return self._spec

    def renew_spec(self) -> None:
        """Forget the fingerprint: after weights were changed in place, the result then counts as another generator."""
        self._spec = None

    def mapping(
        self, z: Tensor, camera: Camera | Tensor, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """Map z [B, z_dim] under a conditioning camera to ws [B, num_ws, w_dim].

        Args:
            z: Latents of any floating type.
            camera: One camera, or one per latent.
            truncation: Distance from the average latent that is kept.
            truncation_cutoff: How many latents of the code are truncated; None: all.
        """
        self._check_latent(z)
        return self.backbone.mapping(z, self._condition(camera, len(z)), truncation, truncation_cutoff)

    def camera_shift(
        self, z: Tensor, camera: Camera | Tensor, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """How far [B, 3] (world units) `generate` moves the camera; zero where no network says it.

        PanoHead's and SphereHead's camera self-adaptation; arguments as of `mapping`.
        """
        self._check_latent(z)
        if self.t_mapping is None:
            return z.new_zeros(len(z), 3, dtype=torch.float32)
        return self.t_mapping(z, self._condition(camera, len(z)), truncation, truncation_cutoff)[:, 0]

    def planes(self, ws: Tensor, *, noise: str = "const", seed: Seed = None) -> Tensor:
        """Turn ws [B, num_ws, w_dim] into planes [B, *spec.planes_shape].

        Args:
            ws: W+ codes.
            noise: 'const', 'none' or 'random' (which needs a seed).
            seed: A number or a torch.Generator.
        """
        return self.finished(self.backbone.synthesis(ws, self.noise(noise, seed)))

    def render(
        self,
        planes: Tensor,
        ws: Tensor,
        camera: Camera | Tensor,
        resolution: int | None = None,
        *,
        ws_bcg: Tensor | None = None,
        noise: str = "const",
        seed: Seed = None,
        draws: Draws | tuple[Tensor | None, Tensor | None] | None = None,
        occupied: KeepMask | None = None,
    ) -> Render:
        """Render planes from cameras.

        Args:
            planes: [B, *spec.planes_shape]; a single one serves all cameras.
            ws: [B, num_ws, w_dim], styles of raw image, super-resolution and (without `ws_bcg`) background.
            camera: B cameras; a single one serves all planes.
            resolution: Side of the ray grid; None: `spec.raw_size`.
            ws_bcg: Styles of the background, [B, n, w_dim]; too few are filled up with the last.
            noise: Noise of the background's layers: 'const', 'none' or 'random'.
            seed: Makes sampling (and 'random' noise) random: a number or a torch.Generator.
            draws: Random numbers of the sampling from outside, as `Draws` or (jitter, importance).
            occupied: What `occupied` says of these planes, to spare work elsewhere.

        Raises:
            InputError: Shapes that do not fit this generator or each other.
        """
        source = self.source(seed)
        cameras, ws = self._views(planes, ws, camera)
        side = self.config.raw_size if resolution is None else resolution
        styles = ws if ws_bcg is None else _repeated(ws_bcg, len(cameras), "ws_bcg")
        marched = self._marched(self.volumes(planes), camera_rays(cameras, side), _draws(draws, source), occupied)
        depth, opacity = (part.reshape(-1, 1, side, side) for part in (marched.depth, marched.opacity))
        features = self._blended(marched, opacity, styles, self.noise(noise, source))
        raw = self._colours(features, ws)
        image = self._enlarged(raw, features, ws, self.noise(self.config.sr_noise, source))
        return Render(image, raw, depth, opacity * MASK_SCALE - MASK_SHIFT)

    def rendered_features(self, planes: Tensor, ws: Tensor, camera: Camera | Tensor) -> Tensor:
        """What rays bring [B, C, R, R], R = `spec.raw_size`, background included; arguments as of `render`."""
        cameras, ws = self._views(planes, ws, camera)
        side = self.config.raw_size
        marched = self._marched(self.volumes(planes), camera_rays(cameras, side), FIXED_DRAWS, None)
        return self._blended(marched, marched.opacity.reshape(-1, 1, side, side), ws, self.noise("const", None))

    def superresolved(self, features: Tensor, ws: Tensor) -> Tensor:
        """Images [B, 3, S, S] in about [-1, 1] of rendered features, as `render` makes them."""
        return self._enlarged(self._colours(features, ws), features, ws, self.noise(self.config.sr_noise, None))

    def _views(self, planes: Tensor, ws: Tensor, camera: Camera | Tensor) -> tuple[Camera, Tensor]:
        """B cameras on the planes' device, and B codes."""
        cameras = as_camera(camera).to(planes.device).to(planes.dtype)
        batch = max(len(cameras), planes.shape[0])
        if planes.shape[0] not in (1, batch):
            raise InputError(f"{planes.shape[0]} planes cannot be seen by {batch} cameras")
        return cameras.expand(batch), _repeated(ws, batch, "ws")

    def _blended(self, marched: Marched, opacity: Tensor, ws: Tensor, noise: Noise) -> Tensor:
        """Features [B, C, R, R] along rays of an opacity [B, 1, R, R], with the background behind them."""
        assert marched.features is not None  # for the type checker: this field has features
        features = self.centred(marched.features.unflatten(2, opacity.shape[-2:]))
        return self._with_background(features, opacity, ws, noise)

    def _colours(self, features: Tensor, ws: Tensor) -> Tensor:
        return features[:, :3] if self.torgb is None else self.torgb(features, ws[:, -1].to(features.dtype))

    def _enlarged(self, raw: Tensor, features: Tensor, ws: Tensor, noise: Noise) -> Tensor:
        with superresolution_precision(raw):
            return self.superresolution(raw, features, ws, noise).float()

    def _marched(self, volumes: Tensor, rays: Rays, draws: Draws, occupied: KeepMask | None) -> Marched:
        """March along rays; sparsely where one head is seen on a CPU, nothing is random and no gradient is kept.

        In fused kernels where these were chosen: they spare no samples, so that `occupied` is not looked at.
        """
        settings, field = self.march_settings, self.trigrid_field(volumes)
        fixed = not torch.is_grad_enabled() and draws is FIXED_DRAWS and settings.importance > 0
        plain = volumes.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and len(volumes) == 1
        space = occupied if isinstance(occupied, Occupancy) and fixed and plain else None
        if field is not None and fused_can_march(volumes, rays):
            from toolkit.rendering.fused.marching import march_fused  # here: Triton is no part of every PyTorch

            return march_fused(field, rays, settings, draws=draws)
        if field is not None and (space is not None or self._is_opaque(occupied)) and compiled_can_march(volumes, rays):
            return march_compiled(field, rays, settings, draws=draws, space=space)
        if space is not None:
            return march_sparsely(self._stepwise(volumes), rays, settings, space, self.crop)
        return march(
            lambda points: self.decoder(self.read(volumes, points)),
            rays,
            settings,
            draws=draws,
            keep=_both(self.crop, occupied),
        )

    def _is_opaque(self, occupied: KeepMask | None) -> bool:
        """Whether matter hides most samples, so that kernels are quicker which end a ray where it is dark."""
        return self.config.density_scale > 1 and self.march_settings.importance > 0 and occupied is None

    def _stepwise(self, volumes: Tensor) -> StepwiseField:
        """What the volumes [1, ...] of one head hold, densities before features."""
        decoder = self.decoder.weights()
        return StepwiseField(
            lambda points: decoder.hidden(self.read(volumes, points)[0]), decoder.density, decoder.features
        )

    def query(self, planes: Tensor, points: Tensor) -> Query:
        """Raw density [B, M, 1] and features [B, M, F] at world points [B, M, 3], without crop or noise."""
        volumes = self.volumes(planes)
        step = points.shape[1] if torch.is_grad_enabled() else QUERY_CHUNK
        parts = [self.decoder(self.read(volumes, some)) for some in points.split(max(step, 1), dim=1)]
        density = torch.cat([part[0] for part in parts], dim=1)
        features = torch.cat([part[1] for part in parts], dim=2)
        return Query(density[..., None], features.transpose(1, 2))

    def density(self, planes: Tensor, points: Tensor) -> Tensor:
        """Raw density [B, M] at world points [B, M, 3], without crop."""
        volumes = self.volumes(planes)
        step = points.shape[1] if torch.is_grad_enabled() else QUERY_CHUNK
        parts = [self.decoder.density(self.read(volumes, some)) for some in points.split(max(step, 1), dim=1)]
        return torch.cat(parts, dim=1)

    def occupied(self, planes: Tensor) -> KeepMask:
        """Whether world points [..., 3] lie near matter of one head's planes [1, *spec.planes_shape].

        Raises:
            InputError: Several heads.
        """
        if len(planes) != 1:
            raise InputError(f"empty space is that of one head, got {len(planes)}")
        volumes = self.volumes(planes)
        return occupied_space(
            lambda points: self.decoder.density(self.read(volumes, points)),
            self.config.box,
            self.march_settings,
            planes,
            self.config.density_scale,
        )

    def generate(
        self,
        z: Tensor,
        camera: Camera | Tensor,
        truncation: float = 1.0,
        truncation_cutoff: int | None = None,
        resolution: int | None = None,
        *,
        noise: str = "const",
        seed: Seed = None,
        draws: Draws | tuple[Tensor | None, Tensor | None] | None = None,
    ) -> Render:
        """Latents [B, z_dim] to views, the camera conditioning the mapping and moved by `camera_shift`, as upstream."""
        source = self.source(seed)
        ws = self.mapping(z, camera, truncation, truncation_cutoff)
        shift = self.camera_shift(z, camera, truncation, truncation_cutoff)
        moved = as_camera(camera).to(self.device).expand(len(z)).shifted(shift)
        planes = self.planes(ws, noise=noise, seed=source)
        return self.render(planes, ws, moved, resolution, noise=noise, seed=source, draws=draws)

    def background(self, ws: Tensor, *, noise: Noise) -> Tensor | None:
        """Background features [B, F, S, S] under ws [B, n, w_dim]; None where this generator has none."""
        if self.bcg_synthesis is None:
            return None
        wanted = self.bcg_synthesis.num_ws
        styles = ws[:, :wanted]
        missing = wanted - styles.shape[1]
        if missing > 0:
            styles = torch.cat([styles, styles[:, -1:].expand(-1, missing, -1)], dim=1)
        return self.bcg_synthesis(styles, noise)

    def _with_background(self, features: Tensor, opacity: Tensor, ws: Tensor, noise: Noise) -> Tensor:
        if len(ws) > 1 and ws.stride(0) == 0 and noise.mode != "random":
            ws = ws[:1]  # one head, seen by several cameras
        background = self.background(ws, noise=noise)
        if background is None:
            return features
        return features + (1 - opacity) * resize(background, features.shape[-1])

    def _condition(self, camera: Camera | Tensor, batch: int) -> Tensor:
        label = as_camera(camera).expand(batch).label.to(self.device, torch.float32)
        return torch.zeros_like(label) if self.config.blind_mapping else label * self.config.label_scale

    def _check_latent(self, z: Tensor) -> None:
        if z.ndim != 2 or z.shape[1] != self.config.z_dim:
            raise InputError(f"z must have shape [B, {self.config.z_dim}], got {list(z.shape)}")


def _both(crop: KeepMask | None, occupied: KeepMask | None) -> KeepMask | None:
    if crop is None or occupied is None:
        return crop or occupied
    return lambda points: crop(points) & occupied(points)


def _repeated(ws: Tensor, batch: int, name: str) -> Tensor:
    if ws.shape[0] not in (1, batch):
        raise InputError(f"{name} holds {ws.shape[0]} codes, which cannot serve {batch} views")
    return ws.expand(batch, -1, -1)


def _draws(draws: Draws | tuple[Tensor | None, Tensor | None] | None, source: torch.Generator | None) -> Draws:
    if isinstance(draws, Draws):
        return draws
    if draws is not None:
        return Draws(draws[0], draws[1], source)
    return FIXED_DRAWS if source is None else Draws(generator=source)


def fingerprint(generator: VolumeGenerator) -> str:
    """Hexadecimal sha256 over configuration and weights, the same on every device."""
    digest = hashlib.sha256(json.dumps(generator.config.to_dict(), sort_keys=True).encode())
    for name, value in sorted(generator.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _spec(config: VolumeConfig, identity: str) -> GeneratorSpec:
    about = config.about
    half = config.box / 2
    seen = half if config.crop_margin is None else half - config.crop_margin
    num_ws = 2 * (config.plane_size.bit_length() - 2)
    return GeneratorSpec(
        name=about.name,
        latents=Latents(config.z_dim, config.w_dim, num_ws),
        image_size=config.image_size,
        raw_size=config.raw_size,
        box=config.box,
        visible_half_extent=(seen, half, seen),
        planes_shape=config.planes_shape,
        front_camera=Camera.orbit(0.0, 0.0, about.radius, about.pivot, about.focal),
        orbit=Orbit(about.radius, about.pivot, about.focal, about.pitch),
        surface_level=about.surface_level,
        truncation=about.truncation,
        near=None if isinstance(config.ray_start, str) else float(config.ray_start),
        face_points=about.face_points,
        background=about.background,
        fingerprint=identity,
        world=about.world,
        licence=about.licence,
    )


def _renew_spec(module: VolumeGenerator, _: object) -> None:
    """After other weights came in; a function of the module's, so that a generator can be pickled."""
    module.renew_spec()
