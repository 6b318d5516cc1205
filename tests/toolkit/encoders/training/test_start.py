"""What the setting `start` stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.encoders.training.start import find_start
from toolkit.errors import ConfigError, WeightsError
from toolkit_plugins.e4e.training import make_job


def test_a_file_or_the_name_of_what_ships(tmp_path: Path):
    file = tmp_path / "psp"
    file.touch()
    assert find_start(str(file)) == file
    shipped = find_start("psp")
    assert shipped.name == "psp.safetensors" and shipped.is_file()


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'psp'"):
        find_start("psb")


@pytest.mark.parametrize("start", ["runs/psp/weights.safetensors", "weights.safetensors"])
def test_a_path_that_is_not_there_is_no_name(start: str):
    with pytest.raises(WeightsError, match=rf"start: .*{start}"):
        make_job(None, [f"start={start}", "samples=16"], "cpu")


def test_a_start_that_does_not_fit_tells_how_to_begin_without():
    with pytest.raises(WeightsError, match=r"start: .*start=null begins at random weights"):
        make_job(None, ["network.width=8", "samples=16"], "cpu")
