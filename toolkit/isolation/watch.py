"""What a method must not change in a generator: it is remembered, compared, and restored."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Module

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


SHOWN = 3
"""Names of one kind that a sentence about changes lists."""


class GeneratorWatch:
    """Remembers a generator's weights, buffers and settings, to compare and to put back.

    The copy stays in the main memory, so that a method's peak on a device is its own. For PanoHead (54 million numbers)
    it takes 206 MiB, and a comparison 0.1 seconds of one CPU core.
    """

    def __init__(self, generator: Generator) -> None:
        """Copy them, to the CPU; a generator that is no torch module has none."""
        _ = generator.spec.fingerprint  # of these weights: some generators compute it when it is first asked for
        self._module = generator if isinstance(generator, Module) else None
        self._tensors = {name: (each, each.detach().cpu().clone()) for name, each in self._current()}
        self._devices = {name: each.device for name, each in self._current()}
        self._needs_gradient = {name: each.requires_grad for name, each in self._current()}
        self._settings = self._plain_settings()

    def undo(self) -> list[str]:
        """Put back what differs; what that was, in phrases."""
        replaced = self._undo_parts()
        changed = self._undo_tensors()
        phrases = [f"parts of the generator ({listed(replaced)})"] if replaced else []
        phrases += [f"weights of the generator ({listed(changed)})"] if changed else []
        changed = self._undo_settings()
        return phrases + ([f"settings of the generator ({listed(changed)})"] if changed else [])

    def _current(self) -> list[tuple[str, Tensor]]:
        if self._module is None:
            return []
        return [*self._module.named_parameters(), *self._module.named_buffers()]

    def _undo_parts(self) -> list[str]:
        changed = []
        for name, (module, _, parts) in self._settings.items():
            if [*module._modules.items()] != [*parts.items()]:
                changed.append(name or type(module).__name__)
                module._modules.clear()
                module._modules.update(parts)
        return changed

    def _undo_tensors(self) -> list[str]:
        current, changed = dict(self._current()), []
        for name, (tensor, before) in self._tensors.items():
            device = self._devices[name]
            alike = (tensor.shape, tensor.dtype, tensor.device) == (before.shape, before.dtype, device)
            if current.get(name) is not tensor or not alike or not _equal(tensor, before):
                changed.append(name)
                with torch.no_grad():
                    if not alike:
                        tensor.data = before.to(device, copy=True)
                    tensor.copy_(before)  # in place: whoever counts changes, as fingerprints do, notices
                self._put_back(name, tensor)
            tensor.grad = None  # what is left of a backward pass is nobody's change
            if tensor.is_leaf and tensor.requires_grad != self._needs_gradient[name]:
                tensor.requires_grad_(self._needs_gradient[name])
        for name in current.keys() - self._tensors.keys():
            changed.append(name)
            owner, _, leaf = name.rpartition(".")
            delattr(self._owner(owner), leaf)
        return changed

    def _put_back(self, name: str, tensor: Tensor) -> None:
        owner, _, leaf = name.rpartition(".")
        module = self._owner(owner)
        held = module._parameters if isinstance(tensor, torch.nn.Parameter) else module._buffers
        held[leaf] = tensor  # type: ignore[assignment]  # of the kind that was there

    def _owner(self, name: str) -> Module:
        assert self._module is not None  # only a module has tensors with names
        return self._module.get_submodule(name)

    def _plain_settings(self) -> dict[str, tuple[Module, dict[str, Any], dict[str, Module | None]]]:
        """Of every sub-module: its numbers, words and overridden functions; caches are its own affair."""
        if self._module is None:
            return {}
        modules = self._module.named_modules()
        return {name: (module, _settings_of(module), dict(module._modules)) for name, module in modules}

    def _undo_settings(self) -> list[str]:
        changed = []
        for name, (module, before, _) in self._settings.items():
            now = _settings_of(module)
            for key in now.keys() - before.keys():
                if isinstance(now[key], _Hooks) or callable(now[key]):
                    changed.append(f"{name}.{key}".lstrip("."))
                    del module.__dict__[key]
            for key, value in before.items():
                if isinstance(value, _Hooks):
                    if value.differ(module):
                        changed.append(f"{name}.{key}".lstrip("."))
                        value.put_back(module)
                elif key not in now or not _is_same(now[key], value):
                    changed.append(f"{name}.{key}".lstrip("."))
                    module.__dict__[key] = value
        return [each for each in changed if not each.endswith("training")] or changed[:1]


class _Hooks:
    """The hooks of one kind of a module."""

    def __init__(self, key: str, module: Module) -> None:
        self._key, self._before = key, dict(module.__dict__[key])

    def differ(self, module: Module) -> bool:
        return dict(module.__dict__[self._key]) != self._before

    def put_back(self, module: Module) -> None:
        hooks = module.__dict__[self._key]
        hooks.clear()
        hooks.update(self._before)


def _settings_of(module: Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in module.__dict__.items():
        if key.endswith("_hooks") and isinstance(value, dict):
            found[key] = _Hooks(key, module)
        elif (not key.startswith("_") and _is_plain(value)) or _is_override(module, key):
            found[key] = value
    return found


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(part) for part in value)
    return value is None or isinstance(value, (bool, int, float, str, bytes)) or dataclasses.is_dataclass(value)


def _is_same(now: Any, before: Any) -> bool:
    if now is before or dataclasses.is_dataclass(before) or type(now) is not type(before):
        return now is before
    return bool(now == before)


def _is_override(module: Module, key: str) -> bool:
    """Whether an attribute hides a method of the module's class."""
    return callable(getattr(type(module), key, None)) and callable(module.__dict__[key])


def _equal(tensor: Tensor, before: Tensor) -> bool:
    here = before.to(tensor.device)
    return torch.equal(tensor, here) or (
        tensor.is_floating_point() and bool(torch.equal(tensor.nan_to_num(nan=1.5), here.nan_to_num(nan=1.5)))
    )


def listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
