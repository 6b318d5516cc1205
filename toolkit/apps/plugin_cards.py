"""What `toolkit plugins show` says of a registered part: where it stands, its card, its options with their presets."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel

from toolkit.errors import ConfigError, PluginError
from toolkit.interfaces import TellsOptions
from toolkit.options import Config, is_model, validated
from toolkit.registry import Registration, Registry, unknown_name

CARD_FILE = "card.yaml"
"""In a plugin's package folder: what no contract says, under 'KIND NAME'."""
MAX_BYTES = 1 << 18


class Card(Config):
    """What a user must know of a part before trusting it."""

    paper: str = ""
    authors: str = ""
    licence: str = ""
    needs: tuple[str, ...] = ()
    """Weights, packages and capabilities of the generator."""
    status: Literal["reproduces", "works", "not verified"] = "not verified"
    """Against the paper's printed numbers."""
    evidence: str = ""
    """What the status rests on."""


class Option(NamedTuple):
    """One setting of a method."""

    key: str
    type: str
    default: str
    meaning: str


class Description(NamedTuple):
    """Everything that is known of a registered part."""

    entry: Registration
    about: str
    """First paragraph of the factory's docstring; empty where it has none or cannot be loaded."""
    card: Card | None
    options: list[Option]
    presets: Mapping[str, Mapping[str, Any]]


def find_entries(registry: Registry, name: str, kind: str | None = None) -> list[Registration]:
    """The registrations that a user means: those of this name, or all of the plugin of this name.

    Raises:
        PluginError: There is neither; or the plugin is broken, whose reason is given.
    """
    entries = [entry for entry in registry.registrations.values() if kind in (None, entry.kind)]
    found = [entry for entry in entries if entry.name == name] or [entry for entry in entries if entry.plugin == name]
    if found:
        return sorted(found, key=lambda entry: (entry.kind, entry.name))
    for broken in registry.broken:
        if broken.plugin == name:
            raise PluginError(f"plugin {name!r} is broken: {broken.reason}")
    known = {entry.name for entry in entries} | set(registry.plugins)
    raise PluginError(unknown_name("plugin or part", name, known))


def describe(entry: Registration, registry: Registry) -> Description:
    """Describe a registered part; what cannot be found out is left empty.

    Raises:
        PluginError: The part cannot be loaded.
        ConfigError: The plugin's card has another form.
    """
    factory = entry.load()
    model = factory_options(factory)
    return Description(
        entry,
        _first_paragraph(factory),
        read_card(entry, registry),
        [] if model is None else list_options(model),
        presets_of(factory),
    )


def read_card(entry: Registration, registry: Registry) -> Card | None:
    """The card that lies in the plugin's package folder; None where there is none for this part.

    Raises:
        ConfigError: The file is no YAML mapping of cards.
    """
    folder = registry.folders.get(entry.plugin)
    place = None if folder is None else folder / CARD_FILE
    if place is None or not place.is_file() or place.stat().st_size > MAX_BYTES:
        return None
    try:
        cards = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{place} is no YAML: {' '.join(str(error).split())}") from error
    title = f"{entry.kind} {entry.name}"
    if not isinstance(cards, dict) or not isinstance(cards.get(title, {}), dict):
        raise ConfigError(f"{place} must hold cards under titles like {title!r}")
    return validated(Card, cards[title], str(place), "key") if title in cards else None


def factory_options(factory: Any) -> type[BaseModel] | None:
    """The options that a method's factory takes, if it tells them."""
    teller = _teller(factory)
    return None if teller is None else teller.options_model


def presets_of(factory: Any) -> Mapping[str, Mapping[str, Any]]:
    """The presets that a method's factory knows; empty where it has none."""
    teller = _teller(factory)
    return {} if teller is None else teller.presets


def list_options(model: type[BaseModel], prefix: str = "") -> list[Option]:
    """All options of a model with types, defaults and meanings; those of groups have dots."""
    found: list[Option] = []
    meanings = _meanings(model)
    for name, field in model.model_fields.items():
        inner: Any = field.annotation
        if is_model(inner):
            found += list_options(inner, f"{prefix}{name}.")
            continue
        default = "required" if field.is_required() else repr(field.get_default(call_default_factory=True))
        meaning = meanings.get(name) or " ".join((field.description or "").split())
        found.append(Option(f"{prefix}{name}", _type_name(inner), default, meaning))
    return found


def _teller(factory: Any) -> TellsOptions | None:
    if isinstance(factory, TellsOptions):
        return factory
    owner = factory.__self__ if inspect.ismethod(factory) else None
    return owner if isinstance(owner, TellsOptions) else None


def _type_name(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is types.NoneType:
        return "none"
    if origin is typing.Annotated:
        return _type_name(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(each) for each in inner)
    if origin is Literal:
        return " | ".join(str(each) for each in inner)
    if origin is not None:
        return f"{origin.__name__} of {', '.join(_type_name(each) for each in inner if each is not ...)}"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """The strings that stand below a model's fields in its source, its bases' included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not (isinstance(base, type) and issubclass(base, BaseModel)) or base is BaseModel:
            continue
        try:
            body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        except (OSError, TypeError, SyntaxError, IndexError):
            continue
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for field, below in itertools.pairwise(statements):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                found[field.target.id] = _string(below)
    return found


def _string(statement: ast.stmt) -> str:
    """The text of a statement that is nothing but a string; empty for others."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    text = value.value if isinstance(value, ast.Constant) else None
    return " ".join(text.split()) if isinstance(text, str) else ""


def _first_paragraph(factory: Any) -> str:
    text = inspect.getdoc(factory) or ""
    return " ".join(text.partition("\n\n")[0].split())
