from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import imageio_ffmpeg
import numpy as np
import pytest
import torch

from toolkit.errors import InputError, MissingDependencyError, OutputError
from toolkit.export.orbit import orbit_cameras, orbit_frames, write_video
from toolkit.inversion import Inversion
from toolkit.rendering.pixels import GENERATED_BY
from toolkit.testing.spherical import SphericalGenerator


def flat_frames(count: int, height: int = 40, width: int = 40) -> list[np.ndarray]:
    return [np.full((height, width, 3), 10 + 20 * (index % 12), np.uint8) for index in range(count)]


class Video(NamedTuple):
    """What ffmpeg reads in a file."""

    description: str
    size: tuple[int, int]
    frames: np.ndarray


def read_video(path: Path) -> Video:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    read = subprocess.run(command, capture_output=True, check=True)
    description = next(line for line in read.stderr.decode().splitlines() if "Video: h264" in line)
    found = re.search(r", (\d+)x(\d+)", description)
    assert found is not None
    width, height = int(found[1]), int(found[2])
    return Video(description, (width, height), np.frombuffer(read.stdout, np.uint8).reshape(-1, height, width, 3))


def test_the_orbit_is_a_full_turn_from_the_front_without_a_doubled_frame(painted_ball: Any) -> None:
    angles = orbit_cameras(painted_ball.spec, 8).angles()
    turned = torch.rad2deg(angles.yaw) % 360
    torch.testing.assert_close(turned, torch.arange(8) * 45.0, atol=1e-3, rtol=0)
    torch.testing.assert_close(angles.roll, torch.zeros(8), atol=1e-4, rtol=0)


def test_the_pitch_swings_gently_like_panoheads_videos(painted_ball: Any) -> None:
    pitch = orbit_cameras(painted_ball.spec, 240).angles().pitch
    vertical = math.pi / 2 - 0.05 + 0.5 * torch.sin(torch.arange(240) * 2 * math.pi / 240)
    torch.testing.assert_close(pitch, torch.asin(1 - 2 * vertical / math.pi), atol=1e-4, rtol=0)
    assert 0.25 < pitch.max() < 0.4 and -0.4 < pitch.min() < -0.25
    level = orbit_cameras(painted_ball.spec, 12, swing=0.0).angles().pitch
    torch.testing.assert_close(level, torch.zeros(12), atol=1e-5, rtol=0)


def test_an_orbit_of_no_frames_is_refused(painted_ball: Any) -> None:
    with pytest.raises(InputError, match="at least 1 frame, got 0"):
        orbit_cameras(painted_ball.spec, 0)


def test_frames_are_the_generators_views(inversion: Inversion, spherical: SphericalGenerator) -> None:
    frames = list(orbit_frames(inversion, spherical, 3, resolution=8))
    assert [frame.shape for frame in frames] == [(48, 48, 3)] * 3
    assert np.abs(frames[0].astype(int) - frames[1]).mean() > 3


def test_a_video_plays_everywhere_and_says_that_it_is_generated(tmp_path: Path) -> None:
    path = write_video(tmp_path / "orbit.mp4", flat_frames(5), fps=10)
    video = read_video(path)
    assert "yuv420p" in video.description and " 10 fps" in video.description
    assert video.size == (384, 384) and len(video.frames) == 5
    np.testing.assert_allclose(video.frames.mean(axis=(1, 2, 3)), [10, 30, 50, 70, 90], atol=3)
    data = path.read_bytes()
    assert GENERATED_BY.encode() in data
    assert data.index(b"moov") < data.index(b"mdat"), "a browser can start before all is loaded"


@pytest.mark.parametrize(
    ("shape", "size"), [((401, 501), (500, 400)), ((512, 512), (512, 512)), ((100, 151), (580, 384))]
)
def test_sides_are_even_and_small_frames_enlarged(
    tmp_path: Path, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    assert read_video(write_video(tmp_path / "a.mp4", flat_frames(1, *shape))).size == size


def test_the_same_frames_give_the_same_file(tmp_path: Path) -> None:
    first = write_video(tmp_path / "a.mp4", flat_frames(3)).read_bytes()
    assert write_video(tmp_path / "b.mp4", flat_frames(3)).read_bytes() == first


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [([], 30, "at least one frame"), (flat_frames(1), 0, "fps"), ([*flat_frames(1), *flat_frames(1, 20)], 30, "size")],
)
def test_what_is_no_video_is_refused_and_leaves_nothing(
    tmp_path: Path, frames: list[np.ndarray], fps: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_video(tmp_path / "orbit.mp4", frames, fps)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_frame_keeps_the_old_video(tmp_path: Path) -> None:
    (tmp_path / "orbit.mp4").write_text("old")

    def broken() -> Any:
        yield from flat_frames(2)
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        write_video(tmp_path / "orbit.mp4", broken())
    assert (tmp_path / "orbit.mp4").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_container_that_ffmpeg_does_not_know_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"orbit\.nothing"):
        write_video(tmp_path / "orbit.nothing", flat_frames(30))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_ffmpeg_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingDependencyError, match="imageio-ffmpeg"):
        write_video(tmp_path / "orbit.mp4", flat_frames(1))
