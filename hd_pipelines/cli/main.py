"""The `hd` application: its commands and how failures are shown.

Belongs here: arguments, options, help texts. What a command does is in the module that it imports.
"""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from hd_pipelines.cli.database import database_app
from hd_pipelines.cli.terminal import Refusal, console, showing_refusals
from hd_pipelines.cli.watchlist import watchlist_app

app = typer.Typer(
    name="hd",
    help="US options data, signals, backtests and paper trading on one desk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(database_app, name="db", help="The desk's Postgres.")
app.add_typer(watchlist_app, name="watchlist", help="Symbols whose bars are kept.")

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


@app.command()
def demo(
    sessions: Annotated[
        int | None,
        typer.Option(
            min=1, max=2000, help="Number of sessions. Unset: 90, or back to a recording's first option chain."
        ),
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(help="A market recording to play instead of the synthetic market.")
    ] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the summary as JSON to this file.")] = None,
) -> None:
    """Run the whole main job over the last sessions of the sandbox and say what came out."""
    from hd_pipelines.cli.demo import run_demo

    with showing_refusals():
        run_demo(sessions=sessions, replay=replay, first=_day(first), last=_day(last), report=report)


@app.command()
def backfill(
    symbols: Annotated[
        str | None, typer.Option(help="Only these symbols, comma separated; they join the watchlist.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Number of sessions up to the last completed one.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.")] = None,
) -> None:
    """Bring a range of sessions up to date: download what is new, load what changed."""
    from hd_pipelines.cli.backfill import run_backfill

    with showing_refusals():
        chosen = [symbol.strip() for symbol in symbols.split(",")] if symbols else []
        run_backfill(symbols=chosen, days=days, first=_day(first), last=_day(last))


@app.command()
def scan(
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.")] = None,
) -> None:
    """Scan the running session, or the newest one that has bars, and print the radar and the signals."""
    from hd_pipelines.cli.scan import run_scan

    with showing_refusals():
        run_scan(first=_day(first), last=_day(last))


@app.command()
def explain(signal: Annotated[str, typer.Argument(help="A signal's id, or how it begins.")]) -> None:
    """Say why a signal was stored: every condition, factor, context, threshold and level."""
    from hd_pipelines.cli.scan import run_explain

    with showing_refusals():
        run_explain(signal)


@app.command()
def detectors(name: Annotated[str | None, typer.Argument(help="One detector; all without.")] = None) -> None:
    """List the detectors, or every number of one that can be varied."""
    from hd_pipelines.cli.detectors import run_detectors

    with showing_refusals():
        run_detectors(name)


@app.command()
def prewarm() -> None:
    """Make all that the week's data allows, so that a weekend's reads need the database only; then show it."""
    from hd_pipelines.cli.scan import run_prewarm

    with showing_refusals():
        run_prewarm()


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement; it runs as the reader role, read only.")],
) -> None:
    """Run read-only SQL and print CSV."""
    from hd_pipelines.cli.database import run_query

    with showing_refusals():
        run_query(sql, sys.stdout)


@app.command()
def up() -> None:
    """Run everything as a service until Ctrl-C: Postgres, sandbox if there are no credentials, Dagster UI and daemon."""
    from hd_pipelines.cli.services import run_services

    with showing_refusals():
        run_services()


@app.command()
def sandbox(
    sessions: Annotated[int, typer.Option(min=1, max=2000, help="Sessions of the synthetic market to offer.")] = 90,
    replay: Annotated[Path | None, typer.Option(help="A market recording to offer instead.")] = None,
    full_market: Annotated[
        bool, typer.Option("--full-market", help="Write one session at the size of the real market, and exit.")
    ] = False,
) -> None:
    """Serve the vendor's bucket on this machine until Ctrl-C."""
    from hd_pipelines.cli.sandbox import run_sandbox_command

    with showing_refusals():
        run_sandbox_command(sessions=sessions, replay=replay, full_market=full_market)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this desk and say what is wrong and what to do; exit code 1 if something is."""
    from hd_pipelines.cli.doctor import run_doctor

    with showing_refusals():
        if not run_doctor(as_json=as_json):
            raise typer.Exit(1)


@app.command()
def alerts(
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message to every channel and say what came of it.")
    ] = False,
    close: Annotated[str | None, typer.Option(help="Close the open alert whose id begins like this.")] = None,
    resend: Annotated[bool, typer.Option("--resend", help="Give messages that were given up one more try.")] = False,
) -> None:
    """List open alerts and how the channels fare; exit code 1 if a test message did not arrive."""
    from hd_pipelines.cli.alerts import run_alerts

    with showing_refusals():
        arrived = run_alerts(test=test, close=close, resend=resend)
    if not arrived:
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    from hd_pipelines import __version__

    console().print(__version__)


__all__ = ["Refusal", "app"]
