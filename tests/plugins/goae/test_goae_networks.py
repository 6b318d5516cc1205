"""GOAE's networks at small sizes, their building from weights, and the mix's rules."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

import toolkit
from toolkit.camera import Camera
from toolkit.errors import CapabilityError, ConfigError, InputError, WeightsError
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator
from toolkit.weights import build_official
from toolkit_plugins.goae.alignment import AlignmentSettings, FeatureAlignment
from toolkit_plugins.goae.architecture import AlignmentArchitecture, EncoderArchitecture
from toolkit_plugins.goae.encoder import EncoderSettings, GoaeEncoder
from toolkit_plugins.goae.fitting import SMALL_SWIN, fit_alignment, fit_encoder
from toolkit_plugins.goae.mix import hit_map, mix_planes, visibility
from toolkit_plugins.goae.swin_v2 import SwinSettings

SWIN = SwinSettings(
    image_size=64, width=8, depths=(2, 2, 2, 2), heads=(1, 2, 2, 4), window=4, pretrained_windows=(12, 12, 12, 6)
)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small_encoder(**options) -> GoaeEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GoaeEncoder(EncoderSettings(SWIN, **{"num_ws": 14, "w_dim": 16, **options})).eval()


def small_alignment() -> FeatureAlignment:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FeatureAlignment(AlignmentSettings(channels=8, width=4)).eval()


@pytest.mark.parametrize(
    ("num_ws", "levels"), [(14, (3, 3, 7)), (18, (3, 3, 11)), (8, (3, 3, 1)), (6, (2, 2, 1)), (3, (1, 1, 0))]
)
def test_levels_share_all_latents_but_the_first(num_ws: int, levels: tuple[int, ...]):
    encoder = small_encoder(num_ws=num_ws)
    assert encoder.settings.levels == levels
    codes = encoder(randn(2, 3, 64, 64))
    assert codes.ws.shape == codes.ws_base.shape == (2, num_ws, 16)
    assert torch.equal(codes.ws[:, 0], codes.ws_base[:, 0])


def test_the_stage_counter_switches_levels_on():
    encoder, image = small_encoder(), randn(1, 3, 64, 64)
    whole = encoder(image)
    assert torch.equal(whole.ws_base, whole.ws_base[:, :1].expand_as(whole.ws_base))
    for stage, moved in ((0, 1), (1, 4), (2, 7), (3, 14)):
        encoder.stage = stage
        ws = encoder(image).ws
        assert torch.equal(ws[:, :moved], whole.ws[:, :moved])
        assert torch.equal(ws[:, moved:], whole.ws_base[:, moved:])


def test_images_of_a_batch_are_encoded_alone():
    encoder, images = small_encoder(), randn(3, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images).ws[1:2], encoder(images[1:2]).ws, rtol=1e-4, atol=1e-5)


def test_every_weight_is_used_and_training_is_possible():
    encoder = small_encoder().train()
    for block in (block for layer in encoder.swin_model.layers for block in layer.blocks):
        block.drop = 0.0  # a dropped residual has no gradient
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder(randn(2, 3, 64, 64)).ws.square().sum().backward()
    assert [name for name, each in encoder.named_parameters() if each.grad is None or not each.grad.any()] == []
    alignment = small_alignment().train()
    aligned = alignment(randn(2, 3, 64, 64), randn(2, 3, 64, 64, seed=1), randn(2, 8, 4, 4, seed=2))
    aligned.feature_map_adain.square().sum().backward()
    assert [name for name, each in alignment.named_parameters() if each.grad is None] == []


def test_encoders_of_any_size_come_back_from_their_weights():
    encoder = small_encoder()
    again = build_official("goae_encoder", encoder.state_dict(), {"window": 4})
    assert again.settings == encoder.settings
    image = randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(again(image).ws, encoder(image).ws)
    assert EncoderArchitecture().recognises({key: tuple(v.shape) for key, v in encoder.state_dict().items()})


def test_buffers_that_follow_from_the_sizes_may_be_missing_or_blank():
    encoder, image = small_encoder(), randn(1, 3, 64, 64)
    computed = ("relative_coords_table", "relative_position_index", "attn_mask")
    full = encoder.state_dict()
    without = {key: value for key, value in full.items() if not key.endswith(computed)}
    blank = {key: torch.zeros_like(value) if key.endswith(computed) else value for key, value in full.items()}
    assert len(without) < len(full)
    for given in (without, blank):
        with torch.no_grad():
            ws = build_official("goae_encoder", given, {"window": 4})(image).ws
            assert torch.equal(ws, encoder(image).ws)


def test_weights_that_do_not_fit_are_refused_by_name():
    state = small_encoder().state_dict()
    with pytest.raises(WeightsError, match=r"missing keys: swin_model\.norm\.bias"):
        build_official("goae_encoder", {k: v for k, v in state.items() if k != "swin_model.norm.bias"}, {"window": 4})
    with pytest.raises(WeightsError, match="unexpected keys: more"):
        build_official("goae_encoder", {**state, "more": torch.zeros(1)}, {"window": 4})
    with pytest.raises(WeightsError, match="pre-training windows"):
        build_official("goae_encoder", state, {"window": 4, "pretrained_windows": [8, 8, 8, 4]})
    with pytest.raises(ConfigError, match="unknown goae_encoder setting 'depth'"):
        build_official("goae_encoder", state, {"depth": 3})


DAMAGED_KEYS = [
    ("goae_encoder", "swin_model.patch_embed.proj.weight"),
    ("goae_encoder", "swin_model.layers.1.blocks.0.attn.logit_scale"),
    ("goae_encoder", "swin_model.layers.2.blocks.17.attn.cpb_mlp.2.weight"),
    ("goae_encoder", "mapper_base_spatial.0.weight"),
    ("goae_encoder", "mapper_base_channel.2.weight"),
    ("goae_encoder", "mapper_query_spatial_coarse.2.weight"),
    ("goae_encoder", "mapper_query_spatial_fine.2.bias"),
    ("goae_encoder", "cross_att_mid.linear2.weight"),
    ("goae_afa", "input_layer.0.weight"),
    ("goae_afa", "body.3.shortcut_layer.0.weight"),
    ("goae_afa", "output_layer.2.weight"),
    ("goae_afa", "cross_att_beta.linear1.weight"),
]


def published(kind: str) -> dict[str, Tensor]:
    """A published file's entries, without numbers (their sizes are held by test_sizes_are_the_official_ones)."""
    return dict((GoaeEncoder() if kind == "goae_encoder" else FeatureAlignment()).state_dict())


