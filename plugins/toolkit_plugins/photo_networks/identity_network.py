"""A differentiable stand-in for dlib's recogniser: EfficientNet-Lite0's maps and a head that learnt its descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.data.transforms import resize
from toolkit.errors import WeightsError
from toolkit.tensors import half, read_weights, write_tensors
from toolkit.weights.official import load_strictly
from toolkit_plugins.photo_networks.lite import EfficientNetLite
from toolkit_plugins.photo_networks.recogniser import DESCRIPTOR

NAME = "identity-lite"
ARCHITECTURE = "photo_networks/identity-lite"
LICENCE = "Apache-2.0"
SHIPPED = Path(__file__).parent / "weights" / f"{NAME}.safetensors"
_SIDE = 128
"""Side in pixels at which the trunk sees faces."""
WIDTHS = (40, 112, 320)
"""Channels of the trunk's maps at an eighth, a sixteenth and a thirty-second of the side."""
SIDES = (_SIDE // 8, _SIDE // 16, _SIDE // 32)

Maps = tuple[Tensor, Tensor, Tensor]


class DescriptorHead(nn.Module):
    """Maps of three depths to a descriptor; 0.7 million parameters."""

    mean: Tensor
    """[128]: the mean descriptor of the people that it was trained on."""

    def __init__(self, width: int = 96) -> None:
        """Take the width of its own maps."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(DESCRIPTOR))
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels, affine=False) for channels in WIDTHS)
        self.fine = nn.Conv2d(WIDTHS[0], 64, 3, 2, 1)
        self.middle = nn.Conv2d(64 + WIDTHS[1], width, 3, 1, 1)
        self.coarse = nn.Conv2d(width, 128, 3, 2, 1)
        self.deepest = nn.Conv2d(WIDTHS[2], 64, 1)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear((128 + 64) * SIDES[2] ** 2, DESCRIPTOR)

    def forward(self, maps: Maps) -> Tensor:
        """Descriptors [B, 128] of maps [B, 40, 16, 16], [B, 112, 8, 8] and [B, 320, 4, 4]."""
        first, second, third = (norm(layer) for norm, layer in zip(self.norms, maps, strict=True))
        x = torch.cat([F.silu(self.fine(first)), second], 1)
        x = F.silu(self.coarse(F.silu(self.middle(x))))
        x = torch.cat([x, F.silu(self.deepest(third))], 1)
        return self.mean + self.out(self.drop(x.flatten(1)))


class DistilledRecogniser(nn.Module):
    """Trunk and head; a `FaceEmbedder`."""

    size = DESCRIPTOR

    def __init__(self, head: DescriptorHead | None = None) -> None:
        """Read the trunk from its package; without a head, one with random weights.

        Raises:
            MissingDependencyError: A package that the trunk needs is not installed.
        """
        super().__init__()
        self.trunk = EfficientNetLite("lite0")
        self.head = head or DescriptorHead()

    def maps(self, face: Tensor) -> Maps:
        """What the head takes, of aligned faces [B, 3, P, P] in [-1, 1]."""
        _, _, first, second, third = self.trunk.maps(resize(face, _SIDE))
        return first, second, third

    def describe(self, face: Tensor) -> Tensor:
        """Descriptors [B, 128] of aligned faces [B, 3, P, P] in [-1, 1], on dlib's scale; differentiable."""
        result: Tensor = self.head(self.maps(face))
        return result

    def embed(self, face: Tensor) -> Tensor:
        """Unit vectors [B, 128] of aligned faces [B, 3, P, P] in [-1, 1]: where descriptors lie around their mean."""
        return F.normalize(self.describe(face) - self.head.mean, dim=1)


def write_head(path: Path, head: DescriptorHead, about: Mapping[str, Any]) -> None:
    """Write a head in 16 bits.

    Raises:
        OutputError: The place cannot be written.
    """
    tensors = {name: value for name, value in head.state_dict().items() if not name.endswith("num_batches_tracked")}
    facts = {"architecture": ARCHITECTURE, "licence": LICENCE, "training": f"toolkit train {NAME}"}
    write_tensors(path, half(tensors), facts | dict(about))


def open_identity_lite(weights: Path | None = None) -> DistilledRecogniser:
    """The face embedder `identity-lite` (None: the shipped head), frozen: for losses, not scores.

    Raises:
        MissingDependencyError: A package that the trunk needs is not installed.
        WeightsError: The file is missing, damaged or another network's.
    """
    path = SHIPPED if weights is None else weights
    if weights is None and not path.is_file():
        raise WeightsError(
            f"face embedder {NAME!r} has no weights in this installation: make them with 'toolkit train {NAME}' and "
            "name the file with the option 'embedder_weights'"
        )
    tensors, about = read_weights(path)
    if about.get("architecture") != ARCHITECTURE:
        raise WeightsError(f"{path} holds {about.get('architecture', 'another network')!r}, not {ARCHITECTURE!r}")
    head = DescriptorHead()
    load_strictly(head, tensors, str(path))
    return DistilledRecogniser(head).eval().requires_grad_(False)
