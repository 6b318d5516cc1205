"""`toolkit doctor`: what is installed, what works, what is missing."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys

import typer

from toolkit.cli.text import say

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-image", "facenet-pytorch", "opencv-python-headless",
            "imageio-ffmpeg", "trimesh", "lpips", "efficientnet-lite-pytorch", "dlib-bin",
            "face-recognition-models")  # fmt: skip


def doctor_command() -> None:
    """Print versions, devices, plugins, and which weights are found and which are missing."""
    from toolkit.registry import default_registry
    from toolkit.version import VERSION

    say(f"toolkit {VERSION}, Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    say("packages")
    for package in PACKAGES:
        say(f"  {package:<27}{_version(package)}")
    say("devices")
    for line in _devices():
        say(f"  {line}")
    registry = default_registry()
    say(f"plugins: {', '.join(registry.plugins) or 'none'}")
    for plugin in registry.broken:
        say(f"  broken: {plugin.plugin}: {plugin.reason}")
    say("weights")
    for line in _weights():
        say(f"  {line}")
    say("metrics with networks")
    for line in _metrics():
        say(f"  {line}")
    if registry.broken:
        raise typer.Exit(1)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed (optional)"


def _devices() -> list[str]:
    import os

    import torch

    free = shutil.disk_usage(".").free / 2**30
    lines = [f"cpu: {os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads; {free:.0f} GiB free here"]
    if torch.cuda.is_available():
        lines += [f"cuda:{i}: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    else:
        lines.append("cuda: none (everything embedded runs on the CPU)")
    return lines


def _weights() -> list[str]:
    from toolkit.errors import ToolkitError
    from toolkit.registry import default_registry

    lines = []
    registry = default_registry()
    for entry in registry.of_kind("generator"):
        if entry.world == "untrained":
            continue
        try:
            spec = entry.build(None, "cpu").spec
            lines.append(f"found    {entry.name}: {spec.image_size} px, {spec.licence}, {spec.fingerprint[:12]}")
        except ToolkitError as error:
            lines.append(f"missing  {entry.name}: {error}")
    return lines or [f"no generators registered ({sys.executable})"]


def _metrics() -> list[str]:
    from toolkit.errors import ToolkitError
    from toolkit.registry import default_registry

    lines = []
    for entry in default_registry().of_kind("metric"):
        if entry.world not in ("full", "embedded"):
            continue
        try:
            entry.build()
            lines.append(f"found    {entry.name}: {entry.summary}")
        except ToolkitError as error:
            lines.append(f"missing  {entry.name}: {error}")
    return lines or ["none registered"]
