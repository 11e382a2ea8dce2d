"""How signals end."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.signals.outcomes import settle
from hd_pipelines.signals.tape import Bars, empty_bars, to_day_number
from hd_pipelines.tables.vocabulary import Direction, ExitReason, SignalStatus
from tests.signals.scanner.setups import SESSION, at, ns

MINUTE = 60_000_000_000
LONG, SHORT = Direction.LONG, Direction.SHORT
SPOKEN, LAPSED = at(30), at(60)
FAR = ns(get_regular_hours(date(2025, 6, 30)).closes_at)


@dataclass(frozen=True)
class Plan:
    """Entry 100, a stop 1 away, targets at 1, 2 and 3 R; from 10:00 to 10:30."""

    direction: Direction = LONG
    entry_price: Decimal = Decimal("100.00")
    stop_price: Decimal = Decimal("99.00")
    target_1: Decimal = Decimal("101.00")
    target_2: Decimal = Decimal("102.00")
    target_3: Decimal = Decimal("103.00")
    as_of: datetime = SPOKEN
    valid_until: datetime = LAPSED


SHORT_PLAN = Plan(SHORT, Decimal(100), Decimal(101), Decimal(99), Decimal(98), Decimal(97))


def minutes(*rows, first=30, session=SESSION):
    """Bars (open, high, low, close) of minutes from `first` on; None for a minute without a trade."""
    begin = ns(at(first, session))
    kept = [(begin + i * MINUTE, each) for i, each in enumerate(rows) if each is not None]
    if not kept:
        return empty_bars()
    starts = np.array([start for start, _ in kept], np.int64)
    prices = np.array([each for _, each in kept], float).T
    return Bars(starts, starts + MINUTE, np.full(starts.size, to_day_number(session)), *prices, np.ones(starts.size))


def flat(price=100.0):
    return (price, price, price, price)


def ended(*rows, plan=None, until_ns=FAR):
    return settle(plan or Plan(), minutes(*rows), until_ns=until_ns)


def test_a_stop_ends_at_its_price():
    outcome = ended(flat(), (100.0, 100.5, 98.8, 99.5))
    assert (outcome.exit_reason, outcome.status) == (ExitReason.STOP, SignalStatus.STOPPED)
    assert (outcome.exit_price, outcome.r_multiple) == (Decimal("99.00"), -1.0)
    assert (outcome.exited_at, outcome.hold_minutes) == (at(32), 2.0)


def test_a_stop_that_is_touched_to_the_cent_is_hit():
    assert ended((100.0, 100.0, 99.0, 99.5)).exit_reason is ExitReason.STOP
    assert ended((100.0, 100.0, 99.01, 99.5), until_ns=ns(at(31))) is None


def test_a_bar_that_touches_stop_and_target_is_a_loss():
    outcome = ended((100.0, 104.0, 98.0, 103.0))
    assert (outcome.exit_reason, outcome.max_favorable_excursion_r) == (ExitReason.STOP, 0.0)


def test_a_gap_through_the_stop_ends_at_the_open():
    outcome = ended(flat(), (97.5, 98.0, 97.0, 97.8))
    assert (outcome.exit_price, outcome.r_multiple) == (Decimal("97.5000"), -2.5)
    assert outcome.max_adverse_excursion_r == -2.5
    assert outcome.exited_at == at(31)  # the bar's begin: it opened there


def test_the_third_target_ends_it_at_once_and_not_better():
    outcome = ended(flat(), (104.0, 105.0, 103.5, 104.5))
    assert (outcome.exit_reason, outcome.status) == (ExitReason.TARGET_3, SignalStatus.TARGET_HIT)
    assert (outcome.exit_price, outcome.r_multiple, outcome.highest_target) == (Decimal("103.00"), 3.0, 3)
    assert outcome.max_favorable_excursion_r == 3.0


def test_the_low_of_the_bar_that_reached_the_target_may_have_come_before_it():
    assert ended((100.0, 103.5, 99.5, 103.0)).max_adverse_excursion_r == -0.5


@pytest.mark.parametrize(
    ("close", "reason", "status"),
    [
        (102.5, ExitReason.TARGET_2, SignalStatus.TARGET_HIT),
        (102.0, ExitReason.TARGET_2, SignalStatus.TARGET_HIT),
        (101.2, ExitReason.TARGET_1, SignalStatus.TARGET_HIT),
        (100.9, ExitReason.EXPIRED, SignalStatus.EXPIRED),
        (99.1, ExitReason.EXPIRED, SignalStatus.EXPIRED),
    ],
)
def test_an_expired_signal_exits_at_its_last_close(close, reason, status):
    outcome = ended(*[flat()] * 29, (100.0, 102.6, 99.05, close))
    assert (outcome.exit_reason, outcome.status) == (reason, status)
    assert float(outcome.exit_price) == close
    assert outcome.r_multiple == pytest.approx(close - 100.0)
    assert (outcome.exited_at, outcome.hold_minutes) == (at(60), 30.0)


def test_a_target_that_was_lost_again_shows_only_in_the_excursion():
    outcome = ended((100.0, 102.2, 100.0, 102.0), *[flat(100.3)] * 29)
    assert (outcome.exit_reason, outcome.highest_target) == (ExitReason.EXPIRED, 2)
    assert outcome.max_favorable_excursion_r == pytest.approx(2.2)
    stopped = ended((100.0, 102.2, 100.0, 102.0), (102.0, 102.0, 98.0, 98.5))
    assert (stopped.exit_reason, stopped.r_multiple, stopped.highest_target) == (ExitReason.STOP, -1.0, 2)


def test_bars_after_the_end_change_nothing():
    assert ended(*[flat()] * 30, (103.5, 104.0, 97.0, 98.0)).exit_reason is ExitReason.EXPIRED


def test_bars_before_the_signal_are_passed_over():
    bars = minutes((100.0, 110.0, 90.0, 100.0), *[flat()] * 30, first=29)
    outcome = settle(Plan(), bars, until_ns=FAR)
    assert (outcome.exit_reason, outcome.max_adverse_excursion_r) == (ExitReason.EXPIRED, 0.0)


def test_it_is_undecided_until_it_is():
    assert ended(*[flat()] * 20, until_ns=ns(at(50))) is None
    assert ended(*[flat()] * 30, until_ns=ns(at(60))).exit_reason is ExitReason.EXPIRED
    assert settle(Plan(), empty_bars(), until_ns=ns(at(40))) is None


def test_missing_minutes_end_at_the_last_close_that_there_was():
    outcome = ended(flat(), None, None, flat(100.4))
    assert (float(outcome.exit_price), outcome.exited_at) == (100.4, at(34))


def test_a_halt_ends_with_the_first_trade_after_it():
    assert settle(Plan(), empty_bars(), until_ns=FAR) is None
    reopened = settle(Plan(), minutes((100.7, 101.0, 100.0, 100.2), first=90), until_ns=FAR)
    assert (reopened.exit_reason, float(reopened.exit_price)) == (ExitReason.EXPIRED, 100.7)
    assert (reopened.exited_at, reopened.hold_minutes) == (at(90), 60.0)
    crashed = settle(Plan(), minutes(flat(90.0), first=90), until_ns=FAR)
    assert (crashed.exit_reason, crashed.r_multiple) == (ExitReason.STOP, -10.0)


def test_a_swing_is_settled_from_day_bars_over_a_holiday():
    """From Tuesday's close, over Juneteenth, to Monday's."""
    days = [date(2025, 6, 17), date(2025, 6, 18), date(2025, 6, 20), date(2025, 6, 23)]
    hours = [get_regular_hours(day) for day in days]
    closes = np.array([200.0, 100.2, 100.9, 101.4])
    bars = Bars(
        np.array([each.opens_at_ns for each in hours]),
        np.array([each.closes_at_ns for each in hours]),
        np.array([to_day_number(day) for day in days]),
        closes,
        closes + 0.1,
        closes - 0.1,
        closes,
        np.ones(4),
    )
    plan = Plan(as_of=hours[0].closes_at, valid_until=hours[3].closes_at)
    assert settle(plan, bars, until_ns=hours[2].closes_at_ns) is None
    outcome = settle(plan, bars, until_ns=FAR)
    assert (outcome.exit_reason, outcome.hold_minutes) == (ExitReason.TARGET_1, 3 * 390.0)


def test_a_stop_on_the_wrong_side_is_refused():
    with pytest.raises(ValueError, match="below its entry"):
        ended(flat(), plan=replace(Plan(), stop_price=Decimal(101)))
    with pytest.raises(ValueError, match="above its entry"):
        ended(flat(), plan=replace(Plan(), direction=SHORT))
    with pytest.raises(ValueError, match="below its entry"):
        ended(flat(), plan=replace(Plan(), stop_price=Decimal(100)))


@st.composite
def paths(draw):
    """Up to 40 minutes around 100, on a grid of eighths, so that a mirror image is exact."""
    rows = []
    for _ in range(draw(st.integers(0, 40))):
        if draw(st.integers(0, 9)) == 0:
            rows.append(None)
            continue
        opening, closing = (100 + draw(st.integers(-14, 28)) / 8 for _ in range(2))
        up, down = (draw(st.integers(0, 6)) / 8 for _ in range(2))
        rows.append((opening, max(opening, closing) + up, min(opening, closing) - down, closing))
    return rows


def mirrored(rows):
    return [None if row is None else (200 - row[0], 200 - row[2], 200 - row[1], 200 - row[3]) for row in rows]


@given(paths())
def test_excursions_and_results_are_consistent_with_the_prices(rows):
    outcome = ended(*rows)
    if outcome is None:
        assert all(row is None for row in rows)
        return
    move = float(outcome.exit_price) - 100.0
    assert outcome.r_multiple == pytest.approx(move)
    assert outcome.max_adverse_excursion_r <= min(outcome.r_multiple, 0.0)
    assert outcome.max_favorable_excursion_r >= max(outcome.r_multiple, 0.0)
    if outcome.exit_reason is ExitReason.STOP:
        assert outcome.r_multiple <= -1.0
    elif outcome.exited_at <= at(60):
        assert -1.0 < outcome.r_multiple <= 3.0
        assert outcome.max_adverse_excursion_r > -1.0
    assert outcome.hold_minutes >= 0


@given(paths())
def test_a_short_signal_ends_like_its_mirror_image(rows):
    long, short = ended(*rows), ended(*mirrored(rows), plan=SHORT_PLAN)
    if long is None:
        assert short is None
        return
    assert float(long.exit_price) - 100 == 100 - float(short.exit_price)
    assert replace(long, exit_price=Decimal(0)) == replace(short, exit_price=Decimal(0))


@given(paths(), st.integers(30, 75))
def test_what_was_decided_stays_decided(rows, minute):
    early = ended(*rows, until_ns=ns(at(minute)))
    if early is not None:
        assert ended(*rows) == early
        assert early.exited_at <= at(minute)


@given(paths(), st.integers(30, 75))
def test_bars_that_are_not_over_are_not_looked_at(rows, minute):
    cut = ns(at(minute))
    assert settle(Plan(), minutes(*rows), until_ns=cut) == settle(Plan(), minutes(*rows).until(cut), until_ns=cut)
