"""Methods of strangers: what they write into, change, return, print, and how they end costs nobody else anything."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import toolkit.registry
from toolkit.camera import Camera
from toolkit.containment import stdout_caught, stdout_to_stderr
from toolkit.errors import KilledError, OverTimeError, PluginError
from toolkit.inversion import Inversion, identity_of
from toolkit.isolation import method as isolated
from toolkit.isolation.guard import GeneratorSource, MethodRequest, guarded_inversion, open_method
from toolkit.isolation.messages import ForeignError, InversionRequest
from toolkit.isolation.method import IsolatedMethod
from toolkit.isolation.watch import GeneratorWatch
from toolkit.process_settings import SETTINGS
from toolkit.registry import Registration, Registry
from toolkit.testing.spherical import SphericalGenerator, build_spherical

IMAGE = torch.zeros(1, 3, 48, 48)


def sound(generator: SphericalGenerator, camera: Camera, **changes: Any) -> Inversion:
    ws = torch.zeros(1, generator.spec.latents.num_ws, generator.spec.latents.w_dim)
    with torch.no_grad():
        planes = generator.planes(ws)
    made = {"ws": ws, "planes": planes, "camera": camera, "method": "strange", **identity_of(generator.spec)}
    return Inversion(**{**made, **changes})


class Strange:
    """Does something, and returns something."""

    fingerprint = ""

    def __init__(self, does: Callable[..., object], returns: Callable[[Inversion], object] = lambda found: found):
        self.does, self.returns = does, returns

    def invert(self, image: Tensor, camera: Camera, generator: SphericalGenerator) -> object:
        self.does(image, camera, generator)
        return self.returns(sound(generator, camera))


def request(image: Tensor, seed: int | None = None) -> InversionRequest:
    return InversionRequest("strange", image, Camera.orbit(0.2), seed)


def invert(method: Strange, generator: SphericalGenerator, image: Tensor = IMAGE) -> tuple[Inversion, list[str]]:
    undone: list[str] = []
    made = guarded_inversion(method, request(image), generator, undone=undone)
    return made.inversion, undone


def scale_weights(image: Tensor, camera: Camera, generator: SphericalGenerator) -> None:
    for parameter in generator.parameters():
        parameter.data.mul_(1.5)


def replace_weights(image: Tensor, camera: Camera, generator: SphericalGenerator) -> None:
    for module in generator.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                module._parameters[name] = torch.nn.Parameter(parameter * 2)


def hook(image: Tensor, camera: Camera, generator: SphericalGenerator) -> None:
    generator.register_forward_hook(lambda *_: None)


def hide_render(image: Tensor, camera: Camera, generator: SphericalGenerator) -> None:
    generator.render = None  # type: ignore[method-assign, assignment]
    generator.render = lambda *_: None  # type: ignore[method-assign, assignment, return-value]


@pytest.mark.parametrize(
    ("does", "named"),
    [
        (scale_weights, "weights of the generator"),
        (replace_weights, "weights of the generator"),
        (lambda i, c, g: g.register_buffer("more", torch.ones(2)), "weights of the generator (more)"),
        (lambda i, c, g: g.half(), "weights of the generator"),
        (lambda i, c, g: g.to("meta"), "weights of the generator"),
        (lambda i, c, g: next(g.parameters()).data.fill_(float("nan")), "weights of the generator"),
        (lambda i, c, g: g.train(), "settings of the generator (training)"),
        (hook, "_forward_hooks"),
        (hide_render, "settings of the generator (render)"),
        (lambda i, c, g: torch.set_default_dtype(torch.float64), "torch's default dtype"),
        (lambda i, c, g: torch.set_grad_enabled(False), "whether torch records gradients"),
        (lambda i, c, g: torch.use_deterministic_algorithms(True), "whether torch is deterministic"),
        (lambda i, c, g: os.chdir("/"), "the working directory"),
        (lambda i, c, g: os.environ.update(SOMETHING_ELSE="1"), "environment variables"),
        (lambda i, c, g: setattr(sys, "stdout", None), "sys.stdout"),
    ],
)
def test_what_a_method_changed_is_put_back_and_named(does: Callable[..., object], named: str):
    generator = build_spherical()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    where, environment, out, watch = os.getcwd(), dict(os.environ), sys.stdout, GeneratorWatch(generator)
    undone: list[str] = []
    method = Strange(lambda *_: None, lambda found: (does(IMAGE, found.camera, generator), found)[1])
    guarded_inversion(method, request(IMAGE), generator, watch, undone)
    assert any(named in each for each in undone), undone
    after = generator.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)
    assert not generator.training and not generator._forward_hooks and "render" not in generator.__dict__
    assert (os.getcwd(), sys.stdout) == (where, out)
    assert SETTINGS["environment variables"].same(dict(os.environ), environment)  # but for what torch's modules add
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    assert watch.undo() == []


def test_a_method_that_changes_weights_and_fails_leaves_none_changed():
    generator = build_spherical()
    watch = GeneratorWatch(generator)

    def spoil(image: Tensor, camera: Camera, generator: SphericalGenerator) -> None:
        scale_weights(image, camera, generator)
        raise RuntimeError("and fails")

    undone: list[str] = []
    with pytest.raises(RuntimeError, match="and fails"):
        guarded_inversion(Strange(spoil), request(IMAGE), generator, watch, undone)
    assert "weights" in undone[0] and watch.undo() == []


def test_picture_and_camera_are_copies(spherical: SphericalGenerator):
    image, camera = torch.zeros(1, 3, 48, 48), Camera.orbit(0.2)
    label = camera.label.clone()

    def paint(image: Tensor, camera: Camera, generator: SphericalGenerator) -> None:
        image.fill_(1)
        camera.label.zero_()

    guarded_inversion(Strange(paint, lambda found: found), InversionRequest("strange", image, camera), spherical)
    assert not image.any() and torch.equal(camera.label, label)


def test_a_sound_method_is_blamed_for_nothing_and_may_draw_random_numbers(spherical: SphericalGenerator):
    state = torch.get_rng_state()
    _, undone = invert(Strange(lambda i, c, g: torch.rand(3)), spherical)
    assert undone == []
    torch.set_rng_state(state)


def changed(**fields: Any) -> Callable[[Inversion], Inversion]:
    def change(found: Inversion) -> Inversion:
        for name, value in fields.items():
            setattr(found, name, value(getattr(found, name)) if callable(value) else value)
        return found

    return change


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        (lambda found: None, "returned no Inversion, but NoneType"),
        (lambda found: {"ws": found.ws}, "returned no Inversion, but dict"),
        (lambda found: (found.ws, found.planes), "returned no Inversion, but tuple"),
        (changed(ws=lambda ws: ws[:, :1]), "returned ws"),
        (changed(planes=lambda planes: planes[..., :-1]), "planes"),
        (changed(ws=lambda ws: ws.repeat(2, 1, 1), planes=lambda planes: torch.cat([planes, planes])), "returned ws"),
        (changed(ws=lambda ws: ws.numpy()), "not a dense floating-point tensor"),
        (changed(ws=lambda ws: ws.long()), "not a dense floating-point tensor"),
        (changed(ws=lambda ws: ws * float("nan")), "NaN"),
        (changed(method="pti"), "an inversion of the method 'pti'"),
        (changed(generator="another"), "does not fit"),
        (changed(fingerprint="0" * 64), "does not fit"),
        (changed(extra=3), "no dictionary of tensors"),
        (changed(tuned={"a": 3}), "no dictionary of tensors"),
        (changed(provenance=[]), "no dictionary"),
        (changed(camera=None), "a camera that is none"),
    ],
)
def test_what_is_no_inversion_is_refused_by_name(
    spherical: SphericalGenerator, returns: Callable[[Inversion], object], message: str
):
    with pytest.raises(PluginError, match="'strange'") as caught:
        invert(Strange(lambda *_: None, returns), spherical)
    assert message in str(caught.value)


def leaf(tensor: Tensor) -> Tensor:
    return tensor.clone().requires_grad_()


@pytest.mark.parametrize(
    ("returns", "named"),
    [
        (changed(ws=leaf), "ws"),
        (changed(ws=lambda ws: leaf(ws) * 2), "ws"),
        (changed(planes=leaf), "planes"),
        (changed(ws=leaf, planes=leaf), "ws, planes"),
        (changed(camera=lambda camera: Camera.from_label(leaf(camera.label))), "camera"),
        (changed(tuned={"weight": torch.nn.Parameter(torch.ones(2))}), "tuned.weight"),
        (changed(extra=lambda extra: {"more": leaf(torch.ones(2)) + 1}), "extra.more"),
        (changed(options={"rate": [leaf(torch.ones(()))]}), "options.rate"),
        (changed(provenance={"loss": {"last": leaf(torch.ones(()))}}), "provenance.loss"),
        (changed(extra={str(i): leaf(torch.ones(1)) for i in range(5)}), "extra.0, extra.1, extra.2 and 2 more"),
    ],
)
def test_a_result_with_gradients_is_refused_with_what_to_do(
    spherical: SphericalGenerator, returns: Callable[[Inversion], object], named: str
):
    with pytest.raises(PluginError, match="'strange'") as caught:
        invert(Strange(lambda *_: None, returns), spherical)
    assert f"returned tensors with gradients ({named}): invert under torch.no_grad()" in str(caught.value)


def test_tensors_of_a_result_are_its_own(spherical: SphericalGenerator):
    kept: list[Inversion] = []
    found, _ = invert(Strange(lambda *_: None, lambda found: (kept.append(found), found)[1]), spherical)
    kept[0].planes.fill_(7)
    kept[0].ws.fill_(7)
    assert not (found.planes == 7).all() and not (found.ws == 7).all()


STRANGERS = """
import ctypes, os, signal, subprocess, time
import torch
from toolkit.inversion import Inversion, identity_of

