"""Swin V2's parts against torchvision's, and against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import swin_transformer as theirs

from toolkit.errors import ConfigError, InputError
from toolkit_plugins.goae.cross_attention import CrossAttention, normalised
from toolkit_plugins.goae.swin_v2 import PatchMerging, SwinBlock, SwinSettings, SwinTransformer
from toolkit_plugins.goae.window_attention import (
    join_windows,
    offset_index,
    offset_table,
    shifted_window_mask,
    split_windows,
)

SMALL = SwinSettings(
    image_size=64, width=8, depths=(2, 2, 2, 2), heads=(1, 2, 2, 4), window=4, pretrained_windows=(4, 4, 4, 2)
)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def shake(module: nn.Module) -> None:
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=source))


@pytest.mark.parametrize("shifted", [False, True])
def test_a_block_equals_torchvisions(shifted: bool):
    ours = SwinBlock(12, 3, 8, 4, 4, shifted=shifted, drop=0.0).eval()
    shake(ours)
    block = theirs.SwinTransformerBlockV2(12, 3, [4, 4], [2, 2] if shifted else [0, 0]).eval()
    state = ours.state_dict()
    own = {
        key.replace("mlp.fc1", "mlp.0").replace("mlp.fc2", "mlp.3"): value
        for key, value in state.items()
        if key in dict(ours.named_parameters()) and not key.endswith(("q_bias", "v_bias"))
    }
    query, value = state["attn.q_bias"], state["attn.v_bias"]
    own["attn.qkv.bias"] = torch.cat([query, torch.zeros(12), value])
    missing = block.load_state_dict(own, strict=False)
    assert not missing.unexpected_keys
    assert all("relative" in key for key in missing.missing_keys)
    x = randn(2, 8, 8, 12)
    with torch.no_grad():
        torch.testing.assert_close(ours(x.flatten(1, 2)), block(x).flatten(1, 2), rtol=1e-4, atol=1e-5)


def test_merging_equals_torchvisions():
    ours, merging = PatchMerging(6), theirs.PatchMergingV2(6)
    shake(ours)
    merging.load_state_dict(ours.state_dict())
    x = randn(2, 8, 8, 6)
    torch.testing.assert_close(ours(x.flatten(1, 2), 8), merging(x).flatten(1, 2))


def test_windows_there_and_back():
    grid = torch.arange(2 * 8 * 8 * 3.0).reshape(2, 8, 8, 3)
    windows = split_windows(grid, 4)
    assert windows.shape == (2, 4, 16, 3)
    torch.testing.assert_close(windows[0, 1].reshape(4, 4, 3), grid[0, :4, 4:])
    assert torch.equal(join_windows(windows, 4, 8), grid)


def test_offsets_are_query_minus_key_rows_first():
    index, table = offset_index(3), offset_table(3, 5)[0].flatten(0, 1)
    rows, columns = table[index[0, 5]], table[index[5, 0]]  # token 5 is row 1, column 2
    step = math.log2(1 / 4 * 8 + 1) / 3
    two = math.log2(2 / 4 * 8 + 1) / 3
    torch.testing.assert_close(rows, torch.tensor([-step, -two]))
    torch.testing.assert_close(columns, torch.tensor([step, two]))


def test_only_the_rolled_borders_are_masked():
    mask = shifted_window_mask(8, 4, 2)
    assert mask.shape == (4, 16, 16)
    assert not mask[0].any()
    assert set(mask[3].unique().tolist()) == {-100.0, 0.0}
    assert mask[1, 0, 3] == -100  # columns 4 and 7 of the rolled image come from opposite borders
    assert mask[1, 0, 1] == 0
    assert mask[1, 0, 12] == 0  # rows do not wrap there


def test_tokens_of_all_stages():
    trunk = SwinTransformer(SMALL).eval()
    tokens = trunk(randn(2, 3, 64, 64))
    assert [tuple(each.shape) for each in tokens.inputs] == [(2, 256, 8), (2, 64, 16), (2, 16, 32), (2, 4, 64)]
    assert tokens.final.shape == (2, 4, 64)
    shifts = [[block.shift for block in layer.blocks] for layer in trunk.layers]
    assert shifts == [[0, 2], [0, 2], [0, 0], [0, 0]]
    with pytest.raises(InputError, match=r"\[B, 3, 64, 64\]"):
        trunk(randn(1, 3, 32, 32))


def test_residuals_are_dropped_while_training_only():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trunk = SwinTransformer(SwinSettings(**{**vars(SMALL), "drop_path": 0.5}))
        rates = [block.drop for layer in trunk.layers for block in layer.blocks]
        assert rates == sorted(rates)
        assert (rates[0], rates[-1]) == (0, 0.5)
        image = randn(1, 3, 64, 64)
        assert not torch.equal(trunk(image).final, trunk(image).final)
        trunk.eval()
        assert torch.equal(trunk(image).final, trunk(image).final)


@pytest.mark.parametrize(
    "values", [{"image_size": 48 + 8}, {"window": 3}, {"heads": (3, 3, 3, 3)}, {"depths": (2, 2)}, {"depths": (0,) * 4}]
)
def test_impossible_sizes_are_refused(values: dict[str, object]):
    with pytest.raises(ConfigError, match="swin"):
        SwinSettings(**{**vars(SMALL), **values})


def test_cross_attention_follows_its_definition():
    layer = CrossAttention(8, 2).eval()
    shake(layer)
    query, tokens = randn(2, 3, 8), randn(2, 5, 8, seed=1)
    weight, bias = layer.multihead_attn.in_proj_weight, layer.multihead_attn.in_proj_bias
    projected = []
    for part, x in enumerate((query, tokens, tokens)):
        rows = slice(8 * part, 8 * part + 8)
        projected.append((x @ weight[rows].T + bias[rows]).unflatten(-1, (2, 4)).transpose(1, 2))
    q, k, v = projected
    mixed = ((q @ k.transpose(-1, -2)) / 2).softmax(-1) @ v
    attended = layer.multihead_attn.out_proj(mixed.transpose(1, 2).flatten(2))
    x = normalised(query + attended)
    expected = x + layer.linear2(torch.relu(layer.linear1(x)))
    torch.testing.assert_close(layer(query, tokens), expected)
    with pytest.raises(ConfigError, match="divide"):
        CrossAttention(6, 4)
