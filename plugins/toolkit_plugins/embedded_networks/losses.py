"""The networks for losses. None of their files is used for scores."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import ConfigError
from toolkit_plugins.embedded_networks.files import read_network
from toolkit_plugins.embedded_networks.perception import PlainPerception
from toolkit_plugins.embedded_networks.recognisers import PlainRecogniser


def open_perceptual(trunk: Path | None = None) -> PlainPerception:
    """The perceptual distance `embedded`.

    Raises:
        ConfigError: A trunk is named: this network has all its weights.
        WeightsError: Its file is missing or damaged.
    """
    if trunk is not None:
        raise ConfigError(f"perceptual distance 'embedded' has its own weights and takes no trunk, got {trunk}")
    return read_network("perceptual-loss", PlainPerception)[0]


def open_embedder(weights: Path | None = None) -> PlainRecogniser:
    """The recogniser `embedded` (None: the shipped file): faces cut out by the camera (`IdentityLoss`), 64 px.

    Raises:
        WeightsError: The file is missing, damaged or another network's.
    """
    return read_network("identity-loss", PlainRecogniser, weights)[0]
