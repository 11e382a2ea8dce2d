"""`hd db …` and `hd query`.

Belongs here: the database for people at a terminal. How the embedded server is kept is in `embedded_postgres`.
"""

from __future__ import annotations

import csv
from itertools import chain, islice
from typing import TextIO

import typer

from hd_pipelines.cli.terminal import Refusal, console, showing_refusals
from hd_pipelines.settings import Settings, load_settings

database_app = typer.Typer(no_args_is_help=True)


def _embedded(settings: Settings) -> None:
    if settings.database_url is not None:
        raise Refusal("HD_DATABASE_URL is set: that server is not ours to start or stop; unset it for the embedded one")


@database_app.command("up")
def db_up() -> None:
    """Start the embedded server and keep it until `hd db stop`; migrate it."""
    with showing_refusals():
        settings = load_settings()
        _embedded(settings)
        import embedded_postgres as embedded
        from hd_pipelines.warehouse.schema.revision import upgrade

        url = embedded.up(settings.home, port=settings.pg_port, os_user=settings.pg_user)
        revision = upgrade(url)
        console().print(f"{embedded.masked(url)} is up, schema {revision}")


@database_app.command("upgrade")
def db_upgrade() -> None:
    """Bring the schema to this code's revision. Services refuse to start before."""
    with showing_refusals():
        from hd_pipelines.warehouse.address import database_url
        from hd_pipelines.warehouse.schema.revision import upgrade

        console().print(f"schema {upgrade(database_url(load_settings()))}")


@database_app.command("url")
def db_url(
    show_password: bool = typer.Option(False, "--show-password", help="Print it for psql and other clients."),
) -> None:
    """Print the database's URL, the password hidden unless asked for."""
    with showing_refusals():
        from hd_pipelines.warehouse.address import database_url
        from hd_pipelines.warehouse.engine import masked_url

        url = database_url(load_settings())
        typer.echo(url if show_password else masked_url(url))


@database_app.command("stop")
def db_stop() -> None:
    """Stop the embedded server."""
    with showing_refusals():
        settings = load_settings()
        _embedded(settings)
        import embedded_postgres as embedded

        console().print("stopped" if embedded.stop(settings.home) else "was not running")


def run_query(sql: str, out: TextIO) -> None:
    """Print the answer of one read-only statement as CSV. Raises `Refusal` with what the server said."""
    from hd_pipelines.warehouse.address import database_url
    from hd_pipelines.warehouse.errors import WarehouseError
    from hd_pipelines.warehouse.read.reader import read_only_query

    try:
        columns, rows = read_only_query(database_url(load_settings()), sql)
        first = list(islice(rows, 1))  # the server may refuse only here; then nothing is printed
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(chain(first, rows))
    except WarehouseError as error:
        raise Refusal(str(error)) from None