@pytest.fixture
def weightless() -> Iterator[None]:
    with torch.device("meta"):
        yield


@pytest.mark.usefixtures("weightless")
@pytest.mark.parametrize(("kind", "key"), DAMAGED_KEYS)
def test_a_damaged_entry_of_a_published_file_is_named_and_nothing_else(kind: str, key: str):
    state = published(kind)
    whole = tuple(state[key].shape)
    damaged = [tuple(size + (at == axis) for at, size in enumerate(whole)) for axis in range(len(whole))]
    for shape in (*damaged, tuple(2 * size for size in whole), whole[:-1], ()):
        with pytest.raises(WeightsError) as caught:
            build_official(kind, {**state, key: torch.empty(shape)})
        _, _, offenders = str(caught.value).partition("do not fit; wrong shapes: ")
        assert offenders.startswith(f"{key} is {list(shape)}, expected [")
        assert offenders.count(" is ") == 1
    with pytest.raises(WeightsError, match=f"missing keys: {re.escape(key)}$"):
        build_official(kind, {name: value for name, value in state.items() if name != key})
    with pytest.raises(WeightsError, match=f"unexpected keys: {re.escape(key)}er$"):
        build_official(kind, {**state, f"{key}er": torch.empty(1)})


@pytest.mark.usefixtures("weightless")
@pytest.mark.parametrize("kind", ["goae_encoder", "goae_afa"])
def test_a_prefix_left_on_is_seen_in_the_lists(kind: str):
    state = published(kind)
    first = next(iter(state))
    with pytest.raises(WeightsError, match=rf"missing keys: {re.escape(first)}, .*module\."):
        build_official(kind, {f"module.{key}": value for key, value in state.items()})
    with pytest.raises(WeightsError, match=rf"missing keys: {re.escape(first)}, .* more$"):
        build_official(kind, {})


@pytest.mark.parametrize(
    "key",
    [
        "swin_model.patch_embed.proj.weight",
        "swin_model.layers.1.blocks.0.attn.logit_scale",
        "mapper_base_spatial.0.weight",
        "mapper_base_channel.2.weight",
    ],
)
def test_a_damaged_entry_of_another_size_of_network_is_named(key: str):
    state = small_encoder().state_dict()
    wrong = torch.zeros(len(state[key]) + 1, *state[key].shape[1:])
    with pytest.raises(
        WeightsError, match=f"do not fit; wrong shapes: {re.escape(key)} is [^,]*(, [0-9]+)*], expected"
    ):
        build_official("goae_encoder", {**state, key: wrong}, {"window": 4})


def test_a_number_in_a_name_makes_no_network_of_that_depth():
    state = small_encoder().state_dict()
    many = {
        f"swin_model.layers.0.blocks.{'9' * digits}.{part}": torch.zeros(1) for digits in (7, 5000) for part in "ab"
    }
    with pytest.raises(WeightsError, match=r"do not fit; unexpected keys: swin_model\.layers\.0\.blocks\.9999999\.a"):
        build_official("goae_encoder", {**state, **many}, {"window": 4})


