"""The picture of a signal: a PNG, the same on every machine, with the plan where it belongs."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from PIL import Image

from hd_pipelines.charts.signal import (
    BOTTOM,
    DOWN,
    ENTRY,
    HEIGHT,
    LEFT,
    LEVEL,
    RIGHT,
    STOP,
    TARGET,
    TOP,
    UP,
    VWAP,
    WIDTH,
    Plan,
    add_session_vwap,
    draw_signal,
    find_price_limits,
    spread_labels,
)

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
SESSION = date(2026, 11, 20)
PLAN = Plan("SPY", "trend_continuation", "LONG", 101.0, 100.0, (102.0, 103.0, 104.0), 2.0, OPEN)


def bars(count: int, begin: datetime = OPEN, session: date = SESSION) -> pl.DataFrame:
    closes = [100.5 + 0.1 * (n % 5) for n in range(count)]
    return pl.DataFrame(
        {
            "session": [session] * count,
            "timestamp": [begin + timedelta(minutes=5 * n) for n in range(count)],
            "open": [100.5] * count,
            "high": [close + 0.3 for close in closes],
            "low": [100.2] * count,
            "close": closes,
            "volume": [1000.0] * count,
            "vwap": closes,
        }
    )


def pixels(png: bytes) -> np.ndarray:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def colour_at(png: bytes, x: float, y: float) -> str:
    return "#" + bytes(pixels(png)[int(y), int(x)]).hex()


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)])


def count(png: bytes, colour: str) -> int:
    """Pixels of exactly that colour inside the chart."""
    return int((pixels(png)[TOP:BOTTOM, LEFT:RIGHT] == rgb(colour)).all(axis=2).sum())


def scale(shown: pl.DataFrame, planned: Sequence[float]) -> Callable[[float], float]:
    """The pixel row of a price."""
    low, high = find_price_limits(list(shown.iter_rows(named=True)), planned)
    return lambda price: BOTTOM - (price - low) / (high - low) * (BOTTOM - TOP)


def test_a_picture_is_a_png_of_its_size_and_the_same_twice():
    shown = add_session_vwap(bars(40))
    png = draw_signal(shown, PLAN, {})
    assert pixels(png).shape == (HEIGHT, WIDTH, 3)
    assert png == draw_signal(shown, PLAN, {})
    assert len(png) < 200_000


def test_the_entry_is_where_its_price_is():
    shown = add_session_vwap(bars(40))
    up = scale(shown, (100, 101, 102, 103, 104))
    assert ENTRY in {colour_at(draw_signal(shown, PLAN, {}), LEFT + 2, up(101) + off) for off in (-0.5, 0.5)}
    assert TOP < up(104) < up(100) < BOTTOM


def test_stop_targets_and_other_levels_are_dashed_lines_where_their_prices_are():
    shown = add_session_vwap(bars(40))
    up = scale(shown, (100, 101, 102, 103, 104))
    png = draw_signal(shown, PLAN, {"call_wall": 102.5, "far_away": 250.0})
    for price, colour in ((100, STOP), (102, TARGET), (103, TARGET), (104, TARGET), (102.5, LEVEL)):
        rows = pixels(png)[int(up(price)) - 1 : int(up(price)) + 2, LEFT : LEFT + 40].astype(int)
        near = (np.abs(rows - rgb(colour)).max(axis=2) < 60).any(axis=0)
        assert 15 < near.sum() < 35, price


def test_bars_are_coloured_by_the_way_they_closed():
    falling = add_session_vwap(bars(40)).with_columns(open=pl.col("close") + 0.2)
    rising = add_session_vwap(bars(40)).with_columns(open=pl.col("close") - 0.2)
    for frame, colour, other in ((rising, UP, DOWN), (falling, DOWN, UP)):
        png = draw_signal(frame, PLAN, {})
        assert count(png, colour) > 500
        assert count(png, other) == 0


def test_vwap_is_drawn_where_it_is_known_only():
    def has_vwap(frame: pl.DataFrame) -> bool:
        return count(draw_signal(frame, PLAN, {}), VWAP) > 0

    assert has_vwap(add_session_vwap(bars(40)))
    assert not has_vwap(add_session_vwap(bars(40).with_columns(vwap=pl.lit(None, pl.Float64))))


def test_too_few_bars_are_no_picture():
    assert draw_signal(add_session_vwap(bars(1)), PLAN, {}) is None


@pytest.mark.parametrize("direction", ["LONG", "SHORT"])
@pytest.mark.parametrize("times", [0.003, 1.0, 60.0])
def test_any_price_and_direction_can_be_drawn(direction, times):
    shown = add_session_vwap(bars(90)).with_columns(pl.col("open", "high", "low", "close", "session_vwap") * times)
    targets = tuple(target * times for target in PLAN.targets)
    plan = replace(PLAN, direction=direction, entry=101 * times, stop=100 * times, targets=targets)
    png = draw_signal(shown, plan, {"call_wall": 102 * times, "far": 1e9})
    colour, other = (UP, DOWN) if direction == "LONG" else (DOWN, UP)
    heading = pixels(png)[:36]
    assert (heading == rgb(colour)).all(axis=2).any()
    assert not (heading == rgb(other)).all(axis=2).any()


def test_session_vwap_restarts_each_session_and_skips_bars_without_volume():
    days = pl.concat([bars(3), bars(2, OPEN + timedelta(days=3), date(2026, 11, 23))])
    known = days.with_columns(
        volume=pl.Series([0.0, 100.0, 300.0, None, 100.0]), vwap=pl.Series([1.0, 2.0, 6.0, 9.0, 7.0])
    )
    assert add_session_vwap(known)["session_vwap"].to_list() == [None, 2.0, 5.0, None, 7.0]


def test_labels_that_would_touch_are_moved_apart_and_stay_inside():
    places = spread_labels([100.0, 101.0, 102.0, BOTTOM, BOTTOM])
    assert all(b - a >= 16.9 for a, b in pairwise(places))
    assert max(places) <= BOTTOM + 8.1
    assert spread_labels([]) == []


def test_long_names_stay_inside_the_picture():
    """The margin to the right stays empty, however long the names of levels and however high their prices."""
    times = 60_000 / 101
    shown = add_session_vwap(bars(90)).with_columns(pl.col("open", "high", "low", "close", "session_vwap") * times)
    plan = replace(PLAN, entry=60_000.0, stop=100 * times, targets=tuple(each * times for each in PLAN.targets))
    png = draw_signal(shown, plan, {"opening_range_high_of_the_session": 102.4 * times})
    paper = pixels(png)[0, 0]
    assert (pixels(png)[:, WIDTH - 4 :] == paper).all()
