"""The order of commands that `make reproduce` runs, without running them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import dual_encoder_reproduction as reproduction
from dual_encoder_claims import Results, judge_discriminators
from toolkit.bench.records.schema import FORMAT, SCHEMA_VERSION
from toolkit.configuration import config_path, load_config
from toolkit_plugins.dual_encoder.training.settings import DualSettings
from toolkit_plugins.triplanenet.training import TriPlaneNetSettings

GENERATOR = {"name": "mini", "fingerprint": "", "world": "embedded"}
EMPTY = {"format": FORMAT, "schema_version": SCHEMA_VERSION, "generator": GENERATOR, "runs": {}, "rows": []}
PAPERS_OWN = {"photos": 1.0, "codes": 0.0, "others": 0.0, "around": 0.0}
"""The paper's terms alone."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    made: list[tuple[str, ...]] = []

    def pretend(*arguments: str, **_: Any) -> None:
        made.append(arguments)
        out = Path(arguments[3] if arguments[0] == "data" else arguments[arguments.index("--out") + 1])
        out.mkdir(parents=True, exist_ok=True)
        (out / "weights.safetensors").touch()
        (out / "dataset.json").touch()
        (out / "results.json").write_text(json.dumps(EMPTY))

    monkeypatch.setattr(reproduction, "_toolkit", pretend)
    return made


def run(monkeypatch: pytest.MonkeyPatch, out: Path, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["reproduction", "--out", str(out), *arguments])
    reproduction.main()
    return (out / "claims.md").read_text()


