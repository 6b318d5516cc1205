"""The paper's claims about the dual encoder, judged by a run of `toolkit bench`; needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

Verdict = Literal["holds", "does not hold", "undecided", "not measured"]
CLOSED, LOST = 0.8, 0.1
"""Shares of encoder 1's gap that the dual encoder closes at least, and of encoder 2's that it loses at most."""
ENCODER_1, ENCODER_2, DUAL = "encoder1", "encoder2", "dual-encoder"
AROUND, INPUT, TRUTH = "fid360", "reconstruction", "gt360"
DECISIONS = 7
"""Claims that are decided, each by one metric that was named before."""
WIDER = NormalDist().inv_cdf(1 - 0.05 / 2 / DECISIONS) / NormalDist().inv_cdf(1 - 0.05 / 2)
"""Paired intervals are so many times as wide where they decide (Bonferroni), as if differences were normal."""
FLOOR = "floor"
"""As what `fid360` lists random heads against other random heads: no method can be expected below."""
DRAWS = (
    "Intervals of fid360 beside a method are over draws of the random heads, not over the heads that are inverted: "
    "what other pictures would give is not in them. The paired ones between two methods of a run are over both."
)

CORRECTED = (
    "Each claim is decided by its first metric; the others are told. Where the two methods are compared in pairs, the "
    f"difference must keep its sign in an interval {WIDER:.2f} times as wide as the printed one, because there are "
    f"{DECISIONS} decisions."
)


@dataclass(frozen=True)
class Finding:
    """What a run says about one claim."""

    claim: str
    verdict: Verdict
    numbers: str
    """The numbers that decide, as text."""


@dataclass(frozen=True)
class Number:
    """A row of a results file."""

    value: float
    low: float
    high: float
    lower_is_better: bool

    def beats(self, other: Number) -> bool:
        """Better, beyond both intervals."""
        return self.high < other.low if self.lower_is_better else self.low > other.high

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


class Results:
    """Rows and paired comparisons of a results file, by name."""

    def __init__(self, results: Mapping[str, Any]) -> None:
        """Index `results.json`."""
        self._rows = {(row["protocol"], row["metric"], row["method"]): row for row in results["rows"]}
        self._pairs = {
            (pair["protocol"], pair["metric"], pair["first"], pair["second"]): pair
            for pair in results.get("comparisons", [])
        }

    def number(self, protocol: str, metric: str, method: str) -> Number | None:
        """A method's number, if it was measured."""
        row = self._rows.get((protocol, metric, method))
        if row is None or row["value"] is None or row["low"] is None:
            return None
        return Number(row["value"], row["low"], row["high"], row["direction"] == "lower")

    def is_better(self, protocol: str, metric: str, method: str, other: str) -> bool | None:
        """Whether a method is significantly better: paired where there are pairs, else by intervals that do not meet.

        Paired intervals are first made wider, for as many decisions as there are (intervals that do not meet are about
        as strict).

        Returns:
            None where the interval holds no difference, or one of the two was not measured.
        """
        mine, theirs = self.number(protocol, metric, method), self.number(protocol, metric, other)
        if mine is None or theirs is None:
            return None
        paired = self.paired(protocol, metric, method, other)
        if paired is not None:
            low, high = (paired.value + (end - paired.value) * WIDER for end in (paired.low, paired.high))
            if low <= 0 <= high:
                return None
            return high < 0 if mine.lower_is_better else low > 0
        return True if mine.beats(theirs) else False if theirs.beats(mine) else None

    def paired(self, protocol: str, metric: str, method: str, other: str) -> Number | None:
        """A method's paired difference from another one, if the run has it."""
        number = self.number(protocol, metric, method)
        for first, second, sign in ((method, other, 1), (other, method, -1)):
            pair = self._pairs.get((protocol, metric, first, second))
            if pair is not None and number is not None:
                low, high = sorted((sign * pair["low"], sign * pair["high"]))
                return Number(sign * pair["difference"], low, high, number.lower_is_better)
        return None

    def told(self, protocol: str, metric: str, methods: Sequence[str]) -> str:
        """The methods' numbers as text; from all sides with the floor's, and the first method's paired differences."""
        listed = [*methods, FLOOR] if protocol == AROUND else methods
        named = ((method, self.number(protocol, metric, method)) for method in listed)
        text = f"{protocol} {metric}: " + ", ".join(f"{method} {number or 'not measured'}" for method, number in named)
        if protocol == AROUND:
            pairs = ((other, self.paired(protocol, metric, methods[0], other)) for other in methods[1:])
            text += "".join(f", {methods[0]} - {other} {number}" for other, number in pairs if number is not None)
        return text