class Method:
    fingerprint = "stranger"
    def __init__(self, generator, weights, options):
        self.what = options["what"]
        if self.what == "leaves while built":
            os._exit(5)
    def invert(self, image, camera, generator):
        what = self.what
        if what == "leaves": os._exit(0)
        if what == "exits": raise SystemExit(3)
        if what == "aborts": os.abort()
        if what == "crashes": ctypes.string_at(0)
        if what == "is killed": os.kill(os.getpid(), signal.SIGKILL)
        if what == "raises": raise KeyError("oh\\nno")
        if what == "prints": print("hello"); os.write(1, b"raw\\n"); subprocess.run(["echo", "child"])
        while what == "loops":
            try: time.sleep(0.01)
            except BaseException: pass
        if what == "waits in C": ctypes.PyDLL(None).pause()
        identity = identity_of(generator.spec)
        if what == "weights":
            with torch.no_grad():
                for each in generator.parameters(): each.mul_(2)
        ws = torch.randn(1, generator.spec.latents.num_ws, generator.spec.latents.w_dim)
        with torch.no_grad():
            planes = generator.planes(ws)
        return Inversion(ws=ws, planes=planes, camera=camera, method="stranger", **identity)
"""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., IsolatedMethod]:
    """Opens a stranger's method, which lies in a module of its own."""
    (tmp_path / "strangers_module.py").write_text(textwrap.dedent(STRANGERS))
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry()
    entry = Registration("method", "stranger", "strangers_module:Method", "", 1, "strangers-plugin")
    made_by = Registration("generator", "round", "toolkit.testing.spherical:build_spherical", "", 1, "testing")
    registry.registrations |= {("method", "stranger"): entry, ("generator", "round"): made_by}
    monkeypatch.setattr(toolkit.registry, "default_registry", lambda: registry)
    monkeypatch.setattr("toolkit.isolation.guard.default_registry", lambda: registry)
    opened: list[IsolatedMethod] = []

    def open_it(what: str, time_limit: float | None = None, said: list[str] | None = None) -> IsolatedMethod:
        generator = build_spherical()
        note = (lambda text: None) if said is None else said.append
        request = MethodRequest("stranger", GeneratorSource("round"), None, {"what": what}, time_limit, note)
        method = open_method(request, generator, GeneratorWatch(generator), [])
        assert isinstance(method, IsolatedMethod)
        opened.append(method)
        return method

    yield open_it
    for method in opened:
        method.close()


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        ("leaves", PluginError, "ended its process (exit code 0)"),
        ("exits", ForeignError, "SystemExit: 3"),
        ("aborts", PluginError, "crashed its process (SIGABRT)"),
        ("crashes", PluginError, "crashed its process (SIGSEGV)"),
        ("is killed", KilledError, "SIGKILL"),
        ("raises", ForeignError, "KeyError"),
    ],
)
def test_however_a_stranger_ends_its_process_it_costs_one_inversion(
    stranger: Callable[..., IsolatedMethod], spherical: SphericalGenerator, what: str, kind: type, message: str
):
    method = stranger(what)
    with pytest.raises(kind) as caught:
        method.make(request(IMAGE, 1), spherical)
    assert message in str(caught.value)
    if kind is not ForeignError:
        assert "'stranger' of the plugin 'strangers-plugin'" in str(caught.value)


