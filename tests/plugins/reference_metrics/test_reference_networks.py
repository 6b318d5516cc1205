from __future__ import annotations

import socket
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor

from toolkit.errors import WeightsError
from toolkit.losses.lpips_network import lpips_network
from toolkit.losses.perceptual import Lpips
from toolkit.registry import default_registry
from toolkit.weights.store import weights_folder
from toolkit_plugins.reference_metrics import networks
from toolkit_plugins.reference_metrics.inception import FEATURES, SIDE, Inception, clean_resize
from toolkit_plugins.reference_metrics.perceptual import LpipsMetric

NETWORK_METRICS = ["lpips_alex", "lpips_vgg", "id_curricularface", "id_arcface", "fid", "kid"]


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLKIT_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


@pytest.mark.parametrize("name", NETWORK_METRICS)
def test_a_missing_file_is_one_sentence_that_says_how_to_get_it(name: str, empty_folder: Path):
    with pytest.raises(WeightsError) as caught:
        default_registry().load("metric", name)()
    message = str(caught.value)
    assert name in message and "needs weights" in message
    assert "toolkit weights download" in message or ("https://" in message and "toolkit weights import" in message)
    assert "\n" not in message


def test_files_are_looked_for_in_the_users_home_unless_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path))
    monkeypatch.delenv("TOOLKIT_WEIGHTS", raising=False)
    assert weights_folder() == tmp_path / "weights"
    monkeypatch.setenv("TOOLKIT_WEIGHTS", str(tmp_path / "own"))
    assert weights_folder() == tmp_path / "own"


def test_another_file_of_that_name_is_refused_by_its_hash(empty_folder: Path):
    (empty_folder / "alexnet-owt-7be5be79.pth").write_bytes(b"something else")
    with pytest.raises(WeightsError, match="sha256 differs"):
        networks.open_lpips_alex()


def test_every_metric_of_the_plugin_names_itself_as_registered(pair_of_noise: tuple[Tensor, Tensor]):
    registry = default_registry()
    for entry in registry.of_kind("metric"):
        if entry.plugin == "reference-metrics" and entry.name not in NETWORK_METRICS:
            metric = entry.load()()
            assert metric.name == entry.name
            assert metric.backend in ("none", "five_point")


@pytest.fixture(scope="module")
def pair_of_noise() -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, 72, 72, generator=source) * 2 - 1, torch.rand(2, 3, 72, 72, generator=source) * 2 - 1


@pytest.fixture(scope="module")
def alex_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random AlexNet trunk in torchvision's naming (without the classifier, which LPIPS does not use)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        weights = torchvision.models.alexnet(weights=None).features.state_dict()
    path = tmp_path_factory.mktemp("trunk") / "alex.pth"
    torch.save({f"features.{name}": value for name, value in weights.items()}, path)
    return path


def lpips_score(alex_file: Path, *update: Tensor) -> float:
    metric = LpipsMetric(lpips_network("alex", alex_file), "lpips_alex")
    metric.update(*update)
    return metric.compute().value


def test_lpips_is_that_of_the_lpips_package(alex_file: Path, pair_of_noise: tuple[Tensor, Tensor]):
    lpips = pytest.importorskip("lpips")
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # torchvision deprecates the argument that lpips passes
        theirs = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    weights = torch.load(alex_file, weights_only=True)
    own = theirs.net.state_dict()
    theirs.net.load_state_dict({key: weights[f"features.{key.split('.', 1)[1]}"] for key in own})
    with torch.no_grad():
        expected = float(theirs(*pair_of_noise).mean())
    assert lpips_score(alex_file, *pair_of_noise) == pytest.approx(expected, rel=1e-5)
    loss = Lpips("alex", alex_file)  # which embeds each image once
    assert float(loss.distance(*map(loss.embed, pair_of_noise))) == pytest.approx(expected, rel=1e-4)


def test_lpips_of_a_region_leaves_out_what_lies_outside(alex_file: Path, pair_of_noise: tuple[Tensor, Tensor]):
    pytest.importorskip("lpips")
    whole = lpips_score(alex_file, *pair_of_noise)
    assert lpips_score(alex_file, *pair_of_noise, torch.ones(2, 1, 72, 72)) == pytest.approx(whole, rel=0.05)
    half = torch.zeros(2, 1, 72, 72)
    half[..., :20, :] = 1
    mixed = torch.cat([pair_of_noise[1][..., :50, :], pair_of_noise[0][..., 50:, :]], dim=2)
    assert lpips_score(alex_file, mixed, pair_of_noise[1], half) < 0.6 * whole
    tiny = [part[..., :24, :24] for part in pair_of_noise]
    assert lpips_score(alex_file, *tiny) > 0


def test_the_resize_is_antialiased_in_float_per_channel(pair_of_noise: tuple[Tensor, Tensor]):
    image = pair_of_noise[0][:1]
    levels = ((image + 1) * 127.5).round()[0].numpy().astype(np.float32)
    plain = [np.asarray(Image.fromarray(each).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for each in levels]
    np.testing.assert_allclose(clean_resize(image)[0].numpy(), np.clip(np.stack(plain), 0, 255), atol=1e-3)


def test_building_the_network_asks_no_one_outside(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert Inception().features(torch.zeros(1, 3, 8, 8)).shape == (1, FEATURES)


@pytest.fixture(scope="module")
def inception_weights() -> dict[str, Tensor]:
    """Random weights that keep activations alive through all layers."""
    source = torch.Generator().manual_seed(1)
    weights = {}
    for key, value in Inception().net.state_dict().items():
        if value.ndim > 1:
            weights[key] = torch.randn(value.shape, generator=source) * (2 / value[0].numel()) ** 0.5
        elif key.endswith(("running_var", "bn.weight")):
            weights[key] = torch.rand(value.shape, generator=source) + 0.5
        elif value.is_floating_point():
            weights[key] = 0.1 * torch.randn(value.shape, generator=source)
    return weights


def test_inception_is_that_of_torch_fidelity(
    inception_weights: dict[str, Tensor], tmp_path: Path, pair_of_noise: tuple[Tensor, Tensor]
):
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    path = tmp_path / "inception.pth"
    torch.save(inception_weights, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision announces another initialisation
        theirs = module.FeatureExtractorInceptionV3("test", ["2048"], feature_extractor_weights_path=str(path))
    levels = ((pair_of_noise[0][:1] + 1) * 127.5).round()
    levels = torch.nn.functional.interpolate(levels, (SIDE, SIDE), mode="nearest")
    with torch.no_grad():
        (expected,) = theirs(levels.to(torch.uint8))
        ours = Inception.from_state_dict(inception_weights)(levels)
    assert float(expected.std()) > 1e-3
    assert torch.allclose(ours, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))


def test_weights_of_another_network_are_refused(inception_weights: dict[str, Tensor]):
    with pytest.raises(WeightsError, match="not FID's Inception weights"):
        Inception.from_state_dict({"conv1.weight": torch.zeros(3)})
