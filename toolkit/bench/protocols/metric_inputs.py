"""What one comparison offers to metrics, and what each metric takes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from toolkit.camera import Camera
from toolkit.devices import sent
from toolkit.interfaces.metric import Takes


@dataclass(frozen=True)
class MetricInputs:
    """Everything that one comparison offers to metrics, batch of 1; it is scored where the view was rendered."""

    image: Tensor
    """[1, 3, S, S] in [-1, 1], rendered."""
    target: Tensor
    """[1, 3, S, S] in [-1, 1]."""
    camera: Camera
    regions: dict[str, Tensor] = field(default_factory=dict)
    """[1, 1, S, S] by name; metrics of images are repeated over each as `metric@region`."""
    depths: tuple[Tensor, Tensor] | None = None
    """Rendered and true, [1, 1, R, R]."""
    depth_regions: dict[str, Tensor] = field(default_factory=dict)
    """[1, 1, R, R] by name; the empty name is the whole."""
    masks: tuple[Tensor, Tensor] | None = None
    """Rendered and true, [1, 1, R, R]."""

    def together(self) -> MetricInputs:
        """The same, all where the view was rendered."""
        there = self.image.device
        return MetricInputs(
            self.image,
            sent(self.target, there),
            self.camera.to(there),
            {name: sent(part, there) for name, part in self.regions.items()},
            None if self.depths is None else (sent(self.depths[0], there), sent(self.depths[1], there)),
            {name: sent(part, there) for name, part in self.depth_regions.items()},
            None if self.masks is None else (sent(self.masks[0], there), sent(self.masks[1], there)),
        )


def arguments_of(takes: Takes, inputs: MetricInputs) -> dict[str, tuple[Any, ...]]:
    """What a metric is given about one comparison, by region; the empty name is the whole."""
    pair = (inputs.image, inputs.target)
    if takes == "images":
        return {"": pair, **{name: (*pair, region) for name, region in inputs.regions.items()}}
    if takes == "pair":
        return {"": pair}
    if takes == "faces":
        return {"": (*pair, inputs.camera)}
    if takes == "camera":
        return {"": (inputs.image, inputs.camera)}
    if takes == "depth" and inputs.depths is not None:
        return {name: (*inputs.depths, region) for name, region in inputs.depth_regions.items()}
    if takes == "mask" and inputs.masks is not None:
        return {"": inputs.masks}
    return {}
