"""A command that answers with a mesh stands on the table of methods, with pictures, depth and masks."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.toolkit.bench.conftest import head
from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, Results, run_suite
from toolkit.bench.subjects.commanded import with_answers
from toolkit.bench.subjects.meshes import CommandedMeshes
from toolkit.bench.subjects.methods import UnitError
from toolkit.camera import Camera
from toolkit.errors import CapabilityError, PluginError
from toolkit.export.mesh import extract_mesh
from toolkit.external.method import open_external
from toolkit.interfaces import Item
from toolkit.rendering.views import render_views
from toolkit.tensors import write_tensors
from toolkit.testing.spherical import SphericalGenerator

Make = Callable[..., ComparedMethod]
MakeProtocol = Callable[..., ProtocolSettings]
METRICS = ("l2", "depth_error", "mask_iou")

ANSWER = """
    import json, shutil, sys
    from pathlib import Path
    request, result = map(Path, sys.argv[1:])
    asked = json.loads((request / "request.json").read_text())
    assert asked["returns"] == "mesh" and asked["wanted"] is None
    with open("calls.txt", "a") as log:
        log.write("call ")
    print("progress 1/1", flush=True)
    shutil.copy("head.safetensors", result / "mesh.safetensors")
    (result / "result.json").write_text(json.dumps({"mesh": "mesh.safetensors"}))
"""


def declared(folder: Path, script: str = ANSWER) -> Path:
    (folder / "run.py").write_text(textwrap.dedent(script))
    settings = {"name": "mesher", "command": [sys.executable, "run.py"], "depends_on": ["run.py"], "returns": "mesh"}
    (folder / "mesher.yaml").write_text(json.dumps(settings))  # JSON is YAML
    return folder / "mesher.yaml"


def triangles(**changed: Tensor) -> dict[str, Tensor]:
    fine = {
        "vertices": torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]]),
        "faces": torch.tensor([[0, 1, 2]]),
        "colours": torch.full((3, 3), 0.5),
    }
    return {**fine, **changed}


def values(results: Results, method: str) -> dict[str, float]:
    return {row.metric: row.value for row in results.rows if row.method == method and row.value is not None}


def source(folder: Path, generator: SphericalGenerator, script: str = ANSWER) -> CommandedMeshes:
    external = open_external(declared(folder, script))
    found = with_answers(ComparedMethod(external.name, external), generator, folder / "out")
    assert isinstance(found.inverter, CommandedMeshes) and found.fingerprint == external.fingerprint
    return found.inverter


@pytest.fixture
def true_mesh(tmp_path: Path, spherical: SphericalGenerator) -> tuple[Tensor, Tensor]:
    """Writes the mesh of a head for the command to answer with; the head's code and planes."""
    ws, planes = head(spherical, 0)
    mesh = extract_mesh(spherical, planes, ws, 32, scale=1.0)
    parts = {"vertices": mesh.vertices, "faces": mesh.faces, "colours": mesh.colours}
    write_tensors(tmp_path / "head.safetensors", {name: torch.from_numpy(part) for name, part in parts.items()}, {})
    return ws, planes


def test_the_mesh_of_a_head_looks_like_the_head_from_every_side(
    tmp_path: Path, spherical: SphericalGenerator, true_mesh: tuple[Tensor, Tensor]
) -> None:
    ws, planes = true_mesh
    cameras = Camera.orbit(torch.tensor([0.3, 2.0]))
    item = Item("a.png", torch.zeros(3, 48, 48), cameras[0])
    seen = source(tmp_path, spherical).head(item).views(cameras)
    true = render_views(spherical, planes, ws, cameras, resolution=48)
    assert seen.mask is not None and seen.depth is not None
    both = (seen.mask > 0.5) & (true.mask > 0.5)
    assert both.sum() > 0.9 * ((seen.mask > 0.5) | (true.mask > 0.5)).sum()
    miss = (seen.depth - true.depth)[both]  # a soft head: its mean depth lies behind the surface
    assert float(miss.std()) < 0.3 * float(true.depth[both].std())
    colour = both.expand_as(seen.image)
    error, plain = (seen.image - true.image)[colour], (true.image - true.image[colour].mean())[colour]
    assert float(error.square().mean()) < 0.3 * float(plain.square().mean())


