"""The sheet of `toolkit train panohead-mini` shows every held-out head, however many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.registry import default_registry
from toolkit.tensors import write_tensors
from toolkit_plugins.panohead.training import rays
from toolkit_plugins.panohead.training.evaluation import _VERSION, YAWS, HeldOut, sheet_of

SIDE = 4


class ShownInGrey(HeldOut):
    """Renders every view of every head in one grey."""

    def rendered(self, generator: Any, codes: Tensor | None = None) -> Tensor:
        return torch.full_like(self.images, 0.5)


def held_out(folder: Path, count: int) -> HeldOut:
    """Heads whose truth is a grey of their own."""
    heads = default_registry().load("dataset", "heads360").procedural()
    greys = torch.linspace(-1, 0, count).reshape(-1, 1, 1, 1, 1)
    truth = {
        "latents": torch.zeros(count, heads.latent_dim),
        "images": greys.expand(-1, len(YAWS), 3, SIDE, SIDE).contiguous(),
        "masks": torch.ones(count, len(YAWS), 1, SIDE, SIDE),
    }
    about = {"about": {"version": _VERSION, "yaws": list(YAWS)}, "looks": rays.looks_of(heads)}
    write_tensors(folder / f"held-out-{count}-{SIDE}.safetensors", truth, about)
    return ShownInGrey(heads, count, SIDE, folder)


@pytest.mark.parametrize(("count", "columns", "shown"), [(1, 1, 1), (2, 2, 2), (3, 1, 3), (6, 2, 6), (7, 2, 6)])
def test_every_head_is_shown_above_what_is_made_of_it(tmp_path: Path, count: int, columns: int, shown: int) -> None:
    truth = held_out(tmp_path, count)
    picture = sheet_of(truth, cast("Any", None))
    width = len(YAWS) * SIDE
    assert picture.shape == (2 * SIDE * shown // columns, columns * width, 3)
    blocks = np.concatenate(np.split(picture, columns, axis=1)).reshape(shown, 2, SIDE, width, 3)
    greys = ((truth.images[:shown, 0, 0, 0, 0] + 1) * 127.5).round().byte().numpy()
    assert (blocks[:, 0] == greys[:, None, None, None]).all() and (blocks[:, 1] == 191).all()
