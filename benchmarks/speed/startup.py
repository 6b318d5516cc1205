"""What a command costs before it does anything: help, imports, the first picture.

python benchmarks/speed/startup.py [--json FILE]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from measuring import Measured, report

COMMANDS = {
    "toolkit --help": ("-m", "toolkit", "--help"),
    "toolkit plugins list": ("-m", "toolkit", "plugins", "list"),
    "import toolkit": ("-c", "import toolkit"),
    "import torch": ("-c", "import torch"),
    "load the miniature": ("-c", "import toolkit; toolkit.load_generator('panohead-mini')"),
    "open the default method": (
        "-c",
        "import toolkit; toolkit.load_method('dual-encoder', toolkit.load_generator('panohead-mini'))",
    ),
}
REPETITIONS = 3


def seconds_of(arguments: tuple[str, ...]) -> float:
    """CPU seconds of a fresh interpreter."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    for name, arguments in COMMANDS.items():
        every = [seconds_of(arguments) for _ in range(REPETITIONS)]
        report(name, {"ours": Measured(statistics.median(every), 0.0, None, 0.0, every)})


if __name__ == "__main__":
    main()
