from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from toy_training import ToyConfig, ToyJob, metrics

from toolkit.errors import MissingDependencyError
from toolkit.training import Cadence, train


def toy() -> ToyJob:
    return ToyJob(ToyConfig(steps=10, cadence=Cadence(log_every=5, evaluate_every=5, sheet_every=5)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # tensorboard's own
def test_the_board_shows_what_the_metrics_say(tmp_path: Path) -> None:
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(toy(), tmp_path / "run", max_steps=5, tensorboard=True)
    train(toy(), tmp_path / "run", resume=True, tensorboard=True)
    events = loading.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    lines = metrics(tmp_path / "run")
    for group, key, name in (("losses", "losses", "total"), ("evaluation", "evaluation", "error")):
        drawn = [(event.step, event.value) for event in events.Scalars(f"{group}/{name}")]
        assert drawn == [(line["step"], np.float32(line[key][name])) for line in lines if key in line]
    assert [event.step for event in events.Images("sheet")] == [5, 10]


def test_without_the_package_the_extra_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r"toolkit\[tensorboard\]"):
        train(toy(), tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()
