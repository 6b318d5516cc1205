from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from toolkit.errors import InputError
from toolkit.training import EngineSettings, Stepper, WeightAverage
from toolkit.training.stepping import OVERFLOWS, split_rows


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Sequential(nn.Linear(8, 8), nn.Tanh()), nn.Linear(8, 2))


def fitted(steps: int = 3, clip: float | None = None, **settings: Any) -> tuple[nn.Sequential, list[float]]:
    """A small network after some steps, and its losses."""
    net, stepper, seen = network(), Stepper(EngineSettings(**settings)), []
    stepper.prepare(net, blocks=[net[1]])
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)

    def losses(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        out = net(batch["x"])
        # small enough that the first loss scale of fp16 overflows nowhere
        return {"fit": 0.01 * (out - batch["y"]).square().mean(), "size": 0.001 * out.square().mean()}

    for step in range(steps):
        source = torch.Generator().manual_seed(step)
        batch = {"x": torch.randn(4, 3, generator=source), "y": torch.randn(4, 2, generator=source)}
        seen.append(sum(stepper.backward(losses, batch).values()))
        stepper.update(optimiser, clip)
    return net, seen


def assert_same(one: nn.Module, other: nn.Module, **tolerance: float) -> None:
    assert one.state_dict().keys() == other.state_dict().keys()
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], **tolerance)


def test_two_parts_of_two_are_one_batch_of_four() -> None:
    whole, losses = fitted()
    parts, losses_of_parts = fitted(accumulate=2)
    assert_same(parts, whole, rtol=1e-5, atol=1e-6)
    assert losses_of_parts == pytest.approx(losses, rel=1e-5)
    assert losses[-1] != losses[0]


@pytest.mark.parametrize(("precision", "kind"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_mixed_precision_computes_in_16_bits_and_keeps_weights_in_32(precision: Any, kind: torch.dtype) -> None:
    with Stepper(EngineSettings(precision=precision)).autocast():
        assert network()(torch.ones(1, 3)).dtype == kind
    mixed, losses = fitted(precision=precision)
    full, full_losses = fitted()
    assert_same(mixed, full, rtol=0.05, atol=0.02)
    assert all(value.dtype == torch.float32 for value in mixed.state_dict().values())
    assert losses == pytest.approx(full_losses, rel=0.05) and losses != full_losses


def test_a_step_that_overflows_in_fp16_is_passed_over_and_the_scale_falls() -> None:
    net, stepper = nn.Linear(1, 1), Stepper(EngineSettings(precision="fp16"))
    optimiser, before = torch.optim.SGD(net.parameters(), 0.1), net.weight.item()
    stepper.backward(lambda batch: {"loss": net(batch).sum() * 1e38}, torch.ones(1, 1))
    scale = stepper.state()["scale"]
    stepper.update(optimiser)
    assert net.weight.item() == before
    assert stepper.state()["scale"] < scale
    other = Stepper(EngineSettings(precision="fp16"))
    other.load_state(stepper.state())
    assert other.state() == stepper.state()


def test_gradients_are_clipped_by_the_norm_of_all_together() -> None:
    net, stepper = nn.Linear(2, 1, bias=False), Stepper(EngineSettings())
    before = net.weight.detach().clone()
    stepper.backward(lambda batch: {"loss": (net(batch) * 100).sum()}, torch.tensor([[3.0, 4.0]]))
    stepper.update(torch.optim.SGD(net.parameters(), 1.0), clip=1.0)
    assert torch.allclose(before - net.weight, torch.tensor([[0.6, 0.8]]), atol=1e-4)


def test_checkpointed_activations_are_computed_twice_and_give_the_same_weights() -> None:
    class Counting(nn.Tanh):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            Counting.calls += 1
            return super().forward(x)

    block = Counting()
    stepper = Stepper(EngineSettings(checkpoint_activations=True))
    stepper.prepare(block, blocks=[block])
    block(torch.ones(2, requires_grad=True)).sum().backward()
    assert Counting.calls == 2
    with torch.no_grad():
        block(torch.ones(2))
    assert Counting.calls == 3
    plain, losses = fitted()
    checkpointed, same = fitted(checkpoint_activations=True)
    assert_same(checkpointed, plain, rtol=0, atol=0)
    assert same == losses


def test_batch_norms_of_a_checkpointed_block_move_once() -> None:
    def after_a_step(**settings: Any) -> nn.Module:
        torch.manual_seed(0)
        block = nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))
        stepper = Stepper(EngineSettings(**settings))
        stepper.prepare(block, blocks=[block])
        stepper.backward(lambda batch: {"loss": block(batch).square().mean()}, torch.rand(4, 2, 3, 3))
        stepper.update(torch.optim.SGD(block.parameters(), 1.0))
        return block

    assert_same(after_a_step(checkpoint_activations=True), after_a_step(), rtol=0, atol=0)


