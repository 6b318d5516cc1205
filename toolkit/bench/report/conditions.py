"""What stands beside a table: under which conditions its protocol ran, where they are not the shipped ones."""

from __future__ import annotations

import json
from typing import Any

from toolkit.bench.protocols.registered import open_protocol
from toolkit.bench.protocols.settings import OWN, is_read
from toolkit.bench.records.schema import MethodEntry, Run

_NOT_CONDITIONS = ("kind", "name", "about", "digest", "version", "seed", "metrics")
FOREGROUND = (
    "Foreground only: inversions and random heads are on white, by their own opacity, so backgrounds do not count (the "
    "paper does not say what it did with backgrounds)"
)


def title_of(title: str, run: Run | None) -> str:
    """A table's title, with what a reader must not overlook.

    Args:
        title: The table's own.
        run: What the table's numbers are of; None: results do not say.
    """
    return f"{title}, foreground only" if run is not None and is_foreground(run) else title


def is_foreground(run: Run) -> bool:
    """Whether heads were put on white before they were compared."""
    return is_read("foreground", run.settings.kind) and _settings(run).get("foreground") is True


def conditions_of(run: Run) -> list[str]:
    """Sentences, without their full stops, about what a run did otherwise than the protocol as shipped; often none."""
    told = [FOREGROUND] if is_foreground(run) else []
    changed = changed_settings(run)
    if changed:
        told.append(f"Not the shipped protocol: {'; '.join(changed)}")
    renamed = [_told_of(name, entry) for name, entry in run.methods.items() if entry.method]
    if renamed:
        told.append(f"Rows under another name: {'; '.join(renamed)}")
    return told


def _told_of(row: str, entry: MethodEntry) -> str:
    """A row that is another method's once more, with what the user set for it."""
    chosen = [f"{key} = {_said(value)}" for key, value in sorted(entry.options.items())]
    chosen += [f"weights {entry.weights[:12]}"] if entry.weights else []
    return f"{row} is {entry.method}" + (f" with {', '.join(chosen)}" if chosen else "")


def changed_settings(run: Run) -> list[str]:
    """Settings whose values are not the shipped ones: `foreground = true (shipped: false)`; sorted by name."""
    mine, shipped = _settings(run), _shipped(run)
    return [
        f"{key} = {_said(mine[key])} (shipped: {_said(shipped[key])})"
        for key in sorted(mine.keys() & shipped.keys())
        if key not in _NOT_CONDITIONS and is_read(key, run.settings.kind) and _said(mine[key]) != _said(shipped[key])
    ]


def _settings(run: Run) -> dict[str, Any]:
    return run.settings.model_dump(mode="json", exclude_unset=True)


def _shipped(run: Run) -> dict[str, Any]:
    """The protocol's settings as shipped; none where there is no such protocol here."""
    kind = run.settings.kind
    return open_protocol(kind).model_dump(mode="json") if kind in OWN else {}


def _said(value: object) -> str:
    return json.dumps(value, sort_keys=True)