@pytest.mark.parametrize("what", ["loops", "waits in C"])
def test_an_endless_loop_ends_at_its_limit(
    stranger: Callable[..., IsolatedMethod], spherical: SphericalGenerator, what: str
):
    method, started = stranger(what, 0.5), time.monotonic()
    with pytest.raises(OverTimeError, match=r"limit of 0\.5 s"):
        method.make(request(IMAGE, 1), spherical)
    assert time.monotonic() - started < 60
    assert method._child is None


def test_a_factory_that_ends_its_process_is_named(stranger: Callable[..., IsolatedMethod]):
    with pytest.raises(PluginError, match=r"'strangers-plugin' ended its process \(exit code 5\)"):
        stranger("leaves while built")


def test_a_stranger_inverts_as_here_repeatably_and_its_prints_and_changes_are_told(
    stranger: Callable[..., IsolatedMethod], spherical: SphericalGenerator, capfd: pytest.CaptureFixture[str]
):
    said: list[str] = []
    method = stranger("prints", said=said)
    first = method.make(request(IMAGE, 1), spherical).inversion
    second = method.make(request(IMAGE, 1), spherical).inversion
    assert torch.equal(first.ws, second.ws) and method.fingerprint == "stranger"
    assert not torch.equal(first.ws, method.make(request(IMAGE, 2), spherical).inversion.ws)
    with torch.no_grad():
        assert torch.equal(first.planes, spherical.planes(first.ws))
    method.close()
    assert [line.rpartition(": ")[2] for line in said][:3] == ["hello", "raw", "child"]
    assert all("'strangers-plugin' prints: " in line for line in said)
    assert capfd.readouterr().out == ""


