"""The Inception-v3 of FID, by clean-fid: its network, its resizing; the weights are a plain file that the user has.

clean-fid's usual way to it downloads a TorchScript file, which is a program, and keeps it in /tmp. Its other network,
that of pytorch-fid, has the same weights in a plain state dict; given a state dict, it needs neither.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from toolkit.errors import WeightsError

SIDE = 299
FEATURES = 2048
_CLASSES = 1008
_BATCH = 16


def clean_resize(images: Tensor) -> Tensor:
    """Resize images [B, 3, H, W] in [-1, 1] to float [B, 3, 299, 299] in 0..255, by clean-fid's mode 'clean'."""
    from cleanfid.resize import build_resizer

    resize = build_resizer("clean")
    levels = ((images.detach().clamp(-1, 1) + 1) * 127.5).round().permute(0, 2, 3, 1).cpu().numpy()
    return torch.from_numpy(np.stack([resize(image) for image in levels])).permute(0, 3, 1, 2).contiguous()


class Inception(nn.Module):
    """Feature extractor of FID and KID; see the module's text."""

    name = "inception-2015-12-05"
    size = FEATURES

    def __init__(self, weights: Mapping[str, Tensor] | None = None) -> None:
        """Build clean-fid's network with these weights (torchvision's names); None: random ones."""
        super().__init__()
        from cleanfid import inception_pytorch as theirs

        state = _plain_network().state_dict() if weights is None else dict(weights)
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # torchvision deprecates how clean-fid calls it
            with _instead(theirs, "load_state_dict_from_url", lambda *_, **__: state):
                self.net = theirs.fid_inception_v3()
            with _instead(theirs, "fid_inception_v3", lambda: self.net):
                self._pooled = theirs.InceptionV3([3], resize_input=False, normalize_input=False)
        self.eval().requires_grad_(False)

    @classmethod
    def from_state_dict(cls, weights: Mapping[str, Tensor]) -> Inception:
        """Build it with the weights of `pt_inception-2015-12-05-6726825d.pth`.

        Raises:
            WeightsError: The keys or shapes are another network's.
        """
        own = _plain_network().state_dict()
        shapes = {key: value.shape for key, value in own.items() if not key.endswith("num_batches_tracked")}
        wrong = [key for key, shape in shapes.items() if key not in weights or weights[key].shape != shape]
        if wrong:
            raise WeightsError(
                f"these are not FID's Inception weights: {wrong[0]} and {len(wrong) - 1} more do not fit"
            )
        return cls({key: weights.get(key, value) for key, value in own.items()})

    def features(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1] to features [B, 2048], on the network's device."""
        device = self.net.fc.weight.device
        return torch.cat([self(clean_resize(part).to(device)) for part in images.split(_BATCH)])

    def forward(self, levels: Tensor) -> Tensor:
        """Features [B, 2048] of resized images [B, 3, 299, 299] in 0..255."""
        features: Tensor = self._pooled((levels - 128) / 128)[0]
        return features.flatten(1)


def _plain_network() -> nn.Module:
    """Torchvision's network of these sizes: the names and shapes of the weights."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # torchvision announces another initialisation; the weights are replaced
        network: nn.Module = torchvision.models.inception_v3(
            weights=None, num_classes=_CLASSES, aux_logits=False, init_weights=False
        )
    return network


@contextlib.contextmanager
def _instead(module: ModuleType, name: str, function: Any) -> Iterator[None]:
    """Let a function of a module be another one for a while: this one would download."""
    original = getattr(module, name)
    setattr(module, name, function)
    try:
        yield
    finally:
        setattr(module, name, original)
