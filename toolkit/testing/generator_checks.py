"""What every generator must keep, one property per function; each raises `ConformanceError`."""

from __future__ import annotations

import copy
import math
import pickle

import torch

from toolkit.camera import Camera
from toolkit.interfaces import Generator
from toolkit.testing.probe import HEADS, GeneratorProbe
from toolkit.testing.requirements import ConformanceError, refusal, require, require_close, require_equal, require_shape

WORLDS = ("embedded", "full", "untrained")


def check_is_a_module_in_eval_mode(probe: GeneratorProbe) -> None:
    """The generator is a torch module with parameters, ready for inference."""
    require(isinstance(probe.generator, torch.nn.Module), "a generator must be a torch.nn.Module")
    require(
        isinstance(probe.generator, Generator), "a generator must have spec, device, mapping, planes, render and query"
    )
    require(next(probe.module.parameters(), None) is not None, "a generator must have parameters")
    require(not probe.module.training, "a generator must be built in eval mode")
    where = {parameter.device for parameter in probe.module.parameters()}
    require(where == {probe.device}, f"device must be where the parameters are, got {probe.device} for {where}")


def check_spec_is_complete(probe: GeneratorProbe) -> None:
    """Sizes are positive, the identity is a sha256, colours and points have three numbers."""
    spec = probe.spec
    require(bool(spec.name), "spec.name must not be empty")
    for name in ("image_size", "raw_size", "box", "surface_level", "truncation"):
        value = getattr(spec, name)
        require(math.isfinite(value) and value > 0, f"spec.{name} must be positive, got {value}")
    require(min(spec.latents) > 0, f"spec.latents must be positive, got {spec.latents}")
    require(len(spec.visible_half_extent) == 3 and min(spec.visible_half_extent) > 0, "spec.visible_half_extent")
    require(max(spec.visible_half_extent) <= spec.box, "spec.visible_half_extent must lie in the box")
    require(len(spec.front_camera) == 1, f"spec.front_camera must be one camera, got {len(spec.front_camera)}")
    spec.front_camera.checked("spec.front_camera")
    digits = set(spec.fingerprint) <= set("0123456789abcdef")
    require(len(spec.fingerprint) == 64 and digits, f"spec.fingerprint must be a sha256, got {spec.fingerprint!r}")
    require(spec.world in WORLDS, f"spec.world must be one of {', '.join(WORLDS)}, got {spec.world!r}")
    require(len(spec.face_points) in (0, 5), f"spec.face_points must be five points, got {len(spec.face_points)}")
    require(spec.background is None or all(-1 <= value <= 1 for value in spec.background), "spec.background: -1..1")


def check_mapping(probe: GeneratorProbe) -> None:
    """Mapping has the spec's shape, repeats itself, and treats every head alone."""
    generator, latents = probe.generator, probe.spec.latents
    ws = probe.ws
    require_shape(ws, (HEADS, latents.num_ws, latents.w_dim), "ws")
    with torch.no_grad():
        again = generator.mapping(probe.z, probe.front, probe.spec.truncation)
        alone = generator.mapping(probe.z[1:], probe.front[1], probe.spec.truncation)
    require_equal(again, ws, "mapping the same z twice")
    require_close(alone, ws[1:], "mapping one z of a batch alone", 1e-4)
    require(not torch.equal(ws[0], ws[1]), "mapping gives every z the same ws")


def check_truncation(probe: GeneratorProbe) -> None:
    """Truncation 0 gives every z the same ws, and a cutoff of 0 truncates nothing."""
    generator = probe.generator
    with torch.no_grad():
        none = generator.mapping(probe.z, probe.front, 1.0)
        full = generator.mapping(probe.z, probe.front, 0.0)
        uncut = generator.mapping(probe.z, probe.front, 0.0, truncation_cutoff=0)
        one = generator.mapping(probe.z, probe.front, 0.0, truncation_cutoff=1)
    require_close(full[0], full[1], "ws of two z at truncation 0", 1e-6)
    require_close(uncut, none, "ws with truncation_cutoff 0 against truncation 1", 1e-6)
    require_close(one[:, 0], full[:, 0], "the first w with truncation_cutoff 1", 1e-6)
    require_close(one[:, 1:], none[:, 1:], "the other w with truncation_cutoff 1", 1e-6)


def check_planes(probe: GeneratorProbe) -> None:
    """Planes have the spec's shape, repeat themselves, and treat every head alone."""
    planes = probe.planes
    require_shape(planes, (HEADS, *probe.spec.planes_shape), "planes")
    with torch.no_grad():
        require_equal(probe.generator.planes(probe.ws), planes, "planes of the same ws twice")
        require_close(probe.generator.planes(probe.ws[1:]), planes[1:], "planes of one head of a batch alone")


