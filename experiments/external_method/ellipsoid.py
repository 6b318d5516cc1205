"""A toy method in another environment that answers with a mesh: an egg in the size of a head.

    python ellipsoid.py REQUEST RESULT

It imports numpy alone, and writes safetensors by hand.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np

RINGS, SPOKES = 48, 96
HALF_AXES = (0.17, 0.24, 0.2)
"""Of the egg along x, y and z, in the world units of the cameras."""


def egg() -> dict[str, np.ndarray]:
    """Vertices and triangles of an ellipsoid, pale in front and dark behind."""
    tilt, turn = np.meshgrid(np.linspace(0, np.pi, RINGS), np.arange(SPOKES) * 2 * np.pi / SPOKES, indexing="ij")
    directions = np.stack([np.sin(tilt) * np.sin(turn), np.cos(tilt), np.sin(tilt) * np.cos(turn)], axis=-1)
    here = np.arange((RINGS - 1) * SPOKES).reshape(RINGS - 1, SPOKES)
    right, below = np.roll(here, -1, axis=1), here + SPOKES
    triangles = [np.stack([here, below, right], -1), np.stack([right, below, right + SPOKES], -1)]
    front = (directions[..., 2:] + 1) / 2
    return {
        "vertices": (directions * HALF_AXES).reshape(-1, 3).astype("<f4"),
        "faces": np.concatenate(triangles).reshape(-1, 3).astype("<i8"),
        "colours": (front * [0.85, 0.65, 0.55] + (1 - front) * 0.15).reshape(-1, 3).astype("<f4"),
    }


def write_tensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write float32 and int64 tensors as safetensors."""
    header, place = {}, 0
    for name, values in tensors.items():
        kind = "F32" if values.dtype == np.float32 else "I64"
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [place, place + values.nbytes]}
        place += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    content = b"".join(np.ascontiguousarray(values).tobytes() for values in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)


def main(request: Path, result: Path) -> None:
    """Answer one request; the real method would look at its picture and camera."""
    json.loads((request / "request.json").read_text())
    write_tensors(result / "mesh.safetensors", egg())
    (result / "result.json").write_text(json.dumps({"mesh": "mesh.safetensors", "numpy": np.__version__}))
    print("progress 1/1", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
