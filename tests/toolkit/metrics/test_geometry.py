from __future__ import annotations

import math

import numpy as np
import pytest
import skimage.data
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from toolkit.camera import Camera
from toolkit.faces.images import resize as resize_pixels
from toolkit.metrics import DepthError, MaskIou, PoseError, ScaleFreeDepthError, seen_from
from toolkit.metrics.geometry import depth_error, mask_iou, pose_error, scale_free_depth_error
from toolkit.testing import conformance


def ball_depth(camera: Camera, radius: float = 0.25, side: int = 33) -> Tensor:
    """Exact depth [1, 1, S, S] of a ball at the origin; 0 beside it."""
    origins, directions = camera.rays(side)
    along = -(origins[:, None] * directions).sum(2)
    inside = radius**2 - (origins.square().sum(1)[:, None] - along.square())
    depth = torch.where(inside > 0, along - inside.clamp_min(0).sqrt(), torch.zeros_like(along))
    return depth.reshape(1, 1, side, side)


def test_depth_error_is_the_mean_absolute_error_of_torchmetrics():
    from torchmetrics import MeanAbsoluteError

    truth = ball_depth(Camera.orbit(0.4))
    inside = truth > 0
    depth = truth + 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    theirs = MeanAbsoluteError()(depth[inside], truth[inside])
    assert torch.allclose(depth_error(depth, truth, torch.ones_like(truth))[0], theirs, rtol=1e-5)


def test_scale_free_error_ignores_scale_and_is_the_deviation_of_logs():
    truth = ball_depth(Camera.orbit())
    assert scale_free_depth_error(1.3 * truth, truth, truth > 0).item() < 1e-3
    depth = truth * (1 + 0.1 * torch.rand(truth.shape, generator=torch.Generator().manual_seed(1)))
    logs = np.log(depth[truth > 0].double().numpy()) - np.log(truth[truth > 0].double().numpy())
    assert scale_free_depth_error(depth, truth, truth > 0).item() == pytest.approx(float(np.std(logs)), rel=1e-3)


def test_mask_iou_is_the_jaccard_index_of_torchmetrics():
    from torchmetrics.classification import BinaryJaccardIndex

    source = torch.Generator().manual_seed(2)
    mask, target = torch.rand(1, 1, 9, 9, generator=source), torch.rand(1, 1, 9, 9, generator=source).round()
    theirs = BinaryJaccardIndex()(mask, target.int())
    assert mask_iou(mask, target).item() == pytest.approx(float(theirs))


def test_pose_error_is_the_angle_of_the_relative_rotation():
    first, second = Camera.orbit(0.3, 0.1), Camera.orbit(-0.5, 0.2)
    relative = Rotation.from_matrix(first.rotation[0].T.double().numpy() @ second.rotation[0].double().numpy())
    assert pose_error(first, second).item() == pytest.approx(math.degrees(relative.magnitude()), rel=1e-5)


def test_a_view_sees_itself_and_nothing_of_the_other_side():
    front = Camera.orbit()
    depth = ball_depth(front)
    assert torch.equal(seen_from(depth, front, depth, front), (depth > 0).float())
    behind = Camera.orbit(math.pi)
    assert seen_from(ball_depth(behind), behind, depth, front).mean() < 0.02 * (depth > 0).float().mean()


def test_from_the_side_half_of_a_ball_is_seen_and_the_right_half():
    front, right = Camera.orbit(), Camera.orbit(math.pi / 2)
    depth = ball_depth(right)
    seen = seen_from(depth, right, ball_depth(front), front)
    share = float(seen.sum() / (depth > 0).sum())
    assert 0.35 < share < 0.55
    columns = seen[0, 0].sum(0)  # from the right (+x), the face (+z) lies at image left
    assert columns[: 33 // 2].sum() > 10 * columns[33 // 2 + 3 :].sum()


def test_depth_and_mask_metrics_conform_and_merge():
    truths = [ball_depth(Camera.orbit(yaw)) for yaw in (0.0, 0.7, 1.4)]
    batches = [(truth + 0.05 * index, truth, (truth > 0).float()) for index, truth in enumerate(truths)]
    conformance.check_metric(DepthError, batches)
    conformance.check_metric(ScaleFreeDepthError, [(truth * truth, truth, region) for _, truth, region in batches])
    conformance.check_metric(MaskIou, [((t > 0).float(), (truths[0] > 0).float()) for t in truths])


def test_a_face_has_a_pose_and_a_blank_picture_is_counted_as_failed():
    photo = resize_pixels(skimage.data.astronaut()[0:256, 96:352], 160, 160)
    face = torch.from_numpy(photo).permute(2, 0, 1).float()[None] / 127.5 - 1
    metric = PoseError()
    metric.update(torch.cat([face, torch.zeros_like(face)]), Camera.orbit())
    score = metric.compute()
    assert (score.used, score.failed) == (1, 1)
    turned = PoseError()
    turned.update(face, Camera.orbit(math.radians(70)))
    assert score.value < 35 < turned.compute().value
