from __future__ import annotations

import pytest

from toolkit.bench.records.schema import Failure, GeneratorEntry, LeftOut, Results, RunWarning, Unavailable
from toolkit.cli.bench_losses import report_losses

WHERE = {"protocol": "reconstruction", "data": "set"}


def results(**entries: list) -> Results:
    return Results(generator=GeneratorEntry(name="g", fingerprint="f", world="untrained"), **entries)


def test_each_loss_of_these_protocols_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    failed = Failure(**WHERE, method="psp", item="a.png", stage="invert", error="no face")
    other = failed.model_copy(update={"protocol": "gt360"})
    odd = RunWarning(**WHERE, text="its camera is odd")
    left = LeftOut(**WHERE, reason="one picture each")
    assert report_losses(
        results(failures=[failed, failed, other], warnings=[odd], left_out=[left]), {"reconstruction"}, "set"
    )
    assert capsys.readouterr().err.splitlines() == [
        "failed   psp a.png: no face",
        "warning  its camera is odd",
        "left out reconstruction: one picture each",
    ]


def test_what_not_all_protocols_lost_names_those_that_did(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = ({**WHERE, "protocol": name} for name in ("gt360", "multiview"))
    warnings = [RunWarning(**first, text="1 of 3 subjects left out")]
    warnings += [RunWarning(**where, text="its camera is odd") for where in (first, second)]
    gone = [Unavailable(**second, metric="id_dlib", reason="no file")]
    assert not report_losses(results(warnings=warnings, unavailable=gone), {"gt360", "multiview"}, "set")
    assert capsys.readouterr().err.splitlines() == [
        "warning  gt360: 1 of 3 subjects left out",
        "warning  its camera is odd",
        "left out multiview: id_dlib: no file",
    ]


def test_warnings_beyond_the_first_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    many = [RunWarning(**WHERE, method="psp", item=f"{number}.png", text="odd") for number in range(15)]
    assert not report_losses(results(warnings=many), {"reconstruction"}, "set")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 13 and said[-1] == "warning  3 more of this kind: results.json, key warnings"
