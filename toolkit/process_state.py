"""What of this process everybody's numbers and output depend on: remembered, compared, put back.

Strangers' code runs in it while plugins are imported and their parts are built. torch and numpy are looked at where
they are loaded; this module loads neither.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGPIPE")
    if hasattr(signal, name)
]
_OF_LIBRARIES = ("TORCHINDUCTOR_", "TRITON_", "KMP_", "QT_")
"""What variables begin with that libraries set when they are loaded, for themselves."""
_UNKNOWN = object()


class _Setting(NamedTuple):
    """One thing of the process: how to read it, how to set it."""

    read: Callable[[], Any]
    write: Callable[[Any], Any]
    module: str = ""
    """What must be loaded for it to exist."""
    at_first: Any = _UNKNOWN
    """Its value in a module that was just loaded; unknown: it is not compared then."""
    same: Callable[[Any, Any], bool] = lambda now, before: now is before or bool(now == before)


def _torch() -> Any:
    return sys.modules["torch"]


def _same_environment(now: dict[str, str], before: dict[str, str]) -> bool:
    new = now.keys() - before.keys()
    return all(name.startswith(_OF_LIBRARIES) for name in new) and before.items() <= now.items()


def _set_environment(values: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(values)


def _umask(value: int | None = None) -> int:
    before = os.umask(0)
    os.umask(before if value is None else value)
    return before


def _begins_with(now: list[str], before: list[str]) -> bool:
    return now[: len(before)] == before


def _put_first(before: list[str]) -> None:
    """What was added stays where it harms nobody: a plugin may look for modules there later."""
    sys.path[:] = [*before, *(place for place in sys.path if place not in before)]


def _set_handlers(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _limits() -> dict[int, tuple[int, int]]:
    try:
        import resource
    except ImportError:
        return {}
    kinds = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS, resource.RLIMIT_CPU)
    return {kind: resource.getrlimit(kind) for kind in kinds}


def _set_limits(limits: dict[int, tuple[int, int]]) -> None:
    import resource

    for kind, limit in limits.items():
        resource.setrlimit(kind, limit)


def _strict_filters() -> list[Any]:
    return [each for each in warnings.filters if each[0] == "error"]


def _set_strict_filters(before: list[Any]) -> None:
    kept = [each for each in warnings.filters if each[0] != "error" or each in before]
    warnings.filters[:] = kept  # type: ignore[index]  # a list, whatever its type says
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _switches() -> tuple[Any, ...]:
    torch = _torch()
    cudnn = torch.backends.cudnn
    return (
        cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, torch.backends.mkldnn.enabled,
        float(torch.tensor(1e-40) * 1) == 0.0,
    )  # fmt: skip


def _set_switches(values: tuple[Any, ...]) -> None:
    torch = _torch()
    cudnn = torch.backends.cudnn
    cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = values[:4]
    torch.backends.mkldnn.enabled = values[4]
    torch.set_flush_denormal(values[5])


def _functions() -> dict[str, Any]:
    return {name: each for name, each in vars(_torch().nn.functional).items() if callable(each)}


def _set_functions(before: dict[str, Any]) -> None:
    functions = _torch().nn.functional
    for name, each in before.items():
        if getattr(functions, name, None) is not each:
            setattr(functions, name, each)


def _set_device(value: Any) -> None:
    _torch().set_default_device(None if str(value) == "cpu" else value)


SETTINGS: dict[str, _Setting] = {
    "the working directory": _Setting(os.getcwd, os.chdir),
    "environment variables": _Setting(
        lambda: dict(os.environ), _set_environment, same=_same_environment
    ),
    "sys.stdout": _Setting(lambda: sys.stdout, lambda value: setattr(sys, "stdout", value), same=lambda a, b: a is b),
    "sys.stderr": _Setting(lambda: sys.stderr, lambda value: setattr(sys, "stderr", value), same=lambda a, b: a is b),
    "where modules are looked for": _Setting(lambda: list(sys.path), _put_first, same=_begins_with),
    "what signals do": _Setting(lambda: {each: signal.getsignal(each) for each in _SIGNALS}, _set_handlers),
    "the recursion limit": _Setting(sys.getrecursionlimit, sys.setrecursionlimit),
    "the rights of new files": _Setting(_umask, _umask),
    "limits of the process": _Setting(_limits, _set_limits),
    "which warnings are errors": _Setting(_strict_filters, _set_strict_filters),
    "whether anything is logged": _Setting(lambda: logging.root.manager.disable, logging.disable),
    "whether garbage is collected": _Setting(gc.isenabled, lambda value: gc.enable() if value else gc.disable()),
    "what becomes of errors": _Setting(lambda: sys.excepthook, lambda value: setattr(sys, "excepthook", value)),
    "how numpy treats errors": _Setting(
        lambda: sys.modules["numpy"].geterr(), lambda value: sys.modules["numpy"].seterr(**value), "numpy"
    ),
    "torch's default dtype": _Setting(
        lambda: str(_torch().get_default_dtype()),
        lambda value: _torch().set_default_dtype(getattr(_torch(), value.removeprefix("torch."))), "torch",
        "torch.float32",
    ),
    "whether torch records gradients": _Setting(
        lambda: _torch().is_grad_enabled(), lambda value: _torch().set_grad_enabled(value), "torch", True
    ),
    "torch's number of threads": _Setting(
        lambda: _torch().get_num_threads(), lambda value: _torch().set_num_threads(value), "torch"
    ),
    "whether torch is deterministic": _Setting(
        lambda: (
            _torch().are_deterministic_algorithms_enabled(),
            _torch().is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda value: _torch().use_deterministic_algorithms(value[0], warn_only=value[1]), "torch", (False, False),
    ),
    "torch's precision of matrix products": _Setting(
        lambda: _torch().get_float32_matmul_precision(),
        lambda value: _torch().set_float32_matmul_precision(value), "torch", "highest",
    ),
    "torch's default device": _Setting(lambda: str(_torch().get_default_device()), _set_device, "torch", "cpu"),
    "whether torch looks for NaN": _Setting(
        lambda: _torch().is_anomaly_enabled(),
        lambda value: _torch().autograd.set_detect_anomaly(value), "torch", False,
    ),
    "switches of torch's backends": _Setting(
        _switches, _set_switches, "torch", (True, False, False, True, True, False)
    ),
    "functions of torch": _Setting(
        _functions, _set_functions, "torch",
        same=lambda now, before: all(now.get(name) is each for name, each in before.items()),
    ),
}  # fmt: skip
"""What is remembered, in the words in which a change is named."""


class ProcessWatch:
    """Remembers the process's own settings, to compare and to put back."""

    def __init__(self) -> None:
        self._before = {name: _value(setting) for name, setting in SETTINGS.items()}
        self._random = random.getstate()
        numpy = sys.modules.get("numpy")
        self._numpy_random = None if numpy is None else numpy.random.get_state()

    def undo(self) -> list[str]:
        """Put back what differs; what that was. Drawing random numbers is nobody's change, and is undone silently."""
        random.setstate(self._random)
        if self._numpy_random is not None:
            sys.modules["numpy"].random.set_state(self._numpy_random)
        changed = []
        for name, setting in SETTINGS.items():
            before = self._before[name]
            before = setting.at_first if before is _UNKNOWN else before
            now = _value(setting)
            if before is _UNKNOWN or (now is not _UNKNOWN and setting.same(now, before)):
                continue
            if now is _UNKNOWN and not _exists(setting):
                continue
            changed.append(name)
            with contextlib.suppress(Exception):  # it cannot be put back: it is named
                setting.write(before)
        return changed


def _exists(setting: _Setting) -> bool:
    if not setting.module:
        return True
    module = sys.modules.get(setting.module)
    spec = getattr(module, "__spec__", None)
    return module is not None and not getattr(spec, "_initializing", False)


def _value(setting: _Setting) -> Any:
    """What a setting is now; unknown where its module is not loaded, or where it cannot be read any more."""
    if not _exists(setting):
        return _UNKNOWN
    try:
        return setting.read()
    except Exception:  # the working directory is gone, a function was replaced
        return _UNKNOWN
