"""Compares what the vendor should have published by now with what the bucket lists.

Reports absent, late and misplaced objects as findings. The listing and the clock are arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from hd_pipelines.market.dates import parse_iso_date
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import NEW_YORK, is_session
from hd_pipelines.providers.massive.flat_files.client import RemoteObject
from hd_pipelines.providers.massive.flat_files.layout import FlatFileDataset
from hd_pipelines.tables.vocabulary import Rule, Severity

DUE = time(11)
"""New York time on the next calendar day by which the vendor says a session's files are out."""

PUBLICATION_RULES = frozenset(
    {
        Rule.OBJECT_ABSENT,
        Rule.OBJECT_NOT_ENTITLED,
        Rule.OBJECT_UNAVAILABLE,
        Rule.OBJECT_REPUBLISHED,
        Rule.OBJECT_ON_CLOSED_DAY,
        Rule.OBJECT_STRAY,
        Rule.DATASET_NOT_OFFERED,
        Rule.DISK_NEARLY_FULL,
        Rule.CONNECTION_CUT,
    }
)
"""Rules that listing the bucket and downloading can break; a new listing resolves the findings that it does not repeat."""


def compute_due_time(session: date) -> datetime:
    """Compute when the files of `session` are due, UTC."""
    return datetime.combine(session + timedelta(days=1), DUE, tzinfo=NEW_YORK).astimezone(UTC)


def find_publication_gaps(
    dataset: FlatFileDataset, sessions: Sequence[date], listed: Sequence[RemoteObject], *, now: datetime
) -> list[Finding]:
    """Find absent objects of `sessions` (ascending), listed objects on days without a session, and stray ones.

    A dataset that begins later than the window gives one finding, and so does one that is not in the bucket at all; an
    object that is not due yet gives none.
    """
    have = {remote.session for remote in listed if remote.session is not None}
    due = [session for session in sessions if compute_due_time(session) <= now]
    begins = min((session for session in have if is_session(session)), default=None)
    before = [session for session in due if begins is None or session < begins]
    absent = [session for session in due if begins is not None and session > begins and session not in have]
    closed = [remote for remote in listed if remote.session is not None and not is_session(remote.session)]
    return [
        *([_describe_not_offered(dataset, before, begins)] if before else []),
        *(_describe_absent(dataset, session) for session in absent),
        *(_describe_closed_day(dataset, remote) for remote in closed),
        *(_describe_stray(dataset, remote) for remote in listed if remote.session is None and not _is_folder(remote)),
    ]


def _is_folder(remote: RemoteObject) -> bool:
    """Whether some tool made this empty object to show a folder."""
    return remote.key.endswith("/") and remote.size == 0


def _describe_not_offered(dataset: FlatFileDataset, before: Sequence[date], begins: date | None) -> Finding:
    since = f"the bucket's first object is that of {begins}" if begins else "the bucket has no object of it here"
    return Finding(
        rule=Rule.DATASET_NOT_OFFERED,
        severity=Severity.WARNING,
        dataset=dataset.name,
        session=before[-1],
        subject=dataset.prefix,
        detail=f"Nothing for {len(before)} sessions from {before[0]} to {before[-1]}; {since}.",
        cure="Nothing if the plan or the recording does not contain it; otherwise compare with the vendor's plan page.",
        rows=len(before),
    )


def _describe_absent(dataset: FlatFileDataset, session: date) -> Finding:
    return Finding(
        rule=Rule.OBJECT_ABSENT,
        severity=Severity.ERROR,
        dataset=dataset.name,
        session=session,
        subject=dataset.key(session),
        detail=f"The exchange was open, the object was due at {compute_due_time(session):%Y-%m-%d %H:%M} UTC "
        "and is not listed.",
        cure="Late files are picked up by the sensor. If it stays away, tell the vendor and name the key.",
    )


def _describe_closed_day(dataset: FlatFileDataset, remote: RemoteObject) -> Finding:
    return Finding(
        rule=Rule.OBJECT_ON_CLOSED_DAY,
        severity=Severity.WARNING,
        dataset=dataset.name,
        session=remote.session,
        subject=remote.key,
        detail="The exchange was closed on that day; the object was left in the bucket.",
        cure="Nothing to load. Tell the vendor if such rows also appear in files of sessions.",
    )


def _describe_stray(dataset: FlatFileDataset, remote: RemoteObject) -> Finding:
    """Describe it at the first day of the month whose folder it is in, so that a listing of that month resolves it."""
    folders = remote.key.removeprefix(f"{dataset.prefix}/").split("/")
    return Finding(
        rule=Rule.OBJECT_STRAY,
        severity=Severity.WARNING,
        dataset=dataset.name,
        session=parse_iso_date("-".join([*folders[:2], "01"])),
        subject=remote.key,
        detail="Its name is not that of a session's file; the object was left in the bucket.",
        cure="Tell the vendor if it holds data of a session.",
    )
