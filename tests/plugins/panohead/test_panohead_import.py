"""PanoHead's own pickle, as its training writes it, becomes a generator that renders as the official one did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from toolkit import load_generator
from toolkit.errors import WeightsError
from toolkit.weights.importing import import_files

DATA = Path(__file__).parents[2] / "data" / "panohead"
SAMPLE = DATA / "persistence_sample.pkl"
TOLERANCE = 1e-4


@pytest.mark.parametrize("direct", [True, False])
def test_the_sample_renders_as_the_official_code_did(direct: bool, tmp_path: Path) -> None:
    path = SAMPLE
    if not direct:
        import_files([SAMPLE]).write(path := tmp_path / "panohead.safetensors")
    generator = load_generator("panohead", path)
    assert generator.spec.raw_size == 16  # an attribute of the pickled object, not in its constructor's keywords
    golden = np.load(DATA / "persistence_sample.npz")
    with torch.no_grad():
        made = generator.generate(
            torch.from_numpy(golden["ref/z"]).float(),
            torch.from_numpy(golden["ref/c"]).float(),
            truncation=float(golden["ref/truncation_psi"]),
        )
    for name, found in (("image", made.image), ("image_raw", made.raw), ("image_depth", made.depth),
                        ("image_mask", made.mask)):  # fmt: skip
        assert np.abs(found.numpy() - golden[f"ref/{name}"]).max() < TOLERANCE, name


def test_it_is_recognised_and_says_where_it_comes_from() -> None:
    found = import_files([SAMPLE])
    assert found.kind == "panohead" and "non-commercial" in found.header["licence"]
    assert found.header["source"][0]["file"] == SAMPLE.name
    assert "dataset_label_std" not in found.tensors
    with pytest.raises(WeightsError, match="keys: "):
        import_files([SAMPLE], "psp_gradual_encoder")


def test_a_bare_state_dict_needs_no_header(tmp_path: Path) -> None:
    found = import_files([SAMPLE])
    torch.save({"G_ema": dict(found.tensors), "init_kwargs": {}}, tmp_path / "bare.pth")
    with pytest.raises(WeightsError, match="do not fit"):  # without its settings it would be of the released sizes
        load_generator("panohead", tmp_path / "bare.pth")