def test_networks_are_trained_in_order_then_compared(
    calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    text = run(monkeypatch, tmp_path, "--train", "--limit", "3")
    assert [call[:2] for call in calls[:2]] == [("train", name) for name in ("psp", "dual-encoder")]
    assert f"start={tmp_path / 'training' / 'psp' / 'weights.safetensors'}" in calls[1]
    assert [call[0] for call in calls[2:]] == ["data", "bench", "bench"]
    assert "encoder1,encoder2,dual-encoder" in calls[3]
    assert text.count("not measured") >= 6
    done = len(calls)
    run(monkeypatch, tmp_path, "--train", "--limit", "3")
    assert [call[0] for call in calls[done:]] == ["bench", "bench"]  # nothing is trained twice


def test_every_row_of_an_ablation_is_trained_with_every_seed(
    calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    text = run(monkeypatch, tmp_path, "--train", "--tables", "3", "--seeds", "2")
    trained = [call for call in calls if call[:2] == ("train", "encoder2")]
    assert len(trained) == 8 and {call[3] for call in trained} == {
        f"ablations/{variant.config}" for variant in reproduction.TABLES[3]
    }
    assert all(any(part.startswith("start=") for part in call) for call in trained)
    assert all(call[call.index("--threads") + 1] == "1" for call in trained)
    assert "| occlusion | 1 |" in text and "4. Judging planes beats judging images" in text


def test_further_seeds_can_be_run_alone(calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    text = run(monkeypatch, tmp_path, "--tables", "3", "--first-seed", "1")
    trained = [call for call in calls if call[:2] == ("train", "encoder2")]
    assert len(trained) == 4 and all("seed=1" in call for call in trained)
    assert "| occlusion | 1 |" in text and "| occlusion | 0 |" not in text


def test_rows_of_an_ablation_are_paired_across_their_runs(tmp_path: Path):
    origin = {"protocol": "reconstruction", "data": "heads"}
    benches = {}
    for name, value in (("planes", 0.1), ("images", 0.3)):
        row = {**origin, "method": "encoder2", "metric": "lpips_lite", "value": value, "low": 0.0, "high": 1.0}
        row |= {"n": 2, "failed": 0, "direction": "lower", "unit": "", "backend": "embedded", "world": "embedded"}
        found = {
            **EMPTY, "runs": {"r": {**origin, "settings": {"digest": "1", "seed": 0}, "image_size": 8,
                                     "pictures": {"cells": 2}}},
            "rows": [row],
            "cells": [{**origin, "item": item, "subject": item, "pictures": item} for item in "ab"],
            "values": [{**origin, "method": "encoder2", "metric": "lpips_lite",
                        "values": {"a": value, "b": 2 * value}}],
        }  # fmt: skip
        benches[name] = tmp_path / name
        benches[name].mkdir()
        (benches[name] / "results.json").write_text(json.dumps(found))
    asked = ("reconstruction", "lpips_lite", "planes", "images")
    across = reproduction._across(benches)
    assert "planes 0.1 [0, 1], images 0.3 [0, 1]" in judge_discriminators(across)[0].numbers
    assert Results(across).is_better(*asked)
    (benches["images"] / "results.json").write_text(json.dumps({**found, "cells": []}))
    assert Results(reproduction._across(benches)).is_better(*asked) is None


def test_each_seed_s_claims_are_judged_from_one_training(
    calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    text = run(monkeypatch, tmp_path, "--tables", "5", "--seeds", "2")
    trained = [call for call in calls if call[0] == "train"]
    assert [call[1] for call in trained] == ["dual-encoder"] * 2
    (start,) = {part.removeprefix("start=") for call in trained for part in call if part.startswith("start=")}
    assert Path(start).name == "psp.safetensors" and Path(start).is_file()
    for seed in range(2):
        file = tmp_path / "table5" / f"table5-dual-{seed}" / "training" / "weights.safetensors"
        assert any(
            {f"{name}={file}" for name in ("encoder1", "encoder2", "dual-encoder")} <= set(call) for call in calls
        )
        assert f"| encoder 2 | {seed} |" in text
        claims = text.partition(f"Seed {seed}:")[2].partition("Seed")[0]
        assert claims.count("| 1. ") == claims.count("| 2. ") == 1 and claims.count("| 3. ") == 2


def test_table_4_begins_at_random_and_its_rows_take_equal_steps(
    calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    run(monkeypatch, tmp_path, "--tables", "4")
    trained = [call for call in calls if call[0] == "train"]
    assert len(trained) == 5 and not any(part.startswith("start=") for call in trained for part in call)
    stages = [
        load_config(DualSettings, config_path(f"ablations/{variant.config}")).encoder1
        for variant in reproduction.TABLES[4]
    ]
    assert len({(each.codes.steps, each.first.steps, each.joint.steps) for each in stages}) == 1
    assert all(each.first.steps and each.first.photos == each.joint.photos for each in stages)


def test_a_crashed_bench_passes_on_no_old_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(reproduction, "_toolkit", lambda *arguments, **_: None)
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "results.json").write_text('{"rows": []}')
    monkeypatch.setattr(sys, "argv", ["reproduction", "--out", str(tmp_path)])
    with pytest.raises(FileNotFoundError):
        reproduction.main()


@pytest.mark.parametrize("variant", [each for table in reproduction.TABLES.values() for each in table])
@pytest.mark.parametrize("base", ["training/dual-encoder", "training/dual-encoder-panohead"])
def test_the_ablations_are_configurations_of_both_worlds(variant: reproduction.Variant, base: str):
    settings = load_config(DualSettings, config_path(f"ablations/{variant.config}"), [f"base={base}"])
    plain = load_config(DualSettings, config_path(base))
    assert settings.generator == plain.generator
    own = PAPERS_OWN if "table3" in variant.config else {}
    assert settings.encoder2.joint == plain.encoder2.joint.model_copy(update=own)
    if "table5" not in variant.config and not variant.config.endswith(("with-occlusion", "real-wplus")):
        assert settings != plain


def test_the_second_rows_differ_in_their_terms_alone():
    ours = load_config(DualSettings, config_path("training/dual-encoder"))
    papers = load_config(DualSettings, config_path("ablations/terms-of-the-paper"))
    for encoder in ("encoder1", "encoder2"):
        joint = getattr(ours, encoder).joint
        assert getattr(papers, encoder).joint == joint.model_copy(update=PAPERS_OWN) != joint
    rival = load_config(DualSettings, config_path("ablations/triplanenet-with-our-terms"))
    shipped = load_config(TriPlaneNetSettings, config_path("training/triplanenet"))
    assert rival.descent is None
    assert (rival.network, rival.refiner) == (shipped.network, shipped.refiner)
    assert rival.encoder1.joint == ours.encoder1.joint.model_copy(update={"steps": shipped.planes.steps})


def test_the_full_scale_configuration_is_the_paper_s():
    settings = load_config(DualSettings, config_path("training/dual-encoder-panohead"))
    assert settings.recogniser == "irse50_arcface"
    for encoder in (settings.encoder1, settings.encoder2):
        joint = encoder.joint
        assert (joint.steps, joint.batch, joint.rate, joint.optimiser) == (500_000, 3, 1e-4, "ranger")
        assert (joint.images.perceptual, joint.images.l2, joint.images.identity) == (0.8, 1.0, 0.5)
    adversary = settings.adversary
    assert (adversary.weight, adversary.discriminator_weight, adversary.r1_weight, adversary.r1_interval) == (
        0.001, 0.5, 10, 16,
    )  # fmt: skip
    assert adversary.options["occlusion-planes"] == {"width": 64, "stride": 1, "pool": 1} and adversary.real == "z+"
