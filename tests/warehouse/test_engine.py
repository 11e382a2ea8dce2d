"""URLs for each driver, and transactions in a role."""

from __future__ import annotations

import secrets
import time

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from hd_pipelines.warehouse import engine
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.errors import LockHeldError, SchemaOutdatedError
from hd_pipelines.warehouse.roles import Role

SPELLINGS = ["postgresql://u:p%40ss@h:5433/d", "postgres://u:p%40ss@h:5433/d", "postgresql+asyncpg://u:p%40ss@h:5433/d"]


@pytest.mark.parametrize("url", SPELLINGS)
def test_every_spelling_becomes_each_drivers_own(url: str) -> None:
    rest = "://u:p%40ss@h:5433/d"
    assert engine.to_sqlalchemy_url(url) == f"postgresql+psycopg{rest}"
    assert engine.to_psycopg2_url(url) == f"postgresql+psycopg2{rest}"
    assert engine.to_libpq_url(url) == f"postgresql{rest}"


def test_options_in_a_url_survive() -> None:
    assert engine.to_libpq_url("postgresql://u@h/d?sslmode=require").endswith("?sslmode=require")


def test_another_database_is_refused_without_showing_its_password() -> None:
    with pytest.raises(ValueError, match="not a PostgreSQL URL") as refusal:
        engine.to_libpq_url("mysql://u:secret@h/d")
    assert "secret" not in str(refusal.value)


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(Database("postgresql://u:secret@h/d"))


@pytest.mark.parametrize("role", list(Role))
def test_a_transaction_is_in_its_role_and_the_next_one_is_not(database: Database, role: Role) -> None:
    with database.begin(role) as connection:
        assert connection.execute(text("SELECT current_user")).scalar_one() == role
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
    with database.begin(Role.READER) as connection:
        assert connection.execute(text("SELECT current_user")).scalar_one() == Role.READER


def test_a_reading_transaction_sees_one_state_of_the_database(database: Database) -> None:
    count = text("SELECT count(*) FROM watchlist")
    with database.connect() as reading:
        before = reading.execute(count).scalar_one()
        with database.begin() as writing:
            writing.execute(text("INSERT INTO watchlist (symbol, ticker) VALUES ('NEW', 'NEW')"))
        assert reading.execute(count).scalar_one() == before
    with database.connect() as later:
        assert later.execute(count).scalar_one() == before + 1


def test_reading_transactions_cannot_write(database: Database) -> None:
    with database.connect(Role.SERVICE) as connection, pytest.raises(Exception, match="read-only transaction"):
        connection.execute(text("DELETE FROM watchlist"))


def test_a_user_without_the_roles_sees_the_remedy(warehouse_url: str) -> None:
    login = sql.Identifier(f"stranger_{secrets.token_hex(4)}")
    host = warehouse_url[warehouse_url.index("@") :]
    with psycopg.connect(warehouse_url, autocommit=True) as superuser:
        superuser.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(login))
        with (
            Database(f"postgresql://{login.as_string()[1:-1]}:x{host}") as database,
            pytest.raises(SchemaOutdatedError, match="hd db upgrade"),
            database.begin(),
        ):
            pass
        superuser.execute(sql.SQL("DROP ROLE {}").format(login))


def test_a_lock_keeps_others_out_until_its_block_ends(migrated_url: str) -> None:
    with Database(migrated_url) as one, Database(migrated_url) as other:
        with one.hold_lock("build"):
            with (
                pytest.raises(LockHeldError, match="lock build for over 1 s"),
                other.hold_lock("build", wait_seconds=1),
            ):
                pytest.fail("two processes are in the block")
            with other.hold_lock("something else", wait_seconds=1):
                pass
        with other.hold_lock("build", wait_seconds=1):
            pass


def test_a_lock_outlives_the_servers_patience_with_idle_transactions(migrated_url: str) -> None:
    impatient = (
        f"{migrated_url}{'&' if '?' in migrated_url else '?'}options=-c%20idle_in_transaction_session_timeout%3D200"
    )
    with Database(impatient) as one, Database(migrated_url) as other, one.hold_lock("build"):
        time.sleep(0.6)
        with pytest.raises(LockHeldError), other.hold_lock("build", wait_seconds=1):
            pytest.fail("the lock was lost")
