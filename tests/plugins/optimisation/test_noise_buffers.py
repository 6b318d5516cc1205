from __future__ import annotations

from collections.abc import Iterator

import torch

from toolkit.testing.spherical import SphericalGenerator
from toolkit_plugins.optimisation.noise_buffers import NoiseBuffers
from toolkit_plugins.optimisation.pivotal_tuning import open_pti
from toolkit_plugins.optimisation.wplus import open_wplus


class NoisyGenerator(SphericalGenerator):
    """Adds a fixed noise to one row of its planes, as StyleGAN layers do to their features."""

    noise_const: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("noise_const", torch.zeros(32, 32))

    def noise_buffers(self) -> Iterator[tuple[str, torch.Tensor]]:
        yield "noise_const", self.noise_const

    def planes(self, ws: torch.Tensor) -> torch.Tensor:
        return super().planes(ws) + self.noise_const[:12, :24, None]


def test_white_noise_has_little_structure_and_stripes_have_much():
    generator = NoisyGenerator()
    buffers = NoiseBuffers(generator, torch.Generator().manual_seed(0))
    white = float(buffers.structure().detach())
    with torch.no_grad():
        generator.noise_const.copy_((torch.arange(32) % 2 * 2.0 - 1).expand(32, 32))
    assert float(buffers.structure().detach()) > 1.9  # neighbours multiply to -1 across and +1 down
    assert white < 0.1


def test_structure_is_summed_over_octaves_down_to_8():
    generator = NoisyGenerator()
    buffers = NoiseBuffers(generator, torch.Generator().manual_seed(0))
    with torch.no_grad():
        generator.noise_const.fill_(1.0)
    assert float(buffers.structure().detach()) == 6.0  # 32, 16 and 8; two directions each


def test_noise_is_brought_back_to_zero_mean_and_unit_size():
    generator = NoisyGenerator()
    buffers = NoiseBuffers(generator, torch.Generator().manual_seed(0))
    with torch.no_grad():
        generator.noise_const.mul_(3).add_(2)
    buffers.normalise()
    noise = buffers.values()["noise_const"]
    assert abs(float(noise.mean())) < 1e-6
    assert abs(float(noise.square().mean()) - 1) < 1e-5


def test_optimised_noise_travels_with_the_result(photo, camera):
    generator = NoisyGenerator()
    options = {"perceptual": "pyramid", "samples": 64, "steps": 3, "noise_buffers": True}
    found = open_wplus(generator, None, options).invert(photo, camera, generator)
    assert found.tuned is not None
    assert set(found.tuned) == {"noise_const"}
    with torch.no_grad():
        assert torch.equal(found.tuned_generator(generator).planes(found.ws), found.planes)
    assert float(generator.noise_const.abs().max()) == 0
    tuned = open_pti(generator, None, {**options, "tuning_steps": 2}).invert(photo, camera, generator)
    assert tuned.tuned is not None
    assert {"noise_const", "decode.weight"} <= set(tuned.tuned)
