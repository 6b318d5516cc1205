from __future__ import annotations

import pytest
import torch
from encoder_golden import TOLERANCE, build_full, load

from toolkit.encoders.training.latent_realism import LatentPool, latent_realism
from toolkit.errors import ConfigError
from toolkit.losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from toolkit_plugins.e4e.encoder import FULL_STAGE
from toolkit_plugins.e4e.objective import (
    ADVERSARIAL_WEIGHT,
    DELTA_WEIGHT,
    R1_EVERY,
    R1_GAMMA,
    delta_size,
)


def test_discriminator_losses_equal_the_published_ones():
    golden, net = load("e4e_latent_discriminator"), build_full("e4e_latent_discriminator")
    real, fake = net(golden.inputs["real_w"]), net(golden.inputs["fake_w"])
    penalty = r1_penalty(net, golden.inputs["real_w"])
    values = {
        "real_logits": real,
        "fake_logits": fake,
        "d_loss": discriminator_loss(real, fake),
        "g_loss": generator_loss(fake),
        "r1_penalty": penalty,
        "r1_scaled": penalty * R1_GAMMA / 2 * R1_EVERY,
    }
    for name, value in values.items():
        assert golden.error(name, value if value.ndim else value[None]) < TOLERANCE, name


@pytest.mark.parametrize("stage", [0, 6, 13])
def test_the_encoders_terms_equal_the_published_ones(stage: int):
    golden, net = load("e4e_latent_discriminator"), build_full("e4e_latent_discriminator")
    ws = golden.inputs["latent"]
    adversarial, delta = latent_realism(net, ws, stage), delta_size(ws, stage)
    assert golden.error(f"encoder_stage{stage}_adv", adversarial[None]) < TOLERANCE
    total = ADVERSARIAL_WEIGHT * adversarial + DELTA_WEIGHT * delta
    assert golden.error(f"encoder_stage{stage}_total", total[None]) < TOLERANCE
    if stage:
        assert golden.error(f"encoder_stage{stage}_delta", delta[None]) < TOLERANCE
    else:
        assert float(delta) == 0


def test_deltas_are_free_at_the_full_stage():
    assert float(delta_size(torch.randn(2, 5, 4), FULL_STAGE)) == 0


def test_the_penalty_reaches_the_discriminators_weights():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    r1_penalty(net, torch.randn(2, 3)).backward()
    assert float(net[0].weight.grad.abs().sum()) > 0


def test_a_pool_hands_back_the_newest_until_it_is_full_and_half_old_ones_later():
    torch.manual_seed(0)
    pool = LatentPool(50)
    first = torch.arange(50.0)[:, None, None].expand(50, 3, 2)
    assert torch.equal(pool.exchange(first), first[:, 0])
    later = 1000 + torch.arange(400.0)[:, None, None].expand(400, 3, 2)
    given = pool.exchange(later)
    newest = (given == later[:, 0]).all(dim=1)
    assert 150 < int(newest.sum()) < 250
    held = torch.stack(pool.kept)
    # Nothing is lost and nothing doubled: what came in is either out again or still there.
    everything = torch.cat([given, held])[:, 0].sort().values
    assert torch.equal(everything, torch.cat([first, later])[:, 0, 0].sort().values)


def test_a_pool_draws_the_position_too():
    torch.manual_seed(0)
    codes = torch.arange(4.0)[None, :, None].expand(40, 4, 2)
    assert set(LatentPool(50).exchange(codes)[:, 0].tolist()) == {0.0, 1.0, 2.0, 3.0}
    with pytest.raises(ConfigError, match="at least 1"):
        LatentPool(0)
