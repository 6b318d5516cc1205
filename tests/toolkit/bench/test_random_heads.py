"""Random heads: the same bits in pieces as at once, nothing made twice, and a sentence where they cannot be made."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, run_suite
from toolkit.bench.protocols.features import features_of
from toolkit.bench.protocols.random_heads import BATCH, PIECE, RandomHeads
from toolkit.bench.records.store import key_of
from toolkit.errors import Interrupted
from toolkit.registry import Registry
from toolkit.rendering.views import around
from toolkit.tensors import read_tensors, write_tensors
from toolkit.testing.spherical import SphericalGenerator

COUNT, DRAWS, SEED = PIECE + 6, 2, 3
YAWS = torch.linspace(-math.pi, math.pi, COUNT)


class Means:
    name = "means"

    def features(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


EXTRACTORS = {"means": Means()}


def lay_out(generator: SphericalGenerator, folder: Path) -> RandomHeads:
    return RandomHeads(generator, EXTRACTORS, folder, yaws=YAWS, draws=DRAWS, seed=SEED)


def at_once(generator: SphericalGenerator, folder: Path, draw: int) -> Path:
    """A draw as one loop over batches makes it, in a file of the name that folders of earlier versions have."""
    spec = generator.spec
    z = torch.randn(COUNT, 16, generator=torch.Generator().manual_seed(1_000_003 * (SEED + 1) + draw))
    features = []
    for start in range(0, COUNT, 4):
        part = slice(start, start + 4)
        with torch.no_grad():
            ws = generator.mapping(z[part], spec.front_camera, spec.truncation)
            image = generator.render(generator.planes(ws), ws, around(spec, YAWS[part])).image
        features.append(features_of(EXTRACTORS, image)["means"])
    key = key_of("random", spec.fingerprint, COUNT, SEED, draw, ["means"])
    path = folder / f"random-{key}.safetensors"
    write_tensors(path, {"means": torch.cat(features)}, {"heads": COUNT, "draw": draw})
    return path


def test_pieces_joined_are_the_file_that_one_loop_writes(spherical: SphericalGenerator, tmp_path: Path):
    assert PIECE % BATCH == 0
    heads = lay_out(spherical, tmp_path / "pieces")
    assert sorted(heads.pieces.values()) == [6, 6, PIECE, PIECE]
    for piece in reversed(heads.pieces):
        assert heads.sides() is None
        heads.make(piece)
        assert heads.holds(piece)
    sides = heads.sides()
    wholes = [at_once(spherical, tmp_path / "whole", draw) for draw in range(DRAWS)]
    assert sides is not None
    assert [torch.equal(side["means"], read_tensors(whole)[0]["means"]) for side, whole in
            zip(sides, wholes, strict=True)] == [True, True]  # fmt: skip
    assert not torch.equal(sides[0]["means"], sides[1]["means"])
    made = {file.name: file.read_bytes() for file in (tmp_path / "pieces").iterdir()}
    assert made == {file.name: file.read_bytes() for file in wholes}  # no piece is left over


def test_a_draw_that_is_there_is_used_and_a_torn_one_made_again(spherical: SphericalGenerator, tmp_path: Path):
    whole = at_once(spherical, tmp_path, 0)
    heads = lay_out(spherical, tmp_path)
    first, second, *others = heads.pieces
    assert [heads.holds(piece) for piece in heads.pieces] == [True, True, False, False]
    content = whole.read_bytes()
    whole.write_bytes(content[:-9])
    assert not heads.holds(first)
    for piece in (first, second, *others):
        heads.make(piece)
    assert heads.sides() is not None
    assert whole.read_bytes() == content


@pytest.fixture
def request_of(
    registry: Registry, heads_folder: Path, protocol: Callable[..., ProtocolSettings]
) -> Callable[..., BenchRequest]:
    def make(out: Path, **others: Any) -> BenchRequest:
        return BenchRequest(protocol("fid360", "stripes-e", random_sides=3), str(heads_folder), out, **others)

    return make


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pieces that are made."""
    pieces: list[str] = []
    make = RandomHeads.make
    monkeypatch.setattr(RandomHeads, "make", lambda self, piece: (pieces.append(piece), make(self, piece))[1])
    return pieces


class StopsAt:
    """Sends this process a signal when a piece of this owner is done."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def note(self, text: str) -> None:
        pass

    def step(self, name: str, done: int, total: int, item: str, error: str | None) -> None:
        if name == self.owner and done == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_among_the_random_heads_keeps_what_is_made(
    spherical: SphericalGenerator, request_of: Callable[..., BenchRequest], tmp_path: Path, made: list[str],
    method: Callable[..., ComparedMethod],
):  # fmt: skip
    request = request_of(tmp_path / "stopped")
    with pytest.raises(Interrupted, match="interrupted after 14 of 15 pieces of work"):
        run_suite([request], spherical, [method("m")], StopsAt("random heads"))
    assert len(made) == 2 and not (tmp_path / "stopped" / "results.json").exists()
    stopped = run_suite([request], spherical, [method("m")])
    assert len(made) == 3
    whole = run_suite([request_of(tmp_path / "whole")], spherical, [method("m")])
    assert stopped.rows == whole.rows


def test_random_heads_that_cannot_be_made_are_one_sentence_and_cost_this_protocol_only(
    spherical: SphericalGenerator, request_of: Callable[..., BenchRequest], tmp_path: Path, made: list[str],
    method: Callable[..., ComparedMethod], protocol: Callable[..., ProtocolSettings], monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    runs = RandomHeads.make

    def fails(self: RandomHeads, piece: str) -> None:
        if piece.startswith("draw 1"):
            raise RuntimeError("no such layer\nand a long trace")
        runs(self, piece)

    request = request_of(tmp_path)
    other = BenchRequest(protocol("reconstruction", "l2"), request.data, tmp_path)
    monkeypatch.setattr(RandomHeads, "make", fails)
    results = run_suite([other, request], spherical, [method("m")])
    (failure,) = results.failures
    assert (failure.protocol, failure.method, failure.stage) == ("fid360", None, "precompute")
    assert failure.error == (
        "fid360 has no numbers, because its random heads could not be made: RuntimeError: no such layer "
        "(1 of 3 pieces failed)"
    )
    lost = [row for row in results.rows if row.protocol == "fid360"]
    assert {row.method for row in lost} == {"floor", "m"}
    assert all(row.value is None and row.n == 0 and row.failed > 0 for row in lost)
    assert next(row for row in results.rows if row.metric == "l2").n == 12
    assert "random heads could not be made" in (tmp_path / "report.html").read_text()
    monkeypatch.setattr(RandomHeads, "make", runs)
    assert run_suite([other, request], spherical, [method("m")]).rows == results.rows
    assert len(made) == 2  # kept until it is asked for again
    again = request_of(tmp_path, retry_failed=True)
    mended = run_suite([other, again], spherical, [method("m")])
    assert mended.failures == [] and len(made) == 3
    assert mended.rows[-1].value is not None
