"""A photograph through networks of the released sizes: pSp's encoder, and TriPlaneNet v2's second stage.

    python benchmarks/speed/encoders.py [--json FILE]

There is no twin: both are plain convolutions of the library.
"""

from __future__ import annotations

import torch
from measuring import Repetition, compare, report

from toolkit.encoders.networks.plane_unet import PlaneRefiner, PlaneUnetConfig
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder

SIDE = 256


def psp() -> Repetition:
    encoder, image = GradualStyleEncoder().eval(), torch.rand(1, 3, SIDE, SIDE) * 2 - 1

    def once() -> None:
        with torch.no_grad():
            encoder(image)

    return once


def second_stage() -> Repetition:
    config = PlaneUnetConfig()
    refiner = PlaneRefiner(config).eval()
    images = torch.rand(1, config.in_channels, SIDE, SIDE)
    planes = torch.randn(1, config.plane_channels, SIDE, SIDE)

    def once() -> None:
        with torch.no_grad():
            refiner(images, planes)

    return once


def main() -> None:
    report("pSp encoder", compare({"ours": psp}))
    report("TriPlaneNet second stage", compare({"ours": second_stage}))


if __name__ == "__main__":
    main()
