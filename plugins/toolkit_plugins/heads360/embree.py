"""Embree without copies: it reads triangles where they stand, and a compiled loop looks along rays.

embreex copies points and corners through Python, number by number, which takes three times as long as to build the
tree. Embree's own functions are found through embreex's modules, wherever its wheel put the library.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from embreex import mesh_construction, rtcore_scene
from llvmlite import binding
from numba import types
from numpy.typing import NDArray

from toolkit.rendering.compiled.compiling import kernels_of
from toolkit_plugins.heads360.geometry import F32, Floats

Found = tuple[NDArray[np.int32], Floats, Floats, Floats]
"""Triangle, u, v and distance, [R] each."""
_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "rtcNewDevice": (_POINTER, ctypes.c_char_p),
    "rtcGetDeviceProperty": (ctypes.c_ssize_t, _POINTER, _INT),
    "rtcGetDeviceError": (_INT, _POINTER),
    "rtcReleaseDevice": (None, _POINTER),
    "rtcNewScene": (_POINTER, _POINTER),
    "rtcSetSceneFlags": (None, _POINTER, _INT),
    "rtcCommitScene": (None, _POINTER),
    "rtcReleaseScene": (None, _POINTER),
    "rtcNewGeometry": (_POINTER, _POINTER, _INT),
    "rtcSetSharedGeometryBuffer": (None, _POINTER, _INT, ctypes.c_uint, _INT, _POINTER, _SIZE, _SIZE, _SIZE),
    "rtcCommitGeometry": (None, _POINTER),
    "rtcAttachGeometry": (ctypes.c_uint, _POINTER, _POINTER),
    "rtcReleaseGeometry": (None, _POINTER),
}
"""What each returns and takes."""
_TRIANGLES, _CORNERS, _POINTS, _UINT3, _FLOAT3, _ROBUST, _VERSION = 0, 0, 1, 0x5003, 0x9003, 4, 0
"""Embree's numbers of a geometry's type, of its buffers and their formats, of a scene's flag, of a property."""
_FAR, _NOTHING = F32(1e37), np.uint32(0xFFFFFFFF)
_RAY_FLOATS, _HIT_FLOATS = 12, 24
_intersect: Any = types.ExternalFunction("rtcIntersect1", types.void(types.intp, types.intp, types.intp))
_occluded: Any = types.ExternalFunction("rtcOccluded1", types.void(types.intp, types.intp, types.intp))
_kernel = kernels_of(Path(__file__).parent)


class SharedTriangles:
    """Triangles that rays can be shot at; Embree reads them from arrays that this object keeps."""

    def __init__(self, points: Floats, faces: NDArray[np.integer]) -> None:
        """Build the tree over triangles [T, 3] of points [V, 3]; where `can_share` says so."""
        self._points, self._faces = np.zeros((len(points), 4), F32), np.ascontiguousarray(faces, np.uint32)
        self._points[:, :3] = points
        library = _library()
        device = library["rtcNewDevice"](None)
        self._scene = library["rtcNewScene"](device)
        weakref.finalize(self, _release, device, self._scene)
        library["rtcSetSceneFlags"](self._scene, _ROBUST)
        geometry = library["rtcNewGeometry"](device, _TRIANGLES)
        for kind, form, values in ((_POINTS, _FLOAT3, self._points), (_CORNERS, _UINT3, self._faces)):
            library["rtcSetSharedGeometryBuffer"](
                geometry, kind, 0, form, values.ctypes.data, 0, values.strides[0], len(values)
            )
        library["rtcCommitGeometry"](geometry)
        library["rtcAttachGeometry"](self._scene, geometry)
        library["rtcReleaseGeometry"](geometry)
        library["rtcCommitScene"](self._scene)
        if error := library["rtcGetDeviceError"](device):
            raise RuntimeError(f"Embree cannot build a tree over {len(faces)} triangles: its error {error}")

    def hits(self, origins: Floats, directions: Floats) -> Found:
        """First hits of rays [R, 3], [R, 3] (unit); triangle -1 where there is none."""
        count = len(origins)
        found = np.empty(count, np.int32), np.empty(count, F32), np.empty(count, F32), np.empty(count, F32)
        ray = _aligned(_HIT_FLOATS)
        _look(self._scene, *_rays(origins, directions), ray, ray.view(np.uint32), ray.ctypes.data, *found)
        return found

    def blocked(self, origins: Floats, directions: Floats) -> NDArray[np.bool_]:
        """Whether rays [R, 3], [R, 3] meet anything."""
        blocked, ray = np.empty(len(origins), bool), _aligned(_RAY_FLOATS)
        _probe(self._scene, *_rays(origins, directions), ray, ray.view(np.uint32), ray.ctypes.data, blocked)
        return blocked


