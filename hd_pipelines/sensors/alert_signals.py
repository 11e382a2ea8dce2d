"""New trading signals become messages, each once.

Belongs here: looking for signals that nobody was told about. What is said is `alerts.signal_message`, the picture is
`notifier.chart`; messages leave in `alert_delivery`.
"""

import dagster as dg

from hd_pipelines.alerts.signal_message import signal_message
from hd_pipelines.resources import Warehouse
from hd_pipelines.resources.notifier import Notifier
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.alert_outbox import enqueue
from hd_pipelines.warehouse.records.signal_alerts import (
    UntoldSignal,
    bars_before,
    gamma_levels_before,
    mark_told,
    untold_signals,
)

SIGNALS_A_TICK = 10


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New signals become messages with prices and a picture; each is told once.",
)
def alert_new_signals(_context: dg.SensorEvaluationContext, warehouse: Warehouse, notifier: Notifier) -> dg.SkipReason:
    """Mark a signal as told in the transaction that writes its message."""
    channels = notifier.channel_names()
    if not channels:
        return dg.SkipReason("HD_ALERT_URLS is not set: nobody to tell")
    now = notifier.now()
    redactor = notifier.redactor(warehouse.database)
    with warehouse.database.begin() as connection:
        untold = untold_signals(connection, now=now, most=SIGNALS_A_TICK)
        for signal in untold:
            enqueue(
                connection,
                signal.notice.event_key,
                signal_message(signal.notice),
                channels,
                redactor,
                now=now,
                picture=picture_of(warehouse.database, signal),
                expires_at=signal.notice.valid_until,
            )
            mark_told(connection, signal.notice.signal_id, now=now)
    return dg.SkipReason(f"told {len(untold)} signals")


def picture_of(database: Database, signal: UntoldSignal) -> bytes | None:
    """The chart of a signal as PNG; None where the warehouse has no bars of its session yet."""
    from hd_pipelines.notifier.chart import BAR_MINUTES, MOST_BARS, signal_picture, with_session_vwap

    symbol = signal.notice.symbol
    with database.connect() as connection:
        bars = bars_before(connection, symbol, signal.as_of, minutes=BAR_MINUTES, most=2 * MOST_BARS)
        levels = gamma_levels_before(connection, symbol, signal.as_of)
    if bars.is_empty() or bars["session"][-1] != signal.session:
        return None
    return signal_picture(with_session_vwap(bars), signal.notice, levels)
