"""The paper's claims and ablations, measured again in the embedded world by one command (hours).

python experiments/dual_encoder_reproduction.py --out out/reproduction
python experiments/dual_encoder_reproduction.py --out out/reproduction --tables 3 --seeds 3

Nothing but `toolkit train` and `toolkit bench`, in an order; every part goes on where it was stopped. The findings are
written to claims.md: the claims with verdicts and numbers, and a line per variant of each ablation.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.resources
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dual_encoder_claims import FLOOR, Results, as_markdown, judge, judge_discriminators
from toolkit.bench.records.results import read_results
from toolkit.bench.report.compare import compare_runs
from toolkit.data import layout
from toolkit.errors import InputError
from toolkit.files import atomic_write

METHODS = ("encoder1", "encoder2", "dual-encoder")
"""Whom the claims are about; the leaderboard has all others."""
SCORES = (("reconstruction", "lpips_lite"), ("reconstruction", "id_dlib"), ("fid360", "fd_lite"))
"""LPIPS, ID and FID, as the paper's ablations give them."""
NETWORKS = {"psp": None, "dual-encoder": "psp"}
"""What is trained where nothing ships, and what it begins at."""
STARTS = {3: "dual-encoder", 5: "psp"}
"""Whose networks a table's trainings begin at; Table 4's rows encode into unlike spaces and begin at random."""
WEIGHTS, RESULTS = "weights.safetensors", "results.json"
HEADS, WORKERS = "heads360", 2


class Variant(NamedTuple):
    """A row of an ablation."""

    config: str
    trainable: str
    key: str
    """Short name among the table's rows."""


TABLES = {
    3: (
        Variant("table3-no-discriminator", "encoder2", "none"),
        Variant("table3-image-discriminator", "encoder2", "images"),
        Variant("table3-planes-without-occlusion", "encoder2", "planes"),
        Variant("table3-planes-with-occlusion", "encoder2", "occlusion"),
    ),
    4: (
        Variant("table4-real-z", "encoder1", "real z"),
        Variant("table4-real-zplus", "encoder1", "real z+"),
        Variant("table4-real-wplus", "encoder1", "real w+"),
        Variant("table4-synthetic-wplus", "encoder1", "z+ generations w+"),
        Variant("table4-mixed-wplus", "encoder1", "both w+"),
    ),
    5: (
        Variant("table5-encoder1", "encoder1", "encoder 1"),
        Variant("table5-encoder2", "encoder2", "encoder 2"),
        Variant("table5-dual", "dual-encoder", "dual"),
    ),
}
"""The paper's ablations, by number. Of Table 5 only the last is trained: its file holds the other two."""


def main() -> None:
    """Train what is missing, compare, judge, write claims.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/reproduction"))
    parser.add_argument("--limit", type=int, default=500, help="heads of the 360-degree FID and the input view")
    parser.add_argument("--truth-limit", type=int, default=24, help="subjects of the exact ground truth")
    parser.add_argument("--train", action="store_true", help="train the networks although some ship")
    parser.add_argument("--tables", type=int, nargs="*", default=[], choices=sorted(TABLES), help="ablations, too")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of every ablation's row")
    parser.add_argument("--first-seed", type=int, default=0, help="of those: the first one's seed, others count up")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="a setting of every training")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    weights = _weights(out, arguments.train, arguments.settings)
    names, fronts = ",".join(METHODS), _fronts(out, arguments.limit)
    for folder, protocols, data, limit in (
        ("views", "reconstruction,fid360", fronts, arguments.limit),
        ("truth", "gt360,speed", HEADS, arguments.truth_limit),
    ):
        _bench(out / folder, names, protocols, data, limit, [f"{name}={file}" for name, file in weights.items()])
    found = _joined(out / "views", out / "truth")
    text = "# The dual encoder's claims, measured\n\n" + as_markdown(judge(found))
    for table in arguments.tables:
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        text += ablation(out, table, seeds, arguments.limit, weights, arguments.settings)
    with atomic_write(out / "claims.md") as path:
        path.write_text(text, encoding="utf-8")
    print(text, file=sys.stdout)


def ablation(
    out: Path, table: int, seeds: Sequence[int], limit: int, weights: dict[str, Path], settings: Sequence[str]
) -> str:
    """Train and compare the rows of one of the paper's tables; what was found, as text."""
    text = f"\n## The paper's Table {table}\n\n"
    by_seed: dict[int, dict[str, Path]] = {}
    start = [f"start={weights.get(STARTS[table]) or _shipped(STARTS[table])}"] if table in STARTS else []
    text += "| variant | seed | " + " | ".join(f"{metric} ({protocol})" for protocol, metric in SCORES) + " |\n"
    text += "| --- " * (2 + len(SCORES)) + "|\n"
    for trained, rows in _trainings(table).items():
        for seed in seeds:
            run = out / f"table{table}" / f"{trained.config}-{seed}"
            _train(
                run / "training", trained.trainable, [f"seed={seed}", *start, *settings], f"ablations/{trained.config}"
            )
            names = [row.trainable for row in rows]
            made = [f"{name}={run / 'training' / WEIGHTS}" for name in names]
            _share_random_heads(out / "views", run / "bench")
            _bench(run / "bench", ",".join(names), "reconstruction,fid360", _fronts(out, limit), limit, made)
            results = _joined(run / "bench")
            for row in rows:
                by_seed.setdefault(seed, {})[row.key] = run / "bench"
                numbers = [Results(results).number(*score, row.trainable) for score in SCORES]
                told = " | ".join(str(number or "not measured") for number in numbers)
                text += f"| {row.key} | {seed} | {told} |\n"
    for seed, benches in by_seed.items() if table in (3, 5) else ():
        findings = judge_discriminators(_across(benches)) if table == 3 else judge(_joined(benches["dual"]))
        text += f"\nSeed {seed}:\n\n" + as_markdown(findings)
    return text


