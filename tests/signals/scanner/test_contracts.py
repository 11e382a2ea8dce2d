"""Choosing an option from a chain."""

from dataclasses import fields, replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.signals.detectors.detector import ContractLimits
from hd_pipelines.signals.option_chain import OptionQuotes
from hd_pipelines.signals.scanner.planning.contracts import Limit, choose_contract
from hd_pipelines.signals.scanner.policy.default_policy import DEFAULT_POLICY
from hd_pipelines.tables.vocabulary import Direction
from tests.signals.scanner.setups import SESSION, at, chain, ns

LIMITS = ContractLimits((0.35, 0.50), (2, 7), 100, 500, 5.0)
TODAY_ONLY = ContractLimits((0.35, 0.70), (0, 0), 100, 500, 5.0)
LONG, SHORT = Direction.LONG, Direction.SHORT


def choice(quotes, direction=LONG, *, limits=LIMITS, symbol="AAPL", minute=60, valid_until=None, session=SESSION):
    return choose_contract(
        quotes,
        symbol=symbol,
        direction=direction,
        session=session,
        as_of_ns=ns(at(minute, session)),
        valid_until=valid_until or at(90, session),
        limits=limits,
        rules=DEFAULT_POLICY.contracts,
    )


def everywhere(quotes: OptionQuotes, **changes) -> OptionQuotes:
    return replace(quotes, **{name: np.full(len(quotes), value) for name, value in changes.items()})


@pytest.mark.parametrize(("direction", "right"), [(LONG, "call"), (SHORT, "put")])
def test_a_long_signal_buys_a_call_and_a_short_one_a_put(direction, right):
    found = choice(chain(), direction).contract
    assert found["right"] == right
    assert 0.35 <= abs(found["delta"]) <= 0.50
    assert (found["delta"] > 0) == (right == "call")
    assert 2 <= found["days_to_expiry"] <= 7
    assert found["expiration"] == str(SESSION + timedelta(days=found["days_to_expiry"]))


def test_the_contract_carries_its_quote_and_its_age():
    found = choice(chain(known_at=at(45))).contract
    assert found["chain_age_minutes"] == 15
    assert found["quoted_at"] == at(45).isoformat()
    assert found["mid"] == pytest.approx((found["bid"] + found["ask"]) / 2)
    assert found["spread_pct"] == pytest.approx(1.0)


def test_the_middle_of_the_delta_bounds_wins_and_then_the_narrower_spread():
    quotes = chain(days=(7,))
    plain = choice(quotes)
    inside = [d for d, call in zip(quotes.delta, quotes.is_call, strict=True) if call and 0.35 <= d <= 0.5]
    assert abs(plain.contract["delta"] - 0.425) == min(abs(d - 0.425) for d in inside)
    row = quotes.tickers.index(plain.ticker)
    wide = replace(quotes, ask=np.where(np.arange(len(quotes)) == row, quotes.bid * 1.04, quotes.ask))
    assert choice(wide).ticker != plain.ticker


def test_of_equal_contracts_the_more_traded_wins_and_then_the_name():
    quotes = chain(days=(7,))
    row = quotes.tickers.index(choice(quotes).ticker)
    twice = OptionQuotes(
        quotes.known_at_ns,
        *(
            (*value, value[row] + "Z") if isinstance(value, tuple) else np.append(value, value[row])
            for value in (getattr(quotes, field.name) for field in fields(quotes)[1:])
        ),
    )
    assert choice(twice).ticker == quotes.tickers[row]
    busier = replace(twice, volume=np.append(quotes.volume, 9999.0))
    assert choice(busier).ticker == quotes.tickers[row] + "Z"


def test_days_to_expiry_are_counted_from_the_signal_and_not_from_the_chain():
    """The chain is of Tuesday's close, the signal of Wednesday: what had 8 days has 7."""
    close = get_regular_hours(SESSION).closes_at
    found = choice(chain(days=(8,), known_at=close), session=date(2025, 6, 18))
    assert found.contract["days_to_expiry"] == 7
    assert found.labels == ("chain_of_an_earlier_session",)


