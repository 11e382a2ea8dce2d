"""`hd watchlist …`: which symbols' bars are kept.

Belongs here: adding, removing, listing. A symbol that is added gets its history from the lake at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from hd_pipelines.cli.terminal import Refusal, Steps, console, showing_refusals
from hd_pipelines.settings import load_settings

watchlist_app = typer.Typer(no_args_is_help=True)
Symbols = Annotated[list[str], typer.Argument(help="Symbols such as SPY, BRK.B, SPX.")]


@watchlist_app.command("add")
def watchlist_add(symbols: Symbols) -> None:
    """Put symbols on the watchlist and derive their bars from what the lake has, without a download."""
    with showing_refusals():
        from hd_pipelines.lake import Lake
        from hd_pipelines.loading.watchlist import backfill_queue
        from hd_pipelines.warehouse.address import database_url
        from hd_pipelines.warehouse.engine import Database
        from hd_pipelines.warehouse.watchlist import add_to_watchlist

        settings = load_settings()
        steps = Steps()
        database = Database(database_url(settings))
        try:
            with database.begin() as connection:
                added = add_to_watchlist(connection, symbols)
        except ValueError as error:
            raise Refusal(str(error)) from None
        if not added:
            console().print("already on the watchlist")
        with steps.step("Backfill from the lake") as step:
            reports = backfill_queue(database, Lake(settings.lake_root))
            step.note = ", ".join(f"{symbol}: {report.rows:,} bars" for symbol, report in reports.items()) or "nothing"


@watchlist_app.command("remove")
def watchlist_remove(symbols: Symbols) -> None:
    """Take symbols off the watchlist; their bars stay."""
    with showing_refusals():
        from hd_pipelines.warehouse.address import database_url
        from hd_pipelines.warehouse.engine import Database
        from hd_pipelines.warehouse.watchlist import remove_from_watchlist

        with Database(database_url(load_settings())).begin() as connection:
            console().print(", ".join(remove_from_watchlist(connection, symbols)) or "none of them was on it")


@watchlist_app.command("list")
def watchlist_list() -> None:
    """Print the active symbols."""
    with showing_refusals():
        from hd_pipelines.warehouse.address import database_url
        from hd_pipelines.warehouse.engine import Database
        from hd_pipelines.warehouse.watchlist import active_symbols

        with Database(database_url(load_settings())).connect() as connection:
            console().print("\n".join(active_symbols(connection)))
