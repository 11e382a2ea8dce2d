"""Great Expectations suites of the option tables: sound rows pass, and each rule names the one cell that breaks it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from hd_pipelines.analytics.gamma_exposure import GammaExposure, compute_gamma_exposure
from hd_pipelines.analytics.iv_percentile import compute_percentile_rows
from hd_pipelines.analytics.regime.classification import REGIME_ROWS
from hd_pipelines.checks.chain_suite import build_chain_suite
from hd_pipelines.checks.gamma_suite import build_gamma_suite
from hd_pipelines.checks.greeks_suite import build_greeks_suite
from hd_pipelines.checks.iv_percentile_suite import build_iv_percentile_suite
from hd_pipelines.checks.regime_suite import build_regime_suite
from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.pricing.valuation import value_chain

pytestmark = pytest.mark.slow

SESSION = date(2024, 3, 14)
CLOSE = datetime(2024, 3, 14, 20, tzinfo=UTC)
ANOTHER = "O:SPXW240328P05000000"
NAN, INFINITY = math.nan, math.inf


@cache
def chain() -> pl.DataFrame:
    """Two expirations of SPXW at 5000 with volatilities of 14 to 22 %, European, no rates."""
    rows = []
    for expiration in (date(2024, 3, 28), date(2024, 4, 26)):
        years = ((expiration - SESSION).days) / 365
        for strike in range(4700, 5301, 25):
            sigma = 0.18 - 0.4 * (strike / 5000 - 1)
            deviation = sigma * math.sqrt(years)
            d1 = math.log(5000 / strike) / deviation + deviation / 2
            call = 5000 * normal(d1) - strike * normal(d1 - deviation)
            for right, price in (("call", call), ("put", call - 5000 + strike)):
                rows.append(
                    dict.fromkeys(CHAIN)
                    | {
                        "underlying": "I:SPX",
                        "snapshot_at": CLOSE,
                        "kind": "close",
                        "source": "chain_archive",
                        "ticker": f"O:SPXW{expiration:%y%m%d}{right[0].upper()}{strike * 1000:08d}",
                        "root": "SPXW",
                        "expiration": expiration,
                        "option_type": right,
                        "strike": float(strike),
                        "exercise_style": "european",
                        "shares_per_contract": 100.0,
                        "bid": price - 0.05,
                        "ask": price + 0.05,
                        "bid_size": 5,
                        "ask_size": 5,
                        "quote_at": CLOSE - timedelta(seconds=2),
                        "last": price,
                        "volume": 10,
                        "open_interest": 300 if (right == "call") == (strike > 4950) else 50,
                        "open_interest_as_of": date(2024, 3, 13),
                        "underlying_price": 5000.0,
                        "vendor_iv": sigma,
                    }
                )
    return pl.DataFrame(rows, schema=CHAIN)


def normal(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


@cache
def greeks() -> pl.DataFrame:
    """The chain valued; its last contract without a price."""
    given = chain().with_columns(bid=pl.when(pl.int_range(pl.len()) == pl.len() - 1).then(0.0).otherwise("bid"))
    return value_chain(given).with_columns(iv_rank=pl.lit(0.4), iv_percentile=pl.lit(0.3))


@cache
def exposure() -> GammaExposure:
    return compute_gamma_exposure(greeks().drop("iv_rank", "iv_percentile"))


def gamma() -> pl.DataFrame:
    return exposure().snapshots


@cache
def iv_percentile() -> pl.DataFrame:
    days = list_last_sessions(SESSION, 300)
    wave = 0.18 + 0.04 * np.sin(np.arange(300) / 9) + 0.001 * np.arange(300) % 0.013
    observed = pl.DataFrame({"date": days, "current_iv": wave}).with_columns(
        symbol=pl.lit("SPX"),
        timestamp=pl.col("date").cast(pl.Datetime("us")).dt.offset_by("20h").dt.replace_time_zone("UTC"),
        current_iv_call=pl.col("current_iv"),
        current_iv_put=pl.col("current_iv"),
        iv_skew=pl.col("current_iv") / -5,
        model_free_iv30=pl.col("current_iv"),
        price_source=pl.lit("chain_archive"),
    )
    return compute_percentile_rows(observed).tail(1)


@cache
def regime() -> pl.DataFrame:
    row = dict.fromkeys(REGIME_ROWS) | {
        "date": SESSION,
        "vix_level": 14.4,
        "vix_change": 0.6,
        "vix_change_pct": 4.7,
        "vix_regime": "LOW",
        "vix_front_month": 14.4,
        "vix_back_month": 15.9,
        "vix_term_structure": "CONTANGO",
        "vix_term_spread": 1.5,
        "tick_index": 120.0,
        "tick_regime": "NEUTRAL",
        "advancers": 900,
        "decliners": 1900,
        "unchanged": 80,
        "advance_decline_ratio": 900 / 1900,
        "advance_decline_diff": -1000,
        "new_highs": 60,
        "new_lows": 40,
        "high_low_ratio": 1.5,
        "share_above_20d": 0.5,
        "share_above_50d": 0.6,
        "share_above_200d": 0.7,
        "n_stocks": 2880,
        "breadth_regime": "BEARISH",
        "spy_ndx_correlation": 0.9,
        "spy_rut_correlation": 0.8,
        "average_pairwise_correlation": 0.3,
        "correlation_regime": "NORMAL",
        "leading_sector": "XLE",
        "lagging_sector": "XLU",
        "sector_rotation": "CYCLICAL",
        "put_call_ratio_equity": 0.6,
        "put_call_ratio_index": 1.2,
        "put_call_ratio_total": 0.8,
        "pc_regime": "NEUTRAL",
        "spy_close": 514.95,
        "spy_change_pct": -0.2,
        "ndx_close": 18014.8,
        "ndx_change_pct": -0.3,
        "rut_close": 2031.2,
        "rut_change_pct": -2.0,
        "spy_volume": 1.1e8,
        "spy_volume_ratio": 1.3,
        "market_regime": "WEAK_UPTREND",
        "raw_regime": "RANGE_BOUND",
        "regime_since": date(2021, 11, 15),
        "regime_reason": "held",
        "confidence_score": 55.0,
    }
    return pl.DataFrame([row], schema=REGIME_ROWS)


CALL, PUT = pl.col("option_type") == "call", pl.col("option_type") == "put"
EVERY_ROW = pl.int_range(pl.len()) >= 0
VALUED_ROW, NULL_ROW = pl.col("implied_volatility").is_not_null(), pl.col("implied_volatility").is_null()

POSITIVE = "_is_positive", 0.0
NOT_NEGATIVE = "_is_not_negative", -1


def each(bound: tuple[str, Any], *columns: str) -> dict[str, dict[str, Any]]:
    """A defect for the rule of each column: the value beyond its bound."""
    ending, value = bound
    return {f"{name}{ending}": {name: value} for name in columns}


def misspelt(*columns: str) -> dict[str, dict[str, Any]]:
    return {f"{name}_is_of_the_vocabulary": {name: "SO_SO"} for name in columns}


GREEKS_DEFECTS: dict[str, dict[str, Any]] = {
    "numbers_are_finite": {"theta": NAN},
    "contract_comes_once": {"contract_ticker": ANOTHER},
    "contract_has_its_names": {"root": ""},
    "session_is_the_day_of_the_timestamp": {"session": date(2024, 3, 15)},
    "dte_counts_days_to_expiration": {"dte": 3},
    "no_volatility_has_a_reason": {"where": NULL_ROW, "iv_reason": None},
    "a_volatility_has_no_reason": {"iv_reason": "wide"},
    "greeks_need_a_volatility": {"where": NULL_ROW, "vega": 1.0},
    "a_volatility_has_all_greeks": {"rho": None},
    "a_volatility_comes_from_a_price": {"mid_price": None},
    "a_volatility_needs_time_left": {"years": 0.0},
    "a_crossed_quote_is_not_valued": {"bid": 1e5},
    "call_delta_is_from_0_to_1": {"where": CALL & VALUED_ROW, "delta": -0.2},
    "put_delta_is_from_minus_1_to_0": {"where": PUT & VALUED_ROW, "delta": 0.2},
    "open_interest_is_of_an_earlier_session": {"open_interest_as_of": SESSION},
    "implied_volatility_is_plausible": {"implied_volatility": 51.0},
    "iv_rank_is_from_0_to_1": {"iv_rank": 1.01},
    "iv_percentile_is_from_0_to_1": {"iv_percentile": 40.0},
    "words_are_known": {"exercise_style": None},
    **each(
        POSITIVE, *("strike", "shares_per_contract", "underlying_price", "forward", "discount", "implied_volatility")
    ),
    **each(NOT_NEGATIVE, "bid", "ask", "last", "mid_price", "volume", "open_interest", "price_age_seconds"),
    **each(NOT_NEGATIVE, "gamma", "vega"),
    **misspelt("kind", "option_type", "exercise_style", "price_source", "iv_reason"),
}
CHAIN_DEFECTS: dict[str, dict[str, Any]] = {
    "numbers_are_finite": {"last": INFINITY},
    "contract_comes_once": {"ticker": ANOTHER},
    "contract_has_its_names": {"ticker": ""},
    "contract_has_not_expired": {"expiration": date(2024, 3, 13)},
    "open_interest_is_of_an_earlier_session": {"open_interest_as_of": SESSION},
    "quote_is_not_of_the_future": {"quote_at": CLOSE + timedelta(minutes=2)},
    "underlying_has_one_price": {"underlying_price": 4999.0},
    "bids_are_below_asks": {"all": True, "bid": 1e5},
    "chain_has_calls_and_puts": {"all": True, "option_type": "put"},
    "words_are_known": {"kind": None},
    **each(POSITIVE, "strike", "shares_per_contract", "underlying_price", "vendor_iv"),
    **each(NOT_NEGATIVE, "bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest"),
    **misspelt("kind", "source", "option_type", "exercise_style"),
}
GAMMA_DEFECTS: dict[str, dict[str, Any]] = {
    "symbol_has_one_row_per_snapshot": {"twice": True},
    "id_comes_once": {"twice": True},
    "snapshot_is_known": {"contracts": None},
    "numbers_are_finite": {"gamma_skew": NAN},
    "snapshot_is_named": {"symbol": ""},
    "session_is_the_day_of_the_timestamp": {"session": date(2024, 3, 15)},
    "calls_and_puts_add_up": {"call_gex_usd_per_1pct": 1.0},
    "shares_of_calls_and_puts_add_up": {"put_gamma": -1.0},
    "strikes_add_up": {"of": "strikes", "gex_usd_per_1pct": 2.0},
    "expirations_add_up": {"of": "expirations", "gex_usd_per_1pct": -2e3},
    "strike_comes_once": {"of": "strikes", "twice": True},
    "expiration_comes_once": {"of": "expirations", "twice": True},
    "calls_and_puts_add_up_by_strike": {"of": "strikes", "call_gex_usd_per_1pct": 1.0},
    "calls_and_puts_add_up_by_expiration": {"of": "expirations", "put_gex_usd_per_1pct": 1.0},
    "notional_is_100_times_the_exposure": {"total_gamma_notional": 1.0},
    "dealer_net_gamma_is_the_exposure": {"dealer_net_gamma": None},
    "positioning_has_the_sign_of_the_exposure": {"dealer_positioning": "SHORT_GAMMA"},
    "no_positioning_or_strength_has_a_reason": {"positioning_reason": None},
    "behavior_goes_with_positioning": {"expected_behavior": None},
    "no_zero_gamma_has_a_reason": {"zero_gamma": None, "zero_gamma_reason": None},
    "a_zero_gamma_has_no_reason": {"zero_gamma_reason": "oi_unknown"},
    "zero_gamma_is_one_of_the_crossings": {"zero_gamma_crossings": "[]"},
    "zero_gamma_is_near_the_spot": {"zero_gamma": 4000.0},
    "resistance_is_above_the_spot": {"gamma_wall_resistance": 4900.0},
    "support_is_below_the_spot": {"gamma_wall_support": 5100.0},
    "distances_are_those_of_the_levels": {"distance_to_zero_gamma_pct": 1.5},
    "coverage_is_the_share_of_valued_contracts": {"oi_coverage": 0.5},
    "open_interest_is_of_an_earlier_session": {"open_interest_as_of": SESSION},
    "pain_and_focus_are_not_past": {"max_pain_expiration": date(2024, 3, 13)},
    "documents_are_lists": {"zero_gamma_crossings": "{}"},
    "calls_are_not_negative": {"call_gamma": -1.0},
    "puts_are_not_positive": {"put_gex_usd_per_1pct": 1.0},
    "no_more_valued_than_there_are": {"contracts_valued": 10_000},
    "words_are_known": {"sign_model": None},
    **each(
        POSITIVE,
        *("underlying_price", "max_call_oi_strike", "max_put_oi_strike", "max_call_volume_strike"),
        *("max_put_volume_strike", "call_wall", "put_wall", "absolute_gamma_strike", "gamma_wall_resistance"),
        *("gamma_wall_support", "max_pain"),
    ),
    **each(
        NOT_NEGATIVE,
        *("total_call_oi", "total_put_oi", "total_call_volume", "total_put_volume", "n_history", "contracts"),
        *("contracts_valued", "gamma_skew", "put_call_oi_ratio", "put_call_volume_ratio"),
    ),
    "strike_is_positive": {"of": "strikes", "strike": 0.0},
    **{
        f"{name}_is_not_negative": {"of": "strikes", name: -1}
        for name in ("call_oi", "put_oi", "call_volume", "put_volume")
    },
    **each(
        ("_is_from_0_to_1", 1.1),
        *("gamma_wall_resistance_strength", "gamma_wall_support_strength", "zero_dte_share", "oi_coverage"),
    ),
    **misspelt("kind", "dealer_positioning", "positioning_strength", "expected_behavior", "sign_model"),
}
IV_DEFECTS: dict[str, dict[str, Any]] = {
    "symbol_has_one_row_per_session": {"twice": True},
    "session_is_known": {"n_observations": None},
    "numbers_are_finite": {"iv_change_5d": -INFINITY},
    "volatility_is_positive": {"model_free_iv30": 0.0},
    "volatility_is_plausible": {"current_iv_put": 18.0},
    "deviation_is_not_negative": {"iv_52w_stddev": -0.01},
    "observations_are_of_252_sessions": {"n_observations": 253},
    "median_is_inside_the_window": {"iv_52w_median": 0.9},
    "mean_is_inside_the_window": {"iv_52w_mean": 0.01},
    "symbol_is_named": {"symbol": ""},
    "current_iv_is_iv30": {"current_iv": None},
    "no_iv30_has_a_reason": {"iv30": None},
    "an_iv30_has_no_reason": {"iv_reason": "no_forward"},
    "no_percentile_has_a_reason": {"iv_rank": None},
    "a_percentile_has_no_reason": {"percentile_reason": "no_session"},
    "a_percentile_needs_126_observations": {"n_observations": 125},
    "126_observations_give_a_percentile": {"iv_percentile": None},
    "a_percentile_needs_an_iv30": {"iv30": None},
    "both_counts_agree": {"data_points_52w": 251},
    "today_is_inside_the_window": {"iv_52w_high": 0.01},
    "rank_is_todays_place_in_the_window": {"iv_rank": 0.012345},
    "zscore_counts_deviations": {"iv_zscore": 9.0},
    "regime_goes_with_the_percentile": {"iv_regime": None},
    "recommendation_goes_with_the_percentile": {"iv_recommendation": None},
    "trend_goes_with_the_change": {"iv_change_20d": None},
    "an_iv30_tells_its_snapshot": {"timestamp": None},
    "date_is_the_day_of_the_timestamp": {"date": date(2024, 3, 13)},
    **each(("_is_from_0_to_1", -0.1), "iv_rank", "iv_percentile", "skew_percentile"),
    **misspelt("iv_regime", "iv_trend", "iv_recommendation", "percentile_reason", "price_source"),
}
REGIME_DEFECTS: dict[str, dict[str, Any]] = {
    "session_has_one_row": {"twice": True},
    "numbers_are_finite": {"spy_change_pct": NAN},
    "regime_began_before": {"regime_since": date(2030, 1, 1)},
    "a_regime_that_goes_on_keeps_its_beginning": {"regime_since": date(2020, 1, 2)},
    "a_new_regime_begins_after_the_old_one": {"market_regime": "BREAKOUT"},
    "difference_is_advancers_less_decliners": {"advance_decline_diff": 7},
    "ratio_is_advancers_over_decliners": {"advance_decline_ratio": 2.0},
    "counts_are_of_the_stocks_counted": {"n_stocks": 100},
    "spread_is_back_less_front": {"vix_term_spread": -1.5},
    "no_breadth_has_a_reason": {"advancers": None},
    "no_term_structure_has_a_reason": {"vix_term_structure": None},
    "no_put_call_has_a_reason": {"pc_regime": None},
    "tick_has_its_class": {"tick_regime": None},
    "leader_and_laggard_differ": {"lagging_sector": "XLE"},
    "vix_level_is_plausible": {"vix_level": 1440.0},
    "confidence_is_from_0_to_100": {"confidence_score": 101.0},
    **each(
        ("_is_known", None),
        *("date", "vix_level", "vix_regime", "market_regime", "raw_regime", "regime_since", "regime_reason"),
        "confidence_score",
    ),
    **each(POSITIVE, "vix_front_month", "vix_back_month", "spy_close", "ndx_close", "rut_close"),
    **each(
        NOT_NEGATIVE,
        *("advancers", "decliners", "unchanged", "new_highs", "new_lows", "n_stocks", "spy_volume"),
        *("advance_decline_ratio", "high_low_ratio", "spy_volume_ratio"),
        *("put_call_ratio_equity", "put_call_ratio_index", "put_call_ratio_total"),
    ),
    **each(("_is_plausible", -50.0), "spy_change_pct", "ndx_change_pct", "rut_change_pct"),
    **each(("_is_from_0_to_1", 1.2), "share_above_20d", "share_above_50d", "share_above_200d"),
    **each(
        ("_is_from_minus_1_to_1", 1.2), "spy_ndx_correlation", "spy_rut_correlation", "average_pairwise_correlation"
    ),
    **misspelt(
        *("vix_regime", "vix_term_structure", "tick_regime", "breadth_regime", "correlation_regime"),
        *("sector_rotation", "pc_regime", "market_regime", "raw_regime"),
    ),
}
SUITES: dict[str, tuple[Any, Any, dict[str, dict[str, Any]]]] = {
    "historical_greeks": (build_greeks_suite, greeks, GREEKS_DEFECTS),
    "option_chains": (build_chain_suite, chain, CHAIN_DEFECTS),
    "gamma_exposure_snapshots": (build_gamma_suite, gamma, GAMMA_DEFECTS),
    "iv_percentile_cache": (build_iv_percentile_suite, iv_percentile, IV_DEFECTS),
    "market_regime_history": (build_regime_suite, regime, REGIME_DEFECTS),
}
PARTS: dict[str, dict[str, Any]] = {
    "gamma_exposure_snapshots": {
        "strikes": lambda: exposure().strikes,
        "expirations": lambda: exposure().expirations,
    }
}
"""Frames that a suite checks together with the rows of its table; a defect is in the frame that `of` names."""
RULES = [(table, rule) for table, (_, _, defects) in SUITES.items() for rule in defects]


def with_defect(rows: pl.DataFrame, defect: Mapping[str, Any]) -> pl.DataFrame:
    """The rows with one cell changed, in the first row that `where` allows; `all`: all; `twice`: doubled."""
    changes = {name: value for name, value in defect.items() if name not in {"where", "all", "twice", "of"}}
    where = defect.get("where", VALUED_ROW if "contract_ticker" in rows.columns else EVERY_ROW)
    allowed = rows.select(where).to_series()
    here = allowed if "all" in defect else allowed & (allowed.cast(pl.Int64).cum_sum() == 1)
    changed = rows.with_columns(
        pl.when(here).then(pl.lit(value, rows.schema[name])).otherwise(name).alias(name)
        for name, value in changes.items()
    )
    return pl.concat([changed, changed]) if "twice" in defect else changed


def scoped(table: str, number: int, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in a scope of their own: another symbol, or for the market another session."""
    if table == "market_regime_history":
        return rows.with_columns(date=pl.lit(list_last_sessions(SESSION, 400)[number]))
    name = "underlying" if table == "option_chains" else "symbol"
    renamed = rows.with_columns(pl.lit(f"S{number:03}").alias(name))
    return renamed.with_columns(id=pl.lit(f"id of {number}")) if "id" in rows.columns else renamed


