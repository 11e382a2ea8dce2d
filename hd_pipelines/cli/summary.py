"""The end of `hd demo`: what the desk has now, and what was wrong with the data.

Belongs here: collecting those numbers and showing them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from rich.table import Table

from hd_pipelines.cli.desk import Desk
from hd_pipelines.cli.runs import JobOutcome
from hd_pipelines.cli.terminal import console
from hd_pipelines.providers.massive.flat_files.layout import DATASETS
from hd_pipelines.settings import Settings
from hd_pipelines.warehouse.read import queries

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
    timeframes: Sequence[queries.TimeframeSummary]
    lake_rows: Mapping[str, int]
    findings: Sequence[queries.OpenFinding]

    def as_json(self) -> dict[str, Any]:
        """For `--report`."""
        return asdict(self)


def summary_of(
    desk: Desk,
    window: Sequence[date],
    source: str,
    outcome: JobOutcome,
    *,
    seconds: float,
    steps: Mapping[str, float],
) -> Summary:
    """Read the state of the desk after a run over `window`."""
    names = [dataset.name for dataset in DATASETS]
    with desk.database.connect() as connection:
        loads = queries.current_loads(connection, names, window[0], window[-1])
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
            timeframes=queries.summary(connection),
            lake_rows=dict(rows),
            findings=queries.open_findings(connection, first=window[0], last=window[-1]),
        )


def show_summary(summary: Summary, settings: Settings) -> None:
    """Print it."""
    out = console()
    bars = Table(title="historical_bars", title_justify="left", header_style="bold")
    for name in ("timeframe", "bars", "symbols", "sessions", "from", "to"):
        bars.add_column(name, justify="left" if name in {"timeframe", "from", "to"} else "right")
    for row in summary.timeframes:
        span = (str(row.first_session), str(row.last_session))
        bars.add_row(row.timeframe, f"{row.bars:,}", str(row.symbols), str(row.sessions), *span)
    out.print(bars)
    lake = ", ".join(f"{name} {rows:,}" for name, rows in sorted(summary.lake_rows.items()))
    out.print(f"Lake rows in this window: {lake or 'none'}")
    _show_findings(summary)
    prefix = "" if os.environ.get("HD_HOME") is None else f"HD_HOME={settings.home} "
    verdict = "[green]done[/green]" if summary.succeeded else "[red]failed[/red]"
    out.print(f"{verdict} in {summary.seconds:.1f} s. Look around: {prefix}make up, or")
    out.print(f'  {prefix}.venv/bin/hd query "{EXAMPLE}"')


def _show_findings(summary: Summary) -> None:
    out = console()
    if not summary.findings:
        out.print("Findings: none.")
        return
    count = Counter((finding.severity, finding.rule, finding.dataset) for finding in summary.findings)
    table = Table(title=f"Findings: {len(summary.findings)}", title_justify="left", header_style="bold")
    for name in ("severity", "rule", "dataset", "n", "for example"):
        table.add_column(name, justify="right" if name == "n" else "left")
    for (severity, rule, dataset), n in sorted(count.items())[:FINDINGS_SHOWN]:
        example = next(f for f in summary.findings if (f.severity, f.rule, f.dataset) == (severity, rule, dataset))
        table.add_row(severity, rule, dataset, str(n), f"{example.session or ''} {example.subject}: {example.detail}")
    out.print(table)
    if len(count) > FINDINGS_SHOWN:
        out.print(f"… and {len(count) - FINDINGS_SHOWN} more kinds: {ALL_FINDINGS}")
