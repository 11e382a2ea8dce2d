"""`hd db …` and `hd query`. The embedded server itself is run by `embedded_postgres`."""

from __future__ import annotations

import csv
from itertools import chain, islice
from typing import TextIO

import typer

from hd_pipelines.cli.terminal import Refusal, console, show_refusals
from hd_pipelines.settings import Settings, load_settings

database_app = typer.Typer(no_args_is_help=True)


def _require_embedded(settings: Settings) -> None:
    if settings.database_url is not None:
        raise Refusal(
            "HD_DATABASE_URL is set: `hd` does not start or stop that server; unset it to use the embedded one"
        )


@database_app.command("up")
def db_up() -> None:
    """Start the embedded server, migrate it, and keep it running until `hd db stop`."""
    with show_refusals():
        settings = load_settings()
        _require_embedded(settings)
        import embedded_postgres as embedded
        from hd_pipelines.warehouse.schema.revision import upgrade

        url = embedded.up(settings.home, port=settings.pg_port, os_user=settings.pg_user)
        revision = upgrade(url)
        console().print(f"{embedded.masked(url)} is up, schema {revision}")


@database_app.command("upgrade")
def db_upgrade() -> None:
    """Migrate the schema to this code's revision. Services do not start on an older one."""
    with show_refusals():
        from hd_pipelines.warehouse.address import get_database_url
        from hd_pipelines.warehouse.schema.revision import upgrade

        console().print(f"schema {upgrade(get_database_url(load_settings()))}")


@database_app.command("url")
def db_url(
    show_password: bool = typer.Option(
        False, "--show-password", help="Print the password too, for psql and other clients."
    ),
) -> None:
    """Print the database's URL with the password hidden."""
    with show_refusals():
        from hd_pipelines.warehouse.address import get_database_url
        from hd_pipelines.warehouse.engine import mask_url

        url = get_database_url(load_settings())
        typer.echo(url if show_password else mask_url(url))


@database_app.command("stop")
def db_stop() -> None:
    """Stop the embedded server."""
    with show_refusals():
        settings = load_settings()
        _require_embedded(settings)
        import embedded_postgres as embedded

        console().print("stopped" if embedded.stop(settings.home) else "was not running")


def run_query(sql: str, out: TextIO) -> None:
    """Print the result of one read-only statement as CSV. Raises `Refusal` with the server's message."""
    from hd_pipelines.warehouse.address import get_database_url
    from hd_pipelines.warehouse.errors import WarehouseError
    from hd_pipelines.warehouse.read.reader import read_only_query

    try:
        columns, rows = read_only_query(get_database_url(load_settings()), sql)
        first = list(islice(rows, 1))  # the server may reject the statement only now; then nothing has been printed
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(chain(first, rows))
    except WarehouseError as error:
        raise Refusal(str(error)) from None
