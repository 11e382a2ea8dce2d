"""What is worth an alert, in words: failed runs, failed checks, late data.

Belongs here: from plain facts to a `Sighting` with rule, subject, detail and cure. Who looks for the facts is
`sensors.alerts`. A subject is chosen so that the same thing going well again is recognised as its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from hd_pipelines.alerts.lifecycle import Sighting
from hd_pipelines.tables.vocabulary import AlertSeverity, Rule

RUN_FAILED, CHECK_FAILED, DATA_LATE = "run_failed", "check_failed", "data_late"
LATE_BARS_SUBJECT = "historical_bars"
LATE_RULES = frozenset(
    {Rule.OBJECT_ABSENT, Rule.OBJECT_UNAVAILABLE, Rule.SESSION_MISSING, Rule.SNAPSHOT_MISSED, Rule.CHAIN_STALE}
)
"""Findings that say that data is not there when it should be."""
NAMED = 5
"""Subjects that an alert names; the count is always exact."""


def over(job: str, partitions: str | None) -> str:
    """The subject of a run: what ran, over which sessions."""
    return f"{job} {partitions}" if partitions else job


def failed_run(job: str, partitions: str | None, error: str | None, run_id: str) -> Sighting:
    """A run that failed and will not be tried again by itself. `error`: what its step said, if it said anything."""
    return Sighting(
        rule=RUN_FAILED,
        subject=over(job, partitions),
        severity=AlertSeverity.ERROR,
        title=f"Run of {job} failed",
        detail=error or "Its process ended without a word: killed, out of memory, or the machine went down.",
        cure="Read the run in Dagster and execute it again; it is done when a run over the same sessions succeeds.",
        run_id=run_id,
    )


def failed_check(
    asset: str, check: str, partitions: str | None, detail: str, run_id: str, *, is_error: bool
) -> Sighting:
    """A check that did not pass."""
    return Sighting(
        rule=CHECK_FAILED,
        subject=over(f"{asset}:{check}", partitions),
        severity=AlertSeverity.ERROR if is_error else AlertSeverity.WARNING,
        title=f"Check {check} of {asset} failed",
        detail=detail,
        cure="docs/data-quality.md says what each check means; findings name the rows.",
        run_id=run_id,
    )


def late_bars(expected: date, newest: date | None) -> Sighting:
    """The newest session whose files are due is not in the warehouse."""
    return Sighting(
        rule=DATA_LATE,
        subject=LATE_BARS_SUBJECT,
        severity=AlertSeverity.ERROR,
        title=f"Bars of {expected} are late",
        detail=f"They are due and not published; the newest session is {newest or 'none at all'}.",
        cure="Is the daemon running, does new_flat_files tick, is the object in the vendor's bucket?",
    )


def late_findings(
    rule: str, place: str, subjects: Sequence[str], *, detail: str, cure: str, is_error: bool
) -> Sighting:
    """Open findings of one rule and place as one alert; `detail` and `cure` are those of the first."""
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


def place_of(dataset: str, session: date | None) -> str:
    """Where findings are: the subject of their alert."""
    return f"{dataset} {session}" if session else dataset
