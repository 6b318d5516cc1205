"""Metrics of geometry: depth, silhouette and pose, and which places of a view another view sees."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.camera import Camera, rotation_distance
from toolkit.errors import InputError
from toolkit.interfaces.metric import Direction
from toolkit.losses.reconstruction import check_same_shape
from toolkit.metrics.identity import as_pixels
from toolkit.metrics.images import region_mean
from toolkit.metrics.state import MeanMetric


def depth_error(depth: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Mean absolute difference of depth per image [B] in world units, over a region.

    Args:
        depth: [B, 1, H, W], distance along the unit ray.
        target: The same; 0 where there is none.
        region: [B or 1, 1, H, W] weights; places without a target do not count.

    Raises:
        InputError: The shapes do not fit.
    """
    check_same_shape(depth, target)
    return region_mean((depth - target).abs(), region * (target > 0))


def scale_free_depth_error(depth: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Standard deviation of log depth minus log target depth per image [B]: blind to the head's distance and scale.

    Args:
        depth: [B, 1, H, W], distance along the unit ray.
        target: The same; 0 where there is none.
        region: [B or 1, 1, H, W] weights; places without a target do not count.
    """
    check_same_shape(depth, target)
    region = region * (target > 0)
    difference = depth.clamp_min(1e-6).log() - target.clamp_min(1e-6).log()
    return (region_mean(difference.square(), region) - region_mean(difference, region).square()).clamp_min(0).sqrt()


def mask_iou(mask: Tensor, target: Tensor) -> Tensor:
    """Overlap of silhouettes [B, 1, H, W] (inside = above 0.5) divided by their union, per image [B]; NaN for none."""
    check_same_shape(mask, target)
    inside, truly = mask > 0.5, target > 0.5
    union = (inside | truly).flatten(1).sum(1)
    return (inside & truly).flatten(1).sum(1) / torch.where(union > 0, union, math.nan)


def pose_error(found: Camera, asked: Camera) -> Tensor:
    """Angle [B] in degrees between the rotations of two batches of cameras."""
    return torch.rad2deg(rotation_distance(found, asked))


def seen_from(depth: Tensor, camera: Camera, other_depth: Tensor, other: Camera, tolerance: float = 0.02) -> Tensor:
    """Which places of a view another view sees: [B, 1, H, W], 1 = seen, 0 = hidden or no depth.

    A place is projected into the other view. It is seen if it lies no further than that view's depth there plus the
    tolerance. The depth is the furthest of the four pixels around, so that edges are not torn.

    Args:
        depth: [B, 1, H, W], distance along the unit ray, 0 where there is none.
        camera: B cameras of that view.
        other_depth: [B or 1, 1, h, w] of the other view.
        other: Its cameras, B or 1.
        tolerance: World units.
    """
    batch, _, height, width = depth.shape
    if height != width or other_depth.shape[-1] != other_depth.shape[-2]:
        raise InputError(f"depth must be square, got {list(depth.shape)} and {list(other_depth.shape)}")
    origins, directions = camera.expand(batch).rays(height)
    points = origins[:, None] + depth.reshape(batch, -1, 1) * directions
    other = other.expand(batch)
    reach = (points - other.position[:, None]).norm(dim=2).reshape(batch, 1, height, width)
    places = other.project(points).reshape(batch, height, width, 2)
    furthest = F.max_pool2d(other_depth, 3, stride=1, padding=1).expand(batch, -1, -1, -1)
    there = F.grid_sample(furthest, places * 2 - 1, mode="nearest", padding_mode="zeros", align_corners=False)
    return ((depth > 0) & (there > 0) & (reach <= there + tolerance)).to(depth)


class DepthError(MeanMetric):
    """Mean absolute depth error in world units (see `depth_error`)."""

    name, direction, unit, takes = "depth_error", "lower", "world units", "depth"

    def score(self, depth: Tensor, target: Tensor, region: Tensor) -> Tensor:
        """Depth errors [B] in world units, over the region."""
        return depth_error(depth, target, region)


class ScaleFreeDepthError(MeanMetric):
    """Deviation of log depth (see `scale_free_depth_error`)."""

    name, direction, takes = "depth_error_scale_free", "lower", "depth"

    def score(self, depth: Tensor, target: Tensor, region: Tensor) -> Tensor:
        """Deviations [B] of log depth over the region, after the best common scale."""
        return scale_free_depth_error(depth, target, region)


class MaskIou(MeanMetric):
    """Intersection over union of silhouettes (see `mask_iou`)."""

    name, direction, takes = "mask_iou", "higher", "mask"

    def score(self, mask: Tensor, target: Tensor) -> Tensor:
        """Overlap [B] of the silhouettes, 0 to 1."""
        return mask_iou(mask, target)


class PoseError(MeanMetric):
    """Angle between the wanted camera and the pose of the face in the render.

    The pose is estimated from detected points, whose own error (about 4 degrees) is contained; where no face is found
    (views from behind) there is no score.
    """

    name, unit, takes = "pose_error", "degrees", "camera"
    direction: Direction = "lower"
    backend = "five_point"

    def score(self, image: Tensor, camera: Camera) -> Tensor:
        """Scores [B] of images [B, 3, H, W] in [-1, 1] and the B wanted cameras."""
        cameras = camera.expand(image.shape[0])
        return torch.tensor([_pose_error(one, cameras[index]) for index, one in enumerate(image)], dtype=torch.float64)


def _pose_error(image: Tensor, asked: Camera) -> float:
    from toolkit.faces.detection import detect_faces
    from toolkit.faces.pose import five_point_rotation

    try:
        faces = detect_faces(as_pixels(image))
        if not faces:
            return math.nan
        rotation = torch.from_numpy(five_point_rotation(faces[0].landmarks)).float()
    except InputError:  # points that cannot be a face
        return math.nan
    label = asked.label.detach().cpu().float()
    cam2world = Camera(label).cam2world.clone()
    cam2world[0, :3, :3] = rotation
    return float(pose_error(Camera.from_matrices(cam2world, Camera(label).intrinsics), Camera(label)))
