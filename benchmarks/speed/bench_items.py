"""What the benchmark itself costs per item: the difference between a run with few items and one with more.

    python benchmarks/speed/bench_items.py [--json FILE]

The method is `mean`: it inverts in no time, so that an item costs rendering and metrics alone.
"""

from __future__ import annotations

import tempfile

from measuring import Measured, report
from startup import seconds_of

FEW, MORE = 1, 4
METHOD = "mean"


def seconds_of_run(items: int) -> float:
    """CPU seconds of a whole run, its workers included."""
    with tempfile.TemporaryDirectory() as folder:
        run = ("-m", "toolkit", "bench", "--methods", METHOD, "--limit", str(items), "--preset", "fast")
        return seconds_of((*run, "--threads", "1", "--out", f"{folder}/run"))


def main() -> None:
    few, more = (seconds_of_run(items) for items in (FEW, MORE))
    each = (more - few) / (MORE - FEW)
    report(f"an item of the benchmark, {METHOD}", {"ours": Measured(each, 0.0, None, 0.0, [each])}, first_item=few)


if __name__ == "__main__":
    main()
