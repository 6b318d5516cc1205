"""From official files to one of this toolkit's: kind recognised by keys and shapes, fit checked, provenance kept."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import Module

from toolkit.errors import ToolkitError, WeightsError
from toolkit.files import file_sha256
from toolkit.registry import unknown_name
from toolkit.tensors import check_finite, single, write_tensors
from toolkit.version import VERSION
from toolkit.weights.components import Component, architectures, averaged, find_components
from toolkit.weights.official import build_official
from toolkit.weights.official_files import OfficialFile, read_official

_SHOWN = 8


@dataclass(frozen=True)
class Imported:
    """What a file holds, in this toolkit's form."""

    kind: str
    tensors: Mapping[str, Tensor]
    header: Mapping[str, Any]
    notes: Sequence[str] = field(default_factory=tuple)
    """What the user should know, a sentence each."""

    def write(self, path: Path) -> None:
        """Write it as safetensors.

        Raises:
            OutputError: The place cannot be written.
        """
        write_tensors(path, self.tensors, self.header)


def import_files(paths: Sequence[Path], kind: str | None = None, generator: str | None = None) -> Imported:
    """Read official files that belong together.

    Args:
        paths: The files; several where a method's networks come in several.
        kind: An architecture's or a method's name; None: recognised.
        generator: The registered generator that a method's codes are of; None: what the method's files belong to.

    Raises:
        WeightsError: A file is damaged, holds nothing known, several things, or something that does not fit; the
            message lists what does not.
    """
    from toolkit.weights.method_importing import import_method, method_files, recognised_method

    methods = method_files()
    if kind is not None and kind not in methods and kind not in architectures():
        raise WeightsError(unknown_name("kind of weights", kind, {*methods, *architectures()}))
    files = [read_official(path) for path in paths]
    ours = _own(files, kind)
    if ours is not None:
        return ours
    found = averaged([component for file in files for component in find_components(file)])
    method = kind if kind in methods else None
    if kind is None:
        method = recognised_method(files, found)
    try:
        if method is not None:
            return import_method(methods[method], files, found, generator)
        return _import_network(files, found, kind)
    except (RuntimeError, MemoryError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        # whatever a network's constructor makes of senseless sizes or settings; anything a file says may be senseless
        raise WeightsError(f"{_names(files)}: no network can be built from it ({_first_line(error)})") from error


def _own(files: Sequence[OfficialFile], kind: str | None) -> Imported | None:
    """A file of this toolkit's own, taken as it is."""
    own = [file for file in files if isinstance(file.plain.get("architecture"), str) and "config" in file.plain]
    if not own or len(files) > 1:
        return None
    (file,) = own
    named = str(file.plain["architecture"])
    if kind is not None and kind != named:
        raise WeightsError(f"{file.path} holds weights of kind {named!r}, not {kind!r}")
    tensors = single(file.read())
    check_finite(tensors, file.path)
    return Imported(named, tensors, file.plain)


def _import_network(files: Sequence[OfficialFile], found: Sequence[Component], kind: str | None) -> Imported:
    component, kind = _chosen(files, found, kind)
    file = component.file
    module = build_network(component, kind)
    header = {"architecture": kind, "config": described(module), **provenance(kind, [file])}
    return Imported(kind, dict(module.state_dict()), header, notes([component], found, files))


def build_network(component: Component, kind: str) -> Module:
    """The network of a component, with its weights.

    Raises:
        WeightsError: Keys or shapes do not fit, or a number is NaN or infinite.
    """
    tensors = component.file.read(component.prefix)
    check_finite(tensors, component.file.path)
    config = official_config(component, kind)
    try:
        return build_official(kind, tensors, config)
    except ToolkitError as error:
        raise WeightsError(f"{component.place}: {error}") from error


def official_config(component: Component, kind: str) -> dict[str, Any] | None:
    """What a file says of a network besides its weights: the constructor's keywords, with what was changed later."""
    file = component.file
    if file.plain.get("architecture") == kind and isinstance(file.plain.get("config"), Mapping):
        return dict(file.plain["config"])
    module = file.modules.get(component.prefix)
    if module is None:
        keywords = file.plain.get("init_kwargs", file.plain.get("_init_kwargs"))
        return dict(keywords) if isinstance(keywords, Mapping) and "rendering_kwargs" in keywords else None
    keywords = module.attributes.get("_init_kwargs")
    if not isinstance(keywords, Mapping):
        return None
    config = dict(keywords)
    for name in ("rendering_kwargs", "neural_rendering_resolution"):
        if module.attributes.get(name) is not None:
            config[name] = module.attributes[name]
    renderer = file.modules.get(f"{component.prefix}renderer.")
    axes = None if renderer is None else renderer.tensors.get("plane_axes")
    if axes is not None and axes.shape == (3, 3, 3):
        config["plane_axes"] = axes.tensor().tolist()
    return config


def described(module: Module) -> Any:
    """The network's own configuration as JSON values, None if it has none."""
    config: Any = getattr(module, "config", getattr(module, "settings", None))
    if hasattr(config, "to_dict"):
        return config.to_dict()
    is_plain = dataclasses.is_dataclass(config) and not isinstance(config, type)
    return json.loads(json.dumps(dataclasses.asdict(config))) if is_plain else None


def provenance(kind: str, files: Sequence[OfficialFile]) -> dict[str, Any]:
    """Header entries that say where weights come from."""
    from toolkit.weights.manifest import licence_of

    source = [{"file": file.path.name, "sha256": file_sha256(file.path)} for file in files]
    return {"licence": licence_of(kind), "source": source, "imported": f"toolkit {VERSION}"}


def notes(
    used: Sequence[Component], found: Sequence[Component], files: Sequence[OfficialFile], read: Sequence[str] = ()
) -> list[str]:
    """What was left out of the files, and which calls in them were not done.

    Args:
        used: The networks that were imported.
        found: All that the files hold.
        files: The files.
        read: Last parts of the names of tensors that are read besides.
    """
    said = []
    for other in found:
        if other not in used and not any(other.place == each.place for each in used):
            said.append(f"not imported: {' or '.join(other.kinds)} at {other.place} (--as imports it)")
    for file in files:
        said += _notes_of_file(file, read)
    return said


def _notes_of_file(file: OfficialFile, read: Sequence[str]) -> list[str]:
    """The tensors of a file that belong to no known network, and the calls in it that were not done."""
    said = []
    rest = _of_no_network(file, read)
    if rest:
        listed = [f"{name} ({count})" for name, count in list(rest.items())[:_SHOWN]]
        more = f" and {len(rest) - _SHOWN} more" if len(rest) > _SHOWN else ""
        said.append(f"no known network: {', '.join(listed)}{more} of {file.path.name}")
    strange = [name for name in file.inert if not name.startswith(("torch.", "training.", "argparse.", "numpy"))]
    if strange:
        said.append(f"not executed: {', '.join(strange[:_SHOWN])} in {file.path.name}")
    return said


def _chosen(files: Sequence[OfficialFile], found: Sequence[Component], kind: str | None) -> tuple[Component, str]:
    fitting = [each for each in found if kind is None or kind in each.kinds]
    if kind is not None and not fitting and len(files) == 1:
        return Component(files[0], _common_prefix(files[0]), (kind,)), kind  # building it lists what does not fit
    if not fitting:
        raise WeightsError(f"{_names(files)} holds no network that is known here; {_hint(files)}")
    if len(fitting) > 1:
        places = ", ".join(f"{' or '.join(each.kinds)} at {each.place}" for each in fitting)
        raise WeightsError(f"{_names(files)} holds several networks ({places}): choose with --as")
    (component,) = fitting
    if kind is None and len(component.kinds) > 1:
        ways = " or ".join(f"--as {each}" for each in component.kinds)
        raise WeightsError(f"{_names(files)} does not say which it is: add {ways}")
    return component, kind or component.kinds[0]


def _common_prefix(file: OfficialFile) -> str:
    keys = [key.split(".")[:-1] for key in file.tensors]
    if not keys:
        return ""
    first, last = min(keys), max(keys)
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    return "".join(f"{part}." for part in first[:shared])


def _hint(files: Sequence[OfficialFile]) -> str:
    keys = [key for file in files for key in file.tensors]
    if not keys:
        return "there are no tensors in it"
    if any(key.startswith("layers.conv.") or key.startswith("layers.mixed") for key in keys):
        return (
            "it looks like the TorchScript file of Inception: 'toolkit weights download inception' has the same "
            "weights as plain tensors"
        )
    return f"its tensors begin with {', '.join(keys[:3])}; known kinds: {', '.join(architectures())}"


def _names(files: Sequence[OfficialFile]) -> str:
    return " and ".join(str(file.path) for file in files)


def _first_line(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:200]


def _of_no_network(file: OfficialFile, read: Sequence[str]) -> dict[str, int]:
    """How many tensors belong to no known network, by the first two parts of their names."""
    taken = tuple(each.prefix for each in find_components(file))
    left = (key for key in file.tensors if not key.startswith(taken) and key.rpartition(".")[2] not in read)
    groups = (".".join(key.split(".")[:2]) for key in left)
    return dict(Counter(groups))
