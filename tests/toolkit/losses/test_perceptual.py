from __future__ import annotations

import warnings

import pytest
import torch
from safetensors.torch import save_file

from toolkit.errors import ConfigError, WeightsError
from toolkit.hookspecs import hookimpl
from toolkit.losses import perceptual
from toolkit.losses.perceptual import open_perceptual, perceptual_names
from toolkit.registry import Register, Registry


def random_alexnet() -> dict[str, torch.Tensor]:
    """Weights with torchvision's names and shapes."""
    shapes = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    draws = torch.Generator().manual_seed(0)
    weights = {}
    for layer, (out, into, side) in shapes.items():
        weights[f"features.{layer}.weight"] = torch.randn(out, into, side, side, generator=draws) / (into**0.5 * side)
        weights[f"features.{layer}.bias"] = torch.zeros(out)
    return weights


def pictures(size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = torch.rand(2, 2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return first, second


def test_pyramid_needs_nothing_and_its_embedding_can_be_kept():
    distance = open_perceptual("pyramid")
    first, second = pictures()
    kept = distance.embed(second)
    assert float(distance.distance(distance.embed(first), kept)) > 0
    assert float(distance.distance(distance.embed(second), kept)) == 0


def test_an_unknown_distance_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'lpips-vgg'"):
        open_perceptual("lpips-vg")


def test_lpips_without_a_trunk_says_which_file_and_what_else_there_is():
    with pytest.raises(WeightsError, match=r"vgg16-397923af\.pth.*'trunk'.*pyramid"):
        open_perceptual("lpips-vgg")


def test_lpips_refuses_missing_damaged_and_foreign_files(tmp_path):
    pytest.importorskip("lpips")
    with pytest.raises(WeightsError, match="does not exist"):
        open_perceptual("lpips-alex", tmp_path / "nothing.pth")
    (tmp_path / "torn.pth").write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="cannot be read"):
        open_perceptual("lpips-alex", tmp_path / "torn.pth")
    save_file({"features.0.weight": torch.zeros(3, 3)}, tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match=r"does not hold torchvision's alexnet"):
        open_perceptual("lpips-alex", tmp_path / "foreign.safetensors")


def test_lpips_agrees_with_the_lpips_package(tmp_path):
    lpips = pytest.importorskip("lpips")
    weights = random_alexnet()
    torch.save(weights, tmp_path / "alexnet.pth")
    state = torch.random.get_rng_state()
    ours = open_perceptual("lpips-alex", tmp_path / "alexnet.pth")
    assert torch.equal(state, torch.random.get_rng_state())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    for name, parameter in theirs.net.named_parameters():
        parameter.data.copy_(weights["features." + name.split(".", 1)[1]])
    first, second = pictures()
    with torch.no_grad():
        expected = theirs(first, second).mean()
        got = ours.distance(ours.embed(first), ours.embed(second))
    assert torch.allclose(got, expected, rtol=1e-5)
    assert float(expected) > 0.01


def test_lpips_gives_gradients_to_the_image_only(tmp_path):
    pytest.importorskip("lpips")
    save_file(random_alexnet(), tmp_path / "alexnet.safetensors")
    distance = open_perceptual("lpips-alex", tmp_path / "alexnet.safetensors")
    first, second = pictures()
    first = torch.zeros_like(first).requires_grad_(True)  # flat: features may vanish, gradients must not be NaN
    distance.distance(distance.embed(first), distance.embed(second)).backward()
    assert torch.isfinite(first.grad).all()
    assert float(first.grad.abs().sum()) > 0
    assert not any(parameter.requires_grad for parameter in distance.parameters())


def test_a_plugins_distance_is_opened_as_the_built_in_ones_are(monkeypatch: pytest.MonkeyPatch):
    class Stranger:
        @staticmethod
        @hookimpl
        def register_perceptual_distances(register: Register) -> None:
            register("mine", "toolkit.losses.perceptual:open_pyramid", summary="the pyramid again", interface=1)

    registry = Registry()
    registry.add_plugin("stranger", Stranger())
    monkeypatch.setattr(perceptual, "default_registry", lambda: registry)
    assert perceptual_names() == ["mine"]
    assert open_perceptual("mine").name == "pyramid"
    with pytest.raises(ConfigError, match="unknown perceptual distance 'pyramid'"):
        open_perceptual("pyramid")
