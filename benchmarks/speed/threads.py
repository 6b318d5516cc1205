"""Whether two threads are ever slower than one: wall and CPU seconds of both, for machines whose cores are idle.

python benchmarks/speed/threads.py [--json FILE]
"""

from __future__ import annotations

import os

import forward
import miniature
import wplus_step
from measuring import Side, compare, report

from toolkit.cores import usable_cores

PATHS: dict[str, Side] = {
    "forward z to 512 px": forward.ours,
    "W+ step": wplus_step.ours,
    f"{miniature.VIEWS} views of the miniature": miniature.ours,
}
THREADS = (1, 2)


def main() -> None:
    if (cores := usable_cores()) < max(THREADS):
        print(f"two threads need two cores, got {cores}: not measured")
        return
    for name, side in PATHS.items():
        one, two = (compare({"ours": side}, repetitions=1, threads=threads)["ours"] for threads in THREADS)
        report(f"{name}, two threads", {"ours": two}, wall_seconds=two.wall, wall_seconds_of_one_thread=one.wall,
               times_as_fast=one.wall / two.wall, load=os.getloadavg()[0])  # fmt: skip


if __name__ == "__main__":
    main()
