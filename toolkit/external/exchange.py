"""The files of a request to a method in another environment, and of its answer: PNG, JSON and safetensors only.

```
request/request.json     {"version": 1, "returns": "ws", "picture": "picture.png", "camera": [25 numbers], "seed": 0,
                          "generator": {"name", "fingerprint", "image_size", "num_ws", "w_dim"},
                          "average_ws": "average.safetensors", "wanted": [[25 numbers], ...]}
result/result.json       {"ws": "ws.safetensors"}              tensor `ws` [num_ws, w_dim] or [1, num_ws, w_dim]
                    or   {"renders": ["0.png", "1.png", ...]}  one square picture per wanted camera, in order
                    or   {"mesh": "mesh.safetensors"}          tensors `vertices` [V, 3] in the cameras' world, `faces`
                                                               [F, 3] (whole numbers), `colours` [V, 3] in [0, 1]
```
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from toolkit.camera import Camera
from toolkit.data.pictures import decode_image
from toolkit.data.store import MEMBER_LIMIT, FolderStore
from toolkit.documents import parsed
from toolkit.errors import InputError
from toolkit.faces.images import tensor_to_image
from toolkit.interfaces import Generator
from toolkit.latents import latent_statistics
from toolkit.rendering.triangles import ColouredTriangles
from toolkit.tensors import read_tensors, write_tensors

VERSION = 1
REQUEST_FILE, RESULT_FILE = "request.json", "result.json"
RESULT_LIMIT = 1 << 20
"""Bytes of result.json; pictures are bounded by their own reader."""
MESH_LIMIT = 1 << 29
"""Bytes of a mesh's file: about ten million vertices."""
WORLD_LIMIT = 1000.0
"""World units from the origin that a vertex may lie at."""


def write_request(
    folder: Path, image: Tensor, camera: Camera, generator: Generator, wanted: Camera | None, seed: int, returns: str
) -> None:
    """Write what is asked for.

    Args:
        folder: Exists and is empty.
        image: [1, 3, S, S] in [-1, 1].
        camera: Saw the image (batch of 1).
        generator: What is inverted into.
        wanted: Cameras that renders are wanted from; None: a code or a mesh is wanted.
        seed: For the command's random numbers.
        returns: What is wanted: 'ws', 'renders' or 'mesh'.
    """
    spec = generator.spec
    Image.fromarray(tensor_to_image(image)).save(folder / "picture.png")
    average = latent_statistics(generator, samples=1000).average.detach().cpu()
    write_tensors(folder / "average.safetensors", {"ws": average}, {})
    document = {
        "version": VERSION,
        "returns": returns,
        "picture": "picture.png",
        "camera": camera.label[0].tolist(),
        "seed": seed,
        "generator": {
            "name": spec.name,
            "fingerprint": spec.fingerprint,
            "image_size": spec.image_size,
            "num_ws": spec.latents.num_ws,
            "w_dim": spec.latents.w_dim,
        },
        "average_ws": "average.safetensors",
        "wanted": None if wanted is None else wanted.label.tolist(),
    }
    (folder / REQUEST_FILE).write_text(json.dumps(document), encoding="utf-8")


def read_ws(folder: Path, generator: Generator) -> Tensor:
    """The code [1, num_ws, w_dim] of a result.

    Raises:
        InputError: There is none, or it has another shape or holds NaN or infinity.
        WeightsError: The file of tensors is damaged.
    """
    latents = generator.spec.latents
    name = _result(folder).get("ws")
    if not isinstance(name, str):
        raise InputError(f"{RESULT_FILE} of the method names no file of ws")
    tensors, _ = read_tensors(_inside(folder, name))
    ws = tensors.get("ws")
    if ws is None or tuple(ws.shape[-2:]) != (latents.num_ws, latents.w_dim) or ws.numel() != ws[..., :, :].numel():
        shape = "none" if ws is None else list(ws.shape)
        raise InputError(f"ws of the method must have shape [1, {latents.num_ws}, {latents.w_dim}], got {shape}")
    ws = ws.reshape(-1, latents.num_ws, latents.w_dim).float()
    if len(ws) != 1 or not torch.isfinite(ws).all():
        raise InputError("ws of the method must be one finite code")
    return ws.to(generator.device)


def read_renders(folder: Path, count: int) -> Tensor:
    """The renders [count, 3, S, S] in [-1, 1] of a result.

    Raises:
        InputError: There are not as many as asked for, of one size, or one cannot be decoded.
    """
    names = _result(folder).get("renders")
    if not isinstance(names, list) or len(names) != count or not all(isinstance(name, str) for name in names):
        raise InputError(f"{RESULT_FILE} of the method must list {count} renders")
    store = FolderStore(folder)
    images = [decode_image(store.read(name), name) for name in names]
    if len({image.shape for image in images}) != 1:
        raise InputError("the method's renders differ in size")
    return torch.stack(images)


def read_mesh(folder: Path) -> ColouredTriangles:
    """The mesh of a result.

    Raises:
        InputError: There is none, a tensor is missing or has another shape, or a number is impossible.
        WeightsError: The file of tensors is damaged.
    """
    name = _result(folder).get("mesh")
    if not isinstance(name, str):
        raise InputError(f"{RESULT_FILE} of the method names no mesh")
    return read_triangles(_inside(folder, name, MESH_LIMIT))


def read_triangles(path: Path) -> ColouredTriangles:
    """The mesh in a file of tensors (see the top of this module); raises as `read_mesh` does."""
    tensors, _ = read_tensors(path)
    found = {}
    for part in ("vertices", "faces", "colours"):
        tensor = tensors.get(part)
        if tensor is None or tensor.ndim != 2 or tensor.shape[1] != 3 or not len(tensor):
            shape = "none" if tensor is None else list(tensor.shape)
            raise InputError(f"a mesh needs a tensor {part!r} of shape [N, 3] with N > 0, got {shape}")
        found[part] = tensor
    vertices, faces, colours = found["vertices"].float(), found["faces"], found["colours"].float()
    if faces.is_floating_point() or faces.dtype == torch.bool or faces.is_complex():
        raise InputError(f"a mesh's faces must be whole numbers, got {faces.dtype}")
    if len(colours) != len(vertices):
        raise InputError(f"a mesh needs a colour per vertex, got {len(colours)} colours and {len(vertices)} vertices")
    if not (vertices.abs() <= WORLD_LIMIT).all():
        raise InputError(f"a mesh's vertices must be finite and within {WORLD_LIMIT:g} units of the origin")
    if not ((colours >= 0) & (colours <= 1)).all():
        raise InputError("a mesh's colours must be 0 to 1")
    if not (int(faces.min()) >= 0 and int(faces.max()) < len(vertices)):
        raise InputError(f"a mesh's faces must name vertices 0 to {len(vertices) - 1}")
    return ColouredTriangles(vertices.numpy(), faces.int().numpy(), colours.numpy())


def _result(folder: Path) -> dict[str, Any]:
    data = FolderStore(folder).read(RESULT_FILE, RESULT_LIMIT)
    try:
        document = parsed(data)
    except ValueError as error:
        raise InputError(f"{RESULT_FILE} of the method is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{RESULT_FILE} of the method must hold an object")
    return document


def _inside(folder: Path, name: str, limit: int = MEMBER_LIMIT) -> Path:
    FolderStore(folder).read(name, limit)  # refuses names and links that lead out
    return folder / name
