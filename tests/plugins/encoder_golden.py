"""Golden outputs of the published encoders (see tests/data/encoders/README.md): inputs, weights, comparison.

Weights and inputs are not stored but drawn again from a seed and their names. Run as a program, this writes the
outputs of the small twins again: do so only while the full-size goldens hold.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.weights import build_official

FOLDER = Path(__file__).parents[1] / "data" / "encoders"
TOLERANCE = 2e-4
SMALL_SEED = 1
SMALL_TRUNK = {"width": 8, "units": [1, 2, 2, 2]}
SMALL: dict[str, dict[str, Any]] = {
    "psp_gradual_encoder": {**SMALL_TRUNK, "styles": 9, "style_dim": 24, "image_size": 64},
    "e4e_encoder": {**SMALL_TRUNK, "styles": 9, "style_dim": 24, "image_size": 64},
    "psp_last_layer_w": {**SMALL_TRUNK, "style_dim": 24},
    "psp_last_layer_wplus": {**SMALL_TRUNK, "styles": 9, "style_dim": 24},
    "e4e_latent_discriminator": {"w_dim": 24},
    "triplanenet_v1_encoder": {**SMALL_TRUNK, "plane_channels": 12, "head_width": 10},
    "triplanenet_v2_encoder": {**SMALL_TRUNK, "plane_channels": 12, "head_width": 10},
    "triplanenet_v2_encoder_pixelshuffle": {**SMALL_TRUNK, "plane_channels": 12, "head_width": 10},
    "irse50_arcface": {**SMALL_TRUNK, "embedding": 20, "image_size": 48},
    "curricularface_ir101": {**SMALL_TRUNK, "embedding": 20, "image_size": 48},
}
"""Settings of a small network of every kind."""


def draw(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normals [shape] float32 that depend on nothing but the seed and the name."""
    return _rng(seed, name).standard_normal(shape).astype(np.float32)


def _rng(seed: int, name: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))


