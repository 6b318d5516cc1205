"""A method in another environment that returns a mesh: called once per picture, and rendered from every camera.

The mesh is kept as it came (`mesh.safetensors`), and as a file to look at (`mesh.glb`).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from toolkit.bench.records.units import InversionRecord
from toolkit.bench.subjects.answers import failure_of, folder_name
from toolkit.bench.subjects.heads import Views
from toolkit.bench.subjects.methods import UnitError
from toolkit.camera import Camera
from toolkit.documents import read_document
from toolkit.errors import InputError, PluginError, WeightsError
from toolkit.export.glb import write_glb
from toolkit.export.mesh import METRES_PER_UNIT, Mesh
from toolkit.export.triangles import Surface, vertex_normals
from toolkit.external.exchange import read_triangles
from toolkit.external.method import ExternalMethod
from toolkit.files import atomic_folder
from toolkit.rendering.triangles import ColouredTriangles, TriangleScene
from toolkit.tensors import write_tensors

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, Item

MESH_FILE, RECORD_FILE = "mesh.safetensors", "mesh.json"
WHITE = (1.0, 1.0, 1.0)
"""Behind a mesh, where the generator's empty space has no colour of its own: as behind prepared photos."""


class CommandedMeshes:
    """Stands in the place of a method (a `HeadSource`)."""

    def __init__(self, method: ExternalMethod, generator: Generator, out: Path) -> None:
        """Wrap a method as `toolkit.bench.subjects.commanded.with_answers` describes."""
        self.method, self.generator, self._out = method, generator, out
        self._failed: dict[str, UnitError] = {}
        self._last: tuple[str, MeshHead] | None = None

    @property
    def time_limit(self) -> float:
        """Seconds that one call of the command may take."""
        return self.method.time_limit

    def head(self, item: Item) -> MeshHead:
        """The head of an input picture: from the disk, or made now.

        Raises:
            UnitError: The command failed, on this picture now or before.
        """
        folder = self._folder(item)
        if self._last is None or self._last[0] != folder.name:
            mesh = self._kept(folder)
            spec = self.generator.spec
            scene = TriangleScene(self._ask(item, folder) if mesh is None else mesh)
            self._last = folder.name, MeshHead(scene, item.camera, spec.image_size, spec.background or WHITE)
        return self._last[1]

    def record(self, item: Item) -> InversionRecord | None:
        """What the call for an input picture took; None before it."""
        try:
            seconds = float(read_document(self._folder(item) / RECORD_FILE)["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return InversionRecord(method=self.method.name, item=item.id, warm=True, seconds=seconds)

    def _kept(self, folder: Path) -> ColouredTriangles | None:
        if not (folder / MESH_FILE).is_file():
            return None
        try:
            return read_triangles(folder / MESH_FILE)
        except (InputError, WeightsError):  # damaged since: made again
            return None

    def _ask(self, item: Item, folder: Path) -> ColouredTriangles:
        if folder.name in self._failed:
            raise self._failed[folder.name]
        started = time.perf_counter()
        try:
            mesh = self.method.mesh(item.image[None], item.camera, self.generator)
        except PluginError as error:
            self._failed[folder.name] = failure_of(error)
            raise self._failed[folder.name] from error
        seconds = time.perf_counter() - started
        with atomic_folder(folder) as unfinished:
            write_tensors(
                unfinished / MESH_FILE, {part: torch.from_numpy(each) for part, each in mesh._asdict().items()}, {}
            )
            write_glb(unfinished / "mesh.glb", _in_metres(mesh), {"method": self.method.name})
            (unfinished / RECORD_FILE).write_text(json.dumps({"seconds": seconds}), encoding="utf-8")
        return mesh

    def _folder(self, item: Item) -> Path:
        return self._out / "meshes" / self.method.name / folder_name(self.method, self.generator, item)


class MeshHead:
    """What the command made of one picture."""

    def __init__(self, scene: TriangleScene, camera: Camera, size: int, background: tuple[float, float, float]) -> None:
        self._scene, self._camera, self._size, self._background = scene, camera, size, background

    def input_view(self) -> Views:
        """The view by the input's camera."""
        return self.views(self._camera)

    def views(self, cameras: Camera) -> Views:
        """The mesh seen by these cameras, with depth and mask."""
        seen = [self._scene.render(cameras[place], self._size, self._background) for place in range(len(cameras))]
        return Views(*(torch.cat([getattr(each, part) for each in seen]) for part in ("image", "depth", "mask")))


def _in_metres(mesh: ColouredTriangles) -> Mesh:
    normals = vertex_normals(Surface(mesh.vertices, mesh.faces))
    return Mesh(mesh.vertices * METRES_PER_UNIT, mesh.faces, normals, mesh.colours)
