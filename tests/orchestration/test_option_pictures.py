"""Pictures of the option tables: well formed, small, marks where the numbers are, and a reason where there is none."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.analytics.iv_percentile import compute_percentile_rows
from hd_pipelines.analytics.volatility.smile import interpolate_at_forward
from hd_pipelines.assets.gamma_picture import gamma_picture, profile_of
from hd_pipelines.assets.iv_history_picture import iv_history_picture
from hd_pipelines.assets.picture_canvas import (
    LEFT,
    RIGHT,
    WIDTH,
    Canvas,
    Mark,
    Scale,
    dollars,
    levelled,
    scale_of,
    thinned,
)
from hd_pipelines.assets.regime_picture import COLOURS, regime_picture
from hd_pipelines.assets.smile_picture import smile_picture
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.tables.vocabulary import MarketRegime
from tests.orchestration.test_option_suites import CLOSE, SESSION, gamma, greeks, regime

NS = "{http://www.w3.org/2000/svg}"
MOST_BYTES = 60_000


def drawn(picture) -> ET.Element:
    """The image inside the Markdown."""
    found = re.fullmatch(r"!\[[^\[\]]+\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", picture.value)
    assert found
    assert len(picture.value) < MOST_BYTES
    root = ET.fromstring(base64.b64decode(found[1]))
    assert (root.tag, root.get("width")) == (f"{NS}svg", str(WIDTH))
    return root


def words(root: ET.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{NS}text")]


def reading(root: ET.Element) -> str:
    return next(each.text for each in root.iter(f"{NS}text") if each.get("class") == "r")


def place(root: ET.Element, word: str) -> tuple[float, float]:
    return next((float(e.get("x")), float(e.get("y"))) for e in root.iter(f"{NS}text") if (e.text or "") == word)


def standing(root: ET.Element, colour: str) -> list[float]:
    """Where vertical lines of a colour stand."""
    lines = [e for e in root.iter(f"{NS}line") if e.get("stroke") == f"var(--{colour})" and e.get("stroke-width")]
    return [float(e.get("x1")) for e in lines if e.get("x1") == e.get("x2")]


def points(path: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path.get("d"))]


def strokes(root: ET.Element, colour: str) -> list[ET.Element]:
    return [each for each in root.iter(f"{NS}path") if each.get("stroke") == f"var(--{colour})"]


def through(root: ET.Element, axis: int, labels: dict[str, float]) -> Scale:
    """The scale that two labels of an axis show; text hangs 4 pixels below a horizontal line."""
    (low, high) = sorted(labels, key=lambda word: labels[word])
    shift = 4 if axis else 0
    return Scale(labels[low], labels[high], place(root, low)[axis] - shift, place(root, high)[axis] - shift)


# --- gamma -------------------------------------------------------------------------------------------------------


@cache
def snapshot() -> dict:
    return gamma().row(0, named=True)


@cache
def profile():
    return profile_of(greeks())


@cache
def gamma_drawn() -> ET.Element:
    return drawn(gamma_picture(snapshot(), *profile()))


def test_spot_and_zero_gamma_stand_where_the_axis_says():
    root = gamma_drawn()
    across = through(root, 0, {"4,900": 4900, "5,100": 5100})
    assert standing(root, "ink") == pytest.approx([across(5000)], abs=0.2)
    assert standing(root, "zero") == pytest.approx([across(snapshot()["zero_gamma"])], abs=0.2)
    assert standing(root, "call") == pytest.approx([across(snapshot()["call_wall"])], abs=0.2)


def test_the_profile_crosses_zero_where_zero_gamma_is_marked():
    root = gamma_drawn()
    (curve,) = strokes(root, "ink")
    _, zero = place(root, "0")
    line = [(x, y - (zero - 4)) for x, y in points(curve)]
    crossings = [a[0] + (b[0] - a[0]) * a[1] / (a[1] - b[1]) for a, b in pairwise(line) if a[1] * b[1] < 0]
    assert crossings == pytest.approx(standing(root, "zero"), abs=1.5)


def test_the_profile_at_the_spot_is_the_total_of_the_snapshot():
    """European options without rates: the re-evaluated gamma at the spot is the sum of the contracts' own."""
    spots, values = profile()
    assert np.interp(5000.0, spots, values) == pytest.approx(snapshot()["gex_usd_per_1pct"], rel=2e-3)


