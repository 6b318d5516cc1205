"""Verdicts about the paper's claims, on made-up results."""

from __future__ import annotations

from typing import Any

from dual_encoder_claims import CORRECTED, DRAWS, FLOOR, as_markdown, judge, judge_discriminators
from toolkit.bench.records import schema


def row(protocol: str, metric: str, method: str, value: float, spread: float = 0.01) -> dict[str, Any]:
    return {
        "protocol": protocol, "metric": metric, "method": method, "value": value, "low": value - spread,
        "high": value + spread, "direction": "lower",
    }  # fmt: skip


def results(fid: tuple[float, float, float], lpips: tuple[float, float, float], **more: Any) -> dict[str, Any]:
    names = ("encoder1", "dual-encoder", "encoder2")
    rows = [row("fid360", "fd_lite", name, value, 1.0) for name, value in zip(names, fid, strict=True)]
    rows += [row("reconstruction", "lpips_lite", name, value) for name, value in zip(names, lpips, strict=True)]
    return {"rows": rows, **more}


def verdicts(found: dict[str, Any]) -> list[str]:
    return [finding.verdict for finding in judge(found)]


def test_the_paper_s_own_picture_holds():
    found = results((89.5, 65.4, 64.0), (0.10, 0.102, 0.14))
    assert verdicts(found) == ["holds", "holds", "not measured", "holds", "holds"]
    assert "share 95%" in judge(found)[3].numbers


def test_too_little_closed_or_too_much_lost_does_not_hold():
    assert verdicts(results((90, 75, 60), (0.10, 0.12, 0.14)))[3:] == ["does not hold", "does not hold"]


def test_a_claim_counts_only_where_the_encoders_differ():
    found = results((64.5, 64.2, 64.0), (0.10, 0.10, 0.105))
    assert verdicts(found) == ["undecided", "undecided", "not measured", "undecided", "undecided"]
    swapped = results((60.0, 62.0, 70.0), (0.2, 0.15, 0.1))
    assert verdicts(swapped)[:2] == ["does not hold", "does not hold"]


def test_pairs_decide_where_there_are_pairs():
    found = results((90, 65, 64), (0.100, 0.101, 0.110))
    assert verdicts(found)[0] == "undecided"
    pair = {"protocol": "reconstruction", "metric": "lpips_lite", "first": "encoder2", "second": "encoder1",
            "difference": 0.01, "low": 0.008, "high": 0.012}  # fmt: skip
    assert verdicts({**found, "comparisons": [pair]})[0] == "holds"


def test_all_around_the_same_random_heads_and_pictures_decide():
    """Draws of random heads move both encoders by more than they differ."""
    found = results((64.5, 64.1, 64.0), (0.10, 0.10, 0.12))
    assert verdicts(found)[1] == verdicts(found)[3] == "undecided"
    pair = {"protocol": "fid360", "metric": "fd_lite", "first": "encoder1", "second": "encoder2",
            "difference": 0.5, "low": 0.3, "high": 0.7}  # fmt: skip
    decided = {**found, "comparisons": [pair]}
    assert verdicts(decided)[1] == verdicts(decided)[3] == "holds"
    assert "encoder2 - encoder1 -0.5 [-0.7, -0.3]" in judge(decided)[1].numbers
    assert "encoder1 - encoder2 0.5 [0.3, 0.7]" in judge(decided)[3].numbers
    for low in (-0.1, 0.1):  # 0.1 is above 0, but not in an interval wide enough for all claims
        assert verdicts({**found, "comparisons": [{**pair, "low": low}]})[1] == "undecided"
    turned = {**pair, "low": -0.7, "high": -0.3, "difference": -0.5}
    assert verdicts({**found, "comparisons": [turned]})[1] == "does not hold"


def test_discriminators_are_judged_from_all_sides_by_pairs_where_there_are_pairs():
    rows = [
        row(protocol, metric, name, value, spread)
        for name, fid, lpips, identity in (
            ("occlusion", 60.0, 0.10, 0.5), ("images", 70.0, 0.13, 0.5), ("planes", 60.5, 0.10, 0.6),
        )
        for protocol, metric, value, spread in (
            ("fid360", "fd_lite", fid, 1.0), ("reconstruction", "lpips_lite", lpips, 0.01),
            ("reconstruction", "id_dlib", identity, 0.01),
        )
    ]  # fmt: skip
    judged = judge_discriminators({"rows": rows})
    assert [finding.verdict for finding in judged] == ["holds", "undecided"]
    assert "id_dlib: planes 0.6 [0.59, 0.61], images 0.5" in judged[0].numbers
    pair = {"protocol": "fid360", "metric": "fd_lite", "first": "planes", "second": "occlusion", "difference": 0.5,
            "low": 0.2, "high": 0.8}  # fmt: skip
    paired = judge_discriminators({"rows": rows, "comparisons": [pair]})
    assert [finding.verdict for finding in paired] == ["holds", "holds"]
    assert "occlusion - planes -0.5 [-0.8, -0.2]" in paired[1].numbers
    assert [finding.verdict for finding in judge_discriminators({"rows": []})] == ["not measured"] * 2


def test_the_first_metric_decides_and_the_others_are_told():
    found = results((90, 65, 64), (0.100, 0.101, 0.130))
    found["rows"] += [row("reconstruction", "id_dlib", name, value)
                      for name, value in (("encoder1", 0.6), ("dual-encoder", 0.5), ("encoder2", 0.4))]  # fmt: skip
    assert verdicts(found)[0] == "holds"
    assert "id_dlib: encoder1 0.6 [0.59, 0.61], encoder2 0.4" in judge(found)[0].numbers


def test_findings_make_a_table():
    text = as_markdown(judge(results((89.5, 65.4, 64.0), (0.10, 0.102, 0.14))))
    assert text.count("\n") == 11 and "| holds |" in text
    assert text.endswith(f"\n\n{CORRECTED}\n\n{DRAWS}\n")


def test_the_floor_is_told_beside_distances_all_around():
    found = results((89.5, 65.4, 64.0), (0.10, 0.102, 0.14))
    found["rows"].append(row("fid360", "fd_lite", schema.FLOOR, 50.0, 2.0))
    told = [finding.numbers for finding in judge(found)]
    assert all(f"{FLOOR} 50 [48, 52]" in numbers for numbers in (told[1], told[3]))
    assert FLOOR not in told[0] + told[4]
