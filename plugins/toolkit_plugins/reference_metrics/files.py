"""Where the networks' files are looked for, and the sentence that says what to do when one is missing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from toolkit.cache import cache_folder
from toolkit.errors import WeightsError
from toolkit.files import file_sha256
from toolkit.weights.tensors import read_tensors

FOLDER_VARIABLE = "TOOLKIT_WEIGHTS"


@dataclass(frozen=True)
class ReferenceFile:
    """A file of the literature that this toolkit cannot redistribute."""

    name: str
    purpose: str
    origin: str
    sha256: str | None = None
    """None where no independent source tells."""


ALEXNET = ReferenceFile(
    "alexnet-owt-7be5be79.pth",
    "lpips_alex",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
)
VGG16 = ReferenceFile(
    "vgg16-397923af.pth",
    "lpips_vgg",
    "https://download.pytorch.org/models/vgg16-397923af.pth",
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
)
INCEPTION = ReferenceFile(
    "pt_inception-2015-12-05-6726825d.pth",
    "Inception (of fid and kid)",
    "the releases page of github.com/mseitzer/pytorch-fid",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
CURRICULARFACE = ReferenceFile(
    "CurricularFace_Backbone.pth",
    "id_curricularface",
    "the auxiliary models listed by github.com/eladrich/pixel2style2pixel",
)
ARCFACE = ReferenceFile(
    "model_ir_se50.pth", "id_arcface", "the auxiliary models listed by github.com/eladrich/pixel2style2pixel"
)


def weights_folder() -> Path:
    """The folder for files that the user provides: $TOOLKIT_WEIGHTS, or `weights` in the user's cache."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given).expanduser() if given else cache_folder("weights")


def find_file(wanted: ReferenceFile) -> Path:
    """The file in the weights folder, or in torch's own download folder; its sha256 is checked where known.

    Raises:
        WeightsError: It is in neither, or it is another file of that name.
    """
    for folder in (weights_folder(), Path(torch.hub.get_dir()) / "checkpoints"):
        path = folder / wanted.name
        if path.is_file():
            if wanted.sha256 is not None and file_sha256(path) != wanted.sha256:
                raise WeightsError(f"{path} is not the file that {wanted.purpose} needs: its sha256 differs")
            return path
    raise WeightsError(
        f"{wanted.purpose} needs the file {wanted.name} (from {wanted.origin}): put it into {weights_folder()}, "
        f"or name its folder in the environment variable {FOLDER_VARIABLE}"
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict from .safetensors or .pth, without ever executing anything in it.

    Raises:
        WeightsError: The file is damaged or holds something else.
    """
    if path.suffix == ".safetensors":
        return read_tensors(path)[0]
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise WeightsError(f"{path} cannot be read as weights: {type(error).__name__}") from error
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise WeightsError(f"{path} does not hold a plain table of weights")
    return loaded