def test_the_highest_bar_of_calls_stands_at_the_call_wall():
    bars = [e for e in gamma_drawn().iter(f"{NS}rect") if e.get("fill") == "var(--call)"]
    highest = max(bars, key=lambda each: float(each.get("height")))
    middle = float(highest.get("x")) + float(highest.get("width")) / 2
    assert middle == pytest.approx(standing(gamma_drawn(), "call")[0], abs=0.2)


def test_the_reading_says_how_far_spot_is_from_zero_gamma():
    away = (5000 / snapshot()["zero_gamma"] - 1) * 100
    assert away > 0.1
    assert reading(gamma_drawn()).startswith(f"Spot 5,000 is {away:.1f} % above zero gamma; dealers buy falls")


def test_below_zero_gamma_the_reading_turns():
    short = snapshot() | {
        "underlying_price": 4800.0,
        "gex_usd_per_1pct": -2.5e9,
        "distance_to_zero_gamma_pct": (snapshot()["zero_gamma"] / 4800 - 1) * 100,
    }
    said = reading(drawn(gamma_picture(short, *profile())))
    assert "below zero gamma; dealers sell falls and buy rises, $2.5 bn for every 1 % move" in said


def test_no_zero_gamma_is_told_with_its_reason_and_not_marked():
    without = snapshot() | {
        "zero_gamma": None,
        "zero_gamma_reason": "no_crossing_within_15pct",
        "distance_to_zero_gamma_pct": None,
    }
    root = drawn(gamma_picture(without, *profile()))
    assert reading(root).startswith("No zero-gamma level (no crossing within 15 %);")
    assert standing(root, "zero") == []


def test_walls_at_one_strike_share_one_mark():
    root = drawn(gamma_picture(snapshot() | {"call_wall": 5050.0, "put_wall": 5050.0}, *profile()))
    assert "Call and put wall 5,050" in words(root)
    assert standing(root, "put") == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"underlying_price": None}, "without a price of the underlying"), ({"gex_usd_per_1pct": None}, "open interest")],
)
def test_gamma_without_numbers_says_why(changed, reason):
    assert reason in reading(drawn(gamma_picture(snapshot() | changed, np.empty(0), np.empty(0))))


def test_a_chain_without_open_interest_has_no_profile():
    spots, values = profile_of(greeks().with_columns(open_interest=pl.lit(None, pl.Int64)))
    assert (spots.size, values.size) == (0, 0)
    assert any("No profile" in each for each in words(drawn(gamma_picture(snapshot(), spots, values))))


def test_hundreds_of_strikes_become_a_hundred_bars_inside_the_plot():
    many = [{"strike": 4800 + k / 2, "call": 2e6, "put": -1e6, "net": 1e6} for k in range(801)]
    text = str(many).replace("'", '"')
    root = drawn(gamma_picture(snapshot() | {"gamma_by_strike": text}, *profile()))
    bars = [e for e in root.iter(f"{NS}rect") if e.get("fill") == "var(--call)"]
    assert 60 < len(bars) <= 120
    assert max(float(e.get("x")) + float(e.get("width")) for e in bars) <= RIGHT


@given(st.lists(st.floats(LEFT, RIGHT), min_size=1, max_size=6))
def test_names_of_marks_never_cover_each_other(places):
    canvas = Canvas("t", "r", 300)
    canvas.marks([Mark(at, f"Level {at:.1f}", "ink") for at in places], Scale(LEFT, RIGHT, LEFT, RIGHT), 150, 250)
    boxes = []
    for x, y, text in re.findall(r'<text x="([\d.]+)" y="([\d.-]+)".*?>(Level [\d.]+)<', "".join(canvas.parts)):
        half = len(text) * 6.0 / 2
        boxes.append((float(x) - half, float(x) + half, float(y)))
        assert boxes[-1][0] >= LEFT - 1
        assert boxes[-1][1] <= RIGHT + 1
    for i, one in enumerate(boxes):
        assert all(one[2] != other[2] or one[1] < other[0] or other[1] < one[0] for other in boxes[i + 1 :])


# --- smile -------------------------------------------------------------------------------------------------------


