"""The `hd` application: its commands with their arguments, options and help texts.

A command imports the module that does its work when it runs, so that `hd query` does not wait for dagster.
"""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from hd_pipelines.cli.database import database_app
from hd_pipelines.cli.terminal import Refusal, console, show_refusals
from hd_pipelines.cli.watchlist import watchlist_app

app = typer.Typer(
    name="hd",
    help="US options data in Postgres: bars, Greeks, gamma exposure, market regime, signals and alerts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(database_app, name="db", help="Start, stop and migrate the database.")
app.add_typer(watchlist_app, name="watchlist", help="Add, remove and list the symbols whose bars are kept.")

Wide = Annotated[bool, typer.Option("--wide", help="Print all columns of tables, whatever the terminal's width.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _to_date(moment: datetime | None) -> date | None:
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
    wide: Wide = False,
) -> None:
    """Run the whole main job over the last sessions of the sandbox, then print a summary, the radar and signals."""
    from hd_pipelines.cli.demo import run_demo

    with show_refusals():
        run_demo(sessions=sessions, replay=replay, first=_to_date(first), last=_to_date(last), report=report, wide=wide)


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

    with show_refusals():
        chosen = [symbol.strip() for symbol in symbols.split(",")] if symbols else []
        run_backfill(symbols=chosen, days=days, first=_to_date(first), last=_to_date(last))


@app.command()
def scan(
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.")] = None,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Scan the running session, or the newest one that has bars, and print the radar and the signals."""
    from hd_pipelines.cli.scan import run_scan

    with show_refusals():
        run_scan(first=_to_date(first), last=_to_date(last), wide=wide, as_json=as_json)


@app.command()
def explain(
    signal: Annotated[str, typer.Argument(help="A signal's id, or the first characters of it.")], as_json: Json = False
) -> None:
    """Print why a signal was stored: every condition, factor, context, threshold and level."""
    from hd_pipelines.cli.scan import run_explain

    with show_refusals():
        run_explain(signal, as_json=as_json)


@app.command()
def detectors(
    name: Annotated[str | None, typer.Argument(help="Name of one detector. Unset: all of them.")] = None,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """List the detectors, or every parameter of one."""
    from hd_pipelines.cli.detectors import run_detectors

    with show_refusals():
        run_detectors(name, wide=wide, as_json=as_json)


@app.command()
def prewarm(wide: Wide = False) -> None:
    """Compute everything of the week that its data allows, so that later reads need only the database; print it."""
    from hd_pipelines.cli.scan import run_prewarm

    with show_refusals():
        run_prewarm(wide=wide)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement. It runs read-only, as the reader role.")],
) -> None:
    """Run one read-only SQL statement and print CSV."""
    from hd_pipelines.cli.database import run_query

    with show_refusals():
        run_query(sql, sys.stdout)


@app.command()
def up() -> None:
    """Run everything as a service until Ctrl-C: Postgres, Dagster UI and daemon, and the sandbox without credentials."""
    from hd_pipelines.cli.services import run_services

    with show_refusals():
        run_services()


@app.command()
def sandbox(
    sessions: Annotated[
        int, typer.Option(min=1, max=2000, help="Number of sessions of the synthetic market to serve.")
    ] = 90,
    replay: Annotated[Path | None, typer.Option(help="A market recording to serve instead.")] = None,
    full_market: Annotated[
        bool, typer.Option("--full-market", help="Write one session at the size of the real market, and exit.")
    ] = False,
) -> None:
    """Serve a sandbox of the vendor's bucket and REST service on this machine until Ctrl-C."""
    from hd_pipelines.cli.sandbox import run_sandbox_command

    with show_refusals():
        run_sandbox_command(sessions=sessions, replay=replay, full_market=full_market)


@app.command()
def doctor(
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Check this installation and print problems with their remedies; exit code 1 if there is one."""
    from hd_pipelines.cli.doctor import run_doctor

    with show_refusals():
        if not run_doctor(as_json=as_json, wide=wide):
            raise typer.Exit(1)


@app.command()
def alerts(
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message to every channel and print whether it arrived.")
    ] = False,
    close: Annotated[str | None, typer.Option(help="Close the open alert whose id begins with this.")] = None,
    resend: Annotated[bool, typer.Option("--resend", help="Try undeliverable messages once more; ends holds.")] = False,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """List open alerts and the state of the channels; exit code 1 if a test message did not arrive."""
    from hd_pipelines.cli.alerts import run_alerts

    with show_refusals():
        arrived = run_alerts(test=test, close=close, resend=resend, wide=wide, as_json=as_json)
    if not arrived:
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    from hd_pipelines import __version__

    console().print(__version__)


__all__ = ["Refusal", "app"]
