"""Every command's computation on a GPU that is not there: no tensor is left behind on the CPU."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from encoder_training import STAGES, tiny_job
from fake_cuda import FakeCuda, fake_cuda
from torch import Tensor
from torch._subclasses.fake_tensor import unset_fake_temporarily

from toolkit import load_generator, load_method
from toolkit.bench import BenchRequest, ComparedMethod, open_protocols, run_suite
from toolkit.bench.protocols.features import extractors_of, features_of_each
from toolkit.bench.protocols.scoring import MetricInputs, open_metrics
from toolkit.bench.protocols.scoring_together import score_all
from toolkit.camera import Camera
from toolkit.export import surface
from toolkit.export.products import write_mesh, write_products, write_views
from toolkit.export.surface import density_of
from toolkit.export.wanted import write_wanted
from toolkit.interfaces import Generator, MakeRequest
from toolkit.inversion import Inversion
from toolkit.registry import default_registry
from toolkit.rendering.occlusion import occlusion_mask
from toolkit.rendering.views import render_views
from toolkit_plugins.heads360.dataset import Heads360

pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
DEVICE = "cuda:0"
SHORT = {"preset": "fast", "steps": 2, "samples": 8}
FITS = {"codes": {"steps": 1}, "fit": {"steps": 1}}
QUICK = {"wplus": SHORT, "pti": {**SHORT, "tuning_steps": 2}, "dual-encoder": FITS}
FOR_MINI = {"goae": ("feature_size=8",)}
METHODS = [entry.name for entry in default_registry().of_kind("method")]


@pytest.fixture(scope="module")
def gpu() -> Iterator[FakeCuda]:
    """A GPU for all tests of this file, and the miniature on it."""
    with fake_cuda() as mode:
        yield mode


@pytest.fixture(scope="module")
def mini(gpu: FakeCuda) -> Generator:
    return load_generator("panohead-mini", device=DEVICE)


@pytest.fixture(scope="module")
def picture(mini: Generator) -> tuple[Tensor, Camera]:
    side = mini.spec.image_size
    return torch.zeros(1, 3, side, side, device=DEVICE), mini.spec.front_camera.to(DEVICE)


def on_gpu(value: Tensor) -> bool:
    return value.device == torch.device(DEVICE)


@pytest.fixture(scope="module")
def head(mini: Generator, picture: tuple[Tensor, Camera]) -> Inversion:
    return load_method("mean", mini).invert(*picture, mini)


@pytest.fixture(scope="module")
def heads_data(tmp_path_factory: pytest.TempPathFactory, mini: Generator) -> Path:
    """Two real heads from several sides, with masks and depth."""
    folder = tmp_path_factory.mktemp("heads")
    views = ("front", "left_30", "right_30", "left_60", "right_60", "back")
    with unset_fake_temporarily():
        Heads360.make(MakeRequest(folder, 2, "val", 0, "clean", views, mini.spec.image_size, 1))
    return folder


def test_what_a_gpu_refuses_is_refused(gpu: FakeCuda) -> None:
    there, here = torch.zeros(3, device=DEVICE), torch.zeros(3)
    with pytest.raises(RuntimeError, match="same device"):
        _ = there + here
    with pytest.raises(TypeError, match="cuda"):
        there.numpy()
    before = gpu.waits.total()
    assert bool(torch.isfinite(there).all())
    there.cpu(), here.to(DEVICE)
    assert gpu.waits.total() == before + 3


@pytest.mark.parametrize("name", METHODS)
def test_methods_invert(name: str, mini: Generator, picture: tuple[Tensor, Camera]) -> None:
    found = load_method(name, mini, **QUICK.get(name, {})).invert(*picture, mini)
    assert on_gpu(found.ws) and on_gpu(found.planes) and on_gpu(found.camera.label)


def test_products_are_written(head: Inversion, mini: Generator, picture: tuple[Tensor, Camera], tmp_path: Path) -> None:
    files = write_products(tmp_path, head, mini, picture[0], note=print)
    assert {file.name for file in files} >= {"views.png", "orbit.mp4", "viewer.html"}
    head.save(tmp_path / "saved")
    assert Inversion.load(tmp_path / "saved").ws.shape == head.ws.shape


def test_a_mesh_is_written(head: Inversion, mini: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU is asked for density and views as ever; its densities, all alike, are replaced by a ball's."""
    asked: list[int] = []

    def ball(generator: Generator, planes: Tensor, on_chunk: object = None) -> Callable[[np.ndarray], np.ndarray]:
        sample = density_of(generator, planes)

        def density(points: np.ndarray) -> np.ndarray:
            asked.append(len(sample(points)))
            return (mini.spec.surface_level + 0.3 - np.linalg.norm(points, axis=1)).astype(np.float32)

        return density

    monkeypatch.setattr(surface, "density_of", ball)
    assert write_mesh(tmp_path / "mesh.glb", head, mini, resolution=12).read_bytes()[:4] == b"glTF"
    assert sum(asked) > 500