def test_alignment_is_a_scale_and_an_offset():
    alignment = small_alignment()
    image, made, features = randn(2, 3, 64, 64), randn(2, 3, 64, 64, seed=1), randn(2, 8, 4, 4, seed=2)
    with torch.no_grad():
        aligned = alignment(image, made, features)
        swapped = alignment(made, image, features)
    torch.testing.assert_close(aligned.feature_map_adain, aligned.gamma * features + aligned.beta)
    assert aligned.gamma.shape == features.shape
    assert not torch.allclose(swapped.gamma, aligned.gamma)  # the residual has a sign
    again = build_official("goae_afa", alignment.state_dict())
    assert again.settings == alignment.settings
    with torch.no_grad():
        assert torch.equal(again(image, made, features).beta, aligned.beta)
    assert AlignmentArchitecture().recognises({key: tuple(v.shape) for key, v in alignment.state_dict().items()})


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"\[B, 3, 64, 64\]"):
        small_encoder()(randn(1, 3, 32, 32))
    alignment, image = small_alignment(), randn(1, 3, 64, 64)
    with pytest.raises(InputError, match="alike"):
        alignment(image, image[..., :32], randn(1, 8, 4, 4))
    with pytest.raises(InputError, match=r"\[1, 8, H, W\]"):
        alignment(image, image, randn(1, 4, 4, 4))
    with pytest.raises(ConfigError, match="divide"):
        AlignmentSettings(channels=6)
    with pytest.raises(ConfigError, match="at least 2"):
        EncoderSettings(num_ws=1)


def test_sizes_come_from_the_generator(spherical: SphericalGenerator, bare: BareSphericalGenerator):
    settings = fit_encoder(spherical)
    assert (settings.swin, settings.num_ws, settings.w_dim) == (SMALL_SWIN, 3, 24)
    alignment = FeatureAlignment(fit_alignment(spherical, 6, width=4)).eval()
    ws = torch.zeros(1, 3, 24)
    with torch.no_grad():
        features, skip = spherical.features(ws, 6)
        image = randn(1, 3, 48, 48)
        planes = spherical.resume(alignment(image, image, features).feature_map_adain, skip, ws, 6)
    assert planes.shape == (1, *spherical.spec.planes_shape)
    with pytest.raises(CapabilityError, match="'spherical-bare'"):
        fit_alignment(bare, 6)


def test_features_that_change_no_planes_are_refused():
    generator = toolkit.load_generator("panohead-mini")
    last = generator.spec.planes_shape[-1]
    with pytest.raises(ConfigError, match=f"side {last} are the last of 'panohead-mini'.*such as {last // 2}"):
        fit_alignment(generator, last)
    assert fit_alignment(generator, last // 2).channels > 0


def test_the_alignment_is_sized_on_the_generators_device():
    generator = toolkit.load_generator("panohead-mini")
    fitted = fit_alignment(generator)
    assert generator.spec.front_camera.label.device.type == "cpu"  # a spec stays there
    assert fit_alignment(generator.to("meta")) == fitted


def test_the_mix_keeps_all_but_the_first_plane():
    aligned, plain = randn(2, 3, 4, 32, 32), randn(2, 3, 4, 32, 32, seed=1)
    mask = torch.zeros(2, 1, 32, 32)
    mask[1] = 1
    mixed = mix_planes(aligned, plain, mask)
    assert torch.equal(mixed[:, 1:], aligned[:, 1:])
    assert torch.equal(mixed[0, 0], plain[0, 0])
    assert torch.equal(mixed[1, 0], aligned[1, 0])
    with pytest.raises(InputError, match="alike"):
        mix_planes(aligned, plain, mask[:1])


def test_hits_fall_where_points_are():
    depth = torch.full((1, 1, 64, 64), 2.7)  # a sphere round the front camera, touching the origin
    hits = hit_map(Camera.orbit(), depth, 16)[0, 0]
    assert set(hits.unique().tolist()) == {0.0, 1.0}
    rows, columns = hits.nonzero().unbind(1)
    slope = 31.5 / 64 / 4.2647  # of the ray through the outermost pixel's centre
    reach = 2.7 * slope / (1 + slope**2) ** 0.5
    expected = int((0.5 - reach) * 16), int((0.5 + reach) * 16)
    assert (int(rows.min()), int(rows.max())) == expected
    assert (int(columns.min()), int(columns.max())) == expected
    beyond = hit_map(Camera.orbit(), depth * 3, 16)[0, 0]
    assert bool(beyond[0].any() and beyond[-1].any() and beyond[:, 0].any() and beyond[:, -1].any())
    with pytest.raises(InputError, match="depth"):
        hit_map(Camera.orbit(), depth[0], 16)


def test_depths_that_are_not_finite_hit_some_texel_and_change_no_other():
    depth = torch.full((1, 1, 64, 64), 2.7)
    expected = hit_map(Camera.orbit(), depth, 16)
    expected[..., 0, 0] = 1
    depth[..., 30:34, 30:34] = float("nan")  # of the rays into each texel, some are left
    assert torch.equal(hit_map(Camera.orbit(), depth, 16), expected)
    depth[..., 20, 20] = float("inf")
    assert hit_map(Camera.orbit(), depth, 16).isfinite().all()


def test_a_mask_is_soft_only_round_its_border():
    hits = torch.zeros(1, 1, 64, 64)
    hits[..., 16:48, 16:48] = 1
    mask = visibility(hits)
    assert float(mask[..., 26:38, 26:38].min()) == pytest.approx(1, abs=1e-6)
    assert float(mask[..., :8, :].max()) == 0
    assert bool(((mask > 0.1) & (mask < 0.9)).any())
