"""From a method's official checkpoint to a file that is its `--method-weights` and a training's `start` at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from toolkit.errors import ToolkitError, WeightsError
from toolkit.interfaces import Generator, MethodFile, Part
from toolkit.latents import latent_statistics
from toolkit.registry import default_registry
from toolkit.weights.components import Component, architectures
from toolkit.weights.importing import Imported, build_network, notes, provenance
from toolkit.weights.official_files import ARRAY, OfficialFile

CENTRE = "centre"
"""Name of the average ws [num_ws, w_dim] that codes are offsets from, in a method's file."""
AVERAGES = ("latent_avg", "avg_latent", "w_avg", ARRAY)
"""Names of the average latent in official files, the surest first."""


def method_files() -> dict[str, MethodFile]:
    """All registered kinds of method files, without those that cannot be loaded."""
    registry, found = default_registry(), {}
    for entry in registry.of_kind("method_file"):
        try:
            found[entry.name] = entry.build()
        except ToolkitError:
            continue
    return found


def recognised_method(files: Sequence[OfficialFile], found: Sequence[Component]) -> str | None:
    """The method whose networks the files hold; None: no method's, only networks.

    Raises:
        WeightsError: Several methods' files look like this.
    """
    fitting = {name: method for name, method in method_files().items() if _choose(method, found) is not None}
    if not fitting:
        return None
    most = max(len(method.parts()) for method in fitting.values())
    fitting = {name: method for name, method in fitting.items() if len(method.parts()) == most}
    settings = _settings(files)
    said = {name: method.claims(settings) for name, method in fitting.items()}
    claimed = [name for name, claim in said.items() if claim]
    if len(claimed) == 1:
        return claimed[0]
    left = [name for name, claim in said.items() if claim is not False]
    if len(left) == 1 and (most > 1 or _average(files, (None, None), None) is not None):
        return left[0]
    if most == 1 and _average(files, (None, None), None) is None and not any(said.values()):
        return None  # a bare network
    ways = " or ".join(f"--as {name}" for name in left or fitting)
    raise WeightsError(f"{' and '.join(str(file.path) for file in files)} does not say whose it is: add {ways}")


def import_method(
    method: MethodFile, files: Sequence[OfficialFile], found: Sequence[Component], generator: str | None
) -> Imported:
    """Build every part, find the average latent and the generator.

    Raises:
        WeightsError: A part is missing or does not fit, or there is no average latent.
    """
    chosen = _choose(method, found)
    if chosen is None:
        raise WeightsError(_missing(method, files, found))
    modules, tensors = {}, {}
    for part in method.parts():
        component = chosen[part.name]
        kind = next(kind for kind in part.kinds if kind in component.kinds)
        modules[part.name] = build_network(component, kind)
        tensors.update({f"{part.name}.{key}": value for key, value in modules[part.name].state_dict().items()})
    settings = _settings(files)
    owner = _generator(method, generator)
    average = _average(files, _code_shape(modules), owner)
    said = notes(list(chosen.values()), found, files, AVERAGES)
    if average is None:
        raise WeightsError(
            f"{' and '.join(str(file.path) for file in files)} holds no average latent: name the generator that "
            f"{method.kind!r} was trained for with --generator, or add the file that has it"
        )
    tensors[CENTRE], origin = average
    said.append(f"average latent {list(tensors[CENTRE].shape)}: {origin}")
    named, fingerprint, remark = _identity(method, generator, owner, found)
    said.extend(remark)
    header = {
        "architecture": method.kind,
        "config": dict(method.config(modules, settings)),
        "generator": {"name": named, "fingerprint": fingerprint},
        **provenance(method.kind, files),
        "licence": method.licence,
    }
    return Imported(method.kind, tensors, header, said)


def _choose(method: MethodFile, found: Sequence[Component]) -> dict[str, Component] | None:
    """A network for every part; None if one is missing or several would do."""
    chosen: dict[str, Component] = {}
    for part in method.parts():
        fitting = [each for each in found if set(part.kinds) & set(each.kinds)]
        if part.words:
            fitting = [each for each in fitting if each.mentions(part.words)]
        if len(fitting) != 1:
            return None
        chosen[part.name] = fitting[0]
    return chosen


def _missing(method: MethodFile, files: Sequence[OfficialFile], found: Sequence[Component]) -> str:
    wanted = "; ".join(_wanted(part) for part in method.parts())
    there = ", ".join(f"{' or '.join(each.kinds)} at {each.place}" for each in found) or "no network that is known here"
    names = " and ".join(str(file.path) for file in files)
    hint = ""
    if not found and files:
        beginnings = list(dict.fromkeys(key for file in files for key in file.tensors))[:3]
        hint = f" (tensors begin with {', '.join(beginnings)})" if beginnings else ""
    return f"{names} does not hold what {method.kind!r} needs ({wanted}), each once: it holds {there}{hint}"