@pytest.mark.slow
def test_heads_are_rendered_by_any_camera(head: Inversion, mini: Generator, tmp_path: Path) -> None:
    angles = [(0.0, None), (150.0, 20.0)]
    assert len(write_views(tmp_path, head, mini, angles, 16)) == 2
    wanted = [("a.png", mini.spec.front_camera.label[0].tolist())]
    assert write_wanted(tmp_path, head, mini, wanted)
    assert all(on_gpu(part) for part in render_views(mini, head.planes, head.ws, head.camera, stay=True))


@pytest.mark.slow
def test_in_batches_pictures_are_scored_where_they_are(gpu: FakeCuda, mini: Generator, head: Inversion) -> None:
    """Every metric of the embedded world, on views that stay on the GPU; targets come from the CPU."""
    side = mini.spec.image_size
    named = [entry.name for entry in default_registry().of_kind("metric")]
    metrics = open_metrics(named, "embedded", "embedded", side)
    camera = head.camera[:1]
    view = render_views(mini, head.planes, head.ws, camera, stay=True)
    half = torch.zeros(1, 1, side, side)
    half[..., : side // 2] = 1
    asked = MetricInputs(view.image, torch.zeros(1, 3, side, side), camera.to("cpu"), {"visible": half})
    alone, *others = score_all(metrics, [asked] * 3)
    assert {each.metric for each in alone} >= {"l2", "ssim", "lpips_lite", "lpips_lite@visible"}
    assert not [score.metric for each in (alone, *others) for score in each if score.error]
    unscored = {each.metric.partition("@")[0] for each in alone if each.failed}
    assert unscored <= {"id_dlib", "pose_error"}  # a face must be found first, and there is none
    assert features_of_each(extractors_of(metrics), view.image.expand(2, -1, -1, -1))


@pytest.mark.parametrize("per_slot", [True, False])
def test_masks(per_slot: bool, head: Inversion, mini: Generator) -> None:
    assert on_gpu(occlusion_mask(mini, head.planes, head.camera, resolution=16, per_slot=per_slot))


SLOW_PROTOCOLS = [pytest.param(name, marks=pytest.mark.slow) for name in ("multiview", "fid360", "gt360", "speed")]


@pytest.mark.parametrize("protocol", ["reconstruction", *SLOW_PROTOCOLS])
def test_protocols(protocol: str, mini: Generator, heads_data: Path, tmp_path: Path) -> None:
    method = ComparedMethod("mean", load_method("mean", mini))
    requests = [BenchRequest(each, str(heads_data), tmp_path, limit=2) for each in open_protocols(protocol)]
    results = run_suite(requests, mini, [method])
    assert results.rows
    assert not [(each.method, each.error) for each in results.failures]
    # a face must be found in the picture first, and there is none
    assert not [row.metric for row in results.rows if row.failed and not row.metric.startswith("id")]


IMAGES = ("adversary.discriminator=occlusion-images",)
SOON = ("psp", "dual-encoder")
TRAININGS = [
    pytest.param(kind, FOR_MINI.get(kind, ()), marks=() if kind in SOON else pytest.mark.slow) for kind in STAGES
]
TRAININGS.append(pytest.param("dual-encoder", IMAGES, marks=pytest.mark.slow))


@pytest.mark.parametrize(("kind", "settings"), TRAININGS)
def test_every_training_step_runs_and_waits_for_the_gpu_less_than_five_times(
    kind: str, settings: tuple[str, ...], gpu: FakeCuda, mini: Generator, photo_folder: Path
) -> None:
    job = tiny_job(kind, photo_folder, mini, *settings)
    for step in range(job.steps):
        batch = job.batch(step)
        gpu.waits.clear(), gpu.places.clear()
        job.training_step(batch, step)
        assert 0 < gpu.waits.total() < 5, gpu.places
    if kind == "psp":  # the others look at their held-out heads with the same code
        job.evaluate(job.steps)
        job.sheet(job.steps)


def test_cameras_are_made_where_the_angles_are(gpu: FakeCuda) -> None:
    yaws = torch.zeros(3, device=DEVICE)
    before = gpu.waits.total()
    assert on_gpu(Camera.orbit(yaws, 0.2).mirror().label)
    assert on_gpu(Camera.orbit(0.1, yaws).label)
    assert gpu.waits.total() == before
    with pytest.raises(RuntimeError, match="same device"):
        Camera(yaws.new_zeros(3, 25)).cam2world + torch.zeros(3, 4, 4)
