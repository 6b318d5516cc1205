"""The file run.json: what is trained, with which settings, and in which sessions."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch

from toolkit import __version__
from toolkit.devices import told_arithmetic
from toolkit.documents import read_document
from toolkit.files import atomic_write
from toolkit.training.distribution import rank_and_world


def note_session(
    path: Path,
    identity: Mapping[str, Any],
    done: int,
    say: Callable[[str], None],
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add a session that begins after `done` steps; an unreadable file is written again.

    Args:
        path: run.json.
        identity: The job's name, seed and configuration.
        done: Steps done before.
        say: Told what the user should know about it.
        data: What the training learns from, in numbers.
    """
    sessions = []
    if path.exists():
        try:
            sessions = [dict(session) for session in read_document(path)["sessions"]]
        except (OSError, ValueError, KeyError, TypeError):
            say(f"{path} could not be read and is written again")
    threads = torch.get_num_threads()
    if done and sessions and sessions[-1].get("threads") != threads:
        before = sessions[-1].get("threads")
        say(f"resumed with {threads} threads instead of {before}: last digits will differ")
    sessions.append(
        {
            "from_step": done,
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "threads": threads,
            "processes": rank_and_world()[1],
            **({"data": dict(data)} if data else {}),
            "arithmetic": told_arithmetic(),
            "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "versions": {
                "toolkit": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        }
    )
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(dict(identity) | {"sessions": sessions}, indent=2) + "\n", encoding="utf-8")
