"""Cameras in EG3D's label convention: where they stand, how they move, how far apart two are.

A label is 25 numbers: the flattened 4x4 cam2world matrix (OpenCV axes: x right, y down, z forward) and the flattened
3x3 intrinsics divided by the image size. World: y up, the face looks to +z, the frontal camera stands on +z.
Angles are radians unless a name says degrees. Yaw 0 is the front, positive yaw moves the camera towards +x;
positive pitch looks from above.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.devices import constant, sent, without_autocast
from toolkit.errors import InputError

LABEL_SIZE = 25
FOCAL = 4.2647
RADIUS = 2.7
ORTHONORMALITY_LIMIT = 0.05
"""Largest accepted entry of |R^T R - 1| (PanoHead's labels reach 0.028)."""


class PoseAngles(NamedTuple):
    """Direction of a camera, each [B] in radians."""

    yaw: Tensor
    pitch: Tensor
    roll: Tensor


@dataclass(frozen=True)
class Camera:
    """A batch of cameras; immutable, nothing ever changes a caller's camera."""

    label: Tensor
    """[B, 25] floating point, on any device."""

    def __post_init__(self) -> None:
        """Check shape and, on the CPU, finiteness: reading numbers back from a GPU would make the host wait for it.

        Raises:
            InputError: The label is not [B, 25] floating point, or holds NaN or infinity.
        """
        if self.label.ndim != 2 or self.label.shape[1] != LABEL_SIZE:
            raise InputError(f"a camera label must have shape [B, {LABEL_SIZE}], got {list(self.label.shape)}")
        if not self.label.is_floating_point():
            raise InputError(f"a camera label must be floating point, got {self.label.dtype}")
        if self.label.device.type == "cpu" and not torch.isfinite(self.label).all():
            raise InputError("a camera label holds NaN or infinity")

    @classmethod
    def from_label(cls, label: Tensor | Sequence[float] | Sequence[Sequence[float]]) -> Camera:
        """Make a camera from a label [B, 25] or [25] (numbers or a tensor).

        Raises:
            InputError: Wrong length, not numbers, NaN, or an impossible pose (see `checked`).
        """
        try:
            tensor = label if isinstance(label, Tensor) else torch.tensor(label, dtype=torch.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"a camera label must be {LABEL_SIZE} numbers: {error}") from error
        if not tensor.is_floating_point():
            tensor = tensor.float()
        return cls(tensor[None] if tensor.ndim == 1 else tensor)

    @classmethod
    def from_matrices(cls, cam2world: Tensor, intrinsics: Tensor) -> Camera:
        """Make a camera from cam2world [B, 4, 4] and normalised intrinsics [B, 3, 3] or [3, 3]."""
        batch = cam2world.shape[0]
        intrinsics = intrinsics.to(cam2world).expand(batch, 3, 3)
        return cls(torch.cat([cam2world.reshape(batch, 16), intrinsics.reshape(batch, 9)], dim=1))

    @classmethod
    def orbit(
        cls,
        yaw: float | Tensor = 0.0,
        pitch: float | Tensor = 0.0,
        radius: float = RADIUS,
        pivot: Sequence[float] = (0.0, 0.0, 0.0),
        focal: float = FOCAL,
    ) -> Camera:
        """Cameras on a sphere round the world's origin that look at `pivot`.

        Args:
            yaw: Radians, a number or [B]; 0 is the front, positive moves towards +x. The cameras are on its device,
                or on the pitch's where only that one is on a GPU.
            pitch: Radians, a number or [B]; positive looks from above.
            radius: Distance from the origin.
            pivot: The point that the cameras look at.
            focal: Focal length divided by the image's width.
        """
        angles = [torch.as_tensor(yaw).float(), torch.as_tensor(pitch).float()]
        device = next((angle.device for angle in angles if angle.device.type != "cpu"), angles[0].device)
        yaws, pitches = torch.broadcast_tensors(*(_placed(angle, device) for angle in angles))
        yaws, pitches = yaws.reshape(-1), pitches.reshape(-1)
        limit = math.pi / 2 - 1e-4
        pitches = pitches.clamp(-limit, limit)
        origins = radius * torch.stack([pitches.cos() * yaws.sin(), pitches.sin(), pitches.cos() * yaws.cos()], dim=1)
        return cls.from_matrices(look_at(origins, constant(pivot, origins)), pinhole(focal, device))

    @property
    def cam2world(self) -> Tensor:
        """[B, 4, 4], from the camera's axes (OpenCV) to the world's."""
        return self.label[:, :16].reshape(-1, 4, 4)

    @property
    def intrinsics(self) -> Tensor:
        """[B, 3, 3], divided by the image size."""
        return self.label[:, 16:].reshape(-1, 3, 3)

    @property
    def position(self) -> Tensor:
        """[B, 3], the camera centre in world units."""
        return self.cam2world[:, :3, 3]

    @property
    def rotation(self) -> Tensor:
        """[B, 3, 3], columns are the camera's right, down and forward in the world."""
        return self.cam2world[:, :3, :3]

    def __len__(self) -> int:
        """How many cameras the batch holds."""
        return self.label.shape[0]

    def __getitem__(self, index: int | slice | Tensor) -> Camera:
        """Select cameras; the batch dimension stays.

        Raises:
            IndexError: There is no camera of that number (which is also what ends a loop over cameras).
        """
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(f"camera {index} of {len(self)}")
            index = slice(index % len(self), index % len(self) + 1)
        return Camera(self.label[index])

    def to(self, target: torch.device | str | torch.dtype) -> Camera:
        """Move to a device or convert to a floating type."""
        return Camera(self.label.to(target) if isinstance(target, torch.dtype) else sent(self.label, target))

    def expand(self, batch: int) -> Camera:
        """Repeat a single camera `batch` times.

        Raises:
            InputError: There are several cameras and not `batch` of them.
        """
        if len(self) not in (1, batch):
            raise InputError(f"{len(self)} cameras cannot serve a batch of {batch}")
        return Camera(self.label.expand(batch, -1))

    def shifted(self, delta: Tensor) -> Camera:
        """Move the camera centres by delta [B, 3] (world units)."""
        label = self.label.expand(delta.shape[0], -1).clone()
        label[:, 3:12:4] += sent(delta, label.device).to(label)
        return Camera(label)

    def mirror(self) -> Camera:
        """The camera that sees the mirror image (left-right); exact where the principal point is centred, skew 0."""
        signs = torch.ones(LABEL_SIZE, dtype=self.label.dtype, device=self.label.device)
        signs[1:5] = signs[8] = -1.0  # slices: a list of numbers would be copied to a GPU
        return Camera(self.label * signs)

    def checked(self, name: str = "camera") -> Camera:
        """Return the same cameras with exactly orthonormal rotations (nearest ones).

        Args:
            name: What to call the camera in the error.

        Raises:
            InputError: A rotation is further than `ORTHONORMALITY_LIMIT` from orthonormal or a reflection, the last row
                is not (0, 0, 0, 1), or a focal length is not positive.
        """
        rotation = self.rotation.double()
        error = (rotation.transpose(1, 2) @ rotation - torch.eye(3).to(rotation)).abs().amax()
        if error > ORTHONORMALITY_LIMIT or (torch.linalg.det(rotation) < 0.5).any():
            raise InputError(f"{name}: its rotation is not one (|R^T R - 1| = {float(error):.3g})")
        bottom = torch.tensor([0.0, 0.0, 0.0, 1.0]).to(self.label)
        if not torch.allclose(self.cam2world[:, 3], bottom.expand(len(self), 4), atol=1e-3):
            raise InputError(f"{name}: the last row of its cam2world matrix is not (0, 0, 0, 1)")
        if (self.intrinsics[:, [0, 1], [0, 1]] <= 0).any() or (self.intrinsics[:, 2, 2] - 1).abs().amax() > 1e-3:
            raise InputError(f"{name}: its intrinsics are not a pinhole camera's (focal lengths > 0, last entry 1)")
        u, _, vh = torch.linalg.svd(rotation)
        cam2world = self.cam2world.clone()
        cam2world[:, :3, :3] = (u @ vh).to(cam2world)
        return Camera.from_matrices(cam2world, self.intrinsics)

    def angles(self) -> PoseAngles:
        """Yaw, pitch and roll of the viewing direction, from the camera's back axis (continuous over 360 degrees)."""
        back = -self.rotation[:, :, 2]
        yaw = torch.atan2(back[:, 0], back[:, 2])
        pitch = torch.asin(back[:, 1].clamp(-1, 1))
        level_right = torch.stack([yaw.cos(), torch.zeros_like(yaw), -yaw.sin()], dim=1)
        level_up = torch.linalg.cross(back, level_right)
        right = self.rotation[:, :, 0]
        roll = torch.atan2((right * level_up).sum(1), (right * level_right).sum(1))
        return PoseAngles(yaw, pitch, roll)

    def directions(self, places: Tensor) -> Tensor:
        """Unit directions [B, M, 3] of the rays through image coordinates [B, M, 2] or [1, M, 2] (0..1, y down)."""
        fx, fy = self.intrinsics[:, 0, 0, None], self.intrinsics[:, 1, 1, None]
        cx, cy, skew = self.intrinsics[:, 0, 2, None], self.intrinsics[:, 1, 2, None], self.intrinsics[:, 0, 1, None]
        x, y = places.unbind(-1)
        down = (y - cy) / fy
        local = torch.stack([(x - cx - skew * down) / fx, down, torch.ones_like(down)], dim=-1)
        with without_autocast(local):
            return torch.nn.functional.normalize(local @ self.rotation.transpose(1, 2), dim=-1)

    def rays(self, resolution: int) -> tuple[Tensor, Tensor]:
        """Origins [B, 3] and unit directions [B, R*R, 3] through the pixel centres, row by row."""
        centres = (torch.arange(resolution, dtype=self.label.dtype, device=self.label.device) + 0.5) / resolution
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        return self.position, self.directions(torch.stack([x, y], dim=-1).reshape(1, -1, 2))

    def project(self, points: Tensor) -> Tensor:
        """Project world points [B, M, 3] or [M, 3] to image coordinates [B, M, 2] (0..1, y down)."""
        points = points.to(self.label).expand(len(self), -1, -1) if points.ndim == 2 else points
        with without_autocast(points):
            local = (points - self.position[:, None]) @ self.rotation
            pixels = local / local[..., 2:] @ self.intrinsics.transpose(1, 2)
        return pixels[..., :2]


def as_camera(camera: Camera | Tensor) -> Camera:
    """Take a `Camera` as it is and a [B, 25] tensor as labels."""
    return camera if isinstance(camera, Camera) else Camera.from_label(camera)


def pinhole(focal: float = FOCAL, device: torch.device | str = "cpu") -> Tensor:
    """Normalised intrinsics [3, 3] with a centred principal point, made on the device."""
    intrinsics = torch.eye(3, device=device)
    intrinsics[0, 0] = intrinsics[1, 1] = focal
    intrinsics[:2, 2] = 0.5
    return intrinsics


def _placed(angle: Tensor, device: torch.device) -> Tensor:
    """An angle on a device; a single number becomes a value there without a copy that the host waits for."""
    if angle.device == device or angle.numel() != 1 or angle.device.type != "cpu" or angle.requires_grad:
        return angle.to(device)
    return torch.full(angle.shape, float(angle), device=device)


def look_at(origins: Tensor, pivot: Tensor) -> Tensor:
    """cam2world [B, 4, 4] of cameras at `origins` [B, 3] that look at `pivot` [3] or [B, 3], world y up."""
    forward = torch.nn.functional.normalize(pivot.to(origins) - origins, dim=1)
    up = constant((0.0, 1.0, 0.0), origins).expand_as(forward)
    right = -torch.nn.functional.normalize(torch.linalg.cross(up, forward), dim=1)
    down = torch.nn.functional.normalize(torch.linalg.cross(forward, right), dim=1)
    cam2world = torch.eye(4, dtype=origins.dtype, device=origins.device).repeat(len(origins), 1, 1)
    cam2world[:, :3] = torch.stack([right, down, forward, origins], dim=2)
    return cam2world


def rotation_distance(first: Camera, second: Camera) -> Tensor:
    """Angle [B] in radians between the rotations of two batches of cameras (geodesic)."""
    relative = first.rotation.double().transpose(1, 2) @ second.rotation.double()
    cosine = (relative.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    twist = relative - relative.transpose(1, 2)
    sine = torch.stack([twist[:, 2, 1], twist[:, 0, 2], twist[:, 1, 0]], dim=1).norm(dim=1) / 2
    return torch.atan2(sine, cosine).to(first.label.dtype)  # exact for small angles, where the arc cosine is not
