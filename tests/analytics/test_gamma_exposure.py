"""Gamma exposure snapshots: small chains summed by hand, laws of the sums, and the treatment of unknown numbers."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from math import exp, log, pi, sqrt
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.analytics.gamma.frames import EXPIRATION_COLUMNS, SNAPSHOT_COLUMNS, STRIKE_COLUMNS
from hd_pipelines.analytics.gamma_exposure import compute_gamma_exposure, gamma_profile
from hd_pipelines.market.option_chains import VALUED
from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions

SESSION = date(2024, 3, 14)
CLOSE = datetime(2024, 3, 14, 20, tzinfo=UTC)
FRIDAY, APRIL = date(2024, 3, 15), date(2024, 4, 19)


def contract(
    strike: float, option_type: str, open_interest: int | None, gamma: float | None, **more: Any
) -> dict[str, Any]:
    """One valued contract of XYZ at 100."""
    expiration = more.get("expiration", APRIL)
    settles_at = datetime(expiration.year, expiration.month, expiration.day, 20, tzinfo=UTC)
    timestamp = more.get("timestamp", CLOSE)
    row = dict.fromkeys(VALUED) | {
        "symbol": "XYZ",
        "contract_ticker": f"O:XYZ{expiration:%y%m%d}{option_type[0].upper()}{int(strike * 1000):08d}",
        "timestamp": timestamp,
        "session": SESSION,
        "kind": "close",
        "root": "XYZ",
        "expiration": expiration,
        "settles_at": settles_at,
        "years": (settles_at - timestamp) / timedelta(days=365),
        "strike": strike,
        "option_type": option_type,
        "shares_per_contract": 100.0,
        "underlying_price": 100.0,
        "forward": 100.0,
        "discount": 1.0,
        "implied_volatility": None if gamma is None else 0.2,
        "open_interest": open_interest,
        "open_interest_as_of": date(2024, 3, 13),
        "gamma": gamma,
    }
    return row | more


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=VALUED)


def only(rows: list[dict[str, Any]], history: pl.DataFrame | None = None) -> dict[str, Any]:
    found = compute_gamma_exposure(frame(rows), history).snapshots
    assert found.height == 1
    return found.row(0, named=True)


def black_chain(net: float = 1.0, **more: Any) -> list[dict[str, Any]]:
    """Calls from 95 to 110 and puts from 90 to 105 with the gamma of Black-76; `net` weighs the calls."""
    rows = []
    for strike in range(90, 111):
        for option_type in ("call", "put"):
            held = (
                100 if option_type == "call" and strike >= 95 else 100 if option_type == "put" and strike <= 105 else 0
            )
            row = contract(float(strike), option_type, int(held * (net if option_type == "call" else 1)), 0.0, **more)
            deviation = 0.2 * sqrt(row["years"])
            d1 = log(row["forward"] / strike) / deviation + deviation / 2
            factor = row["discount"] * row["forward"] / row["underlying_price"] ** 2
            rows.append(row | {"gamma": factor * exp(-d1 * d1 / 2) / sqrt(2 * pi) / deviation})
    return rows


BY_HAND = [
    contract(100, "call", 10, 0.02, volume=5, expiration=FRIDAY),
    contract(105, "call", 30, 0.01, volume=7),
    contract(100, "put", 20, 0.02, volume=6),
    contract(90, "put", 50, 0.005, volume=0),
]
"""Shares per dollar: 20, 30, 40, 25. Dollars per 1 %: times 100² / 100 = 100."""


def test_the_sums_of_four_contracts_by_hand():
    row = only(BY_HAND)
    assert row["call_gamma"] == pytest.approx(50)
    assert row["put_gamma"] == pytest.approx(-65)
    assert row["total_gamma"] == pytest.approx(-15)
    assert row["total_gamma_notional"] == pytest.approx(-150_000)
    assert row["gex_usd_per_1pct"] == row["dealer_net_gamma"] == pytest.approx(-1500)
    assert (row["call_gex_usd_per_1pct"], row["put_gex_usd_per_1pct"]) == pytest.approx((5000, -6500))
    assert row["gamma_skew"] == pytest.approx(50 / 65)
    assert (row["total_call_oi"], row["total_put_oi"]) == (40, 70)
    assert row["put_call_oi_ratio"] == pytest.approx(1.75)
    assert (row["total_call_volume"], row["total_put_volume"]) == (12, 6)
    assert row["put_call_volume_ratio"] == pytest.approx(0.5)
    assert row["sign_model"] == "naive_calls_long"
    assert (row["contracts"], row["contracts_valued"], row["oi_coverage"]) == (4, 4, 1.0)
    assert row["open_interest_as_of"] == date(2024, 3, 13)
    assert row["expirations_included"] == ["2024-03-15", "2024-04-19"]
    assert row["expiration_focus"] == APRIL


def test_the_levels_of_four_contracts_by_hand():
    row = only(BY_HAND)
    assert (row["call_wall"], row["put_wall"], row["absolute_gamma_strike"]) == (105, 100, 100)
    assert (row["gamma_wall_resistance"], row["gamma_wall_resistance_strength"]) == (105, 1.0)
    assert (row["gamma_wall_support"], row["gamma_wall_support_strength"]) == (90, 1.0)
    assert row["distance_to_resistance_pct"] == pytest.approx(5)
    assert row["distance_to_support_pct"] == pytest.approx(-10)
    assert (row["max_call_oi_strike"], row["max_put_oi_strike"]) == (105, 90)
    assert (row["max_call_volume_strike"], row["max_put_volume_strike"]) == (105, 100)
    assert (row["max_pain"], row["max_pain_expiration"]) == (100, FRIDAY)


def test_the_strikes_and_expirations_of_four_contracts_by_hand():
    found = compute_gamma_exposure(frame(BY_HAND))
    by_hand = {
        "strike": [90.0, 100.0, 105.0],
        "call_gex_usd_per_1pct": [0.0, 2000.0, 3000.0],
        "put_gex_usd_per_1pct": [-2500.0, -4000.0, 0.0],
        "gex_usd_per_1pct": [-2500.0, -2000.0, 3000.0],
        "call_oi": [None, 10, 30],
        "put_oi": [50, 20, None],
        "call_volume": [None, 5, 7],
        "put_volume": [0, 6, None],
    }
    assert found.strikes.select(list(by_hand)).to_dict(as_series=False) == by_hand
    by_hand = {
        "expiration": [FRIDAY, APRIL],
        "call_gex_usd_per_1pct": [2000.0, 3000.0],
        "put_gex_usd_per_1pct": [0.0, -6500.0],
        "gex_usd_per_1pct": [2000.0, -3500.0],
    }
    assert found.expirations.select(list(by_hand)).to_dict(as_series=False) == by_hand
    for rows in (found.strikes, found.expirations):
        assert set(rows.select("symbol", "timestamp", "session").iter_rows()) == {("XYZ", CLOSE, SESSION)}


def test_an_exposure_is_in_whole_cents_and_never_a_negative_zero():
    (row,) = compute_gamma_exposure(frame([contract(100, "put", 1, 1e-7)])).strikes.iter_rows(named=True)
    assert str(row["put_gex_usd_per_1pct"]) == str(row["gex_usd_per_1pct"]) == "0.0"
    (row,) = compute_gamma_exposure(frame([contract(100, "put", 1, 1.23456e-3)])).strikes.iter_rows(named=True)
    assert row["gex_usd_per_1pct"] == -12.35


def test_of_walls_of_like_size_the_nearer_one_counts():
    rows = [contract(101, "call", 74, 0.01), contract(103, "call", 75, 0.01), contract(110, "call", 100, 0.01)]
    row = only(rows)
    assert (row["gamma_wall_resistance"], row["call_wall"]) == (103, 110)
    assert row["gamma_wall_resistance_strength"] == pytest.approx(75 / 249)
    assert row["gamma_wall_support"] is row["gamma_wall_support_strength"] is row["distance_to_support_pct"] is None


def test_a_strike_at_the_spot_is_neither_above_nor_below():
    row = only([contract(100, "call", 1000, 0.01), contract(99, "put", 1, 0.01), contract(101, "call", 1, 0.01)])
    assert (row["gamma_wall_support"], row["absolute_gamma_strike"], row["gamma_wall_resistance"]) == (99, 100, 101)


def test_the_deliverable_counts_and_is_never_assumed():
    row = only([contract(100, "call", 10, 0.02, shares_per_contract=10.0), contract(101, "call", 10, 0.02)])
    assert row["total_gamma"] == pytest.approx(2 + 20)
    row = only([contract(100, "call", 10, 0.02, shares_per_contract=None), contract(101, "call", 10, 0.02)])
    assert row["total_gamma"] == pytest.approx(20)
    assert (row["contracts"], row["contracts_valued"], row["oi_coverage"]) == (2, 1, 0.5)


def test_contracts_without_open_interest_are_left_out_and_counted():
    rows = [*BY_HAND, contract(95, "put", None, 0.01), contract(80, "put", None, None)]
    row, strikes = only(rows), compute_gamma_exposure(frame(rows)).strikes
    assert row["total_gamma"] == pytest.approx(-15)
    assert row["oi_coverage"] == pytest.approx(4 / 6)
    assert strikes["strike"].to_list() == [80.0, 90.0, 95.0, 100.0, 105.0]
    assert strikes["gex_usd_per_1pct"].is_null().to_list() == [True, False, True, False, False]
    assert strikes["put_oi"].to_list() == [None, 50, None, 20, None]


def test_contracts_without_gamma_take_it_from_the_smile_and_are_counted_as_not_their_own():
    """The put at 95 lies between volatilities of 0.3 and 0.2, so has 0.25: d1 = ln(100/95)/sd + sd/2."""
    years = contract(95, "put", 1, None)["years"]
    rows = [
        contract(90, "put", 0, 0.0, implied_volatility=0.3),
        contract(95, "put", 10, None),
        contract(100, "put", 0, 0.0, implied_volatility=0.2),
        contract(105, "call", 0, 0.0, implied_volatility=0.15),
        contract(120, "call", 10, None),
    ]

    def gamma(strike: float, sigma: float) -> float:
        deviation = sigma * sqrt(years)
        d1 = log(100 / strike) / deviation + deviation / 2
        return exp(-d1 * d1 / 2) / sqrt(2 * pi) / deviation / 100

    row = only(rows)
    assert row["put_gamma"] == pytest.approx(-10 * 100 * gamma(95, 0.25))
    assert row["call_gamma"] == pytest.approx(10 * 100 * gamma(120, 0.15))
    assert (row["contracts"], row["contracts_valued"], row["oi_coverage"]) == (5, 3, 0.6)


def test_a_contract_in_the_money_without_a_price_has_the_gamma_of_the_other_right():
    """By put-call parity; here the whole chain of calls in the money is without."""
    whole = black_chain()
    robbed = [
        row
        | ({"gamma": None, "implied_volatility": None} if row["option_type"] == "call" and row["strike"] < 100 else {})
        for row in whole
    ]
    full, filled = only(whole), only(robbed)
    assert filled["gex_usd_per_1pct"] == pytest.approx(full["gex_usd_per_1pct"], rel=1e-9)
    assert filled["zero_gamma"] == pytest.approx(full["zero_gamma"], rel=1e-9)
    assert filled["oi_coverage"] == pytest.approx(32 / 42)


def test_two_strikes_are_no_smile():
    rows = [contract(100, "call", 10, 0.02), contract(105, "call", 10, 0.01), contract(110, "call", 10, None)]
    assert only(rows)["total_gamma"] == pytest.approx(30)


def test_a_contract_that_has_settled_is_not_revived_by_the_smile():
    rows = [contract(90 + 5 * n, "put", 10, 0.01, implied_volatility=0.2) for n in range(4)]
    settled = contract(100, "call", 10, None, years=0.0)
    assert only([*rows, settled])["call_gamma"] is None


def test_a_ratio_over_nothing_is_null():
    row = only([contract(100, "put", 10, 0.02, volume=3), contract(100, "call", 0, 0.02, volume=0)])
    assert row["put_call_oi_ratio"] is row["put_call_volume_ratio"] is None
    row = only([contract(100, "call", 10, 0.02)])
    assert row["gamma_skew"] is row["put_call_oi_ratio"] is row["total_put_oi"] is row["total_call_volume"] is None


def test_a_chain_without_a_price_of_its_underlying_is_a_row_of_reasons_and_stops_no_other():
    pinned = black_chain(expiration=FRIDAY)
    blind = [row | {"symbol": "BLIND", "underlying_price": None} for row in pinned]
    found = compute_gamma_exposure(frame([*pinned, *blind])).snapshots
    row = found.filter(pl.col("symbol") == "BLIND").row(0, named=True)
    assert row["max_pain"] is not None  # needs no price of the underlying
    assert (row["gex_usd_per_1pct"], row["zero_gamma"], row["dealer_positioning"]) == (None, None, None)
    assert (row["zero_gamma_reason"], row["positioning_reason"]) == ("no_spot", "no_spot")
    alone = compute_gamma_exposure(frame(pinned)).snapshots
    assert found.filter(pl.col("symbol") == "XYZ").equals(alone)


def test_unknown_open_interest_is_no_gamma_with_a_reason():
    row = only([contract(strike, "call", None, 0.01) for strike in range(90, 110)])
    assert row["zero_gamma_reason"] == "oi_unknown"
    assert row["positioning_reason"] == "no_gamma"
    nulls = [
        "gex_usd_per_1pct",
        "total_gamma",
        "total_call_oi",
        "zero_gamma",
        "call_wall",
        "dealer_positioning",
        "max_pain",
    ]
    nulls += ["zero_dte_share", "expected_behavior", "absolute_gamma_strike", "expiration_focus", "max_call_oi_strike"]
    assert {name: row[name] for name in nulls} == dict.fromkeys(nulls)
    assert (row["contracts"], row["contracts_valued"], row["oi_coverage"]) == (20, 0, 0.0)
    assert row["zero_gamma_crossings"] == "[]"


def test_a_missing_zero_gamma_has_a_reason():
    assert only(BY_HAND)["zero_gamma_reason"] == "too_few_contracts"
    calls_only = [row for row in black_chain() if row["option_type"] == "call"]
    assert only(calls_only)["zero_gamma_reason"] == "no_crossing_within_15pct"


@pytest.mark.parametrize("more", [{}, {"forward": 101.5, "discount": 0.97}])
def test_the_profile_passes_through_the_published_total_and_the_zero_gamma(more: dict[str, float]):
    """Also under a discount and a forward away from the spot: total and profile use the same delta."""
    chain = black_chain(**more)
    row, held = only(chain), frame(chain)
    at = gamma_profile(
        [100.0, row["zero_gamma"]],
        100.0,
        held["strike"],
        held["years"],
        held["forward"],
        held["implied_volatility"],
        held["open_interest"],
        held["shares_per_contract"] * held["discount"],
        held["option_type"] == "call",
    )
    assert at[0] == pytest.approx(row["gex_usd_per_1pct"], rel=1e-9)
    assert abs(at[1]) < 1e-8 * row["call_gex_usd_per_1pct"]
    assert row["zero_gamma_reason"] is None
    assert row["distance_to_zero_gamma_pct"] == pytest.approx(row["zero_gamma"] - 100)
    assert json.loads(row["zero_gamma_crossings"])[0] == pytest.approx(row["zero_gamma"])


def test_what_expires_today_is_a_share_of_all_gamma():
    noon = CLOSE - timedelta(hours=3)
    rows = [
        contract(100, "call", 10, 0.03, expiration=SESSION, timestamp=noon, kind="intraday"),
        contract(100, "put", 10, 0.01, timestamp=noon, kind="intraday"),
    ]
    assert only(rows)["zero_dte_share"] == pytest.approx(0.75)
    assert only(BY_HAND)["zero_dte_share"] == 0.0


def test_a_row_has_the_same_id_whoever_computes_it_and_no_other_has_it():
    first = only(BY_HAND)["id"]
    assert only(list(reversed(BY_HAND)))["id"] == first
    later = [row | {"timestamp": CLOSE + timedelta(minutes=15)} for row in BY_HAND]
    both = compute_gamma_exposure(frame([*BY_HAND, *later])).snapshots
    assert both["id"][0] == first
    assert both["id"].n_unique() == 2


@pytest.mark.parametrize("rows", [[], BY_HAND])
def test_every_frame_has_all_its_columns_also_of_nothing(rows: list[dict[str, Any]]):
    found = compute_gamma_exposure(frame(rows))
    assert found.snapshots.schema == pl.Schema(SNAPSHOT_COLUMNS)
    assert found.strikes.schema == pl.Schema(STRIKE_COLUMNS)
    assert found.expirations.schema == pl.Schema(EXPIRATION_COLUMNS)


@given(
    st.lists(
        st.tuples(
            st.integers(80, 120), st.sampled_from(["call", "put"]), st.none() | st.integers(0, 1000), st.floats(0, 0.1)
        ),
        min_size=1,
        max_size=40,
        unique_by=lambda row: row[:2],
    )
)
@settings(max_examples=40, deadline=None)
def test_by_strike_and_by_expiration_add_up_to_the_total(rows):
    contracts = [contract(*each, expiration=FRIDAY if each[0] % 2 else APRIL) for each in rows]
    found = compute_gamma_exposure(frame(contracts))
    (row,) = found.snapshots.iter_rows(named=True)
    call, put, net = (pl.col(f"{side}gex_usd_per_1pct") for side in ("call_", "put_", ""))
    for parts in (found.strikes, found.expirations):
        for name in ("call_gex_usd_per_1pct", "put_gex_usd_per_1pct", "gex_usd_per_1pct"):
            assert parts[name].sum() == pytest.approx(row[name] or 0, abs=0.01 * parts.height)
        assert parts.filter((net - call - put).abs() > 0.02).is_empty()
    for name in ("call_oi", "put_oi"):
        assert found.strikes[name].sum() == (row[f"total_{name}"] or 0)
    assert found.strikes["strike"].to_list() == sorted({float(each[0]) for each in rows})
    assert (row["gex_usd_per_1pct"] is None) == all(each[2] is None for each in rows)


def sessions_of_gamma(count: int) -> pl.DataFrame:
    """A chain of each of the last `count` sessions, its size and sign going up and down."""
    parts = []
    for number, session in enumerate(list_last_sessions(SESSION, count)):
        close = get_regular_hours(session).closes_at
        net = 1.0 + 0.5 * ((number * 7) % 11 - 5) / 5
        chain = frame(black_chain(net))
        parts.append(
            chain.with_columns(
                pl.lit(session).alias("session"),
                pl.lit(close, pl.Datetime("us", "UTC")).alias("timestamp"),
                (pl.col("open_interest") * (100 + number)).alias("open_interest"),
            )
        )
    return pl.concat(parts)


def test_no_row_knows_anything_later_than_itself():
    """Cut off at any session, the rows before it stay what they were; handed over as history or together alike."""
    valued = sessions_of_gamma(40)
    whole = compute_gamma_exposure(valued).snapshots
    assert whole["n_history"].to_list() == list(range(40))
    assert whole["positioning_strength"].null_count() == 20
    assert whole["positioning_strength"].drop_nulls().n_unique() >= 3
    for cut in (10, 25, 39):
        days = whole["session"][:cut].to_list()
        assert compute_gamma_exposure(valued.filter(pl.col("session").is_in(days))).snapshots.equals(whole[:cut])
        rest = compute_gamma_exposure(valued.filter(~pl.col("session").is_in(days)), whole[:cut])
        assert rest.snapshots.equals(whole[cut:])
    assert compute_gamma_exposure(valued, whole).snapshots.equals(whole)


def test_snapshots_of_one_session_are_one_observation():
    whole = compute_gamma_exposure(sessions_of_gamma(30)).snapshots
    quarter_hours = pl.concat(
        [whole.with_columns(pl.col("timestamp") - timedelta(minutes=15 * n)) for n in range(3)]
    ).select("symbol", "timestamp", "gex_usd_per_1pct")
    chain = [row | {"timestamp": CLOSE + timedelta(days=1), "session": FRIDAY} for row in black_chain(net=2)]
    assert only(chain, quarter_hours)["n_history"] == 30
    assert only(chain, quarter_hours)["positioning_strength"] == only(chain, whole)["positioning_strength"]


def test_one_symbols_past_is_not_anothers():
    whole = compute_gamma_exposure(sessions_of_gamma(30)).snapshots
    stranger = whole.with_columns(symbol=pl.lit("ABC"))
    chain = [row | {"timestamp": CLOSE + timedelta(days=1), "session": FRIDAY} for row in black_chain(net=2)]
    assert only(chain, stranger)["n_history"] == 0
    assert only(chain, pl.concat([stranger, whole]))["n_history"] == 30
