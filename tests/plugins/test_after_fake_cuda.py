"""Whoever computes after a pretended GPU computes as before it."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from fake_cuda import fake_cuda

from toolkit.devices import moved_to
from toolkit_plugins.photo_networks.metrics import open_fd_lite


def test_networks_that_are_read_once_are_read_again() -> None:
    picture = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    before = open_fd_lite().extractor.features(picture)
    with fake_cuda():
        moved_to(open_fd_lite().extractor, torch.device("cuda:0"))
    assert torch.equal(open_fd_lite().extractor.features(picture), before)
