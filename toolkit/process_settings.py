"""The settings of the process that numbers and output depend on: how each is read, set and compared.

Settings of torch and numpy are compared if these are loaded; this module loads neither.
"""

from __future__ import annotations

import gc
import logging
import os
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
UNKNOWN = object()
"""In the place of a value that cannot be read."""


class Setting(NamedTuple):
    """One thing of the process: how to read it, how to set it."""

    read: Callable[[], Any]
    write: Callable[[Any], Any]
    module: str = ""
    """What must be loaded for it to exist."""
    at_first: Any = UNKNOWN
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
    """What was added stays at the end, where it does no harm: a plugin may look for modules there later."""
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


SETTINGS: dict[str, Setting] = {
    "the working directory": Setting(os.getcwd, os.chdir),
    "environment variables": Setting(
        lambda: dict(os.environ), _set_environment, same=_same_environment
    ),
    "sys.stdout": Setting(lambda: sys.stdout, lambda value: setattr(sys, "stdout", value), same=lambda a, b: a is b),
    "sys.stderr": Setting(lambda: sys.stderr, lambda value: setattr(sys, "stderr", value), same=lambda a, b: a is b),
    "where modules are looked for": Setting(lambda: list(sys.path), _put_first, same=_begins_with),
    "what signals do": Setting(lambda: {each: signal.getsignal(each) for each in _SIGNALS}, _set_handlers),
    "the recursion limit": Setting(sys.getrecursionlimit, sys.setrecursionlimit),
    "the rights of new files": Setting(_umask, _umask),
    "limits of the process": Setting(_limits, _set_limits),
    "which warnings are errors": Setting(_strict_filters, _set_strict_filters),
    "whether anything is logged": Setting(lambda: logging.root.manager.disable, logging.disable),
    "whether garbage is collected": Setting(gc.isenabled, lambda value: gc.enable() if value else gc.disable()),
    "what becomes of errors": Setting(lambda: sys.excepthook, lambda value: setattr(sys, "excepthook", value)),
    "how numpy treats errors": Setting(
        lambda: sys.modules["numpy"].geterr(), lambda value: sys.modules["numpy"].seterr(**value), "numpy"
    ),
    "torch's default dtype": Setting(
        lambda: str(_torch().get_default_dtype()),
        lambda value: _torch().set_default_dtype(getattr(_torch(), value.removeprefix("torch."))), "torch",
        "torch.float32",
    ),
    "whether torch records gradients": Setting(
        lambda: _torch().is_grad_enabled(), lambda value: _torch().set_grad_enabled(value), "torch", True
    ),
    "torch's number of threads": Setting(
        lambda: _torch().get_num_threads(), lambda value: _torch().set_num_threads(value), "torch"
    ),
    "whether torch is deterministic": Setting(
        lambda: (
            _torch().are_deterministic_algorithms_enabled(),
            _torch().is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda value: _torch().use_deterministic_algorithms(value[0], warn_only=value[1]), "torch", (False, False),
    ),
    "torch's precision of matrix products": Setting(
        lambda: _torch().get_float32_matmul_precision(),
        lambda value: _torch().set_float32_matmul_precision(value), "torch", "highest",
    ),
    "torch's default device": Setting(lambda: str(_torch().get_default_device()), _set_device, "torch", "cpu"),
    "whether torch looks for NaN": Setting(
        lambda: _torch().is_anomaly_enabled(),
        lambda value: _torch().autograd.set_detect_anomaly(value), "torch", False,
    ),
    "switches of torch's backends": Setting(
        _switches, _set_switches, "torch", (True, False, False, True, True, False)
    ),
    "functions of torch": Setting(
        _functions, _set_functions, "torch",
        same=lambda now, before: all(now.get(name) is each for name, each in before.items()),
    ),
}  # fmt: skip
"""What is remembered, in the words in which a change is named."""