def check_render_shapes_and_ranges(probe: GeneratorProbe) -> None:
    """A view has the spec's sizes at the default ray grid and at another, finite, in sensible ranges."""
    for view, side in ((probe.view, probe.spec.raw_size), (probe.small_view, probe.small)):
        size = probe.spec.image_size
        require_shape(view.image, (HEADS, 3, size, size), f"image at resolution {side}")
        require_shape(view.raw, (HEADS, 3, side, side), f"raw at resolution {side}")
        require_shape(view.depth, (HEADS, 1, side, side), f"depth at resolution {side}")
        require_shape(view.mask, (HEADS, 1, side, side), f"mask at resolution {side}")
        require(float(view.mask.min()) >= -0.01 and float(view.mask.max()) <= 1.01, "mask must lie in 0..1")
        require(float(view.depth.min()) > 0, "depth must be positive")
        farthest = probe.spec.orbit.radius + 2 * probe.spec.box
        require(float(view.depth.max()) <= farthest, f"depth must be in world units, at most about {farthest:.3g}")


def check_render_repeats_itself(probe: GeneratorProbe) -> None:
    """Rendering is deterministic, whatever torch's global random state, and leaves that state alone."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(12345)
        state = torch.get_rng_state()
        again = probe.generator.render(probe.planes, probe.ws, probe.cameras, probe.small)
        require(
            bool(torch.equal(state, torch.get_rng_state())), "render must not draw from torch's global random state"
        )
    for name, first, second in zip(again._fields, again, probe.small_view, strict=True):
        require_equal(first, second, f"{name} of the same view twice")


def check_render_treats_heads_alone(probe: GeneratorProbe) -> None:
    """A head of a batch looks as it does alone; depth on rays without weight may differ."""
    with torch.no_grad():
        alone = probe.generator.render(probe.planes[1:], probe.ws[1:], probe.cameras[1], probe.small)
    both = probe.small_view
    for name in ("image", "raw", "mask"):
        require_close(getattr(alone, name), getattr(both, name)[1:], f"{name} of one head of a batch alone", 2e-3)
    solid = both.mask[1:] > 0.9
    require_close(alone.depth[solid], both.depth[1:][solid], "depth of one head of a batch alone, where it is solid")


def check_camera_forms(probe: GeneratorProbe) -> None:
    """A `Camera` and a [B, 25] tensor mean the same, one camera serves a batch, and no camera is changed."""
    labels = probe.cameras.label.clone()
    with torch.no_grad():
        by_tensor = probe.generator.render(probe.planes, probe.ws, labels, probe.small)
        ws = probe.generator.mapping(probe.z, probe.front.label.clone(), probe.spec.truncation)
        one = probe.generator.render(probe.planes, probe.ws, probe.cameras[1], probe.small)
    require_equal(by_tensor.image, probe.small_view.image, "image from a [B, 25] tensor against a Camera's")
    require_equal(ws, probe.ws, "ws from a [B, 25] tensor against a Camera's")
    require_equal(labels, probe.cameras.label, "the caller's camera after render")
    require_close(one.raw[1], probe.small_view.raw[1], "raw image with one camera for the batch", 2e-3)
    with refusal("a camera label of 24 numbers"):
        probe.generator.render(probe.planes, probe.ws, labels[:, :24], probe.small)
    with refusal("three cameras for two heads"):
        probe.generator.render(probe.planes, probe.ws, labels[:1].repeat(3, 1), probe.small)


def check_arguments_are_not_changed(probe: GeneratorProbe) -> None:
    """Rendering and querying change neither planes, ws nor points."""
    planes, ws, points = probe.planes.clone(), probe.ws.clone(), probe.points.clone()
    with torch.no_grad():
        probe.generator.render(planes, ws, probe.cameras, probe.small)
        probe.generator.query(planes, points)
    require_equal(planes, probe.planes, "the caller's planes")
    require_equal(ws, probe.ws, "the caller's ws")
    require_equal(points, probe.points, "the caller's points")


def check_background(probe: GeneratorProbe) -> None:
    """Rays that meet nothing show the background colour that the spec names."""
    if probe.spec.background is None:
        return
    empty = (probe.view.mask < 1e-3).expand_as(probe.view.raw)
    colour = torch.tensor(probe.spec.background).to(probe.view.raw).reshape(1, 3, 1, 1).expand_as(probe.view.raw)
    require_close(
        probe.view.raw[empty], colour[empty], "raw image where the mask is empty, against spec.background", 0.05
    )


def check_view_depends_on_camera_and_head(probe: GeneratorProbe) -> None:
    """Another camera and another head give another image."""
    with torch.no_grad():
        turned = probe.generator.render(probe.planes[:1], probe.ws[:1], probe.cameras[1], probe.small).image
        other = probe.generator.render(probe.planes[1:], probe.ws[1:], probe.cameras[0], probe.small).image
    first = probe.small_view.image[:1]
    require(not torch.allclose(turned, first, atol=1e-5), "the image does not depend on the camera")
    require(not torch.allclose(other, first, atol=1e-5), "the image does not depend on the head")


def check_gradients(probe: GeneratorProbe) -> None:
    """Gradients of a view reach ws, planes and weights, finite and not all zero."""
    generator = probe.generator
    wanted = [p.requires_grad for p in probe.module.parameters()]
    try:
        probe.module.requires_grad_(True)
        ws = probe.ws[:1].clone().requires_grad_()
        planes = generator.planes(ws)
        view = generator.render(planes, ws, probe.cameras[0], probe.small)
        loss = view.image.square().mean() + view.mask.mean() + view.raw.square().mean()
        weights = list(probe.module.parameters())
        found = torch.autograd.grad(loss, [ws, planes, *weights], allow_unused=True)
    finally:
        for parameter, want in zip(probe.module.parameters(), wanted, strict=True):
            parameter.requires_grad_(want)
    for name, gradient in (("ws", found[0]), ("planes", found[1])):
        require(gradient is not None and bool(gradient.abs().sum() > 0), f"no gradient reaches {name}")
    reached = [gradient for gradient in found if gradient is not None]
    require(len(reached) > 2, "no gradient reaches the weights")
    require(all(bool(torch.isfinite(gradient).all()) for gradient in reached), "a gradient holds NaN or infinity")


def check_query(probe: GeneratorProbe) -> None:
    """Query reads every point alone, gives finite values far outside, and finite gradients in awkward places."""
    generator, points = probe.generator, probe.points
    with torch.no_grad():
        read = generator.query(probe.planes, points)
        backwards = generator.query(probe.planes, points.flip(1))
        alone = generator.query(probe.planes[1:], points[1:])
        far = generator.query(probe.planes, points * 1e3)
    require_shape(read.density, (*points.shape[:2], 1), "density")
    require_shape(read.features, (*points.shape[:2], read.features.shape[-1]), "features")
    require_close(backwards.density.flip(1), read.density, "density of the points in another order", 1e-4)
    require_close(alone.density, read.density[1:], "density of one head of a batch alone", 1e-4)
    require_close(alone.features, read.features[1:], "features of one head of a batch alone", 1e-4)
    require(bool(torch.isfinite(far.density).all()), "density far outside the box holds NaN or infinity")
    require(bool(torch.isfinite(far.features).all()), "features far outside the box hold NaN or infinity")
    reach = 0.3 * probe.spec.box
    axes = torch.cat([torch.zeros(1, 3), reach * torch.eye(3), -reach * torch.eye(3)]).to(points)
    awkward = axes.expand(HEADS, -1, -1).clone().requires_grad_()
    (slope,) = torch.autograd.grad(generator.query(probe.planes, awkward).density.sum(), awkward)
    require(bool(torch.isfinite(slope).all()), "the gradient of density at the origin or on an axis is not finite")


def check_copies(probe: GeneratorProbe) -> None:
    """A deep copy, and a copy that loads the state dict, are the same generator: fingerprint and planes."""
    twin = copy.deepcopy(probe.generator)
    require(twin.spec.fingerprint == probe.spec.fingerprint, "a deep copy has another fingerprint")
    state = {name: tensor.clone() for name, tensor in probe.module.state_dict().items()}
    with torch.no_grad():
        for parameter in GeneratorProbe(twin).module.parameters():
            parameter.zero_()
        require_equal(probe.generator.planes(probe.ws), probe.planes, "planes after a deep copy's weights were changed")
        GeneratorProbe(twin).module.load_state_dict(state)
        require_equal(twin.planes(probe.ws), probe.planes, "planes after loading the state dict")
    require(twin.spec.fingerprint == probe.spec.fingerprint, "loading the state dict changed the fingerprint")


def check_pickles(probe: GeneratorProbe) -> None:
    """A pickled generator is the same one: inversions of tuned generators go from one process to another."""
    try:
        twin = pickle.loads(pickle.dumps(probe.generator))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConformanceError(f"the generator cannot be pickled: {error}") from error
    require(twin.spec.fingerprint == probe.spec.fingerprint, "a pickled generator has another fingerprint")
    with torch.no_grad():
        require_equal(twin.planes(probe.ws), probe.planes, "planes of a pickled generator")


def check_conditioning_camera(probe: GeneratorProbe) -> None:
    """The conditioning camera is a `Camera` that mapping accepts as it is."""
    require(isinstance(probe.spec.front_camera, Camera), "spec.front_camera must be a Camera")
    with torch.no_grad():
        ws = probe.generator.mapping(probe.z, probe.spec.front_camera, probe.spec.truncation)
    require_equal(ws, probe.ws, "ws under spec.front_camera, given once for the batch")
