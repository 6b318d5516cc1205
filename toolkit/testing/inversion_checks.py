"""What methods and encoders must keep; every check has a name, so that a verdict can say which one failed."""

from __future__ import annotations

import copy
import pickle
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from toolkit.interfaces import Code, Encoder, Generator, Method
from toolkit.inversion import Inversion
from toolkit.testing.probe import GeneratorProbe
from toolkit.testing.requirements import ConformanceError, require, require_close, require_equal, require_shape


class InversionProbe:
    """One view of the generator's own, and what must not change while a part works on it."""

    def __init__(self, generator: Generator) -> None:
        """Take in a generator."""
        self.generator, self.heads = generator, GeneratorProbe(generator)
        self.image = self.heads.view.image.clamp(-1, 1).clone()
        """[2, 3, S, S]: two heads from two cameras."""
        self._image = self.image.clone()
        self._label = self.heads.cameras.label.clone()
        self._weights = {name: value.clone() for name, value in self.heads.module.state_dict().items()}

    def check_untouched(self) -> None:
        """Image, camera and generator are what they were."""
        require_equal(self.image, self._image, "the caller's image")
        require_equal(self.heads.cameras.label, self._label, "the caller's camera")
        for name, value in self.heads.module.state_dict().items():
            require_equal(value, self._weights[name], f"the generator's weight {name!r}")


class MethodProbe(InversionProbe):
    """A method, its inversion of one view, and a second one of the same view."""

    def __init__(self, method: Method, generator: Generator) -> None:
        """Take in both; nothing is inverted yet."""
        super().__init__(generator)
        self.method = method

    @cached_property
    def first(self) -> Inversion:
        """The inversion of the first view."""
        return self._invert(1)

    @cached_property
    def second(self) -> Inversion:
        """Another one, with torch's global seed set to something else."""
        return self._invert(2)

    def _invert(self, seed: int) -> Inversion:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found = self.method.invert(self.image[:1], self.heads.cameras[0], self.generator)
        require(isinstance(found, Inversion), f"invert must return an Inversion, got {type(found).__name__}")
        return found


def _method_parts(probe: MethodProbe) -> None:
    require(isinstance(probe.method, Method), "a method must have invert and fingerprint")
    text = probe.method.fingerprint
    require(isinstance(text, str), f"fingerprint must be a text, got {text!r}")


def _method_shapes(probe: MethodProbe) -> None:
    spec, found = probe.heads.spec, probe.first
    require_shape(found.ws, (1, spec.latents.num_ws, spec.latents.w_dim), "the inversion's ws")
    require_shape(found.planes, (1, *spec.planes_shape), "the inversion's planes")


def _method_record(probe: MethodProbe) -> None:
    probe.first.check_generator(probe.generator)
    worlds = probe.first.world, probe.heads.spec.world
    require(worlds[0] == worlds[1], f"the inversion's world is {worlds[0]!r}, the generator's {worlds[1]!r}")
    require(bool(probe.first.method), "the inversion must name its method")


def _method_gradients(probe: MethodProbe) -> None:
    carrying = ", ".join(probe.first.with_gradients())
    advice = "invert under torch.no_grad(), or return `tensor.detach()`"
    require(not carrying, f"an inversion must carry no gradient, got {carrying} with one: {advice}")


def _method_device(probe: MethodProbe) -> None:
    _require_device(probe, probe.first.ws, "the inversion's ws")
    _require_device(probe, probe.first.planes, "the inversion's planes")


def _method_repeats(probe: MethodProbe) -> None:
    require_equal(probe.second.ws, probe.first.ws, "ws of the same image inverted twice")
    require_equal(probe.second.planes, probe.first.planes, "planes of the same image inverted twice")


def _method_untouched(probe: MethodProbe) -> None:
    _ = probe.first
    probe.check_untouched()


def _method_saves(probe: MethodProbe) -> None:
    with tempfile.TemporaryDirectory() as folder:
        probe.first.save(Path(folder) / "inversion")
        loaded = Inversion.load(Path(folder) / "inversion")
    require_equal(loaded.ws, probe.first.ws.cpu(), "ws of an inversion that was saved and loaded")
    require_equal(loaded.planes, probe.first.planes.cpu(), "planes of an inversion that was saved and loaded")


def _method_pickles(probe: MethodProbe) -> None:
    loaded = _pickled(probe.first, "the inversion")  # it goes from a worker to the benchmark
    require_equal(loaded.ws, probe.first.ws, "ws of an inversion that was pickled")


def _method_renders(probe: MethodProbe) -> None:
    side = probe.heads.spec.image_size
    require_shape(probe.first.render(probe.generator).image, (1, 3, side, side), "the inversion's view")


MethodCheck = Callable[[MethodProbe], None]
METHOD_CHECKS: dict[str, MethodCheck] = {
    "has_its_parts": _method_parts,
    "shapes": _method_shapes,
    "names_method_and_generator": _method_record,
    "carries_no_gradient": _method_gradients,
    "device": _method_device,
    "repeats_itself": _method_repeats,
    "image_and_generator_untouched": _method_untouched,
    "saves_and_loads": _method_saves,
    "pickles": _method_pickles,
    "renders": _method_renders,
}
"""What every method must pass."""


