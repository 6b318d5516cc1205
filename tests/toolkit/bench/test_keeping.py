"""How much of an inversion is kept: the numbers of a run do not depend on what can be made again exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, run_suite
from toolkit.bench.subjects.keeping import Keep, in_half_precision, without_planes
from toolkit.camera import Camera
from toolkit.inversion import Inversion
from toolkit.testing.spherical import SphericalGenerator

Make = Callable[..., ComparedMethod]


def requests(out: Path, data: Path, protocol: Callable[..., ProtocolSettings], keep: Keep) -> list[BenchRequest]:
    return [
        BenchRequest(protocol(kind, "l2", input_yaws=(0.0,)), str(data), out, 2, keep=keep)
        for kind in ("reconstruction", "gt360")
    ]


class OwnPlanes:
    """A method whose planes no generator makes from its code."""

    def __init__(self, method: ComparedMethod) -> None:
        self._inner = method.inverter
        self.fingerprint, self.calls = "", 0

    def invert(self, *arguments: object) -> Inversion:
        self.calls += 1
        found = self._inner.invert(*arguments)
        found.planes = found.planes * 1.01
        return found


def bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "inversions").rglob("*.safetensors"))


def test_what_can_be_made_again_is_left_out_and_changes_no_number(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make,
    protocol: Callable[..., ProtocolSettings],
):  # fmt: skip
    rows, sizes = {}, {}
    for keep in ("all", "exact", "codes"):
        out, mine = tmp_path / keep, OwnPlanes(method("own", 1))
        asked = requests(out, heads_folder, protocol, keep)
        methods = [method("code", 0), ComparedMethod("own", mine)]
        rows[keep] = run_suite(asked, spherical, methods).rows
        sizes[keep] = bytes_of(out)
        assert run_suite(asked, spherical, methods).rows == rows[keep]
        kept = Inversion.load(next(path.parent for path in (out / "inversions" / "code").rglob("inversion.json")))
        assert kept.planes.numel() == 0 or keep == "all"
        assert torch.isfinite(kept.render(spherical, Camera.orbit()).image).all()
        assert kept.planes.shape[1:] == spherical.spec.planes_shape  # made when it was looked at
        assert mine.calls == 2 or keep == "codes"
    assert rows["all"] == rows["exact"] == rows["codes"]
    assert sizes["codes"] < 0.1 * sizes["exact"] < 0.1 * sizes["all"]


def test_16_bit_are_half_the_size_near_and_another_run(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make,
    protocol: Callable[..., ProtocolSettings],
):  # fmt: skip
    out = tmp_path / "out"
    whole = run_suite(
        requests(out, heads_folder, protocol, "all"), spherical, [ComparedMethod("own", OwnPlanes(method("own", 1)))]
    )
    size = bytes_of(out)
    mine = OwnPlanes(method("own", 1))
    half = run_suite(requests(out, heads_folder, protocol, "half"), spherical, [ComparedMethod("own", mine)])
    assert mine.calls == 2  # what was kept in full is another run's
    assert bytes_of(out) - size < 0.6 * size
    for one, other in zip(whole.rows, half.rows, strict=True):
        assert other.value == pytest.approx(one.value, rel=0.02, abs=1e-4)


def test_16_bit_hold_large_values_and_leave_whole_numbers_alone(spherical: SphericalGenerator, tmp_path: Path):
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ws = spherical.mapping(z, spherical.spec.front_camera)
        planes = spherical.planes(ws)
    usual = {"generator": spherical.spec.name, "fingerprint": spherical.spec.fingerprint, "method": "m"}
    inversion = Inversion(ws, planes * 1e6, Camera.orbit(), extra={"steps": torch.tensor([3])}, **usual)
    half = in_half_precision(inversion)
    assert half.planes.dtype == torch.bfloat16
    again = Inversion.load(half.save(tmp_path))  # 32 bit again, as generators want it: `toolkit render` shows it
    assert torch.isfinite(again.render(spherical).image).all()
    assert torch.allclose(again.planes, inversion.planes, rtol=1e-2) and again.planes.dtype == torch.float32
    assert again.extra["steps"].dtype == torch.int64 and torch.equal(again.ws, ws)
    assert without_planes(inversion, spherical) is inversion
    assert without_planes(Inversion(ws, planes, Camera.orbit(), **usual), spherical).planes.numel() == 0
