"""The summary that ends `hd demo`: what the installation now holds, and what was wrong with the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from rich.markup import escape

from hd_pipelines.cli.installation import Installation
from hd_pipelines.cli.output.table import Column, Priority, print_table
from hd_pipelines.cli.runs import JobOutcome
from hd_pipelines.cli.terminal import console, get_command_prefix
from hd_pipelines.providers.massive.flat_files.layout import DATASETS
from hd_pipelines.settings import Settings
from hd_pipelines.warehouse.read.bars import TimeframeSummary, summarize_bars
from hd_pipelines.warehouse.records.files import read_current_loads
from hd_pipelines.warehouse.records.findings import OpenFinding, read_open_findings

FINDINGS_SHOWN = 12
EXAMPLE = "select symbol, timeframe, count(*) from historical_bars group by 1, 2"
ALL_FINDINGS = "select * from data_findings where resolved_at is null"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a demo run left behind."""

    source: str
    first_session: date
    last_session: date
    sessions: int
    succeeded: bool
    run_id: str
    seconds: float
    step_seconds: Mapping[str, float]
    timeframes: Sequence[TimeframeSummary]
    lake_rows: Mapping[str, int]
    findings: Sequence[OpenFinding]

    def as_json(self) -> dict[str, Any]:
        """Return the summary as plain values for `--report`."""
        return asdict(self)


def read_summary(
    installation: Installation,
    window: Sequence[date],
    source: str,
    outcome: JobOutcome,
    *,
    seconds: float,
    steps: Mapping[str, float],
) -> Summary:
    """Read the state of the installation after a run over `window`."""
    names = [dataset.name for dataset in DATASETS]
    with installation.database.connect() as connection:
        loads = read_current_loads(connection, names, window[0], window[-1])
        rows: Counter[str] = Counter()
        for load in loads:
            rows[load.dataset] += load.rows
        return Summary(
            source=source,
            first_session=window[0],
            last_session=window[-1],
            sessions=len(window),
            succeeded=outcome.succeeded,
            run_id=outcome.run_id,
            seconds=round(seconds, 1),
            step_seconds=steps,
            timeframes=summarize_bars(connection),
            lake_rows=dict(rows),
            findings=read_open_findings(connection, first=window[0], last=window[-1]),
        )


def show_summary(summary: Summary, settings: Settings, *, wide: bool = False) -> None:
    """Print bars by timeframe, rows of the lake, open findings, and what to do next."""
    out = console()
    print_table(_BAR_COLUMNS, summary.timeframes, title="historical_bars", wide=wide)
    lake = ", ".join(f"{name} {rows:,}" for name, rows in sorted(summary.lake_rows.items()))
    out.print(f"Lake rows in this window: {lake or 'none'}")
    _show_findings(summary, wide=wide)
    prefix = get_command_prefix(settings.home)
    verdict = "[green]done[/green]" if summary.succeeded else "[red]failed[/red]"
    out.print(f"{verdict} in {summary.seconds:.1f} s. Look around: {prefix}make up, or")
    out.print(f'  {prefix}.venv/bin/hd query "{EXAMPLE}"')


_BAR_COLUMNS: tuple[Column[TimeframeSummary], ...] = (
    Column("timeframe", lambda row: row.timeframe),
    Column("bars", lambda row: f"{row.bars:,}", is_number=True),
    Column("symbols", lambda row: str(row.symbols), is_number=True),
    Column("sessions", lambda row: str(row.sessions), is_number=True),
    Column("from", lambda row: str(row.first_session)),
    Column("to", lambda row: str(row.last_session)),
)
_FINDING_COLUMNS: tuple[Column[tuple[OpenFinding, int]], ...] = (
    Column("severity", lambda row: str(row[0].severity)),
    Column("rule", lambda row: str(row[0].rule)),
    Column("dataset", lambda row: row[0].dataset, Priority.USUAL),
    Column("n", lambda row: str(row[1]), is_number=True),
    Column("for example", lambda row: escape(f"{row[0].session or ''} {row[0].subject}: {row[0].detail}"), wraps_at=30),
)


def _show_findings(summary: Summary, *, wide: bool) -> None:
    out = console()
    if not summary.findings:
        out.print("Findings: none.")
        return
    count = Counter((finding.severity, finding.rule, finding.dataset) for finding in summary.findings)
    examples = [
        (next(f for f in summary.findings if (f.severity, f.rule, f.dataset) == kind), n)
        for kind, n in sorted(count.items())[:FINDINGS_SHOWN]
    ]
    print_table(_FINDING_COLUMNS, examples, title=f"Findings: {len(summary.findings)}", wide=wide)
    if len(count) > FINDINGS_SHOWN:
        out.print(f"… and {len(count) - FINDINGS_SHOWN} more kinds: {ALL_FINDINGS}")
