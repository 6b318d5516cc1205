from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest

import toolkit
from toolkit import registry as registry_module
from toolkit.configuration import config_names, config_path
from toolkit.errors import ConfigError, PluginError
from toolkit.hookspecs import hookimpl
from toolkit.registration import FORMER_NAMES
from toolkit.registry import KINDS, BrokenPlugin, Registry, default_registry, discover, unknown_name


class Offers:
    """A plugin that registers generators of the given names."""

    def __init__(self, *names: str, target: str = "math:sqrt", interface: int = 1) -> None:
        self.names, self.target, self.interface = names, target, interface

    @hookimpl
    def register_generators(self, register) -> None:
        for name in self.names:
            register(name, self.target, summary="a test", interface=self.interface)


def reasons(registry: Registry) -> str:
    return "\n".join(f"{broken.plugin}: {broken.reason}" for broken in registry.broken)


def test_every_kind_has_a_documented_hook_that_takes_register():
    from toolkit import hookspecs

    for kind, hook in KINDS.items():
        function = getattr(hookspecs, hook)
        assert function.__doc__, kind
        assert function.__code__.co_varnames[:1] == ("register",)
    assert {name for name in vars(hookspecs) if name.startswith("register_")} == set(KINDS.values())


def test_what_a_plugin_registers_is_loaded_when_asked_for():
    registry = Registry()
    registry.add_plugin("mine", Offers("root"))
    entry = registry.get("generator", "root")
    assert (entry.plugin, entry.target, entry.summary) == ("mine", "math:sqrt", "a test")
    assert registry.load("generator", "root")(9) == 3
    assert registry.plugins == ["mine"]
    assert registry.of_kind("method") == []


def test_an_unknown_name_suggests_the_nearest_and_lists_all():
    registry = Registry()
    registry.add_plugin("mine", Offers("panohead", "spherical"))
    with pytest.raises(
        PluginError, match=r"unknown generator 'panohed'; did you mean 'panohead'\? available: panohead, spherical"
    ):
        registry.get("generator", "panohed")
    assert unknown_name("method", "x", []) == "unknown method 'x'; available: none"


def test_a_name_that_is_taken_names_both_owners_and_keeps_the_first():
    registry = Registry()
    registry.add_plugin("first", Offers("root"))
    registry.add_plugin("second", Offers("other", "root", target="cmath:sqrt"))
    assert registry.get("generator", "root").plugin == "first"
    for part in ("second", "'root'", "cmath:sqrt", "'first'", "math:sqrt"):
        assert part in reasons(registry)
    with pytest.raises(PluginError):
        registry.get("generator", "other")  # all of a plugin or nothing


def test_one_name_may_stand_for_things_of_two_kinds():
    class Both(Offers):
        @hookimpl
        def register_methods(self, register) -> None:
            register("root", "math:sqrt", summary="a test", interface=1)

    registry = Registry()
    registry.add_plugin("mine", Both("root"))
    assert not registry.broken
    assert registry.get("method", "root").kind == "method"


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (Offers("root", interface=2), "interface version 2, this toolkit has 1"),
        (Offers("root", target="math.sqrt"), "module:attribute"),
        (Offers("a,b"), "a name is letters"),
        (Offers(""), "a name is letters"),
        (Offers("twice", "twice"), "already registered"),
    ],
)
def test_a_plugin_that_breaks_the_rules_is_kept_out_and_listed(plugin: Offers, reason: str):
    registry = Registry()
    registry.add_plugin("bad", plugin)
    assert reason in reasons(registry)
    assert not registry.plugins
    assert not registry.registrations


def test_a_hook_that_raises_takes_down_only_its_own_plugin():
    class Bad:
        @hookimpl
        def register_methods(self, register) -> None:
            raise ZeroDivisionError("oops")

    registry = Registry()
    registry.add_plugin("bad", Bad())
    registry.add_plugin("good", Offers("root"))
    assert registry.broken == [BrokenPlugin("bad", "ZeroDivisionError: oops")]
    assert registry.plugins == ["good"]


