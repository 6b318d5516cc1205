"""What the pages of plugins say is so: their examples are installed, checked and run; the reference is complete."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from toolkit.apps.plugin_reference import contract_of, members_of, reference_page
from toolkit.interfaces import generator as generator_contract
from toolkit.registry import INTERFACE_VERSIONS, KINDS, Register, Registration, Registry, default_registry, discover
from toolkit.testing import conformance
from toolkit.testing.spherical import SphericalGenerator
from toolkit.testing.verdict import Given, check_registered

FOLDER = Path(__file__).parent.parent / "docs" / "plugins"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_REGISTRATION = re.compile(r"^`register\((.+)\)`$", re.MULTILINE)
_HOOK = re.compile(r"^`(register_\w+)`: ", re.MULTILINE)
_TABLE = r"^\| {} \|.*\n\|[ -|]*\n((?:\|.*\n?)+)"


def page(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return [body for found, body in _FENCE.findall(text) if found == language]


def rows(text: str, first: str) -> list[list[str]]:
    """Cells of all tables whose first heading is `first`, without code marks."""
    tables = re.findall(_TABLE.format(re.escape(first)), text, re.MULTILINE)
    lines = [line for table in tables for line in table.strip().splitlines()]
    split = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines]
    return [[cell.replace("`", "").replace("\\|", "|").strip() for cell in line] for line in split]


# ---------------------------------------------------------------------------------------------------- the reference


def test_the_reference_is_what_the_hooks_and_contracts_say() -> None:
    command = "python -m toolkit.apps.plugin_reference docs/plugins/reference.md"
    assert page("reference.md") == reference_page(), f"run: {command}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_has_the_hook_its_version_and_its_contract(kind: str) -> None:
    text = page("reference.md")
    (section,) = re.findall(rf"^## [\w ]+: `{KINDS[kind]}\(register\)`$.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert f"Interface version {INTERFACE_VERSIONS[kind]}." in section
    contract = contract_of(kind)
    assert f".{contract.__name__}`" in section
    members = list(members_of(contract))
    assert members
    for member in members:
        assert f"`{member.code}`".replace("|", "\\|") in section
        assert member.meaning or "(" not in member.code, f"{member.code} has no docstring"


def test_every_argument_of_register_is_in_the_reference() -> None:
    parameters = list(inspect.signature(Register.__call__).parameters.values())[1:]
    assert [row[0] for row in rows(page("reference.md"), "argument")] == [entry.name for entry in parameters]
    bare = [entry.replace(annotation=entry.empty) for entry in parameters]
    assert f"register{inspect.Signature(bare)}".replace("'", '"') in page("reference.md")


def test_every_capability_of_generators_is_documented_with_its_methods() -> None:
    told = {row[0]: row[1].split(", ") for row in rows(page("generator.md"), "capability")}
    assert set(told) == {protocol.__name__ for protocol in conformance.CAPABILITY_CHECKS}
    for name, methods in told.items():
        protocol = getattr(generator_contract, name)
        own = [key for key, value in vars(protocol).items() if inspect.isfunction(value) and not key.startswith("_")]
        assert methods == own, name


# ---------------------------------------------------------------------------------------------------- pages of kinds


def test_every_kind_has_a_page_that_names_its_hook() -> None:
    told = [(kind.strip(), row[1]) for row in rows(page("README.md"), "kind") for kind in row[0].split(",")]
    assert sorted(kind for kind, _ in told) == sorted(KINDS)
    for kind, link in told:
        (name,) = re.findall(r"\((.+)\)", link)
        assert KINDS[kind] in _HOOK.findall(page(name)), f"{name} does not say what {KINDS[kind]} takes"


def examples() -> Iterator[tuple[str, str, str, str]]:
    """(page, hook, source, registration): every example of a page with the line that registers it."""
    for path in sorted(FOLDER.glob("*.md")):
        text = path.read_text(encoding="utf-8") if path.name != "reference.md" else ""
        for line in _REGISTRATION.finditer(text):
            before = text[: line.start()]
            yield path.name, _HOOK.findall(before)[-1], blocks(before, "python")[-1], line[1]


EXAMPLES = list(examples())


def test_the_pages_have_examples() -> None:
    shown = {hook for _, hook, _, _ in EXAMPLES}
    # the method is the lottery, the generator a whole package; a method's files need a trained method
    assert {KINDS[kind] for kind in KINDS} - shown == {
        KINDS[kind] for kind in ("generator", "method", "method_file")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "hook", "source", "registration"), EXAMPLES, ids=[f"{name}-{hook}" for name, hook, _, _ in EXAMPLES]
)
def test_an_example_of_a_page_registers_and_keeps_its_contract(
    name: str, hook: str, source: str, registration: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text(
        f"from toolkit import hookimpl\n\n\n@hookimpl\ndef {hook}(register):\n    register({registration})\n"
    )
    (tmp_path / "my_package" / "parts.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry(dict(default_registry().registrations), [], [])
    try:
        registry.add_plugin("my-package", importlib.import_module("my_package"))
        assert registry.broken == []
        (entry,) = [each for each in registry.registrations.values() if each.plugin == "my-package"]
        check_example(entry, registry, tmp_path)
    finally:
        for module in ("my_package", "my_package.parts"):
            sys.modules.pop(module, None)


def check_example(entry: Registration, registry: Registry, folder: Path) -> None:
    """The suite, where it checks parts of this kind; a data set is opened, whatever its path."""
    given = Given(generators=(), overrides=("small=true",), data=folder if entry.kind == "dataset" else None)
    lines = check_registered(entry, registry, given)
    assert not [line for line in lines if line.verdict != "passed"], lines
    if entry.kind == "architecture":
        check_architecture(entry)
    elif entry.kind != "protocol":  # which tests/toolkit/bench runs
        assert len(lines) >= 2


def check_architecture(entry: Registration) -> None:
    made = entry.load()()
    twin = made.build({"weight": torch.zeros(3, 2), "bias": torch.zeros(3)})
    shapes = {key: tuple(value.shape) for key, value in twin.state_dict().items()}
    assert made.recognises(shapes)
    assert not made.recognises({"weight": (3, 2)})


# ---------------------------------------------------------------------------------------------------- the lottery


@pytest.fixture
def lottery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """The page's plugin, installed as pip would leave it: a package, and metadata with its entry point."""
    project, (init, method, *_) = blocks(page("README.md"), "toml")[0], blocks(page("README.md"), "python")
    (group, line) = re.findall(r"^\[project\.entry-points\.(\w+)\]\n(.*)$", project, re.MULTILINE)[0]
    (tmp_path / "toolkit_lottery").mkdir()
    (tmp_path / "toolkit_lottery" / "__init__.py").write_text(init)
    (tmp_path / "toolkit_lottery" / "method.py").write_text(method)
    information = tmp_path / "toolkit_lottery-0.1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: toolkit-lottery\nVersion: 0.1\n")
    (information / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("toolkit_lottery.method")
    sys.modules.pop("toolkit_lottery.method")
    sys.modules.pop("toolkit_lottery")


def test_the_plugin_of_the_page_is_found_and_works(lottery: types.ModuleType, spherical: SphericalGenerator) -> None:
    registry = discover("lottery")
    assert (registry.plugins, registry.broken) == (["lottery"], [])
    (entry,) = registry.registrations.values()
    assert (entry.kind, entry.name, entry.plugin) == ("method", "lottery", "lottery")
    method = entry.load()(spherical, None, {"tickets": 3})
    conformance.check_method(method, spherical)
    with pytest.raises(lottery.ConfigError, match="tickets and seed, got ticket"):
        entry.load()(spherical, None, {"ticket": 3})


def test_the_module_that_every_command_imports_imports_no_torch() -> None:
    init, method, *_ = blocks(page("README.md"), "python")
    assert "torch" not in init
    assert "import torch" in method


def test_more_tickets_come_nearer(lottery: types.ModuleType, spherical: SphericalGenerator) -> None:
    probe = conformance.GeneratorProbe(spherical, seed=5)
    target, camera = probe.view, probe.cameras[0]

    def distance(tickets: int) -> float:
        found = lottery.open_lottery(spherical, None, {"tickets": tickets}).invert(target.image[:1], camera, spherical)
        return float((found.render(spherical).raw - target.raw[:1]).square().mean())

    assert distance(12) < distance(1)


def test_the_pages_own_check_of_the_plugin_runs(lottery: types.ModuleType) -> None:
    exec(compile(blocks(page("README.md"), "python")[2], "README.md", "exec"), {})


def test_options_and_presets_are_as_the_page_says() -> None:
    from toolkit.apps.plugin_cards import factory_options, list_options, presets_of
    from toolkit.errors import ConfigError

    names: dict[str, object] = {"__name__": "options_of_the_page"}
    exec(compile(blocks(page("README.md"), "python")[3], "README.md", "exec", dont_inherit=True), names)
    open_lottery: types.FunctionType = names["open_lottery"]  # type: ignore[assignment]  # what the page defines
    assert open_lottery(None, None, {"preset": "fast"}).tickets == 4
    assert open_lottery(None, None, {"preset": "quality", "tickets": 5}).tickets == 5
    assert open_lottery(None, None, {}).tickets == 16
    with pytest.raises(ConfigError, match="did you mean 'tickets'"):
        open_lottery(None, None, {"ticket": 3})
    model = factory_options(open_lottery)
    assert model is not None
    assert [option.key for option in list_options(model)] == ["preset", "tickets"]
    assert sorted(presets_of(open_lottery)) == ["default", "fast", "quality"]


def test_the_variable_of_the_page_restricts_discovery(monkeypatch: pytest.MonkeyPatch) -> None:
    (wanted,) = {text for text in re.findall(r"^TOOLKIT_PLUGINS=(\S*) ", page("README.md"), re.MULTILINE) if text}
    assert discover(wanted).plugins == sorted(wanted.split(","))
    assert discover("").registrations == {}
    assert os.environ.get("TOOLKIT_PLUGINS") is None
