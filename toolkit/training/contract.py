"""Whether what a plugin made for `toolkit train` is a training job, before anything is written or computed."""

from __future__ import annotations

import inspect

from toolkit.errors import PluginError
from toolkit.interfaces.training import TrainingJob

REQUIRED = ("modules", "optimisers", "batch", "training_step", "export")
"""What every job says itself; the contract has the rest, for those that derive from it."""


def check_job(job: object) -> None:
    """Refuse an object that lacks a part of the contract.

    Raises:
        PluginError: It lacks one; the sentence names all that are missing.
    """
    members = (*TrainingJob.__annotations__, *(name for name in vars(TrainingJob) if not name.startswith("_")))
    missing = [name for name in dict.fromkeys(members) if not hasattr(job, name) or _is_inherited(job, name)]
    if missing:
        raise PluginError(
            f"the training {type(job).__name__} lacks {', '.join(missing)}; derive it from "
            "toolkit.training.TrainingJob, which brings all optional parts"
        )


def _is_inherited(job: object, name: str) -> bool:
    """Whether a required part is the contract's own, which does nothing."""
    return name in REQUIRED and inspect.getattr_static(type(job), name, None) is vars(TrainingJob)[name]
