"""A new signal is sent once, in time, with its prices and its picture."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import psycopg
import pytest

from hd_pipelines.sensors import alert_signals
from hd_pipelines.sensors.alert_delivery import deliver_alerts
from hd_pipelines.sensors.alert_signals import alert_new_signals
from tests.alerts.test_alert_sensors import World, titles
from tests.notifier.conftest import DISCORD, OTHER_DISCORD
from tests.warehouse.bar_frames import MONDAY, one

COLUMNS = {
    "strategy": "breakout",
    "direction": "LONG",
    "asset_class": "EQUITY_ETF",
    "resolution": "minute",
    "base_score": 70,
    "scalp_score": 60,
    "day_trade_score": 78.4,
    "swing_score": 50,
    "style": "day_trade",
    "style_score": 78.4,
    "data_confidence": 90,
    "entry_price": 101,
    "stop_price": 100,
    "target_1": 102,
    "target_2": 103,
    "target_3": 104,
    "risk_reward": 2,
    "size_multiplier": 1,
    "detector_version": 1,
    "parameter_version": "p1",
    "policy_version": "v1",
    "contract_ticker": "O:SPY261120C00101000",
    "contract": json.dumps({}),
    "explanation": json.dumps({"context_line": "IV 23rd pctl · short gamma", "labels": ["no_prints"]}),
    "status": "ACTIVE",
}


@pytest.fixture
def world(database, clock, discord):
    clock.now = clock.now.replace(year=MONDAY.year, month=MONDAY.month, day=MONDAY.day, hour=16, minute=0)
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(database, clock, instance, DISCORD)


@pytest.fixture
def store(warehouse_url, world):
    """Store a signal of SPY as the scan does."""

    def stored(number=0, **changes):
        as_of = world.clock.now - timedelta(minutes=1)
        row = {
            "signal_id": f"{number:032x}",
            "symbol": "SPY",
            "detector": "opening_range_breakout",
            "session": MONDAY,
            "bar_time": as_of - timedelta(minutes=1 + number),
            "as_of": as_of,
            "valid_until": world.clock.now + timedelta(minutes=30),
            **COLUMNS,
            **changes,
        }
        names, marks = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        with psycopg.connect(warehouse_url) as connection:
            connection.execute(f"INSERT INTO composite_signals ({names}) VALUES ({marks})", row)

    return stored


@pytest.fixture
def five_minute_bars(warehouse_url, world):
    """An hour of bars up to now."""
    with psycopg.connect(warehouse_url) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS bars_of_the_test PARTITION OF historical_bars"
            " FOR VALUES FROM ('2000-01-01') TO ('2100-01-01')"
        )
        for number in range(12):
            connection.execute(
                "INSERT INTO historical_bars (symbol, timeframe, timestamp, session, open, high, low, close, volume, vwap)"
                " VALUES ('SPY', '5m', %s, %s, 100.5, 101.5, 100.2, 101, 1000, 100.9)",
                (world.clock.now - timedelta(minutes=5 * (number + 1)), MONDAY),
            )


def test_a_signal_is_sent_once_on_every_channel(world, store, discord, warehouse_url):
    world.urls = f"{DISCORD} {OTHER_DISCORD}"
    store()
    assert world.tick(alert_new_signals) == "1 new signals"
    assert world.tick(alert_new_signals) == "0 new signals"
    for _ in range(2):
        world.tick(deliver_alerts)
    assert titles(discord) == ["▲ SPY long: opening range breakout, score 78"] * 2
    assert len({each.path for each in discord.accepted}) == 2
    embed = discord.accepted[0].embed
    assert embed["description"] == "IV 23rd pctl · short gamma\n• caution: no prints"
    assert {field["name"] for field in embed["fields"]} >= {"Style", "Entry", "Stop", "Target 1", "Target 3", "R:R"}
    assert one(warehouse_url, "SELECT alerted_at FROM composite_signals") == world.clock.now


def test_its_picture_shows_the_bars_of_its_session(world, store, five_minute_bars, discord):
    store()
    world.tick(alert_new_signals)
    world.tick(deliver_alerts)
    (posted,) = discord.accepted
    assert posted.files["files[0]"].startswith(b"\x89PNG")
    assert posted.embed["image"]["url"] == "attachment://chart.png"


def test_without_bars_of_its_session_it_is_sent_without_a_picture(world, store, discord):
    store()
    world.tick(alert_new_signals)
    world.tick(deliver_alerts)
    assert discord.accepted[0].files == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "DISMISSED"},
        # A swing of the session before is still valid, but it is not new.
        {
            "as_of": datetime(2025, 10, 31, 15, tzinfo=UTC),
            "bar_time": datetime(2025, 10, 31, 14, 59, tzinfo=UTC),
            "session": date(2025, 10, 31),
        },
        {"status": "FILLED"},
        {"valid_until": "now"},
    ],
)
def test_a_signal_too_late_to_act_on_is_not_sent(world, store, changes):
    if changes.get("valid_until"):
        changes = {"valid_until": world.clock.now}
    store(**changes)
    assert world.tick(alert_new_signals) == "0 new signals"


def test_a_signal_whose_time_is_over_before_the_channel_takes_it_is_not_sent(world, store, discord, warehouse_url):
    store()
    world.tick(alert_new_signals)
    world.clock.advance(minutes=31)
    world.tick(deliver_alerts)
    assert discord.posted == []
    assert one(warehouse_url, "SELECT status FROM alert_outbox") == "dead"


def test_a_crash_before_the_commit_leaves_it_to_be_sent(world, store, discord, monkeypatch):
    store()
    with monkeypatch.context() as broken:
        broken.setattr(alert_signals, "mark_sent", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            world.tick(alert_new_signals)
    world.tick(deliver_alerts)
    assert discord.posted == []
    world.tick(alert_new_signals)
    world.tick(deliver_alerts)
    assert len(discord.accepted) == 1


def test_without_a_channel_it_stays_unsent_until_there_is_one(world, store):
    store()
    world.urls = ""
    world.tick(alert_new_signals)
    world.urls = DISCORD
    assert world.tick(alert_new_signals) == "1 new signals"


def test_a_flood_is_sent_over_several_ticks(world, store, monkeypatch):
    monkeypatch.setattr(alert_signals, "SIGNALS_PER_TICK", 2)
    for number in range(3):
        store(number)
    assert [world.tick(alert_new_signals) for _ in range(2)] == ["2 new signals", "1 new signals"]
