"""docs/reference/engines.md is up to date, its pictures exist, and its history is the one that the rules decide."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from hd_pipelines.charts.svg import to_svg
from hd_pipelines.tables.vocabulary import MarketRegime, VixRegime
from validation.regime_history import classify_history

ROOT = Path(__file__).parents[3]
HISTORY = ROOT.parent / "shared" / "data" / "daily_history"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module


def test_the_document_matches_the_code(script):
    written = (ROOT / "docs" / "reference" / "engines.md").read_text()
    assert written == script("engine_document").document(), "stale: run `python scripts/draw_engines.py`"


def test_every_picture_of_the_document_is_there_and_drawn(script):
    shown = set(re.findall(r"\(\.\./img/(.*)\.png\)", (ROOT / "docs" / "reference" / "engines.md").read_text()))
    drawn = script("engine_pictures").PICTURES | script("engine_grids").PICTURES
    assert shown == set(drawn)
    for name, picture in drawn.items():
        assert (ROOT / "docs" / "img" / f"{name}.png").exists()
        assert not re.search(r"\bnan\b", to_svg(picture()))


@pytest.mark.skipif(not HISTORY.is_dir(), reason=f"the daily history is not at {HISTORY}")
def test_the_sessions_of_the_document_are_those_of_the_history(script):
    found = dict.fromkeys(((market, vix) for market in MarketRegime for vix in VixRegime), 0)
    for market, vix in classify_history(HISTORY).rows.select("market_regime", "vix_regime").iter_rows():
        found[MarketRegime(market), VixRegime(vix)] += 1
    actual = script("engine_document").HISTORY
    assert {(market, vix): n for market in actual for vix, n in zip(VixRegime, actual[market], strict=True)} == found
