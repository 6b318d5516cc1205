"""From an official state dict to a module that computes what the official code does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from toolkit.errors import PluginError, WeightsError
from toolkit.interfaces import AllowsExtraKeys, ComputesBuffers

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from toolkit.interfaces import Architecture

LISTED = 20
"""Most offenders named in an error; the rest are counted."""
_BATCH_COUNTER = "num_batches_tracked"


def build_official(kind: str, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> Module:
    """Build the module of an official architecture and load its weights.

    Args:
        kind: Name of a registered architecture.
        state_dict: Official keys (without a checkpoint's outer prefix).
        config: What shapes cannot tell; the architecture says what it takes.

    Returns:
        The module in eval mode, float32, on the CPU.

    Raises:
        PluginError: Unknown kind.
        ConfigError: The config is not one of this architecture.
        WeightsError: Keys are missing or unexpected or have other shapes; the message lists them.
    """
    architecture = find_architecture(kind)
    extra = architecture.extra_keys if isinstance(architecture, AllowsExtraKeys) else ()
    computed = architecture.computed_keys if isinstance(architecture, ComputesBuffers) else ()
    what = f"{kind} weights"
    outline = _outline(architecture, state_dict, config)
    if outline is not None:
        check_fit(outline, state_dict, what, extra, computed)
    module = architecture.build(state_dict, config)
    load_strictly(module, state_dict, what, extra, computed)
    return module.eval()


def find_architecture(kind: str) -> Architecture:
    """The registered architecture of a kind.

    Raises:
        PluginError: Unknown kind, or its plugin is broken.
    """
    from toolkit.registry import default_registry

    architecture: Architecture = default_registry().build("architecture", kind)
    if architecture.kind != kind:
        raise PluginError(f"architecture {kind!r} calls itself {architecture.kind!r}")
    return architecture


def _outline(
    architecture: Architecture, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None
) -> Module | None:
    """The module without numbers, so that sizes that do not fit are found before memory is taken for them.

    None where a network cannot be laid out so.
    """
    try:
        with torch.device("meta"):
            return architecture.build(state_dict, config)
    except (NotImplementedError, RuntimeError):
        return None


def check_fit(
    module: Module,
    state_dict: Mapping[str, Tensor],
    what: str,
    extra_keys: tuple[str, ...] = (),
    computed_keys: tuple[str, ...] = (),
) -> None:
    """Compare keys and shapes of a state dict with a module's (see `load_strictly`).

    Raises:
        WeightsError: They differ; the message lists the offenders.
    """
    own = module.state_dict()
    optional = (_BATCH_COUNTER, *computed_keys)
    missing = [key for key in own if key not in state_dict and key.rpartition(".")[2] not in optional]
    unexpected = [key for key in state_dict if key not in own and key not in extra_keys]
    shapes = [
        f"{key} is {list(state_dict[key].shape)}, expected {list(value.shape)}"
        for key, value in own.items()
        if key in state_dict and state_dict[key].shape != value.shape
    ]
    complaints = [
        f"{title}: {_listed(entries)}"
        for title, entries in (("missing keys", missing), ("unexpected keys", unexpected), ("wrong shapes", shapes))
        if entries
    ]
    if complaints:
        raise WeightsError(f"{what} do not fit; " + "; ".join(complaints))


def load_strictly(
    module: Module,
    state_dict: Mapping[str, Tensor],
    what: str,
    extra_keys: tuple[str, ...] = (),
    computed_keys: tuple[str, ...] = (),
) -> None:
    """Load a state dict whose keys and shapes must be exactly the module's.

    Tolerated: missing `num_batches_tracked`, the keys named in `extra_keys`, and missing keys whose last part is named
    in `computed_keys` (buffers that the module computes by itself).

    Raises:
        WeightsError: Anything else differs; the message lists the offenders.
    """
    check_fit(module, state_dict, what, extra_keys, computed_keys)
    own = module.state_dict()
    if any(value.is_meta for value in own.values()):
        return  # laid out without numbers, to be compared only
    fitting = {key: value for key, value in state_dict.items() if key in own}
    with torch.no_grad():
        # strict about everything but the tolerated counters, which keep their first value
        module.load_state_dict(fitting, strict=False)


def _listed(entries: list[str]) -> str:
    rest = len(entries) - LISTED
    return ", ".join(entries[:LISTED]) + (f" and {rest} more" if rest > 0 else "")
