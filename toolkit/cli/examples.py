"""Examples at the end of every command's help. A test checks that the command has each option in them."""

from __future__ import annotations

from collections.abc import Iterator

import typer
from typer.models import CommandInfo, TyperInfo

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("toolkit demo", "toolkit demo --out heads"),
    "invert": (
        "toolkit invert me.jpg",
        "toolkit invert *.jpg --method pti --preset fast --out heads",
        "toolkit invert --list-options pti",
    ),
    "render": (
        "toolkit render inversions/me --out views",
        "toolkit render inversions/me --cameras wanted.json --out renders",
    ),
    "mesh": ("toolkit mesh inversions/me", "toolkit mesh inversions/me --out me.glb"),
    "train": ("toolkit train psp --dry-run", "toolkit train psp --set images.steps=500 --out runs/psp"),
    "doctor": ("toolkit doctor", "TOOLKIT_PLUGINS=panohead,psp toolkit doctor"),
    "bench": (
        "toolkit bench --methods all --limit 4 --preset fast --out runs/first",
        "toolkit bench --methods psp,pti --data photos --protocol reconstruction",
    ),
    "bench compare": (
        "toolkit bench compare runs/first runs/second",
        "toolkit bench compare runs/first runs/second --json",
    ),
    "bench report": (
        "toolkit bench report runs/first",
        "toolkit bench report runs/first --leaderboard leaderboard.md",
    ),
    "bench check-results": (
        "toolkit bench check-results renders",
        "toolkit bench check-results renders --wanted runs/first/wanted.json",
    ),
    "data make": (
        "toolkit data make heads360 heads --subjects 20",
        "toolkit data make heads360 heads --subjects 20 --split test --views front,back",
    ),
    "data prepare": (
        "toolkit data prepare photos my-pictures prepared",
        "toolkit data prepare mead mead-raw prepared --workers 4",
    ),
    "data split": ("toolkit data split lpff:lpff.zip", "toolkit data split photos parts"),
    "data check": ("toolkit data check photos", "toolkit data check lpff:lpff.zip"),
    "plugins list": ("toolkit plugins list", "toolkit plugins list --json"),
    "plugins show": ("toolkit plugins show psp", "toolkit plugins show dual-encoder --kind method --json"),
    "plugins check": ("toolkit plugins check my-method", "toolkit plugins check my-reader --data folder"),
    "plugins new": ("toolkit plugins new my-method", "toolkit plugins new my-encoder --kind encoder --out ~/code"),
    "weights list": ("toolkit weights list", "TOOLKIT_WEIGHTS=/data/weights toolkit weights list"),
    "weights import": (
        "toolkit weights import easy-khair-180-gpc0.8-trans10-025000.pkl",
        "toolkit weights import encoder.pt --as e4e_encoder --out e4e.safetensors",
    ),
    "weights download": ("toolkit weights download vgg16", "toolkit weights download vgg16 alexnet"),
    "weights verify": ("toolkit weights verify", "TOOLKIT_WEIGHTS=/data/weights toolkit weights verify"),
}
"""By command, as one types it."""
GROUP_EXAMPLES: dict[str, tuple[str, ...]] = {
    "": ("toolkit demo", "toolkit invert me.jpg"),
    "data": (EXAMPLES["data make"][0], EXAMPLES["data check"][0]),
    "plugins": (EXAMPLES["plugins list"][0], EXAMPLES["plugins new"][0]),
    "weights": (EXAMPLES["weights list"][0], EXAMPLES["weights import"][0]),
}
"""By group of commands that does nothing by itself; the empty name is the program."""


def add_examples(app: typer.Typer) -> None:
    """Put the examples at the end of every command's help, and of the program's own."""
    for name, info in [("", app.info), *_commands(app, "")]:
        lines = EXAMPLES.get(name) or GROUP_EXAMPLES.get(name)
        if lines is not None:
            # a paragraph that begins with this character keeps its lines
            info.epilog = "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def _commands(app: typer.Typer, prefix: str) -> Iterator[tuple[str, CommandInfo | TyperInfo]]:
    for command in app.registered_commands:
        yield f"{prefix}{command.name}", command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield str(group.name), group
            yield from _commands(group.typer_instance, f"{prefix}{group.name} ")
