"""Schedules by subject: when a job runs and which sessions each tick covers. Outside events are in `sensors`."""

from hd_pipelines.schedules.chains import chain_snapshots, missed_snapshots
from hd_pipelines.schedules.live import live_bars_every_minute
from hd_pipelines.schedules.maintenance import daily_standing_checks, weekly_retention
from hd_pipelines.schedules.sessions import daily_sessions
from hd_pipelines.schedules.signals import daily_signals, friday_prewarm, scan_every_minute, signal_outcomes

ALL_SCHEDULES = [
    daily_sessions,
    chain_snapshots,
    missed_snapshots,
    live_bars_every_minute,
    scan_every_minute,
    daily_signals,
    signal_outcomes,
    friday_prewarm,
    daily_standing_checks,
    weekly_retention,
]
