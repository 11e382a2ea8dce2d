"""What pictures are made of: ticks, limits, lines with gaps, names that keep clear of each other, and small files."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.charts.figure import (
    LEFT,
    RIGHT,
    Picture,
    add_panel,
    draw_missing,
    find_limits,
    finish,
    make_figure,
    measure,
)
from hd_pipelines.charts.marks import Level, draw_levels, drop_level_points, find_ticks, plot_line, set_date_ticks
from hd_pipelines.charts.numbers import format_dollars, format_price
from hd_pipelines.charts.sessions import MARGIN, draw_closes, draw_columns
from hd_pipelines.charts.style import DARK, LIGHT, use_style
from tests.charts.reading_svg import NS, boxes, find_named, list_texts, parse, path, points

FIRST = date(2024, 1, 2)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(LEFT, RIGHT), min_size=1, max_size=6))
@use_style
def test_names_of_levels_never_cover_each_other(places):
    figure = make_figure("t", "r", 300)
    panel = add_panel(figure, LEFT, 150, RIGHT, 250, x=(LEFT, RIGHT), y=(0, 1))
    draw_levels(figure, panel, [Level(at, f"Level {at:.1f}", "ink", "level") for at in places], 150, 250)
    found = []
    for text in parse(finish(figure, "t", "r")).iter(f"{NS}text"):
        if (text.text or "").startswith("Level"):
            half = measure(figure, text.text, weight="bold") / 2
            x, y = float(text.get("x")), float(text.get("y"))
            found.append((x - half, x + half, y))
            assert found[-1][0] >= LEFT - 1
            assert found[-1][1] <= RIGHT + 1
    assert len(found) == len(places)
    for i, one in enumerate(found):
        assert all(one[2] != other[2] or one[1] < other[0] or other[1] < one[0] for other in found[i + 1 :])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.19e9, "$2.19 bn"),
        (-1.9235e10, "-$19.2 bn"),
        (4.5e8, "$450 m"),
        (-12_000.0, "-$12 k"),
        (3.0, "$3"),
        (1.3e13, "$13000 bn"),
    ],
)
def test_dollars_are_written_in_three_digits(value, text):
    assert format_dollars(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(4505.1, "4,505.10"), (0.0525, "0.0525"), (650.0, "650.00"), (0.5, "0.50"), (1.23456, "1.23")]
)
def test_prices_have_two_decimals_at_least_and_four_below_one(value, text):
    assert format_price(value) == text


@given(
    st.floats(-1e12, 1e12),
    st.floats(1e-3, 1e12).filter(lambda x: x > 0),
    st.integers(2, 10),
)
def test_ticks_are_inside_the_limits_and_about_as_many_as_asked(low, span, about):
    high = low + span
    if not high > low or span < abs(low) * 1e-9:
        return
    ticks = find_ticks(low, high, about)
    slack = span * 1e-6
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)
    assert about / 3 <= len(ticks) + 1 <= 2 * about + 3


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.booleans())
def test_limits_hold_their_values(values, has_zero):
    low, high = find_limits(values, has_zero=has_zero)
    assert low < high
    assert all(low <= value <= high for value in [*values, *([0.0] if has_zero else [])])


@use_style
def draw_line(heights) -> list[ET.Element]:
    """Paths of a line over 0, 1, 2, … on a panel whose limits are its pixels."""
    figure = make_figure("t", "r", 400)
    panel = add_panel(figure, 0, 50, 900, 350, x=(0, 900), y=(300, 0))
    plot_line(panel, range(len(heights)), heights, colour="ink", gid="line")
    return list(find_named(parse(finish(figure, "t", "r")), "line")[0].iter(f"{NS}path"))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 300), min_size=200, max_size=900))
def test_a_long_line_keeps_its_extremes_and_its_ends(heights):
    (line,) = draw_line(heights)
    kept = points(line)
    assert len(kept) <= len(heights) + 2
    assert kept[0] == pytest.approx((0, 50 + heights[0]), abs=0.6)
    assert kept[-1] == pytest.approx((len(heights) - 1, 50 + heights[-1]), abs=0.6)
    ys = [y - 50 for _, y in kept]
    assert (min(ys), max(ys)) == pytest.approx((min(heights), max(heights)), abs=0.6)


def test_a_level_line_is_drawn_with_few_points():
    (line,) = draw_line([10.0 if x < 150 else 40.0 for x in range(300)])
    assert len(points(line)) <= 8


def test_unknown_values_interrupt_a_line_and_a_value_alone_is_a_dot():
    figure = use_style(make_figure)("t", "r", 400)
    panel = add_panel(figure, 0, 50, 900, 350, x=(0, 900), y=(300, 0))
    use_style(plot_line)(panel, range(7), [1.0, 2.0, None, 3.0, None, 4.0, 5.0], colour="ink", gid="line")
    root = parse(use_style(finish)(figure, "t", "r"))
    assert re.findall("[ML]", path(root, "line").get("d")) == ["M", "L", "M", "M", "L"]
    (dot,) = list(root.iter(f"{NS}use"))
    assert (float(dot.get("x")), float(dot.get("y"))) == pytest.approx((3, 53), abs=0.1)


def test_level_stretches_of_a_band_lose_points_and_nothing_else():
    x = np.arange(100.0)
    y = np.where(x < 50, 10.0, 40.0)
    assert drop_level_points(x, y).tolist() == [[0.0, 10.0], [49.0, 10.0], [50.0, 40.0], [99.0, 40.0]]


@pytest.mark.parametrize(
    ("days", "labels"),
    [
        (0, ["Jan 2"]),
        (20, ["Jan 3", "Jan 21"]),
        (400, ["Mar", "2025"]),
        (1800, ["2025", "2028"]),
    ],
)
def test_dates_are_days_months_or_years_as_the_span_asks_and_years_are_bold(days, labels):
    figure = use_style(make_figure)("t", "r", 200)
    last = FIRST + timedelta(days=days)
    since = (FIRST - date(1970, 1, 1)).days
    panel = add_panel(figure, LEFT, 80, RIGHT, 160, x=(since, since + days + 1), y=(0, 1))
    set_date_ticks(panel, FIRST, last, 12)
    root = parse(use_style(finish)(figure, "t", "r"))
    shown = [text for text in root.iter(f"{NS}text") if text.text not in ("t", "r")]
    assert set(labels) <= {text.text for text in shown}
    assert len(shown) <= 12
    parents = {child: parent for parent in root.iter() for child in parent}
    for text in shown:
        style = (text.get("style") or "") + (parents[text].get("style") or "")
        assert ("font-weight:700" in style) == text.text.isdigit()


def test_names_with_markup_in_them_stay_text():
    title, reading = "<A&B> [x]", 'say "no" for $5 or $6'
    figure = use_style(make_figure)(title, reading, 80)
    assert list_texts(parse(use_style(finish)(figure, title, reading))) == [title, reading]


def test_a_picture_is_the_same_bytes_each_time_and_follows_the_theme():
    def draw() -> Picture:
        return draw_columns([(FIRST, 3)], "rows")

    svg = draw().svg
    assert svg == draw().svg
    for name in ("paper", "ink", "soft", "line", "call", "put", "zero"):
        assert svg.count(f"--{name}:{LIGHT[name]}") == 1
        assert svg.count(f"--{name}:{DARK[name]}") == 1
    drawn = svg[svg.index("</style>") :]
    assert not re.findall(r"#[0-9a-f]{6}", drawn)


def test_a_picture_without_data_shows_the_reason():
    root = parse(draw_missing("Smile", "no contract was valued"))
    assert list_texts(root) == ["Smile", "Nothing to draw: no contract was valued."]


def small(picture: Picture) -> ET.Element:
    return ET.fromstring(picture.svg)


def test_columns_are_as_high_as_their_counts_and_the_latest_120_are_shown():
    counts = [(FIRST + timedelta(days=n), n + 1) for n in range(130)]
    root = small(draw_columns(counts, "rows by session"))
    columns = boxes(path(root, "columns"))
    assert len(columns) == 120
    heights = [bottom - top for _, _, top, bottom in columns]
    assert heights == sorted(heights)
    assert heights[0] / heights[-1] == pytest.approx(11 / 130, abs=0.01)
    assert list_texts(root) == ["rows by session; highest 130", str(counts[10][0]), str(counts[-1][0])]
    assert list_texts(small(draw_columns([], "rows"))) == ["rows; highest 1"]


def test_closes_go_from_the_first_session_to_the_last():
    series = [(FIRST + timedelta(days=n), price) for n, price in enumerate((100.0, 90.0, 120.0))]
    root = small(draw_closes(series, "SPY: day closes"))
    line = points(path(root, "closes"))
    assert [x for x, _ in line] == pytest.approx([MARGIN, 320, 640 - MARGIN], abs=0.1)
    assert line[2][1] < line[0][1] < line[1][1]
    assert list_texts(root)[0] == "SPY: day closes; 90.00 to 120.00"
    assert list_texts(small(draw_closes(series[:1], "SPY"))) == ["SPY: fewer than two sessions"]


def test_importing_pictures_and_suites_loads_nothing_heavy():
    program = (
        "import sys; import hd_pipelines.charts.gamma, hd_pipelines.charts.smile, hd_pipelines.charts.volatility, "
        "hd_pipelines.charts.regime, hd_pipelines.charts.sessions, hd_pipelines.charts.signal, "
        "hd_pipelines.assets.option_pictures, "
        "hd_pipelines.checks.greeks_suite, hd_pipelines.checks.gamma_suite, hd_pipelines.checks.regime_suite, "
        "hd_pipelines.checks.iv_percentile_suite, hd_pipelines.checks.chain_suite; "
        "print([m for m in ('numba', 'scipy', 'great_expectations', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
