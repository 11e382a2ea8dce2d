"""The sensor that writes one message for each new trading signal.

`alerts.signal_message` writes the text and `charts.signal` draws the picture; `alert_delivery` sends the messages.
"""

import dagster as dg

from hd_pipelines.alerts.signal_message import SignalNotice, write_signal_message
from hd_pipelines.charts import signal as chart
from hd_pipelines.resources import Clock, NotifierResource, WarehouseResource
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.alert_outbox import enqueue
from hd_pipelines.warehouse.records.signal_alerts import (
    UnsentSignal,
    lock_unsent_signals,
    mark_sent,
    read_bars_before,
    read_gamma_levels_before,
)

SIGNALS_PER_TICK = 10


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends each new signal once, as a message with prices and a picture.",
)
def alert_new_signals(
    _context: dg.SensorEvaluationContext, clock: Clock, warehouse: WarehouseResource, notifier: NotifierResource
) -> dg.SkipReason:
    """Write the messages of new signals, and mark each signal as alerted in the same transaction."""
    channels = notifier.list_channel_names()
    if not channels:
        return dg.SkipReason("HD_ALERT_URLS is not set: no channel to send to")
    now = clock.now()
    redactor = notifier.build_redactor(warehouse.database)
    with warehouse.database.begin() as connection:
        untold = lock_unsent_signals(connection, now=now, most=SIGNALS_PER_TICK)
        for signal in untold:
            enqueue(
                connection,
                signal.notice.event_key,
                write_signal_message(signal.notice),
                channels,
                redactor,
                now=now,
                picture=draw_signal(warehouse.database, signal),
                expires_at=signal.notice.valid_until,
            )
            mark_sent(connection, signal.notice.signal_id, now=now)
    return dg.SkipReason(f"{len(untold)} new signals")


def draw_signal(database: Database, signal: UnsentSignal) -> bytes | None:
    """Draw the chart of a signal as PNG; None if the warehouse has no bars of its session yet."""
    symbol = signal.notice.symbol
    with database.connect() as connection:
        bars = read_bars_before(connection, symbol, signal.as_of, minutes=chart.BAR_MINUTES, most=2 * chart.MOST_BARS)
        levels = read_gamma_levels_before(connection, symbol, signal.as_of)
    if bars.is_empty() or bars["session"][-1] != signal.session:
        return None
    return chart.draw_signal(chart.add_session_vwap(bars), _get_plan(signal.notice), levels)


def _get_plan(notice: SignalNotice) -> chart.Plan:
    return chart.Plan(
        symbol=notice.symbol,
        detector=notice.detector,
        direction=notice.direction,
        entry=float(notice.entry),
        stop=float(notice.stop),
        targets=tuple(float(target) for target in notice.targets),
        risk_reward=notice.risk_reward,
        bar_time=notice.bar_time,
    )