def weights(seed: int, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """A state dict by the recipe of the goldens."""
    return {key: torch.from_numpy(_weight(seed, key, shape, shapes)) for key, shape in shapes.items()}


def _weight(seed: int, key: str, shape: tuple[int, ...], shapes: Mapping[str, tuple[int, ...]]) -> np.ndarray:
    owner, _, kind = key.rpartition(".")
    if kind == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    drawn = draw(seed, key, shape)
    if kind == "running_var":
        return np.float32(1) + np.float32(0.1) * np.abs(drawn)
    if kind in ("bias", "running_mean"):
        return np.float32(0.1) * drawn
    if len(shape) == 1:
        if f"{owner}.running_mean" in shapes:
            return np.float32(1) + np.float32(0.1) * drawn
        return np.float32(0.25) + np.float32(0.05) * drawn
    equalised = len(shape) == 2 and owner.rpartition(".")[2] == "linear"
    return drawn if equalised else drawn * np.float32(1 / np.sqrt(np.prod(shape[1:])))


def made_input(seed: int, spec: Mapping[str, Any]) -> Tensor:
    """An input from its description: 'image' (blocks and noise), 'normal' or 'uniform'."""
    name, shape = spec["name"], tuple(spec["shape"])
    if spec["kind"] == "normal":
        return torch.from_numpy(np.float32(spec.get("scale", 1.0)) * draw(seed, name, shape))
    if spec["kind"] == "uniform":
        values = _rng(seed, name).random(shape).astype(np.float32)
        return torch.from_numpy(np.float32(spec["low"]) + np.float32(spec["high"] - spec["low"]) * values)
    batch, channels, height, width = shape
    blocks = draw(seed, f"{name}/coarse", (batch, channels, 8, 8)).repeat(height // 8, 2).repeat(width // 8, 3)
    noise = draw(seed, f"{name}/fine", shape)
    return torch.from_numpy((np.float32(0.6) * blocks + np.float32(0.25) * noise).clip(-1, 1).astype(np.float32))


class Golden:
    """One file: what it was made from, and how far something is from its arrays."""

    def __init__(self, name: str) -> None:
        with np.load(FOLDER / f"{name}.npz") as file:
            self.arrays = {key: np.asarray(file[key]) for key in file.files}
        self.meta: dict[str, Any] = json.loads(str(self.arrays["meta"]))
        self.seed: int = self.meta["seed"]
        self.inputs = {key: made_input(self.seed, spec) for key, spec in self.meta.get("inputs", {}).items()}

    def __getitem__(self, key: str) -> Tensor:
        return torch.from_numpy(self.arrays[key])

    def error(self, name: str, value: Tensor) -> float:
        """Largest difference over the golden's deviation; of maps, over samples and statistics of channels."""
        value = value.detach()
        if name in self.arrays:
            return relative_error(value, self[name])
        assert list(value.shape) == self[f"{name}/shape"].tolist(), name
        sample = self[f"{name}/sample"]
        rows, columns = _grid(value.shape[2], value.shape[3], int(self[f"{name}/grid"]))
        scale = float(sample.double().std(correction=0))
        wide = value.double()
        return max(
            relative_error(value[:, :, rows][:, :, :, columns], sample),
            float((wide.mean((2, 3)) - self[f"{name}/channel_mean"]).abs().max()) / scale,
            float((wide.std((2, 3), correction=0) - self[f"{name}/channel_std"]).abs().max()) / scale,
        )


def relative_error(value: Tensor, expected: Tensor) -> float:
    """Largest difference over the expected values' deviation (of one number: over its size)."""
    assert value.shape == expected.shape
    wide = expected.double()
    scale = wide.std(correction=0) if wide.numel() > 1 else wide.abs().max()
    return float((value.double() - wide).abs().max() / scale)


def _grid(height: int, width: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.unique(np.linspace(0, height - 1, min(count, height)).round().astype(int))
    columns = np.unique(np.linspace(min(1, width - 1), max(width - 2, 0), min(count, width)).round().astype(int))
    return rows, columns


@cache
def load(name: str) -> Golden:
    """A golden by its name."""
    return Golden(name)


def published_shapes(kind: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published file, as its project's code defines them."""
    tables = json.loads((FOLDER / "tables.json").read_text())
    return {key: tuple(shape) for key, shape in tables[kind].items()}


def build_full(kind: str) -> torch.nn.Module:
    """A network of a kind in full size, with the goldens' weights."""
    return build_official(kind, weights(1, published_shapes(kind)))


def small_state(kind: str) -> dict[str, Tensor]:
    """The state dict of a small network of a kind."""
    module = small_module(kind)
    return weights(SMALL_SEED, {key: tuple(value.shape) for key, value in module.state_dict().items()})


def small_module(kind: str) -> torch.nn.Module:
    """A small network of a kind with random weights."""
    from toolkit.weights.official import find_architecture

    return find_architecture(kind).build({}, SMALL[kind])


def build_small(kind: str) -> torch.nn.Module:
    """A small network of a kind, its sizes found by its shapes."""
    return build_official(kind, small_state(kind))


def small_input(name: str, *shape: int) -> Tensor:
    """An input of the small twins."""
    return made_input(SMALL_SEED, {"kind": "image" if len(shape) == 4 else "normal", "name": name, "shape": shape})


def small_outputs(kind: str) -> dict[str, Tensor]:
    """What a small network makes of its inputs; of maps, every fifth pixel."""
    with torch.no_grad():
        outputs = _SMALL_CALLS[kind](build_small(kind))
    return {name: value[:, :, ::5, 4::5] if value.ndim == 4 else value for name, value in outputs.items()}


def _refined(module: Any) -> dict[str, Tensor]:
    return {"planes": module(small_input("images", 1, 9, 64, 64), small_input("planes", 1, 12, 64, 64))}


_SMALL_CALLS: dict[str, Callable[[Any], dict[str, Tensor]]] = {
    "psp_gradual_encoder": lambda net: {"codes": net(small_input("image", 2, 3, 64, 64))},
    "e4e_encoder": lambda net: {
        "codes": net(small_input("image", 2, 3, 64, 64)),
        "codes_stage4": net(small_input("image", 2, 3, 64, 64), 4),
    },
    "psp_last_layer_w": lambda net: {"code": net(small_input("image", 2, 3, 64, 64))},
    "psp_last_layer_wplus": lambda net: {"codes": net(small_input("image", 2, 3, 64, 64))},
    "e4e_latent_discriminator": lambda net: {"logits": net(small_input("w", 4, 24))},
    "triplanenet_v1_encoder": lambda net: {"offsets": net(small_input("images", 1, 6, 64, 64))},
    "triplanenet_v2_encoder": _refined,
    "triplanenet_v2_encoder_pixelshuffle": _refined,
    "irse50_arcface": lambda net: {"embedding": net.embed(small_input("face", 2, 3, 48, 48))},
    "curricularface_ir101": lambda net: {"embedding": net.embed(small_input("face", 2, 3, 48, 48))},
}


def small_error(kind: str) -> float:
    """How far a small network is from what it gave when the full-size goldens were last seen to hold."""
    with np.load(FOLDER / "small.npz") as file:
        return max(
            relative_error(value, torch.from_numpy(file[f"{kind}/{name}"]))
            for name, value in small_outputs(kind).items()
        )


if __name__ == "__main__":
    outputs = {f"{kind}/{name}": value.numpy() for kind in SMALL for name, value in small_outputs(kind).items()}
    np.savez_compressed(FOLDER / "small.npz", **outputs)  # type: ignore[arg-type]
    sys.stdout.write("".join(f"{name} {list(value.shape)}\n" for name, value in outputs.items()))
