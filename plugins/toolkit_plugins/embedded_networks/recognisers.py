"""The two recognisers: aligned faces to unit vectors. Their architectures differ, so that their errors differ, too."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.data.transforms import resize

FACE_SIDE = 64
"""Side in pixels that faces are brought to."""


class Recogniser(nn.Module):
    """What both have in common; a `FaceEmbedder`."""

    size: int
    """Length of an embedding."""

    def embed(self, face: Tensor) -> Tensor:
        """Aligned faces [B, 3, P, P] in [-1, 1] to unit vectors [B, size]; differentiable."""
        return F.normalize(self(resize(face, FACE_SIDE)).to(face.dtype), dim=1)


class PlainRecogniser(Recogniser):
    """For losses: strided convolutions with batch normalisation, then one matrix over all places."""

    size = 128

    def __init__(self, widths: tuple[int, ...] = (32, 64, 96, 128)) -> None:
        """Take the widths of the layers, each of which halves the side."""
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((3, *widths), widths, strict=False):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.PReLU(outputs)]
        self.layers = nn.Sequential(*layers)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(widths[-1] * (FACE_SIDE >> len(widths)) ** 2, self.size)

    def forward(self, face: Tensor) -> Tensor:
        """Faces [B, 3, 64, 64] to embeddings [B, size] of any length."""
        return self.out(self.drop(self.layers(face).flatten(1)))


class ResidualStep(nn.Module):
    """x + f(x) after the mean over 2 x 2 places; group normalisation, SiLU."""

    def __init__(self, inputs: int, outputs: int, groups: int = 8) -> None:
        super().__init__()
        self.skip = nn.Conv2d(inputs, outputs, 1)
        self.first, self.second = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm1, self.norm2 = nn.GroupNorm(groups, inputs), nn.GroupNorm(groups, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H / 2, W / 2]."""
        x = F.avg_pool2d(x, 2)
        inner = self.second(F.silu(self.norm2(self.first(F.silu(self.norm1(x))))))
        return self.skip(x) + inner


class ResidualRecogniser(Recogniser):
    """For scores: residual steps with smooth activations, then mean and maximum over places."""

    size = 96

    def __init__(self, widths: tuple[int, ...] = (24, 48, 80, 128)) -> None:
        """Take the widths of the stem and of the steps."""
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 5, 2, 2)
        self.steps = nn.Sequential(*(ResidualStep(a, b) for a, b in pairwise(widths)))
        self.norm = nn.GroupNorm(8, widths[-1])
        self.out = nn.Linear(2 * widths[-1], self.size)

    def forward(self, face: Tensor) -> Tensor:
        """Faces [B, 3, 64, 64] to embeddings [B, size] of any length."""
        maps = F.silu(self.norm(self.steps(self.stem(face))))
        return self.out(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))


class MarginSoftmax(nn.Module):
    """ArcFace's softmax over the heads of the training: an angle is added to each face's own class."""

    def __init__(self, size: int, classes: int, margin: float = 0.3, scale: float = 20.0) -> None:
        """Take the embedding's length, the number of heads, the added angle in radians and the logits' scale."""
        super().__init__()
        # short vectors turn quickly: only the direction of a centre counts
        self.centres = nn.Parameter(0.05 * torch.randn(classes, size))
        self.margin, self.scale = margin, scale

    def forward(self, embedding: Tensor, heads: Tensor, share: float = 1.0) -> Tensor:
        """Cross entropy, a scalar.

        Args:
            embedding: Unit vectors [B, size].
            heads: Their heads' numbers [B].
            share: Share of the margin that is applied.
        """
        return self.judged(embedding @ F.normalize(self.centres, dim=1).T, heads, share)

    def among_pairs(self, embedding: Tensor, share: float = 1.0) -> Tensor:
        """The same with each other's faces as centres: rows 2 k and 2 k + 1 of unit vectors [B, size] are of one head.

        Centres need many visits to each head until they say anything; pairs teach from the first step.
        """
        first, second = embedding[::2], embedding[1::2]
        cosines, own = first @ second.T, torch.arange(len(first), device=embedding.device)
        return (self.judged(cosines, own, share) + self.judged(cosines.T, own, share)) / 2

    def judged(self, cosines: Tensor, own: Tensor, share: float) -> Tensor:
        """Cross entropy of cosines [B, C] whose right columns are `own` [B]."""
        right = F.one_hot(own, cosines.shape[1]).bool()
        cosines = cosines.clamp(-1 + 1e-6, 1 - 1e-6)
        harder = torch.cos(cosines.arccos() + share * self.margin)
        return F.cross_entropy(self.scale * torch.where(right, harder, cosines), own)
