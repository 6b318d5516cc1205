"""What an encoder learns from: photos, those held out, and pairs whose codes are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from toolkit.encoders.training.batches import photo_rows
from toolkit.encoders.training.pairs import Pairs, joined, kept_pairs, open_known_heads, pairs_of_heads
from toolkit.encoders.training.photos import PhotoSet, open_photos
from toolkit.encoders.training.settings import EncodingSettings, StageSettings
from toolkit.interfaces import Generator


class EncodingData(NamedTuple):
    """The data of a training."""

    photos: PhotoSet
    held_out: PhotoSet
    pairs: Pairs | None = None
    """None: no stage wants any, or the generator makes new ones for every step."""


def open_data(settings: EncodingSettings, stages: Sequence[StageSettings], generator: Generator) -> EncodingData:
    """The data that settings name; what makes itself is made where it is missing.

    Args:
        settings: Name photos and pairs.
        stages: Say whether pairs are wanted.
        generator: Makes pairs.

    Raises:
        InputError: Photos or heads are not there, or cannot be used.
    """
    wants_kept = wants_pairs(stages) and settings.pairs.count > 0
    source = settings.pairs.heads if wants_kept else None
    heads = None if source is None else open_known_heads(generator, source)  # refused before data is made for minutes
    photos, held_out = open_photos(settings.photos, generator.spec.image_size)
    pairs = kept_pairs(generator, settings.pairs, settings.seed) if wants_kept else None
    if pairs is not None and heads is not None:
        pairs = joined(pairs, pairs_of_heads(generator, *heads))
    return EncodingData(photos, held_out, pairs)


def wants_pairs(stages: Sequence[StageSettings]) -> bool:
    """Whether a stage has rows that are not photos."""
    return any(photo_rows(stage) < stage.batch for stage in stages)
