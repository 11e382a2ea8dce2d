"""Transient errors are retried; all others fail the step at once."""

from datetime import date

import dagster as dg
import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy.exc import OperationalError as SqlalchemyOperationalError
from sqlalchemy.exc import ProgrammingError as SqlalchemyProgrammingError

from hd_pipelines.assets.all_assets import SESSION_ASSET_KEYS
from hd_pipelines.assets.session_asset import retry_only_transient_errors
from hd_pipelines.definitions import build_definitions
from hd_pipelines.lake.parts import LakeUnsettledError
from hd_pipelines.providers.errors import CredentialsRefusedError, FileRefusedError, ObjectPlace, ObjectUnavailableError
from hd_pipelines.warehouse.errors import BarsRefusedError, PublishBlockedError, SchemaOutdatedError, is_transient

FINDING = ObjectPlace("stock_day_aggs", date(2026, 5, 22), "key").error("object_unavailable", "No answer.", "Wait.")

TRANSIENT = [
    pg.SerializationFailure(),
    pg.DeadlockDetected(),
    pg.AdminShutdown(),
    pg.CannotConnectNow(),
    pg.ConnectionFailure(),
    psycopg.OperationalError("the connection is lost"),
    SqlalchemyOperationalError("select 1", {}, psycopg.OperationalError("server closed the connection")),
    SqlalchemyOperationalError("select 1", {}, pg.DeadlockDetected()),
    PublishBlockedError("another load holds the lock"),
]
PERMANENT = [
    pg.UniqueViolation(),
    pg.InsufficientPrivilege(),
    pg.UndefinedTable(),
    pg.DiskFull(),
    psycopg.ProgrammingError("wrong use"),
    SqlalchemyProgrammingError("select", {}, pg.SyntaxError()),
    SchemaOutdatedError("upgrade"),
    BarsRefusedError("bad"),
    ValueError("wrong"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
def test_lost_connections_and_lost_races_are_transient(error):
    assert is_transient(error)


@pytest.mark.parametrize("error", PERMANENT, ids=repr)
def test_errors_that_would_recur_are_not_transient(error):
    assert not is_transient(error)


def attempts(error: Exception) -> int:
    """Count the attempts of an asset with our retry rules that always raises `error`."""
    tried = 0

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2, delay=0))
    @retry_only_transient_errors()
    def failing() -> None:
        nonlocal tried
        tried += 1
        raise error

    with dg.DagsterInstance.ephemeral() as instance:
        assert not dg.materialize([failing], instance=instance, raise_on_error=False).success
    return tried


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (pg.DeadlockDetected(), 3),
        (ObjectUnavailableError(FINDING), 3),
        (LakeUnsettledError("replaced again and again"), 3),
        (FileRefusedError(FINDING), 1),
        (CredentialsRefusedError(FINDING), 1),
        (SchemaOutdatedError("run `hd db upgrade`"), 1),
        (KeyError("a bug"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_asset_is_retried_for_transient_errors_only(error, times):
    assert attempts(error) == times


def test_the_reason_stays_readable():
    reason = pytest.raises(dg.Failure, match="SchemaOutdatedError: run `hd db upgrade`")
    with reason as failed, retry_only_transient_errors():
        raise SchemaOutdatedError("run `hd db upgrade`")
    assert failed.value.allow_retries is False


def test_every_session_asset_has_the_rule_and_the_guard():
    """A retry policy without the guard would repeat permanent errors too."""
    partitioned = [
        definition
        for definition in build_definitions().resolve_asset_graph().assets_defs
        if definition.partitions_def is not None
    ]
    assert len(partitioned) == len(SESSION_ASSET_KEYS)
    for definition in partitioned:
        assert definition.op.retry_policy is not None
        assert hasattr(definition.op.compute_fn.decorated_fn, "__wrapped__"), definition.key
