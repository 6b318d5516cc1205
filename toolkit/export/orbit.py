"""A full orbit around the head, and videos of it."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np
import torch

from toolkit.camera import Camera
from toolkit.errors import InputError, MissingDependencyError, OutputError
from toolkit.export.gallery import Gallery
from toolkit.files import atomic_write
from toolkit.rendering.pixels import GENERATED_BY, resized
from toolkit.rendering.views import OnView, around

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, GeneratorSpec
    from toolkit.inversion import Inversion

FRAMES = 72
FPS = 24
SWING = 0.5
"""How far the camera moves up and down, in PanoHead's vertical angle (about 18 degrees of pitch each way)."""
_TILT = 0.05
SMALLEST_SIDE = 384
"""Smaller frames are enlarged to this side, because players show them badly."""


def orbit_cameras(spec: GeneratorSpec, frames: int = FRAMES, swing: float = SWING) -> Camera:
    """A full turn that starts at the front and closes without a seam, while the pitch swings once.

    The path of PanoHead's videos: yaw 2 pi i / T and vertical angle v = pi/2 - 0.05 + swing sin(2 pi i / T), which an
    area-preserving map turns into the pitch asin(1 - 2 v / pi); the orbit's own pitch is added.

    Args:
        spec: Whose orbit (radius, pivot, focal length, pitch).
        frames: Number of cameras, at least 1.
        swing: Amplitude of v in radians; 0 stays level.

    Raises:
        InputError: Fewer than one frame.
    """
    if frames < 1:
        raise InputError(f"an orbit needs at least 1 frame, got {frames}")
    phase = torch.arange(frames) * (2 * math.pi / frames)
    vertical = math.pi / 2 + swing * phase.sin() - (_TILT if swing else 0.0)
    pitch = torch.asin((1 - 2 * vertical / math.pi).clamp(-1, 1))
    return around(spec, phase, pitch + spec.orbit.pitch)


def orbit_frames(
    inversion: Inversion,
    generator: Generator,
    frames: int = FRAMES,
    resolution: int | None = None,
    on_view: OnView | None = None,
    gallery: Gallery | None = None,
) -> Iterator[np.ndarray]:
    """Render the orbit of one head, a frame uint8 [S, S, 3] at a time (`on_view`: see `iterate_views`).

    A gallery of this inversion has a resolution of its own.

    Raises:
        InputError: Not the generator of this inversion, several heads, or fewer than one frame.
    """
    gallery = gallery or Gallery.of(inversion, generator, resolution)
    yield from gallery.frames(orbit_cameras(generator.spec, frames), on_view)


def write_video(
    path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: int = FPS, description: str = ""
) -> Path:
    """Write frames as an H.264 video that common players show (yuv420p, even sides, at least 384 px).

    Args:
        path: A file whose ending names the container, such as `.mp4`.
        frames: uint8 [H, W, 3], all of one size.
        fps: Frames per second.
        description: Added to the comment in its metadata, which says that it is generated.

    Raises:
        InputError: No frames, frames of different sizes, or fps below 1.
        MissingDependencyError: imageio-ffmpeg, or the ffmpeg that comes with it, is not there.
        OutputError: The video cannot be written.
    """
    if fps < 1:
        raise InputError(f"fps must be at least 1, got {fps}")
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise InputError("a video needs at least one frame")
    height, width = _video_size(first.shape[0], first.shape[1])
    with atomic_write(path) as temporary, TemporaryFile() as complaints:
        command = _ffmpeg_command(temporary, (width, height), fps, description)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints) as ffmpeg:
            assert ffmpeg.stdin is not None  # asked for above
            try:
                # When ffmpeg ends early the pipe breaks; its exit status then says so below.
                with contextlib.suppress(BrokenPipeError), ffmpeg.stdin as pipe:
                    for frame in _same_size(first, remaining):
                        pipe.write(np.ascontiguousarray(resized(frame, width, height)).data)
            except BaseException:
                ffmpeg.kill()
                raise
        if ffmpeg.returncode != 0:
            complaints.seek(0)
            reason = complaints.read().decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise OutputError(f"cannot write {path}: ffmpeg says: {reason[-1]}")
    return Path(path)


def _ffmpeg_program() -> str:
    try:
        import imageio_ffmpeg

        program: str = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError("imageio-ffmpeg", "writing a video", "all") from error
    return program


def _ffmpeg_command(path: Path, size: tuple[int, int], fps: int, description: str) -> list[str]:
    return [
        *(_ffmpeg_program(), "-v", "error", "-y"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(fps), "-i", "-"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-preset", "medium", "-movflags", "+faststart"),
        *(
            "-metadata",
            f"comment={GENERATED_BY}{': ' + description if description else ''}",
            "-fflags",
            "+bitexact",
            "-flags:v",
            "+bitexact",
        ),
        str(path),
    ]


def _video_size(height: int, width: int) -> tuple[int, int]:
    factor = max(1.0, SMALLEST_SIDE / min(height, width))
    return 2 * round(height * factor / 2), 2 * round(width * factor / 2)


def _same_size(first: np.ndarray, remaining: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    for frame in remaining:
        if frame.shape != first.shape:
            raise InputError(f"frames of a video must have one size, got {first.shape} and {frame.shape}")
        yield frame