@functools.cache
def can_share() -> bool:
    """Whether Embree's functions were found, and are those of version 4."""
    try:
        library = _library()
    except (AttributeError, OSError):
        return False
    device = library["rtcNewDevice"](None)
    version = library["rtcGetDeviceProperty"](device, _VERSION)
    library["rtcReleaseDevice"](device)
    return bool(40000 <= version < 50000)


@functools.cache
def _library() -> dict[str, Any]:
    """Embree's functions by name; those of rays are made known to the compiler."""
    modules = [ctypes.CDLL(module.__file__) for module in (rtcore_scene, mesh_construction)]
    functions: dict[str, Any] = {name: getattr(modules[0], name) for name in _FUNCTIONS}
    for name, (result, *arguments) in _FUNCTIONS.items():
        functions[name].restype, functions[name].argtypes = result, arguments
    for name in ("rtcIntersect1", "rtcOccluded1"):
        binding.add_symbol(name, ctypes.cast(getattr(modules[0], name), _POINTER).value)
    return functions


def _release(device: int, scene: int) -> None:
    _library()["rtcReleaseScene"](scene)
    _library()["rtcReleaseDevice"](device)


def _rays(origins: Floats, directions: Floats) -> tuple[Floats, Floats]:
    return np.ascontiguousarray(origins, F32), np.ascontiguousarray(directions, F32)


def _aligned(floats: int) -> Floats:
    """Room for one ray where Embree may read and write it at once: a multiple of 64 bytes."""
    room = np.zeros(floats + 16, F32)
    start = -room.ctypes.data % 64 // 4
    return room[start : start + floats]


@_kernel
def _look(
    scene: int, origins: Floats, directions: Floats, ray: Floats, bits: NDArray[np.uint32], address: int,
    triangle: NDArray[np.int32], u: Floats, v: Floats, distance: Floats,
) -> None:  # fmt: skip
    """Write the first hits of rays; `ray`, its `bits` and its `address` are one room for Embree's RTCRayHit."""
    for at in range(len(origins)):
        for axis in range(3):
            ray[axis], ray[4 + axis] = origins[at, axis], directions[at, axis]
        ray[3], ray[7], ray[8], ray[15], ray[16] = F32(0), F32(0), _FAR, F32(0), F32(0)
        bits[9], bits[17], bits[18] = _NOTHING, _NOTHING, _NOTHING
        _intersect(scene, address, 0)
        triangle[at], u[at], v[at], distance[at] = np.int32(bits[17]), ray[15], ray[16], ray[8]


@_kernel
def _probe(
    scene: int, origins: Floats, directions: Floats, ray: Floats, bits: NDArray[np.uint32], address: int,
    blocked: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Write whether rays are blocked; `ray`, its `bits` and its `address` are one room for Embree's RTCRay."""
    for at in range(len(origins)):
        for axis in range(3):
            ray[axis], ray[4 + axis] = origins[at, axis], directions[at, axis]
        ray[3], ray[7], ray[8], bits[9] = F32(0), F32(0), _FAR, _NOTHING
        _occluded(scene, address, 0)
        blocked[at] = ray[8] < 0