def test_a_stranger_cannot_touch_this_process_generator_and_its_own_is_put_back(
    stranger: Callable[..., IsolatedMethod], spherical: SphericalGenerator
):
    method, undone = stranger("weights"), list[str]()
    first = method.make(request(IMAGE, 1), spherical, undone).inversion
    second = method.make(request(IMAGE, 1), spherical).inversion
    assert "weights of the generator" in undone[0] and torch.equal(first.planes, second.planes)


def test_stdout_is_for_results_whoever_writes_to_it(capfd: pytest.CaptureFixture[str]):
    with stdout_to_stderr():
        print("from python")
        os.write(1, b"from the system\n")
        ctypes.CDLL(None).puts(b"from C")
    print("a result")
    out, err = capfd.readouterr()
    assert out == "a result\n"
    assert {"from python", "from the system", "from C"} <= set(err.splitlines())


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (lambda: os._exit(3), "tried to end the program"),
        (lambda: os.abort(), "tried to end the program"),
        (lambda: sys.exit("no"), "SystemExit: no"),
        (lambda: exec("while True: pass"), "took longer than 0.3 s to load"),
    ],
)
def test_a_plugin_that_ends_or_never_ends_while_it_is_imported_is_kept_out(
    load: Callable[[], object], reason: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOOLKIT_PLUGIN_SECONDS", "0.3")
    real, handler, registry = os._exit, signal.getsignal(signal.SIGALRM), Registry()
    registry.load_plugin("bad", lambda: os._exit(3) if reason == "" else load())
    assert [plugin.plugin for plugin in registry.broken] == ["bad"] and reason in registry.broken[0].reason
    assert os._exit is real and signal.getsignal(signal.SIGALRM) is handler


def test_what_is_printed_while_a_plugin_is_imported_is_collected(capfd: pytest.CaptureFixture[str]):
    with stdout_caught() as printed:
        print("from python")
        os.write(1, b"from the system\n")
    assert printed.text == "from python\nfrom the system" and capfd.readouterr().out == ""


def test_the_thread_that_reads_a_methods_output_may_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "_START", "print('x', flush=True); import time; time.sleep(60)")
    made, ended, found = threading.Event(), threading.Event(), []

    def end(line: str) -> None:
        made.wait(30)
        try:
            found[0].end()
        except RuntimeError as error:
            found.append(error)
        ended.set()

    found.append(isolated._Child(end))
    made.set()
    assert ended.wait(30) and len(found) == 1 and not found[0].is_alive
