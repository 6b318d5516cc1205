"""From a single photo of a head to a full 360-degree 3D head, by inverting a 3D GAN.

Importing this package imports no torch; `load_generator` and `load_method` do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.allocation import keep_freed_memory
from toolkit.hookspecs import hookimpl
from toolkit.version import VERSION

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, Method
    from toolkit.registry import Registration

__version__ = VERSION
__all__ = ["__version__", "hookimpl", "load_generator", "load_method"]

keep_freed_memory()

DEFAULT_GENERATOR = "panohead-mini"
DEFAULT_METHODS = ("dual-encoder", "wplus")
"""Where none is named: the first that is installed and has weights for the generator (the last needs none)."""


def load_generator(name: str = DEFAULT_GENERATOR, weights: str | Path | None = None, device: str = "cpu") -> Generator:
    """Build a registered generator with its weights, in eval mode, on a device.

    Args:
        name: A registered generator (`toolkit plugins list`).
        weights: A weights file; None takes the generator's own.
        device: Where to put it, as torch names devices.

    Raises:
        PluginError: Unknown name, or a stranger's plugin that fails.
        WeightsError: The file is missing, damaged or of another architecture.
    """
    from toolkit.registry import default_registry

    entry = default_registry().get("generator", name)
    made = entry.build(None if weights is None else Path(weights), device)
    if entry.is_strangers:
        from toolkit.isolation.generator import guard_generator

        _check_generator(made, entry)
        guard_generator(made, entry)
    return made


def _check_generator(made: object, entry: Registration) -> None:
    from toolkit.errors import PluginError
    from toolkit.interfaces.generator import Generator, GeneratorSpec

    with entry.running():
        sound = isinstance(made, Generator) and isinstance(made.spec, GeneratorSpec)
    if not sound:
        raise PluginError(f"{entry.whose} makes a {type(made).__name__}, which is no Generator")


def load_method(name: str, generator: Generator, weights: str | Path | None = None, **options: Any) -> Method:
    """Build a registered inversion method for a generator.

    Args:
        name: A registered method (`toolkit plugins list`), or the YAML file of one in another environment.
        generator: The generator to invert into.
        weights: A checkpoint; None takes the method's own for this generator, if it needs one.
        **options: Settings of the method; unknown ones are an error that names the nearest.

    Raises:
        PluginError: Unknown name.
        ConfigError: Unknown or impossible option.
        CapabilityError: The generator lacks something that the method needs.
    """
    from toolkit.external.declaration import is_declaration
    from toolkit.registry import default_registry

    if is_declaration(name):
        from toolkit.external.method import open_external

        return open_external(name, weights, options)
    return default_registry().load("method", name)(generator, None if weights is None else Path(weights), options)