def test_an_option_does_not_expire_before_the_signal():
    until = get_regular_hours(date(2025, 6, 23)).closes_at
    found = choice(chain(days=(3,)), valid_until=until)
    assert found.contract is None
    assert found.near_misses == {"outlives_the_signal": 3}


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"volume": 99.0}, Limit.VOLUME),
        ({"volume": np.nan}, Limit.VOLUME),
        ({"open_interest": 499.0}, Limit.OPEN_INTEREST),
        ({"open_interest": np.nan}, Limit.OPEN_INTEREST),
    ],
)
def test_what_only_one_limit_keeps_out_is_counted_by_that_limit(changes, limit):
    found = choice(everywhere(chain(), **changes))
    assert (found.ticker, found.contract) == (None, None)
    assert found.near_misses == {limit.value: 6}
    assert found.considered == 84


def test_a_wide_spread_and_a_missing_bid_keep_out():
    quotes = chain()
    assert choice(replace(quotes, ask=quotes.bid * 1.06)).near_misses == {"spread": 6}
    assert choice(replace(quotes, bid=quotes.bid * np.nan)).contract is None
    assert choice(everywhere(quotes, bid=0.0)).contract is None
    assert choice(replace(quotes, bid=quotes.ask, ask=quotes.bid)).near_misses == {"two_sided_quote": 6}


def test_delta_and_days_are_limits_like_others():
    assert set(choice(chain(days=(10,))).near_misses) == {"days_to_expiry"}
    assert set(choice(everywhere(chain(days=(7,)), delta=0.9)).near_misses) == {"delta"}


@pytest.mark.parametrize(
    ("symbol", "changes", "near_misses"),
    [
        ("SPX", {}, None),
        ("SPX", {"volume": 999.0}, "volume"),
        ("SPX", {"open_interest": 4999.0}, "open_interest"),
        ("SPX", {"bid": 0.5, "ask": 0.505}, "price"),
        ("SPX", {"bid": 60.0, "ask": 60.5}, "price"),
        ("SPX", {"delta": 0.66}, "delta"),
        ("NDX", {"volume": 999.0}, None),
        ("NDX", {"bid": 1.5, "ask": 1.51}, "price"),
        ("SPY", {"volume": 999.0, "delta": 0.66}, None),
    ],
)
def test_what_expires_today_has_limits_of_its_own(symbol, changes, near_misses):
    quotes = everywhere(chain(days=(0,)), **({"bid": 10.0, "ask": 10.1, "delta": 0.5} | changes))
    found = choice(quotes, symbol=symbol, limits=TODAY_ONLY)
    assert (set(found.near_misses) == {near_misses}) if near_misses else found.contract is not None


def test_what_expires_later_does_not_have_them():
    quotes = everywhere(chain(days=(3,)), volume=150.0, delta=0.45)
    assert choice(quotes, symbol="SPX").contract is not None


@pytest.mark.parametrize(
    ("quotes", "reason"),
    [
        (None, "no chain of this symbol was known"),
        (chain(session=date(2025, 6, 12)), "the newest chain is"),
    ],
)
def test_without_a_current_chain_there_is_no_contract_and_a_reason(quotes, reason):
    found = choice(quotes)
    assert found.contract is None
    assert reason in found.reason


def test_a_chain_of_one_side_has_nothing_for_the_other():
    assert choice(everywhere(chain(), is_call=True), SHORT).reason == "the chain has no contract of this side"


@given(st.permutations(range(84)))
def test_the_order_of_the_chain_does_not_matter(order):
    quotes = chain()
    calls = [row for row in range(len(quotes)) if quotes.is_call[row]]
    index = np.array([calls[position] for position in order])
    shuffled = OptionQuotes(
        quotes.known_at_ns,
        *(
            tuple(value[row] for row in index) if isinstance(value, tuple) else value[index]
            for value in (getattr(quotes, field.name) for field in fields(quotes)[1:])
        ),
    )
    assert choice(shuffled).contract == choice(quotes).contract
