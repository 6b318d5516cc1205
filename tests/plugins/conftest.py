"""Shared by the plugins' tests."""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))  # tests are imported by file; encoder_golden is shared


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[nn.Module]]:
    """How often each compiled module ran a graph; graphs run as they are."""
    seen: Counter[nn.Module] = Counter()

    def backend(module: nn.Module, graph: torch.fx.GraphModule, _: list[Tensor]) -> Any:
        def run(*inputs: Any) -> Any:
            seen[module] += 1
            return graph.forward(*inputs)

        return run

    real: Any = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda module: real(module, backend=functools.partial(backend, module)))
    yield seen
    torch._dynamo.reset()