def test_a_misspelt_hook_is_reported():
    class Bad:
        @hookimpl
        def register_generator(self, register) -> None:
            pass

    registry = Registry()
    registry.add_plugin("bad", Bad())
    assert "register_generator" in reasons(registry)


@pytest.mark.parametrize("target", ["no_such_module:x", "math:no_such_function", "toolkit.testing:no"])
def test_a_factory_that_cannot_be_imported_is_one_sentence(target: str):
    registry = Registry()
    registry.add_plugin("mine", Offers("root", target=target))
    with pytest.raises(PluginError, match="generator 'root' of plugin 'mine' cannot be loaded"):
        registry.load("generator", "root")


def test_a_factory_whose_module_raises_is_one_sentence(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "raising_module.py").write_text("raise RuntimeError('no GPU')")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    registry.add_plugin("mine", Offers("root", target="raising_module:x"))
    with pytest.raises(PluginError, match="RuntimeError: no GPU"):
        registry.load("generator", "root")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Three installed plugins: one works, one fails to import, one leaves the program."""
    (tmp_path / "working_plugin.py").write_text(
        "from toolkit import hookimpl\n"
        "@hookimpl\n"
        "def register_metrics(register):\n"
        "    register('m', 'math:sqrt', summary='s', interface=1)\n"
    )
    (tmp_path / "leaving_plugin.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint("working", "working_plugin", "toolkit"),
        EntryPoint("absent", "plugin_that_is_not_there", "toolkit"),
        EntryPoint("leaving", "leaving_plugin", "toolkit"),
    ]
    monkeypatch.setattr(registry_module, "entry_points", lambda group: points if group == "toolkit" else [])


def test_a_broken_import_is_kept_out_and_listed(installed: None):
    registry = discover()
    assert registry.plugins == ["working"]
    assert {broken.plugin for broken in registry.broken} == {"absent", "leaving"}
    assert "plugin_that_is_not_there" in reasons(registry)


@pytest.mark.parametrize(
    ("variable", "plugins", "broken"),
    [
        ("", [], []),
        (" , ", [], []),
        ("working", ["working"], []),
        (" working ,absent", ["working"], ["absent"]),
        ("workin", [], ["workin"]),
    ],
)
def test_the_environment_chooses_plugins(installed: None, variable: str, plugins: list[str], broken: list[str]):
    registry = discover(variable)
    assert registry.plugins == plugins
    assert [each.plugin for each in registry.broken] == broken


def test_a_misspelt_plugin_in_the_environment_gets_a_suggestion(installed: None):
    assert "did you mean 'working'?" in reasons(discover("workin"))


def test_two_packages_with_a_plugin_of_one_name_are_reported(monkeypatch: pytest.MonkeyPatch):
    points = [EntryPoint("same", "math", "toolkit"), EntryPoint("same", "cmath", "toolkit")]
    monkeypatch.setattr(registry_module, "entry_points", lambda group: points)
    assert "two packages install a plugin of this name: math and cmath" in reasons(discover())


def test_discovery_and_the_test_generators_import_no_torch():
    program = (
        "import sys, toolkit; from toolkit.registry import Registry, discover; from toolkit.testing import plugin;"
        "discover(); r = Registry(); r.add_plugin('testing', plugin); assert not r.broken, r.broken;"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_load_generator_and_load_method_pass_on_what_the_user_said(monkeypatch: pytest.MonkeyPatch):
    seen: list[tuple] = []

    def entry(kind: str, name: str) -> SimpleNamespace:
        said = lambda *args: seen.append((kind, name, *args))  # noqa: E731
        return SimpleNamespace(build=said, load=lambda: said, is_strangers=False)

    fake = SimpleNamespace(get=entry, load=lambda kind, name: entry(kind, name).load())
    monkeypatch.setattr(registry_module, "default_registry", lambda: fake)
    toolkit.load_generator("g", "w.safetensors", "cpu")
    toolkit.load_method("m", "generator", steps=3)
    assert seen[0][:2] == ("generator", "g")
    assert str(seen[0][2]) == "w.safetensors"
    assert seen[1] == ("method", "m", "generator", None, {"steps": 3})


def test_the_test_generators_are_registered_like_anyone_elses(testing_registry: Registry):
    assert [entry.name for entry in testing_registry.of_kind("generator")] == ["spherical", "spherical-bare"]
    assert testing_registry.load("generator", "spherical")(None, "cpu").spec.name == "spherical"


TAKER = """
from toolkit import hookimpl
@hookimpl
def {hook}(register):
    register('new-one', 'math:sqrt', summary='s', interface=1)
    register({name!r}, 'math:sqrt', summary='s', interface=1)
