"""30-day implied volatility on smiles with a known answer, on sparse chains, and where it has to refuse."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hd_pipelines.analytics.volatility.constant_maturity import OBSERVED, ObservationReason, observe
from hd_pipelines.analytics.volatility.smile import AtmMethod, SmileReason, interpolate_at_forward
from hd_pipelines.market.option_chains import VALUED
from hd_pipelines.pricing.valuation import value_chain
from hd_pipelines.providers.archive.chains import read_chain
from hd_pipelines.providers.archive.files import list_chain_files
from validation.vix_against_official import read_treasury_rates

RECORDING = Path(__file__).parents[2].parent / "shared" / "recordings" / "spx-2019q2"

AT = datetime(2021, 6, 1, 20, tzinfo=UTC)
FORWARD = 400.0


def variance_at(days, moneyness=0.0):
    """Total variance linear in time and variance linear in moneyness: what interpolation must give back exactly."""
    return (0.001 + 0.04 * days / 365) / (days / 365) - 0.1 * moneyness


def contracts(days, strikes, option_types=("call", "put"), symbol="SPY", at=AT, variance=variance_at, forward=FORWARD):
    """Valued contracts of one expiration; delta of a flat normal in moneyness is enough for the skew."""
    from scipy.special import ndtr

    settles_at = at + timedelta(days=days)
    rows = []
    for strike in strikes:
        k = np.log(strike / forward)
        deviation = 0.2 * np.sqrt(days / 365)
        for option_type in option_types:
            call_delta = float(ndtr(-k / deviation))
            rows.append(
                {
                    "symbol": symbol,
                    "contract_ticker": f"O:{symbol}{settles_at:%y%m%d}{option_type[0].upper()}{int(strike * 1000):08d}",
                    "timestamp": at,
                    "session": at.date(),
                    "kind": "close",
                    "expiration": settles_at.date(),
                    "strike": float(strike),
                    "option_type": option_type,
                    "settles_at": settles_at,
                    "years": days / 365,
                    "forward": forward,
                    "implied_volatility": float(np.sqrt(variance(days, k))),
                    "delta": call_delta if option_type == "call" else call_delta - 1,
                }
            )
    frame = pl.DataFrame(rows, schema_overrides={"timestamp": VALUED["timestamp"], "settles_at": VALUED["settles_at"]})
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in VALUED.items()
    )


def chain(*expirations, strikes=range(300, 501, 5), **terms):
    return pl.concat(contracts(days, strikes, **terms) for days in expirations)


def only(frame):
    assert frame.height == 1
    return frame.row(0, named=True)


def without_volatility(frame, condition):
    return frame.with_columns(implied_volatility=pl.when(~condition).then(pl.col("implied_volatility")))


# --- at the forward ------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.floats(360.0, 440.0), st.integers(8, 90))
def test_variance_linear_in_moneyness_is_met_at_any_forward(forward, days):
    smile = contracts(days, range(300, 501, 5), forward=forward)
    row = only(interpolate_at_forward(smile))
    assert row["atm_iv"] == pytest.approx(np.sqrt(variance_at(days)), rel=1e-9)
    assert row["method"] == AtmMethod.BRACKET.value


def test_out_of_the_money_contracts_are_used_and_in_the_money_ones_are_not():
    smile = chain(30, forward=402.0)
    is_call = pl.col("option_type") == "call"
    in_the_money = (is_call & (pl.col("strike") < 402)) | (~is_call & (pl.col("strike") > 402))
    spoiled = smile.with_columns(
        implied_volatility=pl.when(in_the_money).then(0.9).otherwise(pl.col("implied_volatility"))
    )
    assert interpolate_at_forward(spoiled).equals(interpolate_at_forward(smile))


def test_a_strike_without_its_out_of_the_money_contract_lends_the_other_one():
    calls_only = contracts(30, range(300, 501, 5), ("call",))
    assert only(interpolate_at_forward(calls_only))["atm_iv"] == pytest.approx(np.sqrt(variance_at(30)))


def test_two_strikes_of_one_side_reach_a_forward_next_to_them():
    below = contracts(30, [385, 396], ("put",))
    row = only(interpolate_at_forward(below))
    assert row["method"] == AtmMethod.TWO_STRIKES.value
    assert row["atm_iv"] == pytest.approx(np.sqrt(variance_at(30)))
    above = contracts(30, [404, 415], ("call",))
    assert only(interpolate_at_forward(above))["atm_iv"] == pytest.approx(np.sqrt(variance_at(30)))


@pytest.mark.parametrize(
    "strikes",
    [
        [396],  # one strike near the forward: the slope of the smile is unknown
        [340, 360],  # two strikes of one side, both far from it
        [340, 460],  # on both sides, four deviations apart
        [340, 399.5],  # near, but the other one is too far to draw a line
    ],
)
def test_strikes_that_do_not_reach_the_forward_give_a_reason(strikes):
    row = only(interpolate_at_forward(contracts(30, strikes, ("put",))))
    assert row["atm_iv"] is None
    assert row["method"] is None
    assert row["reason"] == SmileReason.NO_STRIKES_AT_FORWARD.value


def test_a_strike_at_the_forward_needs_no_neighbour():
    row = only(interpolate_at_forward(contracts(30, [400])))
    assert row["atm_iv"] == pytest.approx(np.sqrt(variance_at(30)))


def test_one_strike_near_the_forward_borrows_the_slope_of_the_next_maturity():
    def smile(days, moneyness):
        deviation = np.sqrt(variance_at(days) * days / 365)
        return variance_at(days) * (1 - 0.3 * moneyness / deviation)

    full, lonely = chain(44, 79, variance=smile), contracts(23, [392.0], ("put",), variance=smile)
    rows = interpolate_at_forward(pl.concat([full, lonely])).sort("years")
    assert rows["method"].to_list() == ["borrowed_slope", "bracket", "bracket"]
    assert rows["atm_iv"][0] == pytest.approx(np.sqrt(variance_at(23)), abs=2e-4)
    assert np.sqrt(smile(23, np.log(392 / 400))) > np.sqrt(variance_at(23)) + 0.01


def test_values_are_never_borrowed_from_another_symbol_or_snapshot():
    lonely = contracts(23, [392.0], ("put",))
    others = [chain(44, symbol="QQQ"), chain(44, at=AT + timedelta(minutes=15))]
    row = interpolate_at_forward(pl.concat([lonely, *others])).filter(
        (pl.col("symbol") == "SPY") & (pl.col("timestamp") == AT)
    )
    assert only(row)["reason"] == SmileReason.NO_STRIKES_AT_FORWARD.value


def test_a_line_through_two_neighbours_is_not_drawn_far():
    # One volatility point of noise between strikes one dollar apart would be eight at the forward.
    neighbours = contracts(23, [391.0, 392.0], ("put",))
    assert only(interpolate_at_forward(neighbours))["atm_iv"] is None


def test_missing_forwards_and_volatilities_are_named():
    smile = chain(30)
    nowhere = smile.with_columns(forward=pl.lit(None, pl.Float64), implied_volatility=pl.lit(None, pl.Float64))
    assert only(interpolate_at_forward(nowhere))["reason"] == SmileReason.NO_FORWARD.value
    unsolved = without_volatility(smile, pl.lit(True))
    assert only(interpolate_at_forward(unsolved))["reason"] == SmileReason.NO_IMPLIED_VOLATILITY.value


def test_morning_and_afternoon_settlement_of_one_day_are_two_smiles():
    afternoon = chain(30)
    morning = afternoon.with_columns(settles_at=pl.col("settles_at") - pl.duration(minutes=390))
    assert interpolate_at_forward(pl.concat([afternoon, morning])).height == 2


# --- at 30 days ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expirations", [(23, 37), (7, 93), (28, 31, 66), (30,), (30, 30.27)])
def test_total_variance_is_linear_between_the_expirations_around_30_days(expirations):
    row = only(observe(chain(*expirations)))
    assert row["iv30"] == pytest.approx(np.sqrt(variance_at(30)), rel=1e-9)
    assert row["iv30_reason"] is None


def test_the_pair_nearest_to_30_days_is_taken():
    row = only(observe(chain(9, 16, 23, 37, 44, 79)))
    assert row["near_expiration"] == (AT + timedelta(days=23)).date()
    assert row["next_expiration"] == (AT + timedelta(days=37)).date()


def test_an_expiration_at_exactly_30_days_is_the_answer():
    row = only(observe(chain(23, 30, 37)))
    assert row["near_expiration"] == row["next_expiration"] == (AT + timedelta(days=30)).date()


def test_an_expiration_without_an_answer_hands_over_to_the_next():
    smile = without_volatility(chain(16, 23, 37), pl.col("years") == 23 / 365)
    row = only(observe(smile))
    assert row["near_expiration"] == (AT + timedelta(days=16)).date()
    assert row["iv30"] == pytest.approx(np.sqrt(variance_at(30)))


@pytest.mark.parametrize(
    ("expirations", "reason"),
    [
        ((37, 44), ObservationReason.NO_NEAR_EXPIRATION),
        ((5, 37), ObservationReason.NO_NEAR_EXPIRATION),
        ((9, 23), ObservationReason.NO_NEXT_EXPIRATION),
        ((23, 120), ObservationReason.NO_NEXT_EXPIRATION),
    ],
)
def test_nothing_is_extrapolated_to_30_days(expirations, reason):
    row = only(observe(chain(*expirations)))
    assert (row["iv30"], row["iv30_call"], row["iv30_put"], row["iv_skew"]) == (None, None, None, None)
    assert row["near_expiration"] is None
    assert row["iv30_reason"] == reason.value


def test_the_reason_of_the_decisive_expiration_is_given():
    row = only(observe(without_volatility(chain(23, 37), pl.col("years") == 37 / 365)))
    assert row["iv30_reason"] == SmileReason.NO_IMPLIED_VOLATILITY.value


def test_calls_and_puts_are_valued_separately():
    higher_puts = pl.concat(
        [
            contracts(days, range(300, 501, 5), (option_type,), variance=lambda d, k, add=add: variance_at(d, k) + add)
            for days in (23, 37)
            for option_type, add in (("call", 0.0), ("put", 0.02))
        ]
    )
    row = only(observe(higher_puts))
    assert row["iv30_call"] == pytest.approx(np.sqrt(variance_at(30)))
    assert row["iv30_put"] == pytest.approx(np.sqrt(variance_at(30) + 0.02))
    assert row["iv30_call"] < row["iv30"] < row["iv30_put"]


def test_skew_is_the_25_delta_call_less_the_25_delta_put():
    # Delta 0.25 lies 0.674 deviations from the forward; variance falls by 0.1 per unit of moneyness.
    row = only(observe(chain(30, strikes=np.arange(300, 500, 0.5))))
    away = 0.6744897501960817 * 0.2 * np.sqrt(30 / 365)
    expected = np.sqrt(variance_at(30, away)) - np.sqrt(variance_at(30, -away))
    assert row["iv_skew"] == pytest.approx(expected, abs=1e-5)
    assert row["iv_skew"] < 0


def test_skew_needs_both_sides_of_both_expirations():
    smile = chain(23, 37)
    no_low_puts = smile.filter((pl.col("option_type") == "call") | (pl.col("strike") > 395) | (pl.col("years") < 0.07))
    row = only(observe(no_low_puts))
    assert row["iv_skew"] is None
    assert row["iv30"] is not None


# --- many at once --------------------------------------------------------------------------------------------------


def test_snapshots_and_symbols_are_answered_by_themselves():
    parts = [
        chain(23, 37),
        chain(9, 23, symbol="QQQ"),
        chain(16, 44, at=AT + timedelta(minutes=15)),
        without_volatility(chain(23, 37, symbol="IWM"), pl.lit(True)),
    ]
    together = observe(pl.concat(parts).sample(fraction=1, shuffle=True, seed=3))
    alone = pl.concat(observe(part) for part in parts).sort("symbol", "timestamp")
    assert together.height == 4
    np.testing.assert_allclose(
        together["iv30"].fill_null(0).to_numpy(), alone["iv30"].fill_null(0).to_numpy(), rtol=1e-12
    )
    assert together.drop("iv30", "iv30_call", "iv30_put", "iv_skew").equals(
        alone.drop("iv30", "iv30_call", "iv30_put", "iv_skew")
    )


def test_what_is_observed_at_t_does_not_know_what_comes_after():
    days = [chain(23, 37, at=AT + timedelta(days=day)) for day in range(4)]
    whole = observe(pl.concat(days))
    assert whole.head(2).equals(observe(pl.concat(days[:2])))


def test_an_empty_chain_gives_no_rows():
    empty = observe(chain(30).clear())
    assert empty.is_empty()
    assert empty.schema == pl.Schema(OBSERVED)


def test_settled_expirations_and_values_that_are_no_numbers_are_left_out():
    good = chain(23, 37)
    settled = contracts(1, [395, 405]).with_columns(years=pl.lit(0.0))
    nan = contracts(23, [399.0]).with_columns(implied_volatility=pl.lit(float("nan")))
    assert observe(pl.concat([good, settled, nan])).equals(observe(good))


def test_the_session_of_the_snapshot_is_recorded():
    row = only(observe(chain(23, 37)))
    assert (row["session"], row["kind"]) == (date(2021, 6, 1), "close")


# --- recorded chains -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded():
    if not RECORDING.exists():
        pytest.skip("needs the recording ../shared/recordings/spx-2019q2")
    files = list_chain_files(RECORDING, ["SPX"], [date(2019, 4, 29), date(2019, 5, 20), date(2019, 6, 12)])
    return value_chain(pl.concat(read_chain(file).validated.chain for file in files), read_treasury_rates(RECORDING))


def test_calls_and_puts_of_a_full_chain_agree(recorded):
    for row in observe(recorded).iter_rows(named=True):
        assert row["iv30_call"] == pytest.approx(row["iv30"], abs=0.0005)
        assert row["iv30_put"] == pytest.approx(row["iv30"], abs=0.0005)
        assert -0.08 < row["iv_skew"] < -0.02


def test_a_thinned_chain_stays_near_the_full_one_or_has_no_value(recorded):
    # Mean errors measured: bracket 0.0009, two strikes 0.0017, borrowed slope 0.0038.
    truth = interpolate_at_forward(recorded).select("timestamp", "settles_at", truth="atm_iv")
    near = recorded.filter(
        pl.col("implied_volatility").is_not_null()
        & ((pl.col("strike") / pl.col("forward")).log().abs() < 0.06)
        & pl.col("years").is_between(7 / 365, 93 / 365)
    )
    found = []
    for seed in range(8):
        thinned = near.filter(pl.int_range(pl.len()).shuffle(seed).over("timestamp", "settles_at") < 4)
        found.append(interpolate_at_forward(thinned).join(truth, on=["timestamp", "settles_at"]))
    errors = pl.concat(found).with_columns(error=(pl.col("atm_iv") - pl.col("truth")).abs())
    by_method = dict(errors.drop_nulls("error").group_by("method").agg(pl.col("error").mean()).iter_rows())
    assert set(by_method) == {method.value for method in AtmMethod}
    assert by_method["bracket"] < 0.0012
    assert by_method["two_strikes"] < 0.0025
    assert by_method["borrowed_slope"] < 0.0045
    assert errors["atm_iv"].null_count() > 0


def test_the_order_of_the_contracts_does_not_touch_the_last_bit(recorded):
    """Sums in hash order differ from run to run: a row would change although its chain did not."""
    near = recorded.filter(
        pl.col("implied_volatility").is_not_null() & ((pl.col("strike") / pl.col("forward")).log().abs() < 0.06)
    )
    methods = set()
    for seed in range(20):
        thinned = near.filter(pl.int_range(pl.len()).shuffle(seed).over("timestamp", "settles_at") < 4)
        expected = interpolate_at_forward(thinned)
        methods |= set(expected["method"].drop_nulls())
        for again in range(3):
            assert interpolate_at_forward(thinned.sample(fraction=1.0, shuffle=True, seed=again)).equals(expected)
    assert methods == {method.value for method in AtmMethod}
