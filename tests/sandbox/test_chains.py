"""The synthetic market's chains: free of arbitrage, believable, and the same whoever asks for them."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
import QuantLib as ql  # noqa: N813

from hd_pipelines.market.sessions import get_regular_hours, list_sessions_between
from hd_pipelines.providers.archive.chains import OPTIONAL, read_chain
from hd_pipelines.providers.archive.files import list_chain_files
from hd_pipelines.sandbox.market.chain_extent import Extent
from hd_pipelines.sandbox.market.chains import build_synthetic_chains, write_chain_archive
from hd_pipelines.sandbox.market.daily_paths import get_daily_paths
from hd_pipelines.sandbox.market.early_exercise import value_american_put
from hd_pipelines.sandbox.market.option_prices import RATE, black_76
from hd_pipelines.sandbox.market.sessions import POSITION
from hd_pipelines.settings import DEFAULT_WATCHLIST
from hd_pipelines.tables.vocabulary import Rule

SESSION = date(2026, 5, 22)
HALF_DAY = date(2025, 11, 28)
RECENT = list_sessions_between(date(2025, 6, 2), date(2026, 11, 20))
KEY = ["root", "expiration", "option_type"]


def at_close(session=SESSION, underlyings=DEFAULT_WATCHLIST, extent=Extent.FULL, seed=7):
    return build_synthetic_chains(seed, get_regular_hours(session).closes_at, underlyings, extent)


def vix(session):
    paths = get_daily_paths(7)
    return float(np.exp(paths.close[paths.position[session]][POSITION["I:VIX"]]))


CALM, STRESSED = min(RECENT, key=vix), max(RECENT, key=vix)


@pytest.fixture(scope="module", params=[SESSION, HALF_DAY, CALM, STRESSED], ids=["usual", "half", "calm", "stressed"])
def chain(request):
    return at_close(request.param)


def test_nobody_can_trade_a_spread_for_less_than_nothing(chain):
    """Calls fall and puts rise with the strike: selling the dearer and buying the cheaper never pays for itself."""
    rows = chain.sort(*KEY, "strike").with_columns(
        next_bid=pl.col("bid").shift(-1).over(KEY), next_ask=pl.col("ask").shift(-1).over(KEY)
    )
    calls, puts = rows.filter(option_type="call"), rows.filter(option_type="put")
    assert (calls["ask"] >= calls["next_bid"]).all()
    assert (puts["next_ask"] >= puts["bid"]).all()


def test_nobody_can_trade_a_butterfly_for_less_than_nothing(chain):
    rows = chain.sort(*KEY, "strike").with_columns(
        wing_low=pl.col("ask").shift(1).over(KEY), wing_high=pl.col("ask").shift(-1).over(KEY)
    )
    equal_steps = pl.col("strike").diff().over(KEY) == pl.col("strike").diff(-1).over(KEY).abs()
    tight = rows.drop_nulls(["wing_low", "wing_high"]).filter(equal_steps)
    assert (tight["wing_low"] + tight["wing_high"] - 2 * tight["bid"]).min() >= -1e-9


def test_european_pairs_keep_parity_within_their_quotes(chain):
    index = chain.filter(pl.col("root").is_in(["SPXW", "NDXP"]))
    pair = index.filter(option_type="call").join(
        index.filter(option_type="put"), on=["root", "expiration", "strike"], suffix="_put"
    )
    lines = pair.with_columns(
        low=pl.col("bid") - pl.col("ask_put"), high=pl.col("ask") - pl.col("bid_put")
    )  # bounds of discount * (forward - strike)
    for (_, _), strikes in lines.group_by("root", "expiration"):
        days = (strikes["expiration"][0] - strikes["session"][0]).days
        if days == 0:
            continue
        # Any forward and discount that the market can mean lies within all of the pairs' bounds.
        grown = strikes["underlying_price"][0]
        discount = np.exp(-RATE * days / 365)
        value = grown - strikes["strike"].to_numpy() * discount
        slack = 0.01 + 0.0003 * grown
        assert (strikes["low"].to_numpy() <= value + slack).all()
        assert (strikes["high"].to_numpy() >= value - slack).all()


def test_american_options_are_worth_at_least_their_exercise(chain):
    stocks = chain.filter((pl.col("exercise_style") == "american") & (pl.col("root") == pl.col("underlying")))
    put = pl.col("option_type") == "put"
    exercise = pl.when(put).then(pl.col("strike") - pl.col("underlying_price")).otherwise(
        pl.col("underlying_price") - pl.col("strike")
    )  # fmt: skip
    assert (stocks["ask"] >= stocks.select(exercise - 0.011).to_series()).all()


def test_every_quote_has_two_sides_on_their_ticks(chain):
    assert (chain["bid"] >= 0).all()
    assert (chain["ask"] > chain["bid"]).all()
    assert ((chain["bid"] == 0) == (chain["bid_size"] == 0)).all()
    expensive = chain.filter((pl.col("bid") >= 3) & (pl.col("ask") >= 3))
    nickels = expensive.select(((pl.col("bid", "ask") * 20).round(6) % 1 == 0).all())
    assert nickels.row(0) == (True, True)


def test_deep_contracts_have_no_bid_and_expensive_ones_wide_quotes(chain):
    assert 0.01 < (chain["bid"] == 0).mean() < 0.25
    quoted = chain.filter(pl.col("bid") > 1)
    relative = quoted.select((pl.col("ask") - pl.col("bid")) / pl.col("ask")).to_series()
    assert 0.002 < relative.median() < 0.10


def test_the_vendor_has_no_volatility_where_the_quote_holds_no_time_value(chain):
    assert 0.05 < chain["vendor_iv"].is_null().mean() < 0.45
    assert chain.filter(pl.col("vendor_iv").is_null())["vendor_delta"].null_count() == chain["vendor_iv"].null_count()


def test_strikes_fit_into_a_ticker(chain):
    assert chain["ticker"].str.len_chars().max() <= 21
    assert (chain["ticker"].str.slice(-8).cast(pl.Int64) / 1000 == chain["strike"]).all()
    assert chain["ticker"].is_unique().all()


def test_the_products_are_those_of_the_exchanges(chain):
    assert set(chain.filter(underlying="I:SPX")["root"]) == {"SPX", "SPXW"}
    assert set(chain.filter(pl.col("underlying").str.starts_with("I:"))["exercise_style"]) == {"european"}
    assert set(chain.filter(~pl.col("underlying").str.starts_with("I:"))["exercise_style"]) == {"american"}
    assert set(chain.filter(underlying="AMD")["root"]) == {"AMD", "AMD1"}
    both = (
        chain.filter(underlying="I:SPX").group_by("expiration", "strike", "option_type").agg(pl.col("root").n_unique())
    )
    assert both["root"].max() == 2  # SPX in the morning and SPXW in the afternoon of the same day


def test_open_interest_sits_on_round_strikes_and_out_of_the_money():
    spx = at_close(underlyings=["SPX"])
    month = spx.filter(root="SPXW").filter(pl.col("expiration") == date(2026, 6, 18))
    near = month.filter((pl.col("strike") / pl.col("underlying_price") - 1).abs() < 0.06)
    mean = near.group_by(pl.col("strike") % 100 == 0).agg(pl.col("open_interest").mean())
    by_roundness = dict(mean.iter_rows())
    assert by_roundness[True] > 2 * by_roundness[False]
    spot = spx["underlying_price"][0]
    held = spx.group_by("option_type").agg(
        (pl.col("strike") * pl.col("open_interest")).sum() / pl.col("open_interest").sum()
    )
    centre = dict(held.iter_rows())
    assert centre["put"] < spot < centre["call"]


def test_open_interest_changes_slowly():
    today, yesterday = (at_close(day, ["SPX"]) for day in (SESSION, SESSION - timedelta(days=1)))
    both = today.join(yesterday, on="ticker", suffix="_before").filter(
        pl.col("expiration") > SESSION + timedelta(days=7)
    )
    assert both.select(pl.corr("open_interest", "open_interest_before")).item() > 0.95


def test_the_gamma_that_it_gives_dealers_has_the_right_size():
    """In dollars per 1 % move of the index: tens of billions at these levels, as in recorded chains of 2022 and 2023."""
    totals = []
    for session in RECENT[::30]:
        spx = at_close(session, ["SPX"]).drop_nulls("vendor_gamma")
        sign = pl.when(pl.col("option_type") == "call").then(1).otherwise(-1)
        dollars = sign * pl.col("vendor_gamma") * pl.col("open_interest") * pl.col("underlying_price") ** 2
        totals.append(spx.select(dollars.sum()).item())
    assert 1e9 < np.median(np.abs(totals)) < 1e11
    assert np.mean(np.array(totals) > 0) > 0.5


def at_the_money(rows, days):
    """Volatility of the contract nearest to the money of the expiration nearest to `days`."""
    known = rows.drop_nulls("vendor_iv").with_columns(
        off=(pl.col("expiration") - pl.col("session")).dt.total_days() - days,
        away=(pl.col("strike") / pl.col("underlying_price") - 1).abs(),
    )
    return known.sort(pl.col("off").abs(), "away")["vendor_iv"][0]


def test_a_high_vix_lifts_and_inverts_the_term_structure():
    calm, stressed = (at_close(session, ["SPX"]) for session in (CALM, STRESSED))
    assert at_the_money(stressed, 30) > 1.5 * at_the_money(calm, 30)
    assert at_the_money(stressed, 7) > at_the_money(stressed, 180)
    assert at_the_money(calm, 7) < at_the_money(calm, 180)
    assert at_the_money(calm, 30) == pytest.approx(0.92 * vix(CALM) / 100, rel=0.06)


def lean(rows):
    """Of the 30-day smile: put less call volatility at 4 % from the money, over the middle."""
    month = rows.drop_nulls("vendor_iv").with_columns(
        off=((pl.col("expiration") - pl.col("session")).dt.total_days() - 30).abs(),
        away=pl.col("strike") / pl.col("underlying_price") - 1,
    )
    one = month.filter(pl.col("off") == pl.col("off").min())

    def volatility(aim):
        return one.sort((pl.col("away") - aim).abs())["vendor_iv"][0]

    return (volatility(-0.04) - volatility(0.04)) / volatility(0.0)


def test_puts_cost_more_than_calls_of_an_index_more_than_of_a_stock():
    assert lean(at_close(underlyings=["SPX"])) > lean(at_close(underlyings=["AAPL"])) > 0


def test_a_companys_volatility_falls_after_its_report():
    sessions = list_sessions_between(date(2026, 1, 5), date(2026, 7, 31))
    relative = [
        at_the_money(at_close(day, ["AAPL"], Extent.SPARSE), 30)
        / at_the_money(at_close(day, ["SPY"], Extent.SPARSE), 30)
        for day in sessions
    ]
    steps = np.diff(np.log(relative))
    assert (steps < -0.12).sum() in {1, 2}
    assert np.median(np.abs(steps)) < 0.02


@pytest.mark.parametrize("extent", [Extent.LIGHT, Extent.SPARSE])
def test_less_of_a_chain_shows_the_same_numbers(extent):
    full, part = at_close(), at_close(extent=extent)
    assert part.height < (0.5 if extent is Extent.LIGHT else 0.05) * full.height
    assert part.equals(full.join(part.select("ticker"), on="ticker", how="semi"))


def test_a_chain_does_not_depend_on_what_else_is_asked_for():
    every = at_close()
    for name in ("SPX", "AMD", "SPY"):
        ticker = "I:SPX" if name == "SPX" else name
        assert at_close(underlyings=[name]).equals(every.filter(underlying=ticker))


def test_the_day_goes_on():
    opens_at = get_regular_hours(SESSION).opens_at
    moments = [build_synthetic_chains(7, opens_at + timedelta(minutes=m), ["SPY"]) for m in (0, 60, 200, 390, 700)]
    volumes = [rows["volume"].sum() for rows in moments]
    assert volumes == sorted(volumes)
    assert volumes[0] < 0.1 * volumes[3]
    assert len({rows["underlying_price"][0] for rows in moments[:4]}) == 4
    assert len({rows["open_interest"].sum() for rows in moments}) == 1
    assert moments[3].equals(moments[4])  # after the close the close is shown
    assert moments[1]["ticker"].equals(moments[3]["ticker"])


def test_other_seeds_are_other_markets():
    assert at_close(seed=7, extent=Extent.SPARSE).equals(at_close(seed=7, extent=Extent.SPARSE))
    assert not at_close(seed=8, extent=Extent.SPARSE).equals(at_close(seed=7, extent=Extent.SPARSE))


def test_there_is_no_chain_before_the_open_or_on_a_closed_day():
    with pytest.raises(ValueError, match="no chain before the open"):
        build_synthetic_chains(7, get_regular_hours(SESSION).opens_at - timedelta(minutes=1))
    with pytest.raises(ValueError, match="not an exchange session"):
        build_synthetic_chains(7, get_regular_hours(SESSION).closes_at + timedelta(days=1))
    assert at_close(underlyings=["XLF"]).is_empty()


def test_the_archive_holds_the_closes_and_is_written_once(tmp_path):
    sessions = RECENT[-3:]
    report = write_chain_archive(tmp_path, sessions[1:], extent=Extent.LIGHT, sparse_sessions=sessions[:1])
    assert (report.objects_written, report.objects_skipped) == (33, 0)
    again = write_chain_archive(tmp_path, sessions[1:], extent=Extent.LIGHT, sparse_sessions=sessions[:1])
    assert (again.objects_written, again.objects_skipped) == (0, 33)
    more = write_chain_archive(tmp_path, sessions, extent=Extent.LIGHT)
    assert more.objects_written == 11  # the sparse session becomes a light one
    for file in list_chain_files(tmp_path, DEFAULT_WATCHLIST, sessions):
        rows = pl.read_parquet(file.path)
        assert rows.equals(at_close(file.session, [file.underlying], Extent.LIGHT).select(rows.columns))
        assert set(OPTIONAL).isdisjoint(rows.columns)


@pytest.mark.parametrize("session", [SESSION, HALF_DAY, date(2026, 9, 14), date(2025, 12, 24)])
def test_the_platform_takes_the_archive_without_complaint(tmp_path, session):
    write_chain_archive(tmp_path, [session])
    for file in list_chain_files(tmp_path, DEFAULT_WATCHLIST, [session]):
        validated = read_chain(file).validated
        expected = [Rule.CONTRACT_ADJUSTED] if file.underlying == "AMD" else []
        assert ([found.rule for found in validated.findings], validated.rows_set_aside) == (expected, 0)


def test_sparse_chains_bracket_thirty_days_on_every_session():
    for session in [*RECENT[::7], HALF_DAY, date(2025, 12, 24)]:
        sparse = at_close(session, ["SPX", "AAPL", "SPY"], Extent.SPARSE)
        days = sparse.select("underlying", days=(pl.col("expiration") - session).dt.total_days()).unique()
        for (_,), listed in days.group_by("underlying"):
            assert listed["days"].min() < 30 < listed["days"].max()


def test_early_exercise_agrees_with_quantlib():
    """Barone-Adesi and Whaley's approximation against a binomial tree: within 0.2 % of the strike."""
    today = ql.Date(22, 5, 2026)
    ql.Settings.instance().evaluationDate = today
    curve = ql.YieldTermStructureHandle(ql.FlatForward(today, RATE, ql.Actual365Fixed()))
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, ql.Actual365Fixed()))
    strike, found, expected = 100.0, [], []
    for spot in (80.0, 95.0, 100.0, 110.0):
        for days in (7, 60, 365):
            for sigma in (0.15, 0.4, 0.9):
                surface = ql.BlackVolTermStructureHandle(
                    ql.BlackConstantVol(today, ql.NullCalendar(), sigma, ql.Actual365Fixed())
                )
                process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(spot)), flat, curve, surface)
                option = ql.VanillaOption(
                    ql.PlainVanillaPayoff(ql.Option.Put, strike), ql.AmericanExercise(today, today + days)
                )
                option.setPricingEngine(ql.BinomialVanillaEngine(process, "crr", 801))
                expected.append(option.NPV())
                years = np.array([days / 365])
                one = np.array([spot]), np.array([strike]), years, np.array([sigma])
                european = black_76(one[0] * np.exp(RATE * years), *one[1:], np.array([False]))
                found.append(value_american_put(european, *one)[0])
    assert np.abs(np.array(found) - np.array(expected)).max() < 0.002 * strike
