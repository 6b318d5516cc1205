"""The four networks' files: what they are called, how they are written, how each is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from torch.nn import Module

from toolkit.errors import WeightsError
from toolkit.tensors import half, read_weights, write_tensors
from toolkit.weights.official import load_strictly
from toolkit_plugins.embedded_networks.perception import DensePerception, PlainPerception
from toolkit_plugins.embedded_networks.recognisers import PlainRecogniser, ResidualRecogniser

Role = Literal["identity-loss", "perceptual-loss", "identity-e", "perceptual-e"]
ROLES: tuple[Role, ...] = ("identity-loss", "perceptual-loss", "identity-e", "perceptual-e")
FOLDER = Path(__file__).parent / "weights"
LICENCE = "Apache-2.0"
COMMAND = "toolkit train embedded-networks"
LARGEST_FACTS = 4096

_Net = TypeVar("_Net", bound=Module)


def build(role: Role, facts: int) -> Module:
    """A network with random weights; `facts` is what a perceptual one is trained to tell."""
    if role == "identity-loss":
        return PlainRecogniser()
    if role == "identity-e":
        return ResidualRecogniser()
    return PlainPerception(facts) if role == "perceptual-loss" else DensePerception(facts)


def write_network(path: Path, role: Role, network: Module, about: Mapping[str, Any]) -> None:
    """Write a network in 16 bits.

    Raises:
        OutputError: The place cannot be written.
    """
    facts = network.tell[-1].out_features if isinstance(network, (PlainPerception, DensePerception)) else 0
    head = {"architecture": f"embedded_networks/{role}", "licence": LICENCE, "training": COMMAND, "facts": facts}
    tensors = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    write_tensors(path, half(tensors), head | dict(about))


def shipped_file(role: Role) -> Path:
    """The file of a network in this package."""
    return FOLDER / f"{role}.safetensors"


def read_network(role: Role, kind: type[_Net], file: Path | None = None) -> tuple[_Net, dict[str, Any]]:
    """A frozen network in eval mode, and what its file (None: the shipped one) says about it.

    Raises:
        WeightsError: The file is missing, damaged or another network's.
    """
    path = shipped_file(role) if file is None else file
    tensors, about = read_weights(path)
    if about.get("architecture") != f"embedded_networks/{role}":
        raise WeightsError(f"{path} holds {about.get('architecture', 'another network')!r}, not {role!r}")
    facts = about.get("facts")
    if type(facts) is not int or not 0 <= facts <= LARGEST_FACTS:
        raise WeightsError(f"{path}: its header's 'facts' must be a number up to {LARGEST_FACTS}, got {facts!r}")
    network = build(role, facts)
    if not isinstance(network, kind):
        raise WeightsError(f"{role!r} is no {kind.__name__}")
    load_strictly(network, tensors, str(path))
    return network.eval().requires_grad_(False), about
