from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from toolkit.errors import InputError
from toolkit.losses.adversarial import discriminator_loss, discriminator_terms, generator_loss, r1_penalty


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def linear(weight: Tensor):
    return lambda x: (x.flatten(1) * weight.flatten()).sum(1, keepdim=True)


def test_losses_by_hand():
    real, fake = torch.tensor([[2.0], [0.0]]), torch.tensor([[-1.0], [1.0]])
    real_part = (math.log1p(math.exp(-2)) + math.log(2)) / 2
    fake_part = (math.log1p(math.exp(-1)) + math.log1p(math.exp(1))) / 2
    assert float(discriminator_loss(real, fake)) == pytest.approx(real_part + fake_part, rel=1e-6)
    assert float(generator_loss(fake)) == pytest.approx(fake_part, rel=1e-6)


def test_the_two_players_pull_apart():
    fake = torch.zeros(3, 1, requires_grad=True)
    (encoder,) = torch.autograd.grad(generator_loss(fake), fake)
    (discriminator,) = torch.autograd.grad(discriminator_loss(torch.zeros(3, 1), fake), fake)
    assert bool((encoder < 0).all() and (discriminator > 0).all())


def test_r1_of_a_linear_discriminator_is_its_squared_weight():
    weight = randn(2, 3, 4)
    penalty = r1_penalty(linear(weight), randn(5, 2, 3, 4, seed=1))
    assert penalty.item() == pytest.approx(float(weight.square().sum()), rel=1e-5)


def test_r1_can_be_minimised():
    weight = randn(4).requires_grad_()
    (gradient,) = torch.autograd.grad(r1_penalty(linear(weight), randn(2, 4)), weight)
    torch.testing.assert_close(gradient, 2 * weight.detach())


def test_terms_add_up_and_the_penalty_comes_on_every_sixteenth_step():
    weight = randn(6)
    real, fake = randn(3, 6, seed=1), randn(3, 6, seed=2)
    judge = linear(weight)
    adversarial = float(discriminator_loss(judge(real), judge(fake)))
    with_penalty = [step for step in range(40) if discriminator_terms(judge, real, fake, step).r1 is not None]
    assert with_penalty == [0, 16, 32]
    plain, penalised = (discriminator_terms(judge, real, fake, step) for step in (1, 16))
    assert plain.total.item() == pytest.approx(0.5 * adversarial, rel=1e-6)
    expected = 0.5 * adversarial + 10 / 2 * 16 * float(weight.square().sum())
    assert penalised.total.item() == pytest.approx(expected, rel=1e-5)
    assert discriminator_terms(judge, real, fake, 0, r1_weight=0).r1 is None


def test_a_discriminator_step_leaves_what_made_the_fakes_alone():
    judge, maker = nn.Linear(4, 1), nn.Linear(4, 4)
    terms = discriminator_terms(judge, randn(2, 4), maker(randn(2, 4, seed=1)), 0)
    terms.total.backward()
    assert maker.weight.grad is None
    assert judge.weight.grad is not None


def test_an_impossible_interval_is_refused():
    with pytest.raises(InputError, match="r1_interval"):
        discriminator_terms(linear(randn(4)), randn(2, 4), randn(2, 4), 0, r1_interval=0)
