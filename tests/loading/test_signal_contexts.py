"""Gamma as a scan sees it: each snapshot with its own strikes, and none from before or after."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from hd_pipelines.analytics.gamma_exposure import GammaExposure, compute_gamma_exposure
from hd_pipelines.loading.signals.contexts import LOOK_BACK, read_contexts
from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.signals.frame import Floats
from hd_pipelines.warehouse.read.symbol_arrays import read_strike_arrays
from tests.support.installation import SESSIONS, SmallInstallation
from tests.support.option_installation import OPTION_SESSIONS, OPTION_SYMBOLS, OptionInstallation
from tests.warehouse.option_frames import at, gamma_parts, gamma_rows, put_rows

YESTERDAY, TODAY = SESSIONS[-2:]
SINCE, UNTIL = at(TODAY, 15, 30), at(TODAY, 17)


def to_array(strikes: pl.DataFrame) -> Floats:
    """Strike, net gamma (NaN for null) and open interest (0 for null) of one snapshot's rows."""
    interest = pl.col("call_oi").fill_null(0) + pl.col("put_oi").fill_null(0)
    columns = strikes.sort("strike").select("strike", "gex_usd_per_1pct", interest.cast(pl.Float64))
    return columns.fill_null(np.nan).to_numpy()


@pytest.fixture
def gamma(installation: SmallInstallation) -> pl.DataFrame:
    """Published rows by strike: SPY at five instants, AAPL only the day before, rows on disk in no order."""
    snapshots = pl.concat(
        [
            gamma_rows(["SPY"], [YESTERDAY], (15, 21)),
            gamma_rows(["SPY"], [TODAY], (14, 16, 18), gex=-2e9),
            gamma_rows(["AAPL"], [YESTERDAY], (21,), gex=3e8),
        ]
    )
    parts = {name: rows.sample(fraction=1.0, shuffle=True, seed=3) for name, rows in gamma_parts(snapshots).items()}
    put_rows(installation.database, "gamma_exposure_snapshots", snapshots, parts=parts)
    return parts["gamma_by_strike"]


def test_a_context_has_the_strikes_of_its_own_snapshot(installation: SmallInstallation, gamma: pl.DataFrame) -> None:
    contexts = read_contexts(installation.database, ["AAPL", "MSFT", "SPY"], SINCE, UNTIL)
    found = {(symbol, each.known_at_ns): each.by_strike for symbol, read in contexts.items() for each in read.gamma}
    # The newest one before the first instant less the look-back, and those until the last one.
    assert at(TODAY, 14) < SINCE - LOOK_BACK
    expected = [("AAPL", at(YESTERDAY)), ("SPY", at(TODAY, 14)), ("SPY", at(TODAY, 16))]
    assert list(found) == [(symbol, to_ns(instant)) for symbol, instant in expected]
    for symbol, instant in expected:
        of_snapshot = gamma.filter(pl.col("symbol") == symbol, pl.col("timestamp") == instant)
        by_strike = found[symbol, to_ns(instant)]
        assert by_strike.shape == (3, 3)
        np.testing.assert_array_equal(by_strike, to_array(of_snapshot))
    assert np.isnan(found["SPY", to_ns(at(TODAY, 16))][0, 1])


def test_strikes_are_read_from_each_symbols_own_instant_to_the_last(
    installation: SmallInstallation, gamma: pl.DataFrame
) -> None:
    assert gamma.height == 18
    since = {"SPY": at(YESTERDAY, 21), "AAPL": at(TODAY), "MSFT": at(TODAY)}
    with installation.database.connect() as connection:
        found = read_strike_arrays(connection, since, at(TODAY, 16))
        assert read_strike_arrays(connection, {}, UNTIL) == {}
    assert list(found) == ["SPY"]
    instants = [to_ns(instant) // 1_000 for instant in (at(YESTERDAY), at(TODAY, 14), at(TODAY, 16))]
    assert found["SPY"].at_us.tolist() == [instant for instant in instants for _ in range(3)]
    assert found["SPY"].by_strike[:, 0].tolist() == [95.0, 100.0, 105.5] * 3
    assert found["SPY"].select_snapshot(instants[0] + 1).shape == (0, 3)


def test_a_snapshot_without_strikes_has_an_empty_array(installation: SmallInstallation) -> None:
    snapshots = gamma_rows(["SPY"], [TODAY], (16,))
    parts = {name: rows.clear() for name, rows in gamma_parts(snapshots).items()}
    put_rows(installation.database, "gamma_exposure_snapshots", snapshots, parts=parts)
    (only,) = read_contexts(installation.database, ["SPY"], SINCE, UNTIL)["SPY"].gamma
    assert only.by_strike.shape == (0, 3)


@pytest.mark.slow
def test_a_scan_sees_the_sums_of_real_chains_unrounded_by_the_database(
    option_installation: OptionInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[GammaExposure] = []

    def remember(*given: pl.DataFrame) -> GammaExposure:
        computed.append(compute_gamma_exposure(*given))
        return computed[-1]

    monkeypatch.setattr("hd_pipelines.loading.derived.gamma.compute_gamma_exposure", remember)
    option_installation.refresh()
    strikes = pl.concat([each.strikes for each in computed]).partition_by("symbol", "timestamp", as_dict=True)
    closes = [get_regular_hours(session).closes_at for session in OPTION_SESSIONS]
    database = option_installation.installation.database
    contexts = read_contexts(database, OPTION_SYMBOLS, closes[0], closes[-1] + timedelta(hours=1))
    seen = [(symbol, each) for symbol, read in contexts.items() for each in read.gamma]
    assert len(seen) >= len(OPTION_SYMBOLS) * len(OPTION_SESSIONS)
    of_instant = {(symbol, to_ns(instant)): rows for (symbol, instant), rows in strikes.items()}
    for symbol, each in seen:
        np.testing.assert_array_equal(each.by_strike, to_array(of_instant[symbol, each.known_at_ns]))