@pytest.mark.slow
def test_meshes_stand_beside_methods_with_pictures_depth_and_masks(
    tmp_path: Path,
    spherical: SphericalGenerator,
    heads_folder: Path,
    method: Make,
    protocol: MakeProtocol,
    true_mesh: tuple[Tensor, Tensor],
) -> None:
    settings = protocol("gt360", *METRICS, input_yaws=(0.0,))
    request = BenchRequest(settings, str(heads_folder), tmp_path / "out", 1)
    theirs = ComparedMethod("mesher", source(tmp_path, spherical))
    results = run_suite([request], spherical, [method("drawn", 1), theirs])
    assert results.failures == []
    true, other = values(results, "mesher"), values(results, "drawn")
    assert true.keys() == other.keys() and set(METRICS) <= true.keys()
    assert true["l2"] < 0.6 * other["l2"] and true["depth_error"] < 0.05, (true, other)
    assert true["mask_iou"] > 0.8, true
    (folder,) = (tmp_path / "out" / "meshes" / "mesher").iterdir()
    assert {"mesh.glb", "mesh.safetensors"} < {file.name for file in folder.iterdir()}


def test_the_command_is_called_once_and_what_was_damaged_is_asked_for_again(
    tmp_path: Path, spherical: SphericalGenerator
) -> None:
    write_tensors(tmp_path / "head.safetensors", triangles(), {})
    item = Item("a/b.png", torch.zeros(3, 48, 48), Camera.orbit(0.5))
    first = source(tmp_path, spherical)
    assert first.record(item) is None
    seen = first.head(item).input_view()
    again = source(tmp_path, spherical)
    assert torch.equal(again.head(item).input_view().image, seen.image)
    record = again.record(item)
    assert record is not None and record.seconds is not None and record.seconds > 0
    assert (tmp_path / "calls.txt").read_text().split() == ["call"]
    (kept,) = (tmp_path / "out" / "meshes" / "mesher").glob("*/mesh.safetensors")
    kept.write_bytes(b"damaged")
    source(tmp_path, spherical).head(item)
    assert (tmp_path / "calls.txt").read_text().split() == ["call"] * 2


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        (triangles(vertices=torch.zeros(3, 2)), "'vertices' of shape"),
        ({"vertices": torch.zeros(3, 3), "faces": torch.tensor([[0, 1, 2]])}, "'colours' of shape"),
        (triangles(faces=torch.zeros(0, 3, dtype=torch.int64)), "'faces' of shape"),
        (triangles(faces=torch.tensor([[0, 1, 3]])), "vertices 0 to 2"),
        (triangles(faces=torch.tensor([[0, 1, -1]])), "vertices 0 to 2"),
        (triangles(faces=torch.tensor([[0.0, 1.0, 2.0]])), "whole numbers"),
        (triangles(colours=torch.full((2, 3), 0.5)), "a colour per vertex"),
        (triangles(colours=torch.full((3, 3), 255.0)), "0 to 1"),
        (triangles(colours=torch.full((3, 3), torch.nan)), "0 to 1"),
        (triangles(vertices=torch.full((3, 3), torch.nan)), "finite"),
        (triangles(vertices=torch.full((3, 3), 1e30)), "within 1000 units"),
    ],
)
def test_a_mesh_that_cannot_be_is_refused_by_one_sentence(
    tensors: dict[str, Tensor], words: str, tmp_path: Path, spherical: SphericalGenerator
) -> None:
    write_tensors(tmp_path / "head.safetensors", tensors, {})
    with pytest.raises(PluginError, match=words) as caught:
        open_external(declared(tmp_path)).mesh(torch.zeros(1, 3, 48, 48), Camera.orbit(), spherical)
    assert "\n" not in str(caught.value)


def test_a_damaged_answer_costs_its_picture_and_is_not_asked_for_again(
    tmp_path: Path, spherical: SphericalGenerator
) -> None:
    (tmp_path / "head.safetensors").write_bytes(b"no tensors")
    asked, item = source(tmp_path, spherical), Item("a.png", torch.zeros(3, 48, 48), Camera.orbit(0.5))
    for _ in range(2):
        with pytest.raises(UnitError, match="method 'mesher'"):
            asked.head(item)
    assert (tmp_path / "calls.txt").read_text().split() == ["call"]


def test_a_mesh_is_no_inversion(tmp_path: Path, spherical: SphericalGenerator) -> None:
    with pytest.raises(CapabilityError, match="bench can compare it, invert cannot keep it"):
        open_external(declared(tmp_path)).invert(torch.zeros(1, 3, 48, 48), Camera.orbit(), spherical)
