"""Discriminators of strangers: what they do wrong is refused by their name, and ends no training."""

from __future__ import annotations

import copy
import os
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.encoders.training.named_parts import open_discriminator
from toolkit.errors import PluginError
from toolkit.losses.adversarial import discriminator_terms
from toolkit.registry import Registration, default_registry
from toolkit.testing.spherical import build_spherical

Answer = Callable[[Tensor, Tensor], Any]


class Odd(nn.Module):
    """Logits of latents, which may be spoilt."""

    domain = "latents"
    answer: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Any:
        return self.net(x) if self.answer is None else self.answer(self.net(x), x)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Any]:
    """Open a stranger's discriminator that a function makes."""

    def register(make: Callable[[], Any]) -> Any:
        module = types.ModuleType("odd_discriminators")
        module.make = lambda generator, weights: make()  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "odd_discriminators", module)
        entry = Registration("discriminator", "odd", "odd_discriminators:make", "s", 1, "sx")
        monkeypatch.setitem(default_registry().registrations, ("discriminator", "odd"), entry)
        return open_discriminator("odd", build_spherical(), {}, ("latents",), "options")

    return register


def spoilt(answer: Answer) -> Odd:
    made = Odd()
    made.answer = answer
    return made


def boom(*given: Any) -> Any:
    raise KeyError("x")


def learnt(discriminator: nn.Module) -> None:
    """One step's gradients, R1 included, and those of the encoder."""
    real, fake = torch.randn(2, 3, 24, generator=torch.Generator().manual_seed(0))
    terms = discriminator_terms(discriminator, real, fake, 0, weight=1.0, r1_weight=1.0, r1_interval=1)
    terms.total.backward()
    discriminator(fake.requires_grad_()).sum().backward()
    assert fake.grad is not None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (boom, "failed: KeyError: 'x'"),
        (lambda logits, x: os._exit(0), "tried to end the program"),
        (lambda logits, x: None, "`forward` gave a NoneType"),
        (lambda logits, x: logits[:, 0], "`forward` gave [3] instead of [3, 1]"),
        (lambda logits, x: logits.mean(0, keepdim=True), "`forward` gave [1, 1] instead of [3, 1]"),
        (lambda logits, x: logits * float("nan"), "`forward` gave NaN or infinity"),
        (lambda logits, x: (logits > 0).long(), "`forward` gave a tensor of torch.int64"),
        (lambda logits, x: logits.detach(), "`forward` gave a tensor that carries no gradient"),
        (lambda logits, x: (x.detach().zero_(), logits)[1], "wrote into what `forward` was given"),
    ],
)
def test_what_gives_no_logits_is_refused_by_name(opened: Callable[..., Any], answer: Answer, told: str) -> None:
    with pytest.raises(PluginError, match=r"^discriminator 'odd' of plugin 'sx'") as caught:
        learnt(opened(lambda: spoilt(answer)))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (boom, "discriminator 'odd' of plugin 'sx' failed: KeyError"),
        (lambda: os._exit(0), "discriminator 'odd' of plugin 'sx' failed: LeavingError: it tried to end the program"),
        (lambda: None, "discriminator 'odd' makes a NoneType, not a Discriminator"),
    ],
)
def test_a_factory_that_makes_none_is_refused_by_name(opened: Callable[..., Any], make: Any, told: str) -> None:
    with pytest.raises(PluginError, match=f"^{told}"):
        opened(make)


def test_a_sound_one_learns_as_ever_and_its_copies_have_their_own_weights(opened: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    plain = Odd()
    guarded = opened(lambda: copy.deepcopy(plain))
    assert list(guarded.state_dict()) == list(plain.state_dict())
    learnt(plain), learnt(guarded)
    for one, other in zip(plain.parameters(), guarded.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None and torch.equal(one.grad, other.grad)
    x = torch.ones(2, 24)
    for twin in (copy.deepcopy(guarded), pickle.loads(pickle.dumps(guarded))):
        with torch.no_grad():
            twin.net.bias.add_(1)
        assert torch.allclose(twin(x), plain(x) + 1) and torch.equal(guarded(x), plain(x))
