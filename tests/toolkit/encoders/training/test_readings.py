from __future__ import annotations

import pickle

import torch

from toolkit.data.prints import PRINT_SIZE
from toolkit.encoders.training.readings import KeptReadings, Reading

COUNT, SIZE = 30, 16


def read(index: int) -> Reading | str:
    if index == 7:
        return "it is cut off"
    pixels = torch.full((3, SIZE, SIZE), index, dtype=torch.uint8)
    return Reading(pixels, torch.full((2, PRINT_SIZE), 100 + index, dtype=torch.uint8))


def test_kept_pictures_are_what_was_read():
    kept = KeptReadings(read, COUNT, SIZE)
    for readings in (kept, pickle.loads(pickle.dumps(kept))):
        assert readings[7] == "it is cut off"
        for index in (0, 6, 8, COUNT - 1):
            found, wanted = readings[index], read(index)
            assert isinstance(found, Reading) and isinstance(wanted, Reading)
            assert torch.equal(found.pixels, wanted.pixels) and torch.equal(found.prints, wanted.prints)


def test_kept_pictures_lie_in_one_block_and_travel_once():
    kept = KeptReadings(read, COUNT, SIZE)
    blocks = {found.pixels.untyped_storage().data_ptr() for found in map(kept.__getitem__, (0, 1, COUNT - 1))}
    assert len(blocks) == 1
    assert len(pickle.dumps(kept)) < COUNT * (3 * SIZE**2 + 2 * PRINT_SIZE) + 4000
