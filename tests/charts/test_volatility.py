"""The picture of volatility over time: last values marked at their heights, gaps shown, and a reason where there is none."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from hd_pipelines.analytics.iv_percentile import compute_percentile_rows
from hd_pipelines.assets.option_pictures import CHEAP_BELOW, RICH_ABOVE
from hd_pipelines.charts.volatility import draw_volatility
from hd_pipelines.market.sessions import list_last_sessions
from tests.charts.reading_svg import (
    boxes,
    colour,
    dots,
    find_named,
    get_reading,
    list_texts,
    parse,
    path,
    points,
    through,
)
from tests.orchestration.test_option_suites import SESSION


def draw(rows: pl.DataFrame):
    return draw_volatility(rows, cheap_below=CHEAP_BELOW, rich_above=RICH_ABOVE)


def history(sessions: int, gap: range = range(0)) -> pl.DataFrame:
    iv = 0.18 + 0.05 * np.sin(np.arange(sessions) / 17)
    observed = pl.DataFrame({"date": list_last_sessions(SESSION, sessions), "current_iv": iv}).with_columns(
        symbol=pl.lit("SPX"),
        current_iv=pl.when(pl.int_range(pl.len()).is_in(list(gap))).then(None).otherwise("current_iv"),
    )
    return compute_percentile_rows(observed)


def test_the_last_volatility_is_marked_at_its_height_and_labelled():
    rows = history(500)
    last = rows.row(-1, named=True)
    root = parse(draw(rows))
    up = through(root, 1, {"15 %": 0.15, "20 %": 0.20})
    ((_, height),) = dots(root, "last_iv30")
    assert height == pytest.approx(up(last["iv30"]), abs=0.3)
    share = through(root, 1, {"0 %": 0.0, "100 %": 1.0})
    ((_, height),) = dots(root, "last_percentile")
    assert height == pytest.approx(share(last["iv_percentile"]), abs=0.3)
    text = get_reading(root)
    assert text.startswith(
        f"{last['iv30'] * 100:.1f} % is higher than {last['iv_percentile'] * 100:.0f} % of the last 252"
    )
    assert f"rank {last['iv_rank'] * 100:.0f} %" in text


def test_the_band_spans_low_and_high_of_the_window():
    rows = history(500)
    last = rows.row(-1, named=True)
    root = parse(draw(rows))
    up = through(root, 1, {"15 %": 0.15, "20 %": 0.20})
    band = path(root, "range")
    assert colour(band) == "var(--call)"
    heights = [y for _, y in points(band)]
    assert min(heights) == pytest.approx(up(rows["iv_52w_high"].max()), abs=0.3)
    assert max(heights) == pytest.approx(up(rows["iv_52w_low"].min()), abs=0.3)
    assert last["iv_52w_low"] < last["iv30"] < last["iv_52w_high"]


def test_sessions_without_a_value_interrupt_the_line():
    whole, broken = (parse(draw(rows)) for rows in (history(400), history(400, range(200, 230))))
    pieces = [path(root, "iv30").get("d").count("M") for root in (whole, broken)]
    assert pieces == [1, 2]


def test_sessions_without_a_row_interrupt_the_line_too():
    rows = history(300)
    holed = pl.concat([rows.head(250), rows.tail(30)])
    assert path(parse(draw(holed)), "iv30").get("d").count("M") == 2


def test_too_short_a_history_has_a_label_and_no_band():
    root = parse(draw(history(40)))
    assert get_reading(root).endswith("no percentile: fewer than 126 observations (39 of 252 sessions).")
    assert not find_named(root, "range")
    assert "range of 252 sessions" not in list_texts(root)
    assert any("not known in this time" in each for each in list_texts(root))


def test_a_session_without_volatility_has_a_reason():
    rows = history(300, range(299, 300)).with_columns(
        iv_reason=pl.when(pl.col("iv30").is_null()).then(pl.lit("no_expiration_7_to_30_days_ahead"))
    )
    assert get_reading(parse(draw(rows))) == ("No volatility on this session: no expiration 7 to 30 days ahead.")


def test_no_volatility_at_all_is_no_picture_but_a_reason():
    rows = history(3, range(3))
    assert "no session has a value (not_observed)" in get_reading(parse(draw(rows)))
    assert "no session was observed" in get_reading(parse(draw(rows.clear())))
    with pytest.raises(ValueError, match="one symbol"):
        draw(pl.concat([rows, rows.with_columns(symbol=pl.lit("SPY"))]))


def test_cheap_and_rich_are_shaded_where_their_limits_are():
    root = parse(draw(history(500)))
    share = through(root, 1, {"0 %": 0.0, "100 %": 1.0})
    for name, role, low, high in (("rich", "put", RICH_ABOVE, 1.0), ("cheap", "call", 0.0, CHEAP_BELOW)):
        ((_, _, top, bottom),) = boxes(path(root, name))
        assert (top, bottom) == pytest.approx((share(high), share(low)), abs=0.3)
        assert colour(path(root, name)) == f"var(--{role})"
        assert name in list_texts(root)


def test_a_history_of_one_session_is_a_picture():
    parse(draw(history(1)))
