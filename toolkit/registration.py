"""What a plugin says of one of its parts when it registers it, and how the part is made from that."""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from toolkit.containment import contained, stdout_to_stderr
from toolkit.errors import PluginError
from toolkit.strangers import strangers_code, watched

BUILT_IN_PACKAGE = "toolkit_plugins"
FORMER_NAMES = {
    "people": "heads360", "panohead-mini-people": "panohead-mini", "training/psp-people": "training/psp",
    "training/dual-encoder-people": "training/dual-encoder", "training/panohead-mini-people": "training/panohead-mini",
    "training/panohead-mini-people-coarse": "training/panohead-mini-coarse",
    "training/panohead-mini-people-mapping": "training/panohead-mini-mapping",
    "psp-panohead-mini-people": "psp", "dual-encoder-panohead-mini-people": "dual-encoder",
    "lpips-e": "lpips_lite", "id-e": "id_dlib", "fid-e": "fd_lite", "kid-e": "kd_lite",
}  # fmt: skip
"""Names that parts, configurations and weights had, and what took their place."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")  # no comma: names are given as lists

KINDS = {
    "generator": "register_generators",
    "encoder": "register_encoders",
    "discriminator": "register_discriminators",
    "stitcher": "register_stitchers",
    "method": "register_methods",
    "trainable": "register_trainables",
    "metric": "register_metrics",
    "protocol": "register_protocols",
    "dataset": "register_datasets",
    "pose_estimator": "register_pose_estimators",
    "face_embedder": "register_face_embedders",
    "perceptual_distance": "register_perceptual_distances",
    "loss": "register_losses",
    "matting": "register_mattings",
    "architecture": "register_architectures",
    "method_file": "register_method_files",
}
"""Kinds of things that plugins offer, and the hook that registers each."""

INTERFACE_VERSIONS = dict.fromkeys(KINDS, 1)
"""Version of each kind's contract that this toolkit understands."""


class Register(Protocol):
    """The callback that a hook receives."""

    def __call__(
        self,
        name: str,
        target: str,
        *,
        summary: str,
        interface: int,
        headline: bool = False,
        world: str = "",
        generator: str = "",
    ) -> None:
        """Offer `target` ("package.module:attribute", a factory, imported when first used) under `name`.

        Args:
            name: What users type; unique within its kind.
            target: Import path of the factory.
            summary: One line for lists.
            interface: Version of the contract that the plugin was written for.
            headline: Methods and protocols: whether `--methods all`, `--protocol all` include it.
            world: 'embedded', 'full', 'untrained', or empty where that depends on the generator.
            generator: Methods: the generator of `toolkit invert` where the user names none; empty: the usual one.
        """
        ...


@dataclass(frozen=True)
class Registration:
    """One name that a plugin offers."""

    kind: str
    name: str
    target: str
    summary: str
    interface: int
    plugin: str
    headline: bool = False
    world: str = ""
    generator: str = ""
    arguments: tuple[object, ...] = ()
    """What the factory gets before everything else."""

    @property
    def is_strangers(self) -> bool:
        """Whether its code is neither the toolkit's nor that of a built-in plugin."""
        offered = next((part for part in self.arguments if isinstance(part, Registration)), self)
        return offered.target.split(".")[0].split(":")[0] not in ("toolkit", BUILT_IN_PACKAGE)

    def check(self) -> None:
        """Refuse what cannot be offered.

        Raises:
            PluginError: Another interface version, a name that cannot be typed, a target that is no import path.
        """
        if self.interface != INTERFACE_VERSIONS[self.kind]:
            raise PluginError(
                f"{self.kind} {self.name!r} was made for interface version {self.interface}, "
                f"this toolkit has {INTERFACE_VERSIONS[self.kind]}"
            )
        if not _NAME.fullmatch(self.name):
            raise PluginError(
                f"{self.kind} {self.name!r}: a name is letters, digits and any of _ . + - after the first"
            )
        if ":" not in self.target:
            raise PluginError(f"{self.kind} {self.name!r}: target must be 'module:attribute', got {self.target!r}")

    def load(self) -> Any:
        """Import the factory.

        Raises:
            PluginError: The target cannot be imported, for whatever reason.
        """
        module, _, attribute = self.target.partition(":")
        try:
            with self._at_arms_length(), stdout_to_stderr(), contained("it"):
                factory = getattr(importlib.import_module(module), attribute)
        except (Exception, SystemExit) as error:  # whatever a stranger's module raises while it is imported
            raise PluginError(
                f"{self.kind} {self.name!r} of plugin {self.plugin!r} cannot be loaded from {self.target!r}: "
                f"{type(error).__name__}: {error}"
            ) from error
        return functools.partial(factory, *self.arguments) if self.arguments else factory

    def build(self, *arguments: Any) -> Any:
        """What the factory makes of the arguments.

        Raises:
            PluginError: The factory cannot be loaded, or is a stranger's and fails.
        """
        factory = self.load()
        with self.running():
            return factory(*arguments)

    @property
    def whose(self) -> str:
        """The part and its owner, for messages."""
        return f"{self.kind.replace('_', ' ')} {self.name!r} of plugin {self.plugin!r}"

    def running(self, alone: bool = True) -> contextlib.AbstractContextManager[None]:
        """Run a block of this part's code; contained where it is a stranger's (see `strangers_code`).

        Args:
            alone: Nobody else's code runs in the block: what changes is this part's doing.
        """
        return strangers_code(self.whose, self.plugin, alone) if self.is_strangers else contextlib.nullcontext()

    def _at_arms_length(self) -> contextlib.AbstractContextManager[None]:
        return watched(self.plugin) if self.is_strangers else contextlib.nullcontext()


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that was kept out, and why."""

    plugin: str
    reason: str


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, what was probably meant, and what there is."""
    names = sorted(known)
    now = FORMER_NAMES.get(name)
    if now in names:
        return f"unknown {what} {name!r}: it is {now!r} now"
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {what} {name!r}; {hint}available: {', '.join(names) or 'none'}"