def _trainings(table: int) -> dict[Variant, tuple[Variant, ...]]:
    """What is trained for a table, and the rows that each file is measured as."""
    rows = TABLES[table]
    return {rows[-1]: rows} if table == 5 else {row: (row,) for row in rows}


def _weights(out: Path, train: bool, settings: Sequence[str]) -> dict[str, Path]:
    """Checkpoints by method: of what ships none are named, all others are trained."""
    shipped = _shipped("dual-encoder")
    if not train and shipped.is_file():
        return {"dual-encoder": shipped}
    made: dict[str, Path] = {}
    for name, start in NETWORKS.items():
        begin = [] if start is None else [f"start={made[start]}"]
        _train(out / "training" / name, name, [*begin, *settings])
        made[name] = out / "training" / name / WEIGHTS
    return made | dict.fromkeys(("encoder1", "encoder2"), made["dual-encoder"])


def _shipped(name: str) -> Path:
    """Where a method's weights lie if they ship."""
    plugin = importlib.resources.files(f"toolkit_plugins.{name.replace('-', '_')}")
    return Path(str(plugin / "weights" / f"{name}.safetensors"))


def _train(folder: Path, name: str, settings: Sequence[str], config: str | None = None) -> None:
    if (folder / WEIGHTS).is_file():
        return
    chosen = [] if config is None else ["--config", config]
    options = [part for each in settings for part in ("--set", each)]
    _toolkit("train", name, *chosen, *options, "--resume", "--threads", "1", "--out", str(folder))


def _fronts(out: Path, count: int) -> str:
    """A folder with the frontal view of wild heads, which is all that an inversion and FID look at."""
    folder = out / f"{HEADS}-{count}"
    if not (folder / layout.LABELS_FILE).is_file():
        _toolkit(
            "data", "make", HEADS, str(folder), "--subjects", str(count), "--split", "test", "--domain", "wild",
            "--views", "yaw_0", "--workers", str(WORKERS),
        )  # fmt: skip
    return str(folder)


def _bench(folder: Path, methods: str, protocols: str, data: str, limit: int, weights: Sequence[str]) -> None:
    files = [part for each in weights for part in ("--method-weights", each)]
    (folder / RESULTS).unlink(missing_ok=True)  # a crash's exit code is 1, too: it must not pass on an old one
    _toolkit(
        "bench", "--methods", methods, "--protocol", protocols, "--data", data, "--limit", str(limit), *files,
        "--engine", "processes", "--workers", str(WORKERS), "--threads", "1", "--out", str(folder),
        allowed=(0, 1),
    )  # fmt: skip


def _share_random_heads(known: Path, bench: Path) -> None:
    """Give a run the features of random heads that another one of as many pictures has made: the same for all."""
    (bench / "features").mkdir(parents=True, exist_ok=True)
    for file in (known / "features").glob("random-*"):
        if not (bench / "features" / file.name).exists():
            with atomic_write(bench / "features" / file.name) as path:
                shutil.copy(file, path)


def _toolkit(*arguments: str, allowed: Sequence[int] = (0,)) -> None:
    """Run a command of the toolkit; what it says goes to the terminal."""
    call = [sys.executable, "-c", "from toolkit.cli.main import main; main()", *arguments]
    print("toolkit " + " ".join(arguments), file=sys.stderr, flush=True)
    code = subprocess.run(call, stdout=subprocess.DEVNULL, check=False).returncode
    if code not in allowed:
        raise SystemExit(code)


def _joined(*folders: Path) -> dict[str, Any]:
    """Rows and comparisons of several runs."""
    runs = [json.loads((folder / RESULTS).read_text(encoding="utf-8")) for folder in folders]
    return {name: [entry for run in runs for entry in run.get(name, [])] for name in ("rows", "comparisons")}


def _across(benches: dict[str, Path]) -> dict[str, Any]:
    """Rows and comparisons of runs of one method, which is named after its run; unlike runs have no comparisons."""
    runs = {name: read_results(folder) for name, folder in benches.items()}
    rows = [{**row.as_json(), "method": name} for name, run in runs.items() for row in run.rows if row.method != FLOOR]
    rows += [row.as_json() for row in next(iter(runs.values())).rows if row.method == FLOOR]
    pairs = []
    for (first, one), (second, other) in itertools.combinations(runs.items(), 2):
        with contextlib.suppress(InputError):
            compared = compare_runs(one, other, (benches[first], benches[second])).comparisons
            pairs += [{**pair.as_json(), "first": first, "second": second} for pair in compared]
    return {"rows": rows, "comparisons": pairs}


if __name__ == "__main__":
    main()
