"""EG3D's pickles bring what no state dict says: which axes the planes have, and the size of the ray grid."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from eg3d_golden import generator, load

sys.path.insert(0, str(Path(__file__).parents[2] / "toolkit" / "weights"))
from official_samples import persistence_pickle

from toolkit import load_generator
from toolkit.weights.importing import import_files

X, Y, Z = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]
AXES = {"original": [[X, Y, Z], [X, Z, Y], [Z, X, Y]], "fixed": [[X, Y, Z], [X, Z, Y], [Z, Y, X]]}
"""The renderer's tensor `plane_axes`: per plane the directions along W and H, and the third."""


def keywords(config: dict[str, object]) -> dict[str, object]:
    """The official constructor's keywords of a golden file's configuration."""
    rendering = {
        "superresolution_module": "training.superresolution.SuperresolutionHybrid8XDC", "c_scale": config["c_scale"],
        "depth_resolution": config["depth_resolution"], "ray_start": config["ray_start"], "ray_end": config["ray_end"],
        "depth_resolution_importance": config["depth_resolution_importance"], "box_warp": config["box_warp"],
    }  # fmt: skip
    return {
        "z_dim": config["z_dim"], "w_dim": config["w_dim"], "c_dim": 25, "img_resolution": config["img_resolution"],
        "mapping_kwargs": {"num_layers": config["mapping_layers"]}, "channel_base": config["channel_base"],
        "channel_max": config["channel_max"], "conv_clamp": None, "num_fp16_res": 0, "sr_num_fp16_res": 4,
        "rendering_kwargs": rendering,
    }  # fmt: skip


@pytest.mark.parametrize("axes", ["original", "fixed"])
def test_an_official_pickle_renders_as_the_generator_that_it_holds(axes: str, tmp_path: Path) -> None:
    golden, model = load("tiny_ffhq"), generator("tiny_ffhq", axes)
    config = json.loads(str(golden["config"])) if not isinstance(golden.config, dict) else golden.config
    path = persistence_pickle(
        tmp_path / "ffhq.pkl",
        golden.state_dict(),
        keywords(config),
        rendering_kwargs=keywords(config)["rendering_kwargs"],
        neural_rendering_resolution=24,
        plane_axes=torch.tensor(AXES[axes]),
    )
    found = import_files([path])
    assert found.kind == "eg3d" and "NVIDIA" in found.header["licence"]
    imported = load_generator("eg3d", path)
    assert imported.spec.raw_size == 24
    z, label = golden["in/z"], golden["in/c"]
    with torch.no_grad():
        ours, theirs = (each.generate(z, label, resolution=16) for each in (imported, model))
    assert imported.config.plane_axes == axes
    assert torch.allclose(ours.image, theirs.image, atol=1e-5)
