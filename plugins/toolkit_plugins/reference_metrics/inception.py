"""The Inception-v3 of FID: torchvision's blocks with TensorFlow's pooling, from a plain state dict.

Images are rounded to 8 bit, resized to 299 px as clean-fid does (PIL bicubic per channel in float, antialiased, clipped
to 0..255), scaled by (x - 128) / 128, and the 2048 features of the last pooling are returned.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torchvision.models import inception as parts

from toolkit.errors import WeightsError

SIDE = 299
FEATURES = 2048
_CLASSES = 1008
_BATCH = 16


def clean_resize(images: Tensor) -> Tensor:
    """Resize images [B, 3, H, W] in [-1, 1] to float [B, 3, 299, 299] in 0..255, as clean-fid's mode 'clean'."""
    levels = ((images.detach().clamp(-1, 1) + 1) * 127.5).round().cpu().numpy().astype(np.float32)
    resized = [
        [np.asarray(Image.fromarray(channel).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for channel in image]
        for image in levels
    ]
    return torch.from_numpy(np.array(resized)).clamp(0, 255)


def _even_pool(x: Tensor) -> Tensor:
    """Average pooling that leaves the padding out of the mean, as TensorFlow does."""
    return F.avg_pool2d(x, kernel_size=3, stride=1, padding=1, count_include_pad=False)


class _BlockA(parts.InceptionA):
    def _forward(self, x: Tensor) -> list[Tensor]:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return [self.branch1x1(x), five, three, self.branch_pool(_even_pool(x))]


class _BlockC(parts.InceptionC):
    def _forward(self, x: Tensor) -> list[Tensor]:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_1(x)
        for layer in (self.branch7x7dbl_2, self.branch7x7dbl_3, self.branch7x7dbl_4, self.branch7x7dbl_5):
            double = layer(double)
        return [self.branch1x1(x), seven, double, self.branch_pool(_even_pool(x))]


class _BlockE(parts.InceptionE):
    def __init__(self, channels: int, largest: bool) -> None:
        super().__init__(channels)
        self._largest = largest

    def _forward(self, x: Tensor) -> list[Tensor]:
        three, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        # the last block of the published network takes the maximum where the one before takes the mean
        pooled = F.max_pool2d(x, kernel_size=3, stride=1, padding=1) if self._largest else _even_pool(x)
        return [
            self.branch1x1(x),
            torch.cat([self.branch3x3_2a(three), self.branch3x3_2b(three)], 1),
            torch.cat([self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)], 1),
            self.branch_pool(pooled),
        ]


class Inception(nn.Module):
    """Feature extractor of FID and KID; see the module's text."""

    name = "inception-2015-12-05"
    size = FEATURES

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision announces another initialisation; the weights are replaced
            net: Any = parts.Inception3(num_classes=_CLASSES, aux_logits=False, init_weights=False)
        net.Mixed_5b, net.Mixed_5c, net.Mixed_5d = _BlockA(192, 32), _BlockA(256, 64), _BlockA(288, 64)
        net.Mixed_6b, net.Mixed_6c = _BlockC(768, channels_7x7=128), _BlockC(768, channels_7x7=160)
        net.Mixed_6d, net.Mixed_6e = _BlockC(768, channels_7x7=160), _BlockC(768, channels_7x7=192)
        net.Mixed_7b, net.Mixed_7c = _BlockE(1280, largest=False), _BlockE(2048, largest=True)
        net.fc, net.dropout = nn.Linear(FEATURES, _CLASSES), nn.Identity()
        self.net = net
        self.eval().requires_grad_(False)

    @classmethod
    def from_state_dict(cls, weights: Mapping[str, Tensor]) -> Inception:
        """Build it with the weights of `pt_inception-2015-12-05-6726825d.pth`.

        Raises:
            WeightsError: The keys or shapes are another network's.
        """
        network = cls()
        own = network.net.state_dict()
        shapes = {key: value.shape for key, value in own.items() if not key.endswith("num_batches_tracked")}
        wrong = [key for key, shape in shapes.items() if key not in weights or weights[key].shape != shape]
        if wrong:
            raise WeightsError(
                f"these are not FID's Inception weights: {wrong[0]} and {len(wrong) - 1} more do not fit"
            )
        network.net.load_state_dict({key: weights.get(key, value) for key, value in own.items()})
        return network

    def features(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1] to features [B, 2048], on the network's device."""
        device = self.net.fc.weight.device
        return torch.cat([self(clean_resize(part).to(device)) for part in images.split(_BATCH)])

    def forward(self, levels: Tensor) -> Tensor:
        """Features [B, 2048] of resized images [B, 3, 299, 299] in 0..255."""
        net, x = self.net, (levels - 128) / 128
        for layer in (net.Conv2d_1a_3x3, net.Conv2d_2a_3x3, net.Conv2d_2b_3x3, net.maxpool1, net.Conv2d_3b_1x1,
                      net.Conv2d_4a_3x3, net.maxpool2, net.Mixed_5b, net.Mixed_5c, net.Mixed_5d, net.Mixed_6a,
                      net.Mixed_6b, net.Mixed_6c, net.Mixed_6d, net.Mixed_6e, net.Mixed_7a, net.Mixed_7b,
                      net.Mixed_7c):  # fmt: skip
            x = layer(x)
        return x.mean((2, 3))
