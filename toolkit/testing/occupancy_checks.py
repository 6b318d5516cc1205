"""Checks of the capabilities that say where a generator reads its planes."""

from __future__ import annotations

from typing import cast

import torch

from toolkit.interfaces import (
    Footprint,
    SlotMerging,
    VisibleEntries,
)
from toolkit.testing.probe import HEADS, GeneratorProbe
from toolkit.testing.requirements import require, require_close, require_equal, require_shape


def check_footprint_is_linear(probe: GeneratorProbe) -> None:
    """Footprints have one shape, are not negative, add up over points, and scale with the weights."""
    generator = cast(Footprint, probe.generator)
    points = probe.points
    whole = generator.footprint(points)
    ones = torch.ones(points.shape[:2], device=points.device)
    require(whole.shape[0] == HEADS, f"a footprint must keep the batch of {HEADS}, got {list(whole.shape)}")
    require(not whole.requires_grad, "a footprint must carry no gradient")
    require(
        float(whole.min()) >= 0 and float(whole.max()) > 0, "a footprint must be positive somewhere, negative nowhere"
    )
    require_close(generator.footprint(points, ones), whole, "a footprint with weights 1 against none", 1e-5)
    require_close(generator.footprint(points, 2.5 * ones), 2.5 * whole, "a footprint with weights 2.5", 1e-4)
    parts = generator.footprint(points[:, :20]) + generator.footprint(points[:, 20:])
    require_close(parts, whole, "the sum of two parts' footprints", 1e-4)
    require_close(generator.footprint(points[1:]), whole[1:], "a footprint of one head of a batch alone", 1e-5)
    with torch.inference_mode():
        require_close(generator.footprint(points), whole, "a footprint in inference mode", 1e-5)


def check_footprint_is_where_query_reads(probe: GeneratorProbe) -> None:
    """Changing planes outside the footprint leaves query alone; changing them inside does not."""
    generator = cast(Footprint, probe.generator)
    points = probe.points[:, :8]
    touched = generator.expand(generator.footprint(points)) > 0
    require_shape(touched.float(), tuple(probe.planes.shape), "an expanded occupancy")
    noise = torch.randn(probe.planes.shape, generator=torch.Generator().manual_seed(1)).to(probe.planes)
    with torch.no_grad():
        before = probe.generator.query(probe.planes, points)
        outside = probe.generator.query(probe.planes + noise * ~touched, points)
        inside = probe.generator.query(probe.planes + noise * touched, points)
    require_close(outside.features, before.features, "features after planes changed outside the footprint", 1e-4)
    require_close(outside.density, before.density, "density after planes changed outside the footprint", 1e-4)
    changed = (inside.features - before.features).abs().amax(-1) > 1e-6
    require(bool(changed.all()), "planes changed inside the footprint, but query did not change at every point")


def check_occupancy_operations(probe: GeneratorProbe) -> None:
    """Closing is extensive and idempotent on 0/1, smoothing stays in 0..1 and spreads, both keep the shape."""
    generator = cast(Footprint, probe.generator)
    occupancy = (generator.footprint(probe.points) > 0).float()
    closed = generator.close(occupancy, 1)
    require_shape(closed, tuple(occupancy.shape), "a closed occupancy")
    require(bool(((closed == 0) | (closed == 1)).all()), "a closed occupancy must be 0 or 1")
    require(bool((closed >= occupancy).all()), "closing must not remove anything")
    require_equal(generator.close(closed, 1), closed, "closing twice against once")
    require_equal(generator.close(occupancy, 0), occupancy, "closing by 0 texels")
    soft = generator.smooth(occupancy)
    require_shape(soft, tuple(occupancy.shape), "a smoothed occupancy")
    require(float(soft.min()) >= -1e-6 and float(soft.max()) <= 1 + 1e-5, "a smoothed occupancy must lie in 0..1")
    require_equal(generator.smooth(torch.zeros_like(occupancy)), torch.zeros_like(occupancy), "smoothing nothing")
    require(not torch.equal(soft, occupancy), "smoothing changed nothing")


def check_slot_merging(probe: GeneratorProbe) -> None:
    """Merging slots keeps the shape, removes nothing, invents nothing, and merges all at once."""
    generator = cast(SlotMerging, probe.generator)
    occupancy = cast(Footprint, probe.generator).footprint(probe.points)
    merged = generator.merge_slots(occupancy)
    require_shape(merged, tuple(occupancy.shape), "a merged occupancy")
    require(bool((merged >= occupancy).all()), "merging slots must not lower a value")
    require_equal(generator.merge_slots(merged), merged, "merging slots twice against once")
    require(float(merged.max()) == float(occupancy.max()), "merging slots must not invent values")
    require(not torch.equal(merged, occupancy), "merging slots changed nothing")


def check_visible_entries(probe: GeneratorProbe) -> None:
    """What a view shows is 0 or 1 in the occupancy's shape, lies where points are read, and needs points that count."""
    footprint = cast(Footprint, probe.generator).footprint(probe.points)
    weights = torch.ones_like(probe.points[..., 0])
    visible = cast(VisibleEntries, probe.generator).visible_entries(probe.points, weights)
    require_shape(visible, tuple(footprint.shape), "visible entries")
    require(bool(((visible == 0) | (visible == 1)).all()), "visible entries must be 0 or 1")
    require(bool((footprint > 0)[visible > 0].all()), "an entry is visible that no point is read from")
    hidden = cast(VisibleEntries, probe.generator).visible_entries(probe.points, torch.zeros_like(weights))
    require(not bool(hidden.any()), "points of weight 0 must show nothing")
