"""Inversion by optimisation: W and W+ projection, pivotal tuning, and the mean head as a floor to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register


@hookimpl
def register_methods(register: Register) -> None:
    """Offer `wplus`, `pti` and `mean`."""
    here = "toolkit_plugins.optimisation"
    register(
        "wplus",
        f"{here}.wplus:open_wplus",
        summary="optimise the W+ code for the input view",
        interface=1,
        headline=True,
    )
    register(
        "pti",
        f"{here}.pivotal_tuning:open_pti",
        summary="W+ optimisation, then tune the generator around the code (pivotal tuning)",
        interface=1,
        headline=True,
    )
    register("mean", f"{here}.mean:open_mean", summary="the generator's average head, whatever the input", interface=1)
