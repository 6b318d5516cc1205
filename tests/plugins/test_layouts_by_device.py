"""Layouts in memory that only pay on CPUs are not made on a GPU (one that is not there)."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from fake_cuda import fake_cuda

from toolkit import load_generator
from toolkit.nn import trigrid_layout

pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")


@contextlib.contextmanager
def layouts() -> Iterator[set[bool]]:
    """Whether channels are fastest, of every picture that a convolution gets meanwhile."""
    found: set[bool] = set()

    def told(convolve: Any) -> Any:
        def convolved(x: Tensor, *args: Any, **more: Any) -> Tensor:
            if min(x.shape[1:]) > 1:
                found.add(x.is_contiguous(memory_format=torch.channels_last))
            return convolve(x, *args, **more)

        return convolved

    with (
        mock.patch.object(F, "conv2d", told(F.conv2d)),
        mock.patch.object(F, "conv_transpose2d", told(F.conv_transpose2d)),
    ):
        yield found


def forward_and_back(device: str) -> set[bool]:
    generator = load_generator("panohead-mini", device=device)
    latents = generator.spec.latents
    ws = torch.zeros(1, latents.num_ws, latents.w_dim, device=device, requires_grad=True)
    with layouts() as found:
        image = generator.render(generator.planes(ws), ws, generator.spec.front_camera.to(device), 16).image
        torch.autograd.grad(image.square().mean(), ws)
    return found


def test_channels_are_fastest_on_a_cpu_only():
    assert forward_and_back("cpu") == {True}
    with fake_cuda():
        assert forward_and_back("cuda:0") == {False}


def test_volumes_are_laid_out_for_a_cpu_only():
    volumes = torch.zeros(3, 1, 4, 2, 5, 5)
    assert trigrid_layout.channels_fastest(volumes).stride() != volumes.stride()
    with fake_cuda():
        there = volumes.to("cuda:0")
        assert trigrid_layout.channels_fastest(there) is there