def test_the_smile_marks_the_volatility_at_each_forward():
    root = drawn(smile_picture(greeks()))
    across = through(root, 0, {"4,800": 4800, "5,200": 5200})
    up = through(root, 1, {"16 %": 0.16, "20 %": 0.20})
    marked = [(float(e.get("cx")), float(e.get("cy"))) for e in root.iter(f"{NS}circle") if e.get("r") == "4.5"]
    terms = interpolate_at_forward(greeks()).sort("years")
    assert terms.height == 2
    for (x, y), term in zip(marked, terms.iter_rows(named=True), strict=False):
        assert x == pytest.approx(across(term["forward"]), abs=0.3)
        assert y == pytest.approx(up(term["atm_iv"]), abs=0.6)
        assert f"at the forward {term['atm_iv'] * 100:.1f} %" in words(root)


def test_the_smile_slopes_as_its_volatilities_do():
    """18 % at 5000 and 0.4 points more for each percent below: drawn from high on the left to low on the right."""
    root = drawn(smile_picture(greeks()))
    curves = [points(e) for e in root.iter(f"{NS}path") if (e.get("stroke") or "").startswith("#")]
    assert len(curves) == 2
    for curve in curves:
        assert [x for x, _ in curve] == sorted(x for x, _ in curve)
        assert curve[0][1] < curve[-1][1]


def test_the_reading_of_a_smile_is_level_and_skew():
    said = reading(drawn(smile_picture(greeks())))
    found = re.fullmatch(
        r"(\d+)-day volatility at the forward is ([\d.]+) %; a 25-delta put stands ([\d.]+) points over a 25-delta call.",
        said,
    )
    assert found
    assert int(found[1]) == 43
    assert float(found[2]) == pytest.approx(18.0, abs=0.05)
    # Strikes of 25 delta are some 4 % apart each way at 18 % over 43 days: 2 * 4 * 0.4.
    assert 2.5 < float(found[3]) < 3.7


def test_only_the_last_snapshot_is_drawn():
    earlier = greeks().with_columns(timestamp=pl.lit(CLOSE - timedelta(hours=2)), implied_volatility=pl.lit(0.9))
    both = drawn(smile_picture(pl.concat([earlier, greeks()])))
    assert ET.tostring(both) == ET.tostring(drawn(smile_picture(greeks())))


def test_a_chain_without_volatilities_says_the_commonest_reason():
    bare = greeks().with_columns(implied_volatility=pl.lit(None, pl.Float64), iv_reason=pl.lit("no_bid"))
    assert "100 of 100 contracts have no volatility (no_bid)" in reading(drawn(smile_picture(bare)))
    assert "no contract was valued" in reading(drawn(smile_picture(greeks().clear())))


def test_a_smile_of_two_symbols_is_refused_by_name():
    with pytest.raises(ValueError, match="OTHER"):
        smile_picture(pl.concat([greeks(), greeks().with_columns(symbol=pl.lit("OTHER"))]))


def test_a_snapshot_without_a_spot_still_has_its_smile():
    root = drawn(smile_picture(greeks().with_columns(underlying_price=pl.lit(None, pl.Float64))))
    assert "spot" not in words(root)
    assert "5,000" in words(root)


# --- history of volatility ---------------------------------------------------------------------------------------


def history(sessions: int, gap: range = range(0)) -> pl.DataFrame:
    iv = 0.18 + 0.05 * np.sin(np.arange(sessions) / 17)
    observed = pl.DataFrame({"date": list_last_sessions(SESSION, sessions), "current_iv": iv}).with_columns(
        symbol=pl.lit("SPX"),
        current_iv=pl.when(pl.int_range(pl.len()).is_in(list(gap))).then(None).otherwise("current_iv"),
    )
    return compute_percentile_rows(observed)


def test_the_last_volatility_is_marked_at_its_height_and_said():
    rows = history(500)
    last = rows.row(-1, named=True)
    root = drawn(iv_history_picture(rows))
    up = through(root, 1, {"15 %": 0.15, "20 %": 0.20})
    marked = [float(e.get("cy")) for e in root.iter(f"{NS}circle")]
    assert marked[0] == pytest.approx(up(last["iv30"]), abs=0.3)
    share = through(root, 1, {"0 %": 0.0, "100 %": 1.0})
    assert marked[1] == pytest.approx(share(last["iv_percentile"]), abs=0.3)
    said = reading(root)
    assert said.startswith(
        f"{last['iv30'] * 100:.1f} % is higher than {last['iv_percentile'] * 100:.0f} % of the last 252"
    )
    assert f"rank {last['iv_rank'] * 100:.0f} %" in said


