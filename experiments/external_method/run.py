"""A toy method in another environment: the average head, moved a little by the picture's brightness.

    python run.py REQUEST RESULT

It imports numpy alone, and reads and writes safetensors by hand, to show how little is needed.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np


def read_tensor(path: Path, name: str) -> np.ndarray:
    """A float32 tensor of a safetensors file."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    about = json.loads(data[8 : 8 + length])[name]
    first, last = about["data_offsets"]
    return np.frombuffer(data[8 + length :][first:last], dtype="<f4").reshape(about["shape"])


def write_tensor(path: Path, name: str, values: np.ndarray) -> None:
    """Write one float32 tensor as safetensors."""
    content = np.ascontiguousarray(values, dtype="<f4").tobytes()
    about = {name: {"dtype": "F32", "shape": list(values.shape), "data_offsets": [0, len(content)]}}
    header = json.dumps(about).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + content)


def brightness(path: Path) -> float:
    """Mean of the compressed bytes of a PNG's pixels: a number that depends on the picture, without a decoder."""
    data, place, pixels = path.read_bytes(), 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        if kind == b"IDAT":
            pixels += data[place + 8 : place + 8 + length]
        place += 12 + length
    return float(np.frombuffer(zlib.decompress(pixels), dtype=np.uint8).mean() / 255)


def main(request: Path, result: Path) -> None:
    """Answer one request."""
    asked: dict[str, Any] = json.loads((request / "request.json").read_text())
    print("progress 1/2", flush=True)
    average = read_tensor(request / asked["average_ws"], "ws")
    noise = np.random.default_rng(asked["seed"]).standard_normal(average.shape[-1])
    ws = average + 0.02 * (brightness(request / asked["picture"]) - 0.5) * noise
    write_tensor(result / "ws.safetensors", "ws", ws.reshape(1, *average.shape[-2:]))
    (result / "result.json").write_text(json.dumps({"ws": "ws.safetensors", "numpy": np.__version__}))
    print("progress 2/2", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
