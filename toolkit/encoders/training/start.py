"""What an encoder's training starts from: a file, a shipped encoder, or a face recogniser's trunk."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import Module

from toolkit.encoders.files import EncoderFile, trained_for
from toolkit.encoders.networks.irse import ResidualTrunk, warm_start
from toolkit.encoders.networks.style_encoder import SLOPE, StyleBlock
from toolkit.errors import ConfigError
from toolkit.interfaces import GeneratorSpec, TrainableEncoder
from toolkit.registry import unknown_name
from toolkit.weights.embedded import embedded_weights
from toolkit.weights.inventory import stored_files
from toolkit.weights.opening import open_state_dict
from toolkit.weights.store import found_weights, how_to_get


def find_start(start: str, generator: str = "") -> Path:
    """The file that the setting `start` names.

    Args:
        start: A path (whatever has a folder or a suffix, there or not), or a name of `toolkit weights list`.
        generator: Name of the one that is trained for: of a shipped and an imported file of one name, the one that
            was made for it is taken, and the shipped one if neither or both were.

    Raises:
        ConfigError: No such name.
    """
    path = Path(start).expanduser()
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return path
    shipped = {file.name: file.path for file in embedded_weights()}
    imported = {file.stem: file for file in stored_files() if file.suffix == ".safetensors"}
    found = [files[start] for files in (shipped, imported) if start in files]
    if not found:
        raise ConfigError(f"start: {unknown_name('weights', start, imported | shipped)}")
    return next((file for file in found if trained_for(file) in ("", generator)), found[0])


def find_recogniser(recogniser: str) -> Path:
    """The file that the setting `recogniser` names: a path, or a kind whose weights are in the store.

    Raises:
        ConfigError: No such weights.
    """
    path = Path(recogniser).expanduser()
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return path
    found = found_weights(recogniser)
    if found is None:
        raise ConfigError(f"recogniser: no weights {recogniser!r} are here; {how_to_get(recogniser)}")
    return found


def take_parts(encoder: TrainableEncoder, file: EncoderFile, spec: GeneratorSpec) -> None:
    """Take over the parts that a file has under the encoder's own names, and the average latent.

    Args:
        encoder: Changed in place.
        file: Of any kind.
        spec: The generator that the encoder is trained for.

    Raises:
        WeightsError: A part does not fit, or the file belongs to another generator.
        ConfigError: It has none of the parts.
    """
    file.check_generator(spec)
    own = encoder.parts()
    shared = [name for name in own if file.part(name)]
    if not shared:
        raise ConfigError(f"start: {file.path} holds none of {', '.join(own)}")
    for name in shared:
        file.load_into(own[name], name)
    with torch.no_grad():
        encoder.average_latent.copy_(file.average_latent)


def begin_at_average(network: Module) -> None:
    """Let all style blocks of a network begin at the average code, with convolutions that keep their input's spread.

    As published they begin at random codes. A small network without a recogniser's trunk then learns first to say
    nothing: its blocks die, and after 400 steps it knows no more of a code than its average (1.00 of the variance is
    left; begun at the average, 0.91).
    """
    with torch.no_grad():
        for block in (module for module in network.modules() if isinstance(module, StyleBlock)):
            for layer in block.convs:
                if isinstance(layer, torch.nn.Conv2d):
                    torch.nn.init.kaiming_normal_(layer.weight, a=SLOPE)
                    torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            block.linear.weight.zero_()


def start_trunks(network: Module, path: Path) -> None:
    """Start every IR-SE trunk of a network from a face recogniser.

    Raises:
        ConfigError: The network has no such trunk, or the recogniser's weights do not fit.
        WeightsError: The file is missing or damaged.
    """
    trunks = [module for module in network.modules() if isinstance(module, ResidualTrunk)]
    if not trunks:
        raise ConfigError("recogniser: this network has no IR-SE trunk to start")
    tensors = open_state_dict(path)
    for trunk in trunks:
        warm_start(trunk, tensors)
