"""Writing meshes as binary glTF 2.0 that any 3D program opens, with the colours they have on screen."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.export.mesh import Mesh
from toolkit.files import atomic_write
from toolkit.rendering.pixels import GENERATED_BY

_FLOAT, _UINT16, _UINT32 = 5126, 5123, 5125
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963


def write_glb(path: str | os.PathLike[str], mesh: Mesh, details: Mapping[str, Any] | None = None) -> Path:
    """Write a mesh; its metadata says that it is generated.

    Colours already contain the light, so the material asks for no further shading where the viewer can do that.

    Args:
        path: The `.glb` file.
        mesh: What to write; metres, y up, face to +z, as glTF has it.
        details: More metadata, plain JSON values (method, generator ...).

    Raises:
        OutputError: The place cannot be written.
    """
    arrays = {
        "POSITION": mesh.vertices.astype("<f4"),
        "NORMAL": mesh.normals.astype("<f4"),
        "COLOR_0": _linear_rgba(mesh.colours),
        "indices": mesh.faces.astype("<u4").reshape(-1),
    }
    binary = b"".join(array.tobytes() for array in arrays.values())  # every array's length is a multiple of 4
    document = json.dumps(_document(arrays, dict(details or {})), separators=(",", ":")).encode()
    document += b" " * (-len(document) % 4)
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(document) + 8 + len(binary)))
        file.write(struct.pack("<I4s", len(document), b"JSON") + document)
        file.write(struct.pack("<I4s", len(binary), b"BIN\0") + binary)
    return Path(path)


def _linear_rgba(colours: np.ndarray) -> np.ndarray:
    """Vertex colours as glTF has them, in linear light; 16 bits, because 8 show bands in the dark."""
    low = colours <= 0.04045
    linear = np.where(low, colours / 12.92, ((np.maximum(colours, 0.04045) + 0.055) / 1.055) ** 2.4)
    rgba = np.concatenate([linear, np.ones((len(linear), 1))], axis=1)
    return np.round(rgba.clip(0, 1) * 65535).astype("<u2")


def _document(arrays: Mapping[str, np.ndarray], details: dict[str, Any]) -> dict[str, Any]:
    views, offset = [], 0
    for name, array in arrays.items():
        target = _INDEX_BUFFER if name == "indices" else _VERTEX_BUFFER
        views.append({"buffer": 0, "byteOffset": offset, "byteLength": array.nbytes, "target": target})
        offset += array.nbytes
    positions = arrays["POSITION"]
    accessors: list[dict[str, Any]] = [
        {
            "bufferView": 0,
            "componentType": _FLOAT,
            "count": len(positions),
            "type": "VEC3",
            "min": positions.min(axis=0).tolist(),
            "max": positions.max(axis=0).tolist(),
        },
        {"bufferView": 1, "componentType": _FLOAT, "count": len(positions), "type": "VEC3"},
        {"bufferView": 2, "componentType": _UINT16, "normalized": True, "count": len(positions), "type": "VEC4"},
        {"bufferView": 3, "componentType": _UINT32, "count": len(arrays["indices"]), "type": "SCALAR"},
    ]
    primitive = {"attributes": {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}, "indices": 3, "material": 0}
    material = {
        "name": "rendered colours",
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
        "extensions": {"KHR_materials_unlit": {}},
    }
    extras = {**details, "generated": True, "unit": "metre"}
    return {
        "asset": {"version": "2.0", "generator": GENERATED_BY, "extras": extras},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0], "extras": extras}],
        "nodes": [{"mesh": 0, "name": "head"}],
        "meshes": [{"primitives": [primitive], "name": "head"}],
        "materials": [material],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": offset}],
    }
