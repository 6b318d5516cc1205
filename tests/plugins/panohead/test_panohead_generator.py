"""What the plugin offers beyond the official numbers: contract, capabilities, randomness, errors."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.interfaces import Footprint, Generator, Marching, PlaneImages, ResumableSynthesis, Tunable
from toolkit.rendering.sampling import Draws
from toolkit_plugins.panohead.config import PanoHeadConfig
from toolkit_plugins.panohead.generator import PanoHead

MINI = PanoHeadConfig(
    z_dim=10,
    w_dim=12,
    image_size=32,
    raw_size=16,
    channel_base=128,
    channel_max=16,
    plane_size=16,
    feature_channels=5,
    decoder_hidden=8,
    background_channel_base=32,
    background_channel_max=4,
    sr_kind="2X",
    sr_widths=(6, 4),
    sr_clamp=None,
    samples=8,
    importance_samples=4,
    box=0.7,
    crop_margin=0.05,
)


@pytest.fixture(scope="module")
def mini() -> PanoHead:
    torch.manual_seed(0)
    model = PanoHead(MINI).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.1)
    return model


@pytest.fixture(scope="module")
def ws(mini: PanoHead) -> torch.Tensor:
    return mini.mapping(torch.randn(2, 10, generator=torch.Generator().manual_seed(3)), Camera.orbit())


def test_it_keeps_the_contract(mini: PanoHead, ws: torch.Tensor) -> None:
    for contract in (Generator, Marching, Footprint, PlaneImages, ResumableSynthesis, Tunable):
        assert isinstance(mini, contract)
    assert mini.spec.planes_shape == tuple(mini.planes(ws).shape[1:]) == (3, 15, 16, 16)
    assert mini.spec.latents.num_ws == mini.num_ws == ws.shape[1]
    assert mini.spec.visible_half_extent == pytest.approx((0.3, 0.35, 0.3))


def test_fingerprint_follows_the_weights(mini: PanoHead) -> None:
    other = copy.deepcopy(mini)
    assert other.spec.fingerprint == mini.spec.fingerprint
    state = other.state_dict()
    other.load_state_dict({**state, "torgb.bias": state["torgb.bias"] + 1})
    assert other.spec.fingerprint != mini.spec.fingerprint


def test_a_single_head_serves_many_cameras(mini: PanoHead, ws: torch.Tensor) -> None:
    planes = mini.planes(ws[:1])
    cameras = Camera.orbit(torch.tensor([0.0, 1.0, 3.0]))
    together = mini.render(planes, ws[:1], cameras)
    for index in range(3):
        alone = mini.render(planes, ws[:1], cameras[index])
        torch.testing.assert_close(together.image[index : index + 1], alone.image, atol=1e-5, rtol=0)
    assert together.image.shape == (3, 3, 32, 32)
    assert mini.render(mini.planes(ws), ws, Camera.orbit(), 8).raw.shape == (2, 3, 8, 8)


def test_rendering_repeats_unless_a_seed_is_given(mini: PanoHead, ws: torch.Tensor) -> None:
    planes, camera = mini.planes(ws), Camera.orbit(0.5)
    fixed = mini.render(planes, ws, camera)
    assert torch.equal(fixed.image, mini.render(planes, ws, camera).image)
    seeded = mini.render(planes, ws, camera, seed=7)
    assert torch.equal(seeded.image, mini.render(planes, ws, camera, seed=7).image)
    assert torch.equal(seeded.image, mini.render(planes, ws, camera, seed=torch.Generator().manual_seed(7)).image)
    assert not torch.equal(seeded.image, fixed.image)
    assert not torch.equal(mini.planes(ws, noise="random", seed=1), mini.planes(ws, noise="random", seed=2))


def test_draws_from_outside(mini: PanoHead, ws: torch.Tensor) -> None:
    planes, camera = mini.planes(ws), Camera.orbit(0.5)
    jitter, importance = torch.full((2, 256, 8, 1), 0.5), torch.linspace(0, 1, 4).expand(512, 4)
    fixed = mini.render(planes, ws, camera)
    assert torch.equal(mini.render(planes, ws, camera, draws=(jitter, importance)).image, fixed.image)
    other = mini.render(planes, ws, camera, draws=Draws(jitter * 0.2, importance))
    assert not torch.equal(other.image, fixed.image)


def test_noise_modes_are_checked(mini: PanoHead, ws: torch.Tensor) -> None:
    with pytest.raises(InputError, match="noise must be one of"):
        mini.planes(ws, noise="loud")
    with pytest.raises(InputError, match="needs a seed"):
        mini.planes(ws, noise="random")


def test_resuming_synthesis_gives_the_same_planes(mini: PanoHead, ws: torch.Tensor) -> None:
    for size in (4, 8, 16):
        x, skip = mini.features(ws, size)
        assert x.shape[-1] == size
        torch.testing.assert_close(mini.resume(x, skip, ws, size), mini.planes(ws))
    with pytest.raises(InputError, match="blocks of side"):
        mini.features(ws, 12)


def test_plane_images_are_another_view_of_planes(mini: PanoHead, ws: torch.Tensor) -> None:
    planes = mini.planes(ws)
    images = mini.as_images(planes)
    assert images.shape == (2, 45, 16, 16)
    assert torch.equal(mini.from_images(images), planes)


def test_entries_outside_the_footprint_do_not_matter(mini: PanoHead, ws: torch.Tensor) -> None:
    planes = mini.planes(ws[:1])
    points = (torch.rand(1, 30, 3, generator=torch.Generator().manual_seed(1)) - 0.5) * 0.4
    occupancy = mini.footprint(points)
    assert occupancy.shape == (1, 3, 3, 16, 16)
    assert float(occupancy.sum()) == pytest.approx(90, abs=1e-2)
    read = mini.expand((occupancy > 0).float())
    noise = torch.randn(planes.shape, generator=torch.Generator().manual_seed(2))
    before = mini.query(planes, points)
    spared = mini.query(planes * read + noise * (1 - read), points)
    assert torch.equal(spared.features, before.features)
    assert not torch.equal(mini.query(planes + noise * read, points).features, before.features)


def test_a_coarse_occupancy_covers_all_slices(mini: PanoHead) -> None:
    flat = torch.zeros(1, 3, 1, 16, 16)
    flat[0, 1, 0, 2, 3] = 1
    wide = mini.expand(flat)
    assert wide.shape == (1, 3, 15, 16, 16)
    assert torch.equal(wide[0, 1, :, 2, 3], torch.ones(15))
    assert float(wide.sum()) == 15
    with pytest.raises(InputError, match="occupancy must have shape"):
        mini.expand(torch.zeros(1, 3, 2, 16, 16))


def test_closing_fills_gaps_and_smoothing_keeps_mass(mini: PanoHead) -> None:
    occupancy = torch.zeros(1, 3, 3, 16, 16)
    occupancy[..., 5:10, 5:10] = 1
    occupancy[..., 7, 7] = 0
    closed = mini.close(occupancy, 1)
    assert float(closed[..., 7, 7].min()) == 1
    assert float(closed.sum()) == 9 * 25
    smooth = mini.smooth(closed)
    assert float(smooth.sum()) == pytest.approx(float(closed.sum()), rel=1e-4)
    assert 0 < float(smooth[0, 0, 0, 4, 7]) < 1


def test_tuning_touches_only_what_a_view_depends_on(mini: PanoHead, ws: torch.Tensor) -> None:
    model = copy.deepcopy(mini).requires_grad_(True)
    tunable = dict(model.tunable_parameters())
    assert not any("mapping" in name for name in tunable)
    render = model.render(model.planes(ws), ws, Camera.orbit(0.3))
    (render.image.square().mean() + render.raw.square().mean()).backward()
    unseen = [name for name, parameter in tunable.items() if parameter.grad is None]
    assert unseen == [f"superresolution.block{block}.conv{conv}.noise_strength" for block in (0, 1) for conv in (0, 1)]


def test_gradients_reach_latents_planes_and_weights(mini: PanoHead, ws: torch.Tensor) -> None:
    model = copy.deepcopy(mini).requires_grad_(True)
    own = ws.clone().requires_grad_()
    planes = model.planes(own)
    image = model.render(planes, own, Camera.orbit(0.2)).image
    for gradient in torch.autograd.grad(image.square().mean(), (own, planes, model.bcg_synthesis.b4.const)):
        assert torch.isfinite(gradient).all() and float(gradient.abs().sum()) > 0


def test_generate_moves_the_camera_and_render_does_not(mini: PanoHead) -> None:
    z, camera = torch.randn(1, 10, generator=torch.Generator().manual_seed(5)), Camera.orbit(0.4)
    codes = mini.mapping(z, camera)
    shift = mini.camera_shift(z, camera)
    assert float(shift.abs().sum()) > 0
    generated = mini.generate(z, camera)
    planes = mini.planes(codes)
    torch.testing.assert_close(generated.image, mini.render(planes, codes, camera.shifted(shift)).image)
    assert not torch.allclose(generated.image, mini.render(planes, codes, camera).image)


@pytest.mark.parametrize("changed", [{"use_background": False}, {"use_torgb": False}, {"importance_samples": 0}])
def test_optional_parts_may_be_missing(changed: dict[str, object]) -> None:
    model = PanoHead(dataclasses.replace(MINI, **changed)).eval()
    with torch.no_grad():
        render = model.generate(torch.randn(1, 10), Camera.orbit())
    assert torch.isfinite(render.image).all()
    assert (model.bcg_synthesis is None) == (changed.get("use_background") is False)


@pytest.mark.parametrize(
    ("planes", "ws", "message"),
    [
        ((1, 3, 14, 16, 16), (1, 6, 12), "planes must have shape"),
        ((2, 3, 15, 16, 16), (3, 6, 12), "cannot serve"),
    ],
)
def test_shapes_are_checked(mini: PanoHead, planes: tuple[int, ...], ws: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        mini.render(torch.zeros(planes), torch.zeros(ws), Camera.orbit())


def test_latents_of_a_wrong_length_are_refused(mini: PanoHead) -> None:
    with pytest.raises(InputError, match=r"z must have shape \[B, 10\], got \[1, 11\]"):
        mini.mapping(torch.zeros(1, 11), Camera.orbit())


def test_background_latents_are_filled_up(mini: PanoHead, ws: torch.Tensor) -> None:
    planes, camera = mini.planes(ws), Camera.orbit()
    few = mini.render(planes, ws, camera, ws_bcg=ws[:, :1])
    same = mini.render(planes, ws, camera, ws_bcg=ws[:, :1].expand(-1, 8, -1))
    assert torch.equal(few.image, same.image)


def test_queries_in_pieces_are_the_same(mini: PanoHead, ws: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    planes, points = mini.planes(ws), torch.rand(2, 50, 3) - 0.5
    with torch.no_grad():
        whole = mini.query(planes, points)
        monkeypatch.setattr("toolkit.generators.generator.QUERY_CHUNK", 7)
        pieces = mini.query(planes, points)
    torch.testing.assert_close(pieces.density, whole.density)
    torch.testing.assert_close(pieces.features, whole.features)


def test_double_precision_inputs_are_taken(mini: PanoHead, ws: torch.Tensor) -> None:
    planes, camera = mini.planes(ws), Camera.orbit(0.4)
    single = mini.render(planes, ws, camera)
    double = mini.render(mini.planes(ws.double()), ws.double(), camera.label.double())
    torch.testing.assert_close(double.image, single.image, atol=1e-5, rtol=0)
    points = torch.rand(2, 5, 3)
    torch.testing.assert_close(mini.query(planes, points.double()).density, mini.query(planes, points).density)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_under_autocast_geometry_and_codes_keep_all_their_bits(mini: PanoHead, kind: torch.dtype):
    z = torch.randn(2, 10, generator=torch.Generator().manual_seed(0))
    camera = Camera.orbit(torch.tensor([0.3, 2.0]))
    point = torch.ones(2, 1, 3)
    with torch.no_grad():
        ws = mini.mapping(z, mini.spec.front_camera, 0.7)
        image = mini.render(mini.planes(ws), ws, camera).image
        rays, places = camera.rays(4)[1], camera.project(point)
        with torch.autocast("cpu", dtype=kind):
            assert torch.equal(mini.mapping(z, mini.spec.front_camera, 0.7), ws)
            assert torch.equal(camera.rays(4)[1], rays)
            assert torch.equal(camera.project(point), places)
            found = mini.render(mini.planes(ws), ws, camera)
    assert found.depth.dtype == torch.float32
    assert float((found.image.float() - image).abs().mean()) < 0.05 * float(image.std())


def test_parts_beside_the_planes_are_painted_by_first_and_last_rows(mini: PanoHead):
    last = (mini.num_ws - 1,)
    assert mini.bcg_synthesis is not None
    painted = tuple(range(mini.bcg_synthesis.num_ws))
    assert mini.style_rows() == {"background": painted, "raw": last, "super_resolution": last}
