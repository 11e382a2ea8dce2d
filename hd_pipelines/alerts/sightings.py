"""Turns facts into alerts: failed runs, failed checks, late data, channels that cannot be used.

`sensors` looks for the facts. A subject is chosen so that the same thing succeeding again is recognised as the end of the
alert.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from hd_pipelines.alerts.lifecycle import Sighting
from hd_pipelines.tables.vocabulary import AlertSeverity, Rule

RUN_FAILED, CHECK_FAILED, DATA_LATE = "run_failed", "check_failed", "data_late"
LATE_BARS_SUBJECT = "historical_bars"
CHANNEL_REFUSED, CHANNELS_SUBJECT = "channel_refused", "HD_ALERT_URLS"
LATE_RULES = frozenset(
    {Rule.OBJECT_ABSENT, Rule.OBJECT_UNAVAILABLE, Rule.SESSION_MISSING, Rule.SNAPSHOT_MISSED, Rule.CHAIN_STALE}
)
"""Rules of findings about data that is missing when it is due."""
NAMED = 5
"""Subjects that an alert names; the count is always exact."""


def name_run(job: str, partitions: str | None) -> str:
    """The subject of a run: the job, and the sessions it covered."""
    return f"{job} {partitions}" if partitions else job


def describe_failed_run(job: str, partitions: str | None, error: str | None, run_id: str) -> Sighting:
    """Describe a failed run that is not retried automatically. `error`: its step's error, if there is one."""
    return Sighting(
        rule=RUN_FAILED,
        subject=name_run(job, partitions),
        severity=AlertSeverity.ERROR,
        title=f"Run of {job} failed",
        detail=error or "Its process ended without an error message: killed, out of memory, or the machine went down.",
        cure="Read the run in Dagster and execute it again; it is done when a run over the same sessions succeeds.",
        run_id=run_id,
    )


def describe_failed_check(
    asset: str, check: str, partitions: str | None, detail: str, run_id: str, *, is_error: bool
) -> Sighting:
    """Describe a check that did not pass."""
    return Sighting(
        rule=CHECK_FAILED,
        subject=name_run(f"{asset}:{check}", partitions),
        severity=AlertSeverity.ERROR if is_error else AlertSeverity.WARNING,
        title=f"Check {check} of {asset} failed",
        detail=detail,
        cure="docs/data-quality.md says what each check means; findings name the rows.",
        run_id=run_id,
    )


def describe_late_bars(expected: date, newest: date | None) -> Sighting:
    """Describe bars that are due and not in the warehouse."""
    return Sighting(
        rule=DATA_LATE,
        subject=LATE_BARS_SUBJECT,
        severity=AlertSeverity.ERROR,
        title=f"Bars of {expected} are late",
        detail=f"They are due and not published; the newest session is {newest or 'none at all'}.",
        cure="Is the daemon running, does new_flat_files tick, is the object in the vendor's bucket?",
    )


def describe_late_findings(
    rule: str, place: str, subjects: Sequence[str], *, detail: str, cure: str, is_error: bool
) -> Sighting:
    """Describe open findings of one rule and place as one alert; `detail` and `cure` are those of the first."""
    named = sorted(set(subjects))
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return Sighting(
        rule=rule,
        subject=place,
        severity=AlertSeverity.ERROR if is_error else AlertSeverity.WARNING,
        title=f"{rule.replace('_', ' ').capitalize()}: {place}",
        detail=f"{', '.join(named[:NAMED])}{more}. {detail}",
        cure=cure,
    )


def describe_refused_channels(refused: Sequence[str]) -> Sighting:
    """Describe URLs of HD_ALERT_URLS that cannot be used; the other channels deliver it. `refused`: why, one for each."""
    return Sighting(
        rule=CHANNEL_REFUSED,
        subject=CHANNELS_SUBJECT,
        severity=AlertSeverity.ERROR,
        title="An alert channel cannot be used",
        detail=" ".join(refused),
        cure="Correct HD_ALERT_URLS and start `hd up` again; until then nothing is sent there.",
    )


def name_place(dataset: str, session: date | None) -> str:
    """The subject of an alert about findings: dataset and session."""
    return f"{dataset} {session}" if session else dataset
