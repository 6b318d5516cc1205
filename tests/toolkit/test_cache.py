from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.cache import cache_folder
from toolkit.errors import OutputError


def test_the_cache_is_the_users_own_unless_a_variable_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", None):
        monkeypatch.delenv("TOOLKIT_CACHE") if value is None else monkeypatch.setenv("TOOLKIT_CACHE", value)
        assert cache_folder() == tmp_path / ".cache" / "toolkit"
    monkeypatch.setenv("TOOLKIT_CACHE", "~/elsewhere")
    assert cache_folder("rays", "1") == tmp_path / "elsewhere" / "rays" / "1"


@pytest.mark.parametrize("place", ["/tmp/" + "x" * 300, "~nobody-of-that-name/cache", "y" * 5000])
def test_a_cache_that_cannot_be_is_one_sentence(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", place)
    with pytest.raises(OutputError, match=r"^the cache cannot be .* \(TOOLKIT_CACHE\): "):
        cache_folder("pairs")