def test_the_band_spans_low_and_high_of_the_window():
    rows = history(500)
    last = rows.row(-1, named=True)
    root = drawn(iv_history_picture(rows))
    up = through(root, 1, {"15 %": 0.15, "20 %": 0.20})
    band = next(e for e in root.iter(f"{NS}path") if e.get("fill") == "var(--call)")
    heights = [y for _, y in points(band)]
    assert min(heights) == pytest.approx(up(rows["iv_52w_high"].max()), abs=0.3)
    assert max(heights) == pytest.approx(up(rows["iv_52w_low"].min()), abs=0.3)
    assert last["iv_52w_low"] < last["iv30"] < last["iv_52w_high"]


def test_sessions_without_a_value_interrupt_the_line():
    whole, broken = (drawn(iv_history_picture(rows)) for rows in (history(400), history(400, range(200, 230))))
    pieces = [strokes(root, "ink")[0].get("d").count("M") for root in (whole, broken)]
    assert pieces == [1, 2]


def test_sessions_without_a_row_interrupt_the_line_too():
    rows = history(300)
    holed = pl.concat([rows.head(250), rows.tail(30)])
    assert strokes(drawn(iv_history_picture(holed)), "ink")[0].get("d").count("M") == 2


def test_too_short_a_history_says_so_and_has_no_band():
    root = drawn(iv_history_picture(history(40)))
    assert reading(root).endswith("no percentile: fewer than 126 observations (39 of 252 sessions).")
    assert not [e for e in root.iter(f"{NS}path") if e.get("fill") == "var(--call)"]
    assert any("not known in this time" in each for each in words(root))


def test_a_session_without_volatility_says_why():
    rows = history(300, range(299, 300)).with_columns(
        iv_reason=pl.when(pl.col("iv30").is_null()).then(pl.lit("no_expiration_7_to_30_days_ahead"))
    )
    assert reading(drawn(iv_history_picture(rows))) == (
        "No volatility on this session: no expiration 7 to 30 days ahead."
    )


def test_no_volatility_at_all_is_no_picture_but_a_reason():
    rows = history(3, range(3))
    assert "no session has a value (not_observed)" in reading(drawn(iv_history_picture(rows)))
    assert "no session was observed" in reading(drawn(iv_history_picture(rows.clear())))
    with pytest.raises(ValueError, match="one symbol"):
        iv_history_picture(pl.concat([rows, rows.with_columns(symbol=pl.lit("SPY"))]))


def test_one_session_is_a_picture():
    drawn(iv_history_picture(history(1)))
    drawn(regime_picture(regime()))


# --- regime ------------------------------------------------------------------------------------------------------


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
    shapes = [e for e in root.iter(f"{NS}path") if e.get("fill") != "none" and e.get("fill-opacity") is None]
    pieces = [
        (e.get("fill"), float(left), float(left) + float(width))
        for e in shapes
        for left, width in re.findall(r"M([\d.]+) [\d.]+h([\d.]+)", e.get("d"))
    ]
    return sorted(pieces, key=lambda piece: piece[1])


def test_the_ribbon_has_the_colour_of_each_spell_from_its_first_day():
    rows = market([("WEAK_UPTREND", 100), ("CAPITULATION", 12), ("RANGE_BOUND", 60)])
    pieces = ribbon(drawn(regime_picture(rows)))
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
    said = words(drawn(regime_picture(market([("EUPHORIA", 25), ("BREAKDOWN", 75)]))))
    assert "Euphoria, 25 %" in said
    assert "Breakdown, 75 %" in said
    assert not any(each.startswith("Breakout") for each in said)


def test_the_reading_of_a_regime_is_its_name_age_and_confidence():
    root = drawn(regime_picture(market([("RANGE_BOUND", 30), ("WEAK_DOWNTREND", 9)]).tail(20)))
    since = list_last_sessions(SESSION, 9)[0]
    assert reading(root).startswith(f"Weak downtrend for 9 sessions, since {since}; confidence 55 of 100; VIX ")


def test_a_regime_that_is_held_against_the_session_is_told():
    rows = market([("RANGE_BOUND", 30)]).with_columns(raw_regime=pl.lit("BREAKOUT"))
    assert reading(drawn(regime_picture(rows))).endswith("the session alone: breakout.")


