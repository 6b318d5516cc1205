"""Scores of the networks on heads that no training has seen."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Module

from toolkit_plugins.embedded_networks.orderings import Scene, judge_monotony, judge_orderings
from toolkit_plugins.embedded_networks.perception import PerceptualNetwork
from toolkit_plugins.embedded_networks.recognisers import Recogniser
from toolkit_plugins.embedded_networks.training.pictures import Pictures, as_images
from toolkit_plugins.embedded_networks.verification import verify

_SCENES = 24
_BATCH = 24


def scene_of(pictures: Pictures, heads: int = _SCENES) -> Scene:
    """Clean views of unrelated held-out heads: every fourth is an original, its partner is the other head."""
    originals = torch.arange(0, len(pictures), 4)[:heads]
    views = pictures.views
    return Scene(as_images(views[originals, 0]), as_images(views[originals + 1, 0]), as_images(views[originals, -1]))


@torch.no_grad()
def score(network: Module, pictures: Pictures, device: torch.device) -> dict[str, float]:
    """Verification of a recogniser; orderings and monotony of a perceptual network; shares 0..1."""
    network.eval()
    if isinstance(network, Recogniser):
        faces = as_images(pictures.faces.flatten(0, 2)).split(_BATCH)
        vectors = torch.cat([network.embed(part.to(device)).cpu() for part in faces])
        related = torch.arange(2, len(pictures), 4)
        found = verify(vectors.unflatten(0, (len(pictures), -1)), torch.stack([related, related + 1], 1))
        return {"verification": found.accuracy, "verification_relatives": found.relatives}
    assert isinstance(network, PerceptualNetwork)  # there are two kinds
    perception = network

    def distance(first: Tensor, second: Tensor) -> Tensor:
        embedded = (perception.embed(part.to(device)) for part in (first, second))
        return perception.distances(*embedded).cpu()

    scene = scene_of(pictures)
    agreed, grown = judge_orderings(distance, scene), judge_monotony(distance, scene)
    return {
        "orderings": sum(agreed.values()) / len(agreed),
        "orderings_least": min(agreed.values()),
        "monotony": sum(grown.values()) / len(grown),
        "monotony_least": min(grown.values()),
    }