@cache
def found_in(table: str) -> dict[str, set[str]]:
    """Rules that the suite names for the scope in which each rule's cell is broken; all scopes are validated at once."""
    suite, rows, defects = SUITES[table]
    validator, by_number, frames = suite(), {}, []
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in PARTS.get(table, {})}
    for number, (rule, defect) in enumerate(defects.items()):
        # A sound session between broken ones, so that rules across rows see only their own.
        place = 2 * number + 1 if table == "market_regime_history" else number
        frames += [scoped(table, place - 1, rows())] if place != number else []
        sound = scoped(table, place, rows())
        frames.append(sound if "of" in defect else with_defect(sound, defect))
        by_number[rule] = frames[-1].select(validator.rules.scope).unique()
        for name, of_part in parts.items():
            sound = scoped(table, place, PARTS[table][name]())
            of_part.append(with_defect(sound, defect) if defect.get("of") == name else sound)
    verdict = validator.validate(pl.concat(frames), *map(pl.concat, parts.values()))
    assert verdict.sound.join(verdict.broken, on=validator.rules.scope, how="semi", nulls_equal=True).is_empty()
    return {
        rule: set(verdict.broken.join(scope, on=validator.rules.scope, how="semi", nulls_equal=True)["rule"])
        for rule, scope in by_number.items()
    }


