"""The regime ribbon: colour of each spell from its first day, share in the legend, and the text about the last class."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import polars as pl
import pytest

from hd_pipelines.charts.figure import LEFT, RIGHT
from hd_pipelines.charts.regime import COLOURS, draw_regime
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.tables.vocabulary import MarketRegime
from tests.charts.reading_svg import NS, boxes, colour, find_named, get_reading, list_texts, parse, path, points
from tests.orchestration.test_option_suites import SESSION, regime


def market(spells: list[tuple[str | None, int]], **more: object) -> pl.DataFrame:
    """Spells of regimes, each with a number of sessions, up to `SESSION`."""
    days = list_last_sessions(SESSION, sum(count for _, count in spells))
    words_of = [word for word, count in spells for _ in range(count)]
    firsts = [days[sum(c for _, c in spells[:n])] for n, (_, count) in enumerate(spells) for _ in range(count)]
    numbers = np.arange(len(days))
    rows = pl.concat([regime()] * len(days)).with_columns(
        date=pl.Series(days),
        market_regime=pl.Series(words_of, dtype=pl.String),
        raw_regime=pl.Series(words_of, dtype=pl.String),
        regime_since=pl.Series(firsts),
        spy_close=pl.Series(480 + 20 * np.sin(numbers / 11)),
        vix_level=pl.Series(15 + 5 * np.cos(numbers / 7)),
    )
    return rows.with_columns(pl.lit(value, rows.schema[name]).alias(name) for name, value in more.items())


def ribbon(root: ET.Element) -> list[tuple[str, float, float]]:
    """Colour, left and right of each piece of the ribbon, from left to right."""
    shapes = [e for g in root.iter(f"{NS}g") if (g.get("id") or "").startswith("ribbon_") for e in g.iter(f"{NS}path")]
    pieces = [(colour(shape), left, right) for shape in shapes for left, right, *_ in boxes(shape)]
    return sorted(pieces, key=lambda piece: piece[1])


def test_the_ribbon_has_the_colour_of_each_spell_from_its_first_day():
    rows = market([("WEAK_UPTREND", 100), ("CAPITULATION", 12), ("RANGE_BOUND", 60)])
    pieces = ribbon(parse(draw_regime(rows)))
    assert [colour for colour, *_ in pieces] == [
        COLOURS[regime] for regime in (MarketRegime.WEAK_UPTREND, MarketRegime.CAPITULATION, MarketRegime.RANGE_BOUND)
    ]
    first, days = rows["date"][0], (SESSION - rows["date"][0]).days + 1
    starts = [rows["date"][n] for n in (0, 100, 112)]
    for (_, left, _), day in zip(pieces, starts, strict=True):
        assert left == pytest.approx(LEFT + (RIGHT - LEFT) * (day - first).days / days, abs=0.2)
    assert [piece[2] for piece in pieces[:-1]] == pytest.approx([piece[1] for piece in pieces[1:]], abs=0.2)
    assert pieces[-1][2] == pytest.approx(RIGHT, abs=0.2)


def test_the_legend_has_the_classes_that_occur_with_their_share():
    text = list_texts(parse(draw_regime(market([("EUPHORIA", 25), ("BREAKDOWN", 75)]))))
    assert "Euphoria, 25 %" in text
    assert "Breakdown, 75 %" in text
    assert not any(each.startswith("Breakout") for each in text)


def test_the_reading_of_a_regime_is_its_name_age_and_confidence():
    root = parse(draw_regime(market([("RANGE_BOUND", 30), ("WEAK_DOWNTREND", 9)]).tail(20)))
    since = list_last_sessions(SESSION, 9)[0]
    assert get_reading(root).startswith(f"Weak downtrend for 9 sessions, since {since}; confidence 55 of 100; VIX ")


def test_a_regime_that_is_held_against_the_session_is_mentioned():
    rows = market([("RANGE_BOUND", 30)]).with_columns(raw_regime=pl.lit("BREAKOUT"))
    assert get_reading(parse(draw_regime(rows))).endswith("the session alone: breakout.")


def test_without_spy_the_vix_has_the_whole_room():
    root = parse(draw_regime(market([("RANGE_BOUND", 40)], spy_close=None)))
    assert "no closes of SPY in this time" in list_texts(root)
    assert not find_named(root, "spy_close")
    line = path(root, "vix_level")
    assert colour(line) == "var(--ink)"
    heights = [y for _, y in points(line)]
    assert max(heights) - min(heights) > 200


def test_sessions_without_a_regime_are_mentioned_and_have_no_colour():
    rows = market([("RANGE_BOUND", 20), (None, 5)], regime_reason="no VIX")
    root = parse(draw_regime(rows))
    assert get_reading(root) == "No regime on this session: no VIX."
    assert [colour for colour, *_ in ribbon(root)][-1] == "var(--line)"
    assert "no session was decided" in get_reading(parse(draw_regime(rows.clear())))


def test_five_years_that_change_every_week_stay_small():
    classes = [regime.value for regime in MarketRegime]
    parse(draw_regime(market([(classes[n % 11], 5) for n in range(252)])))


def test_every_class_has_a_colour_of_its_own():
    assert set(COLOURS) == set(MarketRegime)
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_a_history_of_one_session_is_a_picture():
    parse(draw_regime(regime()))