def judge(results: Mapping[str, Any]) -> list[Finding]:
    """The claims about encoder 1, encoder 2 and both together; each is decided by its first metric."""
    found = Results(results)
    return [
        _both_ways(found, "1. Encoder 1 is the best at the input view", ENCODER_1, ENCODER_2,
                   [(INPUT, "lpips_lite"), (INPUT, "id_dlib"), (INPUT, "l2")]),
        _both_ways(found, "2. Encoder 2 is the better one from all sides", ENCODER_2, ENCODER_1,
                   [(AROUND, "fd_lite"), (AROUND, "fd_lite@back")]),
        _both_ways(found, "   what exact ground truth says of the occluded part", ENCODER_2, ENCODER_1,
                   [(TRUTH, "lpips_lite@occluded"), (TRUTH, "l2@occluded")]),
        _share(found, f"3. The dual encoder closes {CLOSED:.0%} of encoder 1's gap from all sides", True,
               [(AROUND, "fd_lite")]),
        _share(found, f"3. It loses {LOST:.0%} of encoder 2's gap at most at the input view", False,
               [(INPUT, "lpips_lite"), (INPUT, "id_dlib")]),
    ]  # fmt: skip


def judge_discriminators(results: Mapping[str, Any]) -> list[Finding]:
    """The claim of Table 3, about encoder 2 trained with one discriminator or another; decided from all sides.

    Args:
        results: Rows and paired comparisons whose methods are 'none', 'images', 'planes' and 'occlusion'.
    """
    found = Results(results)
    metrics = [(AROUND, "fd_lite"), (INPUT, "lpips_lite"), (INPUT, "id_dlib")]
    return [
        _both_ways(found, "4. Judging planes beats judging images", "planes", "images", metrics),
        _both_ways(found, "4. Judging what is hidden only beats judging everything", "occlusion", "planes", metrics),
    ]


def _both_ways(found: Results, claim: str, better: str, worse: str, metrics: Sequence[tuple[str, str]]) -> Finding:
    """Decide by the first metric; the others are told."""
    told = "; ".join(found.told(protocol, metric, (better, worse)) for protocol, metric in metrics)
    protocol, metric = metrics[0]
    if found.number(protocol, metric, better) is None or found.number(protocol, metric, worse) is None:
        return Finding(claim, "not measured", told)
    says = found.is_better(protocol, metric, better, worse)
    return Finding(claim, "undecided" if says is None else "holds" if says else "does not hold", told)


def _share(found: Results, claim: str, closing: bool, metrics: Sequence[tuple[str, str]]) -> Finding:
    """Decide by the first metric; the others are told."""
    told = "; ".join(found.told(*each, (ENCODER_1, DUAL, ENCODER_2)) for each in metrics)
    protocol, metric = metrics[0]
    one, dual, two = (found.number(protocol, metric, name) for name in (ENCODER_1, DUAL, ENCODER_2))
    if one is None or dual is None or two is None:
        return Finding(claim, "not measured", told)
    better, worse = (ENCODER_2, ENCODER_1) if closing else (ENCODER_1, ENCODER_2)
    if found.is_better(protocol, metric, better, worse) is not True:
        return Finding(claim, "undecided", f"{told}; {better} is not better than {worse} beyond the intervals")
    share = (one.value - dual.value) / (one.value - two.value)
    holds = share >= CLOSED if closing else share <= LOST
    return Finding(claim, "holds" if holds else "does not hold", f"{told}; share {share:.0%}")


def as_markdown(findings: Sequence[Finding]) -> str:
    """A table of the findings, and what the intervals are of."""
    lines = ["| claim | verdict | numbers |", "| --- | --- | --- |"]
    lines += [f"| {each.claim.strip()} | {each.verdict} | {each.numbers} |" for each in findings]
    lines += ["", CORRECTED]
    if any(AROUND in each.numbers for each in findings):
        lines += ["", DRAWS]
    return "\n".join(lines) + "\n"