def test_a_copy_of_a_checkpointed_network_computes_with_its_own_weights() -> None:
    net = network()
    Stepper(EngineSettings(checkpoint_activations=True)).prepare(net, blocks=[net[1]])
    average = WeightAverage(net)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    assert average.module(torch.ones(1, 3)).abs().sum() > 0
    assert not net(torch.ones(1, 3)).abs().sum() > 0


def test_compilation_is_asked_for_and_keeps_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    net = network()
    Stepper(EngineSettings()).prepare(net)
    assert compiled == []
    Stepper(EngineSettings(compile=True)).prepare(net)
    assert compiled == [net]


@pytest.mark.slow
def test_a_compiled_network_learns_the_same() -> None:
    compiled, losses = fitted(compile=True)
    assert_same(compiled, network_of(fitted()), rtol=1e-4, atol=1e-5)
    assert losses == pytest.approx(fitted()[1], rel=1e-4)
    assert copy.deepcopy(compiled)(torch.ones(1, 3)).shape == (1, 2)


def network_of(result: tuple[nn.Sequential, list[float]]) -> nn.Sequential:
    return result[0]


class Pair(NamedTuple):
    image: Tensor
    name: str


def test_every_kind_of_batch_is_cut_alike() -> None:
    rows = torch.arange(4)
    first, second = split_rows((rows, {"a": [rows, 7]}, Pair(rows, "x"), torch.tensor(3)), 2)
    assert first[0].tolist() == [0, 1] and second[1]["a"][0].tolist() == [2, 3]
    assert second[1]["a"][1] == 7 and second[2].image.tolist() == [2, 3] and second[2].name == "x"
    assert int(first[3]) == 3


def test_rows_that_cannot_be_shared_out_are_refused() -> None:
    with pytest.raises(InputError, match="a batch of 3 cannot be worked through in 2 equal parts"):
        split_rows(torch.zeros(3, 1), 2)


def test_in_fp16_an_infinite_loss_costs_its_step_and_many_in_a_row_the_training() -> None:
    stepper = Stepper(EngineSettings(precision="fp16"))
    weight = nn.Parameter(torch.ones(1))
    optimiser = torch.optim.SGD([weight], 0.1)

    def step(value: float) -> dict[str, float]:
        found = stepper.backward(lambda part: {"finite": weight.sum(), "other": weight.sum() * value}, torch.zeros(1))
        stepper.update(optimiser)
        return found

    assert step(math.inf).keys() == {"finite"}
    assert float(weight.detach()) == 1
    assert step(1.0).keys() == {"finite", "other"}
    assert float(weight.detach()) < 1
    ends = [step(math.inf).keys() for _ in range(OVERFLOWS + 1)]
    assert ends[OVERFLOWS - 1] == {"finite"}
    assert ends[-1] == {"finite", "other"}


def test_batch_statistics_are_joined_on_gpus_alone_and_the_keys_stay() -> None:
    def made() -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4), nn.PReLU()))

    net, settings = made(), EngineSettings(sync_batch_norm=True)
    with pytest.raises(InputError, match=r"^engine.sync_batch_norm works on GPUs only"):
        Stepper(settings)  # before a job makes its data
    Stepper(settings, "cuda").prepare(net)
    assert isinstance(net[1][0], nn.SyncBatchNorm)
    assert net.state_dict().keys() == made().state_dict().keys()
    Stepper(EngineSettings(), "cuda").prepare(plain := made())
    assert type(plain[1][0]) is nn.BatchNorm2d
