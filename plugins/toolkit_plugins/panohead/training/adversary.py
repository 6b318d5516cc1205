"""A discriminator of patches: it tells super-resolved patches from those of the procedural heads.

It is shown a patch beside what is left of the true one after blurring, so that it judges details and not the person:
regression alone shows the mean of all eyes that a head could have, which is a blur.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam

from toolkit.devices import without_autocast
from toolkit.losses.adversarial import discriminator_loss, generator_loss
from toolkit.training.distribution import average_gradients

_WIDTHS = (32, 64, 96, 96)
_BLUR = 8
"""Side in pixels of the squares whose means are left of a true patch."""
_SLOPE = 0.2


class PatchDiscriminator(nn.Module):
    """Four convolutions that halve the side, and one logit for each place that is left.

    Their largest singular value is 1, which keeps logits small without a penalty on gradients.
    """

    def __init__(self) -> None:
        """Lay out the layers."""
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((6, *_WIDTHS), _WIDTHS, strict=False):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)), nn.LeakyReLU(_SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(_WIDTHS[-1], 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Patches [B, 6, P, P] (see `beside_blurred`) to logits [B, L]; high for true ones."""
        return self.layers(x).flatten(1)


def beside_blurred(image: Tensor, truth: Tensor) -> Tensor:
    """A patch [B, 3, P, P] and the blurred true one, channels joined to [B, 6, P, P]."""
    small = F.avg_pool2d(truth, _BLUR, ceil_mode=True, count_include_pad=False)
    return torch.cat([image, F.interpolate(small, size=truth.shape[-2:], mode="bilinear", align_corners=False)], dim=1)


class _Pair(NamedTuple):
    made: Tensor
    true: Tensor


class Adversary:
    """The discriminator, its optimiser, and the patches of a step that it has yet to learn from."""

    def __init__(self, rate: float, device: torch.device) -> None:
        """Begin with random weights; `rate` is Adam's."""
        self.network = PatchDiscriminator().to(device)
        self.optimiser = Adam(self.network.parameters(), lr=rate, betas=(0.0, 0.99))
        self._seen: list[_Pair] = []

    def loss(self, image: Tensor, truth: Tensor) -> Tensor:
        """How little patches [B, 3, P, P] pass as true ones; remembers both for `learn`."""
        with without_autocast(image):
            made = beside_blurred(image.float(), truth.float())
            true = beside_blurred(truth.float(), truth.float())
            self._seen.append(_Pair(made.detach(), true))
            self.network.requires_grad_(False)
            wrong = generator_loss(self.network(made))
            self.network.requires_grad_(True)
        return wrong

    def learn(self) -> dict[str, float]:
        """One step of its own on the patches of this one; nothing where there were none."""
        if not self._seen:
            return {}
        made, true = (torch.cat(parts) for parts in zip(*self._seen, strict=True))
        self._seen.clear()
        wrong = discriminator_loss(self.network(true), self.network(made))
        wrong.backward()
        average_gradients(list(self.network.parameters()))
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return {"discriminator": float(wrong.detach())}
