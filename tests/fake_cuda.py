"""A GPU that is not there: torch's fake tensors say that they are on 'cuda', and nothing is computed.

Code runs as it would on a GPU: an operation on tensors of two devices fails, a GPU's tensor cannot become an array.
What is on the CPU is computed; what comes back from the GPU is 1 everywhere. What only a computation could tell is
assumed: every check passes (`all` is true, `any` and comparisons are false), fractions are 1, integers 0, and a mask
selects everything. Each wait of the host for the device is counted. Autocast has no effect.

Tensors on fake devices keep 'meta' for torch's own C++ side, since its autograd asks a real driver about 'cuda'.
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch._dynamo
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn import Module, Parameter
from torch.utils._pytree import tree_leaves, tree_map

from toolkit.encoders.files import EncoderFile

_aten = torch.ops.aten
_CUDA = torch.device("cuda", 0)
_FALSE = {"any", "lt", "le", "gt", "ge", "ne", "isnan", "isinf"}
"""Operations whose outcome is taken as false where a boolean is asked for."""


class FakeCuda(FakeTensorMode):
    """The fake tensors' mode that knows a GPU and counts how often the host waits for it."""

    def __init__(self) -> None:
        """Start with no waits."""
        super().__init__(allow_non_fake_inputs=True)
        self.waits: Counter[str] = Counter()
        """By what made the host wait: 'item', 'nonzero', 'to cpu', 'from cpu'."""
        self.places: Counter[str] = Counter()
        """By the toolkit's line that made it wait."""
        self._answers: dict[int, bool] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answer what fake tensors cannot; leave the rest to torch."""
        kwargs = dict(kwargs or {})
        if self.in_kernel_invocation:
            return super().__torch_dispatch__(func, types, args, kwargs)
        if kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "meta":
            kwargs["device"] = _CUDA  # the C++ side made something like a tensor on the GPU
        args = tree_map(self._claimed, args)
        device = kwargs.get("device")
        if not any(isinstance(one, FakeTensor) for one in tree_leaves((args, kwargs))) and (
            device is None or torch.device(device).type != "cuda"
        ):
            return func(*args, **kwargs)  # all on the CPU: computed
        packet = func.overloadpacket
        if packet is _aten._local_scalar_dense:
            return self._number(args[0])
        if packet in (_aten.equal, _aten.allclose):
            self._note("item", args[0])
            return True
        if packet is _aten.nonzero:
            return self._everything(args[0])
        if packet is _aten.masked_select:
            return args[0].expand(torch.broadcast_shapes(args[0].shape, args[1].shape)).reshape(-1)
        if packet in (_aten.index, _aten.index_put, _aten.index_put_, _aten._unsafe_index):
            args = (args[0], self._without_masks(args[1]), *args[2:])
        self._note_copies(packet, args, kwargs)
        if packet is _aten.copy_ and not isinstance(args[0], FakeTensor):
            return args[0].fill_(1)
        if packet is _aten._to_copy and device is not None and torch.device(device).type == "cpu":
            return torch.ones(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        if packet is _aten._to_copy and not isinstance(args[0], FakeTensor):
            with self:
                return torch.empty_like(args[0], device=_CUDA, dtype=kwargs.get("dtype") or args[0].dtype)
        found = super().__torch_dispatch__(func, types, args, kwargs)
        if isinstance(found, FakeTensor) and found.dtype is torch.bool:
            found.taken_as = self._truth(packet.__name__, args)  # type: ignore[attr-defined]
        return found

    def _claimed(self, value: Any) -> Any:
        """A number that the C++ side made a 'meta' tensor of belongs to the GPU."""
        if not isinstance(value, Tensor) or isinstance(value, FakeTensor) or not value.is_meta:
            return value
        with self:
            return torch.empty(value.shape, dtype=value.dtype, device=_CUDA)

    def _truth(self, name: str, args: Any) -> bool:
        before = next((getattr(one, "taken_as", None) for one in args if isinstance(one, Tensor)), None)
        if name in ("logical_not", "bitwise_not"):
            return not before
        if name in ("all", "isfinite", "eq", "isclose"):
            return True
        if name in _FALSE:
            return False
        return True if before is None else before

    def _number(self, tensor: Tensor) -> bool | int | float:
        self._note("item", tensor)
        constant = getattr(tensor, "constant", None)
        if constant is not None:
            return constant.item()
        if tensor.dtype is torch.bool:
            return bool(getattr(tensor, "taken_as", True))
        return 1.0 if tensor.dtype.is_floating_point else 0

    def _everything(self, mask: Tensor) -> Tensor:
        self._note("nonzero", mask)
        with self:
            return torch.empty(mask.numel(), mask.ndim, dtype=torch.long, device=mask.device)

    def _without_masks(self, indices: Any) -> list[Any]:
        found: list[Any] = []
        for index in indices:
            if isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8):
                found += self._everything(index).unbind(1)
            else:
                found.append(index)
        return found

    def _note_copies(self, packet: Any, args: Any, kwargs: Any) -> None:
        if packet is _aten._to_copy and kwargs.get("device") is not None:
            self._note_copy(args[0], torch.device(kwargs["device"]), kwargs.get("non_blocking", False))
        elif packet is _aten.copy_ and isinstance(args[1], Tensor):
            self._note_copy(args[1], args[0].device, bool(args[2:] and args[2]) or kwargs.get("non_blocking", False))

    def _note_copy(self, tensor: Tensor, target: torch.device, non_blocking: bool) -> None:
        source = tensor.device.type
        if source != target.type and not non_blocking and "cuda" in (source, target.type):
            self._note("to cpu" if source == "cuda" else "from cpu", None)

    def _note(self, kind: str, tensor: Tensor | None) -> None:
        if tensor is not None and tensor.device.type != "cuda":
            return
        self.waits[kind] += 1
        self.places[f"{kind}: {_caller()}"] += 1


def _caller() -> str:
    import sys

    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if ("/toolkit" in name) and "site-packages" not in name:
            return f"{name.rsplit('/toolkit', 1)[-1]}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return "elsewhere"


@contextlib.contextmanager
def fake_cuda() -> Iterator[FakeCuda]:
    """Pretend for a block that there is one GPU; fake tensors must not leave it."""
    with contextlib.ExitStack() as patches:
        for patch in _patches():
            patches.enter_context(patch)
        try:
            with FakeCuda() as mode:
                yield mode
        finally:
            forget_networks()


def forget_networks() -> None:
    """Empty what our functions remember: networks that are read once per process would stay on the GPU that is gone."""
    for each in gc.get_objects():
        if type(each) is functools._lru_cache_wrapper and str(each.__module__).startswith("toolkit"):
            each.cache_clear()


def _replaced(module: Module, change: Callable[[Tensor], Tensor], recurse: bool = True) -> Module:
    """`Module._apply` that always makes new parameters: torch would swap fake ones, which it cannot."""
    if recurse:
        for child in module.children():
            _replaced(child, change)
    for name, parameter in module._parameters.items():
        if parameter is not None:
            with torch.no_grad():
                changed = change(parameter)
            if changed is not parameter:
                module._parameters[name] = Parameter(changed, parameter.requires_grad)
    for name, buffer in module._buffers.items():
        if buffer is not None:
            module._buffers[name] = change(buffer)
    return module


class _Source(torch.Generator):
    """Random numbers of the GPU, drawn on the CPU."""

    def __new__(cls, device: torch.device | str = "cpu") -> _Source:
        made: _Source = super().__new__(cls, "cpu")
        made.place = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """Where it was asked to draw."""
        return _CUDA if self.place.type == "cuda" else self.place


def _patches() -> Iterator[contextlib.AbstractContextManager[Any]]:
    make = torch.Tensor._make_subclass

    @functools.wraps(make)
    def make_subclass(cls: type, *args: Any, **options: Any) -> Any:
        if issubclass(cls, FakeTensor) and options["device_for_backend_keys"].type == "cuda":
            options["dispatch_device"] = False
        return make(cls, *args, **options)

    yield mock.patch.object(torch, "Generator", _Source)
    yield mock.patch.object(torch.Tensor, "_make_subclass", staticmethod(make_subclass))
    yield mock.patch.object(FakeTensor, "is_cuda", property(lambda self: self.device.type == "cuda"), create=True)
    yield mock.patch.object(FakeTensor, "is_cpu", property(lambda self: self.device.type == "cpu"), create=True)
    yield mock.patch.object(torch.Tensor, "to", _moved)
    yield mock.patch.object(torch.Tensor, "new_tensor", _like)
    yield mock.patch.object(torch, "tensor", functools.partial(_made, torch.tensor))
    yield mock.patch.object(torch, "as_tensor", functools.partial(_made, torch.as_tensor))
    yield mock.patch.object(torch.Tensor, "numpy", _as_array)
    yield mock.patch.object(torch.Tensor, "tolist", _as_list)
    yield mock.patch.object(FakeTensor, "tolist", _as_list)
    yield mock.patch.object(Module, "_apply", _replaced)
    # no weights, no fingerprint of them
    yield mock.patch.object(EncoderFile, "check_generator", lambda *args, **options: None)
    yield mock.patch.object(torch.optim.Optimizer, "_accelerator_graph_capture_health_check", lambda self: None)
    yield mock.patch.object(torch.cuda, "is_available", lambda: True)
    yield mock.patch.object(torch.cuda, "synchronize", lambda device=None: None)
    yield mock.patch.object(torch.cuda, "is_bf16_supported", lambda *args, **options: True)
    yield mock.patch.object(torch.cuda, "device_count", lambda: 1)
    yield mock.patch.object(torch.cuda, "get_rng_state", lambda device=None: torch.zeros(16, dtype=torch.uint8))
    yield mock.patch.object(torch.cuda, "set_rng_state", lambda state, device=None: None)
    yield mock.patch.object(torch.cuda, "max_memory_allocated", lambda device=None: 0)
    yield mock.patch.object(torch.cuda, "get_device_name", lambda device=None: "a GPU that is not there")
    yield mock.patch.object(torch.cuda, "reset_peak_memory_stats", lambda device=None: None)
    yield mock.patch("torch.amp.grad_scaler.torch.cuda.amp.common.amp_definitely_not_available", lambda: False)


_real_numpy, _real_tolist, _real_to = torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.to


def _moved(tensor: Tensor, *args: Any, **options: Any) -> Tensor:
    """`Tensor.to`, which would ask the driver for the number of the current GPU."""

    def numbered(value: Any) -> Any:
        return _CUDA if str(value) == "cuda" and isinstance(value, str | torch.device) else value

    found = [numbered(value) for value in args]
    return _real_to(tensor, *found, **{key: numbered(value) for key, value in options.items()})


def _made(make: Callable[..., Tensor], data: Any, *args: Any, device: Any = None, **options: Any) -> Tensor:
    """`torch.tensor` and `torch.as_tensor`, which would wake the driver before they ask the mode."""
    found = make(data, *args, **options)
    return found if device is None else found.to(device)


def _like(tensor: Tensor, data: Any, **options: Any) -> Tensor:
    """`Tensor.new_tensor`, which would ask the driver for the current GPU."""
    return torch.tensor(data, **{"dtype": tensor.dtype, "device": tensor.device, **options})


def _as_array(tensor: Tensor, **options: Any) -> np.ndarray:
    if isinstance(tensor, FakeTensor):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it first.")
    return _real_numpy(tensor, **options)


def _as_list(tensor: Tensor) -> Any:
    return _real_tolist(tensor.detach().cpu() if isinstance(tensor, FakeTensor) else tensor)
