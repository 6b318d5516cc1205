"""Random heads of the generator for `fid360`: inversions are compared with them. They are made in pieces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from toolkit.bench.protocols.features import features_of
from toolkit.bench.records.store import key_of
from toolkit.data import composite, resize
from toolkit.errors import WeightsError
from toolkit.interfaces import FeatureExtractor
from toolkit.rendering.views import around
from toolkit.tensors import read_metadata, read_tensors, write_tensors

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

BATCH = 4
"""Heads rendered together: numbers depend on it in the last bit."""
PIECE = 6 * BATCH
"""Heads that are made in one go; whole batches, so that pieces change no number."""

Features = dict[str, Tensor]
"""Features [n, size] by extractor."""


class Piece(NamedTuple):
    """Some heads of a draw."""

    draw: int
    start: int
    stop: int


def whitened(image: Tensor, opacity: Tensor) -> Tensor:
    """Images [B, 3, S, S] with white where nothing is seen: what their opacity [B, 1, R, R] lets through."""
    return composite(image, resize(opacity.clamp(0, 1), image.shape[-1]), (1.0, 1.0, 1.0))


class RandomHeads:
    """The precompute of `fid360`: independent draws of random heads, each seen once, from its own yaw.

    A finished draw is one file of features, `random-<key>.safetensors`; until then its pieces have one each.
    """

    name = "random heads"

    def __init__(
        self,
        generator: Generator,
        extractors: Mapping[str, FeatureExtractor],
        folder: Path,
        *,
        yaws: Tensor,
        draws: int,
        seed: int,
        foreground: bool = False,
    ) -> None:
        """Lay out the pieces.

        Args:
            generator: Whose heads.
            extractors: Networks whose features are kept, by name.
            folder: Where features are kept.
            yaws: [n] in radians: head i of each draw is seen from the i-th.
            draws: How many.
            seed: Of all draws.
            foreground: Put heads on white, by their own opacity.
        """
        self._foreground = foreground
        self._generator, self._extractors, self._folder = generator, extractors, folder
        self._yaws, self._draws, self._seed = yaws, draws, seed
        self._parts = {
            f"draw {draw}, heads {start}-{min(start + PIECE, len(yaws)) - 1}": Piece(
                draw, start, min(start + PIECE, len(yaws))
            )
            for draw in range(draws)
            for start in range(0, len(yaws), PIECE)
        }

    @property
    def pieces(self) -> dict[str, int]:
        """How many heads each piece has."""
        return {piece: part.stop - part.start for piece, part in self._parts.items()}

    def key(self, piece: str) -> str:
        """Identity of a piece."""
        return self._file_of(self._parts[piece]).stem

    def holds(self, piece: str) -> bool:
        """Whether a piece, or the whole draw, is there and sound."""
        part = self._parts[piece]
        return _is_sound(self._file(part.draw)) or _is_sound(self._file_of(part))

    def make(self, piece: str) -> None:
        """Render a piece's heads and keep their features.

        Raises:
            OutputError: The folder cannot be written.
        """
        part, spec, count = self._parts[piece], self._generator.spec, len(self._yaws)
        source = torch.Generator().manual_seed(1_000_003 * (self._seed + 1) + part.draw)
        z = torch.randn(count, spec.latents.z_dim, generator=source)
        device, found = self._generator.device, defaultdict(list)
        for start in range(part.start, part.stop, BATCH):
            chosen = slice(start, min(start + BATCH, part.stop))
            with torch.no_grad():
                ws = self._generator.mapping(z[chosen].to(device), spec.front_camera.to(device), spec.truncation)
                camera = around(spec, self._yaws[chosen]).to(device)
                render = self._generator.render(self._generator.planes(ws), ws, camera)
            image = whitened(render.image, render.mask) if self._foreground else render.image
            for name, features in features_of(self._extractors, image).items():
                found[name].append(features)
        write_tensors(self._file_of(part), _joined(found), {"heads": [part.start, part.stop], "draw": part.draw})

    def sides(self) -> list[Features] | None:
        """The features of every draw; None where a piece is missing.

        Pieces of a complete draw are joined into its file.

        Raises:
            OutputError: The folder cannot be written.
        """
        found = [self._side(draw) for draw in range(self._draws)]
        known = [side for side in found if side is not None]
        return known if len(known) == len(found) else None

    def _side(self, draw: int) -> Features | None:
        file = self._file(draw)
        files = [self._file_of(part) for part in self._parts.values() if part.draw == draw]
        try:
            whole = read_tensors(file)[0]
        except WeightsError:  # not there yet, or torn
            found = defaultdict(list)
            try:
                for each in files:
                    for name, features in read_tensors(each)[0].items():
                        found[name].append(features)
            except WeightsError:
                return None
            whole = _joined(found)
            write_tensors(file, whole, {"heads": len(self._yaws), "draw": draw})
        for each in files:
            each.unlink(missing_ok=True)
        return whole

    def _file(self, draw: int) -> Path:
        spec, count = self._generator.spec, len(self._yaws)
        more = ("white",) if self._foreground else ()
        key = key_of("random", spec.fingerprint, count, self._seed, draw, sorted(self._extractors), *more)
        return self._folder / f"random-{key}.safetensors"

    def _file_of(self, part: Piece) -> Path:
        return self._folder / f"part-{part.start}-{part.stop}-of-{self._file(part.draw).name}"


def _is_sound(file: Path) -> bool:
    try:
        read_metadata(file)
    except WeightsError:
        return False
    return True


def _joined(parts: Mapping[str, list[Tensor]]) -> Features:
    return {name: torch.cat(found) for name, found in parts.items()}
