"""`hd watchlist …`: add, remove and list the symbols whose bars are kept.

A symbol that is added gets its history from the lake at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hd_pipelines.cli.terminal import Refusal, Steps, console, print_json, show_refusals
from hd_pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from hd_pipelines.warehouse.engine import Database

watchlist_app = typer.Typer(no_args_is_help=True)
Symbols = Annotated[list[str], typer.Argument(help="Symbols such as SPY, BRK.B, SPX.")]


def _open_database(settings: Settings) -> Database:
    from hd_pipelines.warehouse.address import get_database_url
    from hd_pipelines.warehouse.engine import Database
    from hd_pipelines.warehouse.schema.revision import require_head

    url = get_database_url(settings)
    require_head(url)
    return Database(url)


@watchlist_app.command("add")
def watchlist_add(symbols: Symbols) -> None:
    """Add symbols and derive their bars from the lake, without a download."""
    with show_refusals():
        from hd_pipelines.lake import Lake
        from hd_pipelines.loading.derived.backfill_queue import backfill_queue
        from hd_pipelines.warehouse.records.watchlist import add_to_watchlist

        settings = load_settings()
        steps = Steps()
        database = _open_database(settings)
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
    """Remove symbols; their bars stay."""
    with show_refusals():
        from hd_pipelines.warehouse.records.watchlist import remove_from_watchlist

        with _open_database(load_settings()).begin() as connection:
            console().print(
                ", ".join(remove_from_watchlist(connection, symbols)) or "none of them was on the watchlist"
            )


@watchlist_app.command("list")
def watchlist_list(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the active symbols, one per line."""
    with show_refusals():
        from hd_pipelines.warehouse.records.watchlist import read_active_symbols

        with _open_database(load_settings()).connect() as connection:
            symbols = read_active_symbols(connection)
        if as_json:
            print_json(symbols)
        else:
            console().print("\n".join(symbols))