def test_without_spy_the_vix_has_the_whole_room():
    root = drawn(regime_picture(market([("RANGE_BOUND", 40)], spy_close=None)))
    assert "no closes of SPY in this time" in words(root)
    (line,) = strokes(root, "ink")
    heights = [y for _, y in points(line)]
    assert max(heights) - min(heights) > 200


def test_sessions_without_a_regime_are_told_and_have_no_colour():
    rows = market([("RANGE_BOUND", 20), (None, 5)], regime_reason="no VIX")
    root = drawn(regime_picture(rows))
    assert reading(root) == "No regime on this session: no VIX."
    assert [colour for colour, *_ in ribbon(root)][-1] == "var(--line)"
    assert "no session was decided" in reading(drawn(regime_picture(rows.clear())))


def test_five_years_that_change_every_week_stay_small():
    classes = [regime.value for regime in MarketRegime]
    drawn(regime_picture(market([(classes[n % 11], 5) for n in range(252)])))


def test_every_class_has_a_colour_of_its_own():
    assert set(COLOURS) == set(MarketRegime)
    assert len(set(COLOURS.values())) == len(COLOURS)


# --- tools -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2.19e9, "$2.19 bn"),
        (-1.9235e10, "-$19.2 bn"),
        (4.5e8, "$450 m"),
        (-12_000.0, "-$12 k"),
        (3.0, "$3"),
        (1.3e13, "$13000 bn"),
    ],
)
def test_dollars_are_said_in_three_digits(value, said):
    assert dollars(value) == said


@given(
    st.floats(-1e12, 1e12),
    st.floats(1e-3, 1e12).filter(lambda x: x > 0),
    st.integers(2, 10),
)
def test_ticks_are_inside_the_scale_and_about_as_many_as_asked(low, span, about):
    scale = Scale(low, low + span, 0, 100)
    if not scale.high > scale.low or span < abs(low) * 1e-9:
        return
    ticks = scale.ticks(about)
    slack = span * 1e-6
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)
    assert about / 3 <= len(ticks) + 1 <= 2 * about + 3


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.booleans())
def test_a_scale_holds_its_values(values, zero):
    scale = scale_of(values, 0, 100, zero=zero)
    assert all(-1e-6 <= scale(value) <= 100 + 1e-6 for value in [*values, *([0.0] if zero else [])])


@given(st.lists(st.one_of(st.none(), st.floats(0, 300)), min_size=1, max_size=900), st.integers(20, 200))
def test_thinning_keeps_the_extremes_and_the_ends(heights, most):
    line = [None if height is None else (float(x), height) for x, height in enumerate(heights)]
    kept = thinned(line, most)
    assert len(kept) <= max(most, 1) * 1.6 + 4
    assert (kept[0], kept[-1]) == (line[0], line[-1])
    known = [point for point in line if point]
    if known:
        ys = [point[1] for point in kept if point]
        assert (min(ys), max(ys)) == (min(p[1] for p in known), max(p[1] for p in known))


def test_level_stretches_lose_points_and_nothing_else():
    steps = [(float(x), 10.0 if x < 50 else 40.0) for x in range(100)]
    assert levelled(steps) == [(0.0, 10.0), (49.0, 10.0), (50.0, 40.0), (99.0, 40.0)]
    assert levelled([(0.0, 1.0), None, (2.0, 1.0)]) == [(0.0, 1.0), None, (2.0, 1.0)]


def test_names_with_markup_in_them_stay_text():
    root = drawn(Canvas("<A&B> [x]", 'say "no"', 80).markdown())
    assert words(root) == ["<A&B> [x]", 'say "no"']


def test_importing_pictures_and_suites_loads_nothing_heavy():
    program = (
        "import sys; import hd_pipelines.assets.gamma_picture, hd_pipelines.assets.smile_picture, "
        "hd_pipelines.assets.iv_history_picture, hd_pipelines.assets.regime_picture, "
        "hd_pipelines.checks.greeks_suite, hd_pipelines.checks.gamma_suite, hd_pipelines.checks.regime_suite, "
        "hd_pipelines.checks.iv_percentile_suite, hd_pipelines.checks.chain_suite; "
        "print([m for m in ('numba', 'scipy', 'great_expectations', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
