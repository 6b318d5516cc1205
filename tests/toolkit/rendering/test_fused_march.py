"""Kernels of the fused march: their numbers in Triton's interpreter, and their machine code, made without a GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

has_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed; it comes with PyTorch for Linux"
)
SHARED_MEMORY = 99 * 1024
"""Bytes that a block may have on every NVIDIA GPU since Ampere."""
SIZES = {"CHANNELS": 32, "HIDDEN": 64, "FEATURES": 32, "DEPTH": 3, "HEIGHT": 256, "WIDTH": 256}


@has_triton
def test_it_agrees_with_the_plain_march_in_tritons_interpreter():
    program = [sys.executable, "-m", "pytest", str(Path(__file__).with_name("interpreted_fused_march.py"))]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # Triton reads it when it is loaded
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@has_triton
@pytest.mark.parametrize("precision", ["ieee", "tf32"])
@pytest.mark.parametrize("capability", [80, 90])
def test_kernels_compile_for_gpus_and_fit_into_their_shared_memory(
    capability: int, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from toolkit.rendering.fused import gradient_kernels, kernels, launching

    constants = {**SIZES, "TILE": launching.TILE, "PRECISION": precision, "ACTIVATION": "sigmoid"}
    constants |= {"OF_TABLE": True, "OF_WEIGHTS": True}
    forward = (kernels.density_kernel, kernels.blend_kernel, gradient_kernels.projection_kernel)
    options = launching.OPTIONS
    for kernel in forward:
        assert shared_memory(kernel, constants, capability, options) <= SHARED_MEMORY
    gradients = gradient_kernels.gradient_kernel
    assert shared_memory(gradients, constants, capability, options | launching.WIDER) <= SHARED_MEMORY


def shared_memory(kernel: Any, constants: dict[str, Any], capability: int, options: dict[str, Any]) -> int:
    """Bytes that a kernel needs, once it is compiled for a GPU that need not be there."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kinds = {
        "count": "i32",
        "rays_per_view": "i32",
        "head_size": "i32",
        "tiles": "i32",
        "scale": "fp32",
        "crop": "fp32",
    }
    names = {parameter.name: parameter.num for parameter in kernel.params}
    signature = {name: "constexpr" if name in constants else kinds.get(name, "*fp32") for name in names}
    values = {(number,): constants[name] for name, number in names.items() if name in constants}
    target = GPUTarget("cuda", capability, 32)
    return triton.compile(ASTSource(kernel, signature, values), target=target, options=options).metadata.shared
