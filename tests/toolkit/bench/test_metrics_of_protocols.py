"""Metrics that a protocol names: unknown ones are refused at once, those of a plugin that is not installed are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.bench.protocols.registered import open_protocol, open_protocols
from toolkit.errors import ConfigError
from toolkit.registry import default_registry


@pytest.mark.parametrize("kind", ["reconstruction", "gt360", "multiview", "fid360", "speed"])
def test_a_metric_that_nobody_offers_is_refused_with_the_nearest(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown metric 'ssimm'; did you mean 'ssim'"):
        open_protocols(kind, ["metrics=[psnr, ssimm]"])
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"name: mine\nkind: {kind}\nmetrics: [ssimm, psnr]\n")
    with pytest.raises(ConfigError, match="protocol 'mine': unknown metric 'ssimm'"):
        open_protocol(str(mine))


def test_shipped_metrics_may_be_missing_with_their_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(default_registry().registrations, ("metric", "lpips_alex"))
    assert "lpips_alex" in open_protocol("reconstruction").metrics
    with pytest.raises(ConfigError, match="unknown metric 'lpips_alexx'"):
        open_protocol("reconstruction", ["metrics=[lpips_alex, lpips_alexx]"])