@pytest.mark.parametrize("table", SUITES)
def test_sound_rows_pass_and_all_of_them_are_kept(table):
    make, rows, defects = SUITES[table]
    suite = make()
    verdict = suite.validate(rows(), *(part() for part in PARTS.get(table, {}).values()))
    assert suite.failures == []
    assert verdict.sound.equals(rows())
    assert verdict.broken.is_empty()
    result = suite.build_result("sound")
    assert result.passed
    assert result.metadata["rows_validated"].value == rows().height
    assert result.metadata["expectations_evaluated"].value >= len(defects)


@pytest.mark.parametrize("table", SUITES)
def test_every_rule_of_the_suite_has_a_defect_here(table):
    make, _, defects = SUITES[table]
    rules = {each.meta["rule"] for expectations in make().rules.expectations().values() for each in expectations}
    assert rules == set(defects)


@pytest.mark.parametrize(("table", "rule"), RULES)
def test_the_broken_rule_is_named_where_it_is_broken(table, rule):
    assert rule in found_in(table)[rule]


def test_a_broken_snapshot_is_withheld_whole_and_no_other():
    rows = pl.concat([scoped("historical_greeks", 1, greeks()), scoped("historical_greeks", 2, greeks())])
    spoilt = rows.with_columns(
        gamma=pl.when((pl.col("symbol") == "S002") & (pl.int_range(pl.len()).over("symbol") == 9))
        .then(-1.0)
        .otherwise("gamma")
    )
    suite = build_greeks_suite()
    verdict = suite.validate(spoilt)
    assert verdict.sound["symbol"].unique().to_list() == ["S001"]
    assert verdict.broken.rows() == [("S002", CLOSE, "gamma_is_not_negative", "gamma_min -1.0")]
    result = suite.build_result("greeks_are_sound")
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    (failure,) = result.metadata["failures"].value
    assert (failure["rule"], failure["scopes"]) == ("gamma_is_not_negative", 1)
    assert suite.build_result("again", dg.AssetCheckSeverity.ERROR).severity is dg.AssetCheckSeverity.ERROR


def test_nothing_to_publish_breaks_nothing():
    for make, rows, _ in SUITES.values():
        suite = make()
        verdict = suite.validate(rows().clear())
        assert verdict.sound.is_empty()
        assert verdict.broken.is_empty()
        assert suite.build_result("nothing").passed


def test_several_batches_share_one_verdict():
    suite = build_iv_percentile_suite()
    suite.validate(with_defect(iv_percentile(), {"iv_rank": 2.0}))
    suite.validate(iv_percentile())
    assert suite.rows == 2
    assert not suite.build_result("both").passed