"""


@pytest.mark.parametrize(
    ("kind", "name", "owner"),
    [
        ("method", "wplus", "optimisation"),
        ("method", "dual-encoder", "dual-encoder"),
        ("generator", "panohead-mini", "panohead"),
        ("metric", "psnr", "core-metrics"),
        ("matting", "grabcut", "face-tools"),
        ("perceptual_distance", "pyramid", "core-metrics"),
    ],
)
@pytest.mark.parametrize("plugin", ["aaa", "zzz"])
def test_a_built_in_keeps_its_name_whatever_the_strangers_is_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, name: str, owner: str, plugin: str
):
    (tmp_path / f"{plugin}_taker.py").write_text(TAKER.format(hook=KINDS[kind], name=name))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, f"{plugin}_taker", raising=False)
    real = [*registry_module.entry_points(group="toolkit")]
    points = [EntryPoint(plugin, f"{plugin}_taker", "toolkit"), *real]
    monkeypatch.setattr(registry_module, "entry_points", lambda group: points)
    found = discover(f"{plugin},{owner}")
    assert found.get(kind, name).plugin == owner
    assert (kind, "new-one") not in found.registrations
    assert [broken.plugin for broken in found.broken] == [plugin]
    assert f"is already registered by plugin {owner!r}" in found.broken[0].reason


@pytest.mark.parametrize("order", [1, -1])
def test_a_built_in_plugin_keeps_its_entry_points_name(monkeypatch: pytest.MonkeyPatch, order: int):
    points = [
        EntryPoint("optimisation", "math", "toolkit"),
        EntryPoint("optimisation", "toolkit_plugins.optimisation", "toolkit"),
    ][::order]
    monkeypatch.setattr(registry_module, "entry_points", lambda group: points)
    found = discover()
    assert found.get("method", "wplus").plugin == "optimisation"
    assert "two packages install a plugin of this name" in reasons(found)


@pytest.mark.parametrize(
    "body",
    [
        "print('hello')",
        "import sys; sys.stdout.write('{\"a\": 1}\\n')",
        "from toolkit import hookimpl\n@hookimpl\ndef register_metrics(register):\n    print('in a hook')",
        "print('before it breaks')\nraise RuntimeError('no GPU')",
    ],
)
def test_what_a_plugin_prints_while_it_loads_is_kept_from_stdout_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str
):
    (tmp_path / "noisy_plugin.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "noisy_plugin", raising=False)
    monkeypatch.setattr(registry_module, "entry_points", lambda group: [EntryPoint("noisy", "noisy_plugin", "toolkit")])
    found = discover()
    assert capsys.readouterr().out == ""
    assert set(found.printed) == {"noisy"} and found.seconds["noisy"] > 0


def test_what_a_factorys_module_prints_goes_to_stderr(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "printing_module.py").write_text("print('loading')\nx = len")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    registry.add_plugin("mine", Offers("root", target="printing_module:x"))
    assert registry.load("generator", "root") is len
    assert capsys.readouterr() == ("", "loading\n")


def test_a_former_name_ends_in_a_sentence_that_names_the_new_one() -> None:
    with pytest.raises(PluginError, match=r"unknown generator 'panohead-mini-people': it is 'panohead-mini' now$"):
        default_registry().get("generator", "panohead-mini-people")
    with pytest.raises(ConfigError, match="'training/psp-people': it is 'training/psp' now"):
        config_path("training/psp-people")
    known = {entry.name for kind in KINDS for entry in default_registry().of_kind(kind)} | set(config_names())
    assert set(FORMER_NAMES.values()) <= known and not set(FORMER_NAMES) & known
