"""Where an encoder's training begins."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig
from toolkit.encoders.training.start import begin_at_average, find_start
from toolkit.errors import ConfigError, WeightsError
from toolkit.tensors import write_tensors
from toolkit_plugins.e4e.training import make_job


def test_a_file_or_the_name_of_what_ships(tmp_path: Path):
    file = tmp_path / "psp"
    file.touch()
    assert find_start(str(file)) == file
    shipped = find_start("psp")
    assert shipped.name == "psp.safetensors" and shipped.is_file()


def test_of_a_shipped_and_an_imported_file_the_one_for_the_generator_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOOLKIT_WEIGHTS", str(tmp_path))
    shipped = find_start("psp", "panohead")
    assert shipped.parent != tmp_path
    write_tensors(tmp_path / "psp.safetensors", {}, {"architecture": "psp", "generator": {"name": "panohead"}})
    assert find_start("psp", "panohead") == tmp_path / "psp.safetensors"
    assert find_start("psp", "panohead-mini") == find_start("psp", "eg3d") == shipped
    write_tensors(tmp_path / "psp.safetensors", {}, {"architecture": "psp", "generator": {"name": ""}})
    assert find_start("psp", "panohead") == tmp_path / "psp.safetensors"  # official files do not always tell


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


@torch.no_grad()
def test_blocks_that_begin_at_the_average_say_nothing_yet_but_see_differences():
    torch.manual_seed(0)
    sizes = StyleEncoderConfig(styles=8, style_dim=4, image_size=64, width=8, units=(1, 1, 1, 1), block_width=40)
    images, network = torch.rand(16, 3, 64, 64) * 2 - 1, GradualStyleEncoder(sizes)

    def spread() -> float:
        seen = network.styles[0].convs(network.levels(images)[0])
        return float(seen.std(0).mean() / network.levels(images)[0].std(0).mean())

    published = spread()
    begin_at_average(network)
    assert not network(images).any()
    assert spread() > 5 * published