class EncoderProbe(InversionProbe):
    """An encoder and what it makes of two views."""

    def __init__(self, encoder: Encoder, generator: Generator) -> None:
        """Take in both; nothing is encoded yet."""
        super().__init__(generator)
        self.encoder = encoder
        if isinstance(encoder, torch.nn.Module):
            encoder.eval()

    @cached_property
    def code(self) -> Code:
        """Of both views together."""
        return self.encode()

    @torch.no_grad()
    def encode(self, which: slice = slice(None), encoder: Encoder | None = None) -> Code:
        """The code of some of the views."""
        chosen = self.encoder if encoder is None else encoder
        return chosen.encode(self.image[which], self.heads.cameras[which], self.generator)


def _encoder_parts(probe: EncoderProbe) -> None:
    require(isinstance(probe.encoder, Encoder), "an encoder must have encode")
    require(isinstance(probe.encoder, torch.nn.Module), "an encoder must be a torch.nn.Module")


def _encoder_shapes(probe: EncoderProbe) -> None:
    latents, heads = probe.heads.spec.latents, probe.image.shape[0]
    require_shape(probe.code.ws, (heads, latents.num_ws, latents.w_dim), "the code's ws")
    require_shape(probe.code.planes, (heads, *probe.heads.spec.planes_shape), "the code's planes")
    parameters = dict(cast(torch.nn.Module, probe.generator).named_parameters())
    for name, change in (probe.code.tuned or {}).items():
        require(name in parameters, f"the code changes {name!r}, which is no parameter of the generator")
        require_shape(change, (heads, *parameters[name].shape), f"the code's change of {name!r}")


def _encoder_device(probe: EncoderProbe) -> None:
    _require_device(probe, probe.code.ws, "the code's ws")
    _require_device(probe, probe.code.planes, "the code's planes")


def _encoder_repeats(probe: EncoderProbe) -> None:
    again = probe.encode()
    require_equal(again.ws, probe.code.ws, "ws of the same images encoded twice")
    require_equal(again.planes, probe.code.planes, "planes of the same images encoded twice")


def _encoder_alone(probe: EncoderProbe) -> None:
    alone = probe.encode(slice(1, None))
    require_close(alone.ws, probe.code.ws[1:], "ws of one image of a batch alone", 2e-3)
    require_close(alone.planes, probe.code.planes[1:], "planes of one image of a batch alone", 2e-3)


def _encoder_untouched(probe: EncoderProbe) -> None:
    _ = probe.code
    probe.check_untouched()


def _encoder_gradients(probe: EncoderProbe) -> None:
    """A loss on codes or planes reaches a weight: the same object is trained."""
    twin = copy.deepcopy(cast(Any, probe.encoder)).requires_grad_(True)
    weights = list(twin.parameters())
    require(bool(weights), "an encoder must have weights")
    code = twin.encode(probe.image[:1], probe.heads.cameras[0], probe.generator)
    loss = code.ws.square().sum() + code.planes.square().sum()
    require(loss.requires_grad, "no gradient reaches the encoder's weights")
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    reached = any(one is not None and bool(one.abs().sum() > 0) for one in found)
    require(reached, "no gradient reaches the encoder's weights")


def _encoder_copies(probe: EncoderProbe) -> None:
    twin = _pickled(probe.encoder, "the encoder")
    require_equal(probe.encode(encoder=twin).ws, probe.code.ws, "ws of a pickled encoder")


def _encoder_state(probe: EncoderProbe) -> None:
    twin = copy.deepcopy(cast(Any, probe.encoder))
    kept = {name: value.clone() for name, value in twin.state_dict().items()}
    with torch.no_grad():
        for value in twin.parameters():
            value.zero_()
    twin.load_state_dict(kept)
    require_equal(probe.encode(encoder=twin).ws, probe.code.ws, "ws of an encoder whose weights were saved and loaded")


EncoderCheck = Callable[[EncoderProbe], None]
ENCODER_CHECKS: dict[str, EncoderCheck] = {
    "has_its_parts": _encoder_parts,
    "shapes": _encoder_shapes,
    "device": _encoder_device,
    "repeats_itself": _encoder_repeats,
    "treats_images_alone": _encoder_alone,
    "image_and_generator_untouched": _encoder_untouched,
    "gradients": _encoder_gradients,
    "pickles": _encoder_copies,
    "saves_and_loads": _encoder_state,
}
"""What every encoder must pass."""


def check_method(method: Method, generator: Generator) -> None:
    """A method inverts one of the generator's own views, twice alike, and leaves image and generator as they were."""
    probe = MethodProbe(method, generator)
    for check in METHOD_CHECKS.values():
        check(probe)


def check_encoder(encoder: Encoder, generator: Generator) -> None:
    """An encoder is pure in eval mode, treats every image of a batch alone, and can be trained and saved."""
    probe = EncoderProbe(encoder, generator)
    for check in ENCODER_CHECKS.values():
        check(probe)


def _require_device(probe: InversionProbe, tensor: Tensor, what: str) -> None:
    wanted = probe.heads.device
    require(tensor.device == wanted, f"{what} must be on {wanted}, the generator's device, got {tensor.device}")


def _pickled(thing: Any, what: str) -> Any:
    try:
        return pickle.loads(pickle.dumps(thing))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConformanceError(f"{what} cannot be pickled: {error}") from error