def _wanted(part: Part) -> str:
    words = f" named {' or '.join(part.words)}" if part.words else ""
    return f"{' or '.join(part.kinds)}{words}"


def _settings(files: Sequence[OfficialFile]) -> dict[str, Any]:
    """The plain entries of all files, and the names of their groups of tensors."""
    settings: dict[str, Any] = {}
    for file in files:
        settings.update(file.plain)
        settings.update(dict.fromkeys({key.split(".")[0] for key in file.tensors} - settings.keys()))
    return settings


def _code_shape(modules: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Rows and width of the codes, as far as the networks say."""
    for module in modules.values():
        config = getattr(module, "config", getattr(module, "settings", None))
        rows = next((size for name in _ROWS if isinstance(size := getattr(config, name, None), int)), None)
        width = next((size for name in _WIDTHS if isinstance(size := getattr(config, name, None), int)), None)
        if rows is not None and width is not None:
            return rows, width
    return None, None


_ROWS, _WIDTHS = ("styles", "num_ws"), ("style_dim", "w_dim")


def _average(
    files: Sequence[OfficialFile], shape: tuple[int | None, int | None], owner: Generator | None
) -> tuple[Tensor, str] | None:
    """The average latent [rows, w_dim] and where it comes from."""
    rows, width = shape
    if (
        rows is not None
        and width is not None
        and any(_starts_at_zero(file.plain) for file in files)
        and not _named_average(files)
    ):
        return torch.zeros(rows, width), "zeros, since the options do not start from an average"
    for name in AVERAGES:
        for file in files:
            for key, value in file.tensors.items():
                sides = [side for side in value.shape if side != 1]
                fits = sides in ([width], [rows, width]) if width is not None else len(sides) in (1, 2)
                if key.rpartition(".")[2] == name and fits:
                    stored = file.read(key)[""].float().reshape(-1, sides[-1])
                    return _repeated(stored, rows), f"{key} of {file.path.name}"
    if owner is not None:
        return latent_statistics(owner).average[0].clone(), f"mean of random heads of generator {owner.spec.name!r}"
    return None


def _named_average(files: Sequence[OfficialFile]) -> bool:
    return any(key.rpartition(".")[2] == AVERAGES[0] for file in files for key in file.tensors)


def _starts_at_zero(plain: Mapping[str, Any]) -> bool:
    options = plain.get("opts")
    return isinstance(options, Mapping) and options.get("start_from_latent_avg") is False


def _repeated(stored: Tensor, rows: int | None) -> Tensor:
    return stored.repeat(rows, 1) if rows is not None and stored.shape[0] == 1 else stored.contiguous()


def _generator(method: MethodFile, named: str | None) -> Generator | None:
    """The generator that a method's codes are of, where it is here."""
    from toolkit import load_generator

    name = named or method.generator
    if not name:
        return None
    try:
        return load_generator(name)
    except ToolkitError:
        if named is not None:
            raise
        return None


def _identity(
    method: MethodFile, named: str | None, owner: Generator | None, found: Sequence[Component]
) -> tuple[str, str, list[str]]:
    """Name and fingerprint of the generator as the file's header keeps them, and what to say about them."""
    name = named or method.generator
    if owner is None:
        missing = f"generator {name!r} is not here yet" if name else "the files do not say which generator they are of"
        return name, "", [f"{missing}: only the shape of codes is checked when they are used"]
    inside = next((each for each in found if _is_generator_of(each, owner)), None)
    if inside is not None and not _same_weights(inside, owner):
        if named is not None:
            raise WeightsError(f"{inside.place} holds another generator than {owner.spec.name!r} of the store")
        return name, "", [f"{inside.place} is another generator than the {name!r} of the store: import it, too"]
    return owner.spec.name, owner.spec.fingerprint, [f"generator {owner.spec.name!r} {owner.spec.fingerprint[:12]}"]


def _is_generator_of(component: Component, owner: Generator) -> bool:
    names = {entry.name for entry in default_registry().of_kind("generator")}
    return any(kind in names and kind in architectures() for kind in component.kinds) and hasattr(owner, "state_dict")


def _same_weights(component: Component, owner: Any) -> bool:
    own = owner.state_dict()
    given = component.file.read(component.prefix)
    shared = [key for key in own if key in given and own[key].shape == given[key].shape]
    return bool(shared) and all(torch.equal(own[key].cpu(), given[key].to(own[key].dtype)) for key in shared)
