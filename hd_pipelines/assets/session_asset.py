"""The decorator for assets partitioned by exchange session.

It supplies what all of them share: partitions, single-run backfills, owners, retries of transient errors only, and the
metadata of the table that the asset writes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import dagster as dg

from hd_pipelines.assets.table_metadata import describe_table
from hd_pipelines.lake import ChainsUnsettledError, LakeUnsettledError
from hd_pipelines.partitions import build_session_partitions
from hd_pipelines.providers.errors import VendorError
from hd_pipelines.warehouse.errors import is_transient

OWNERS = ["team:market-data"]
TRANSIENT_RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For steps that use the vendor or the database; `retry_only_transient_errors` exempts all other errors from it."""


def session_asset(
    *,
    group: str,
    kinds: set[str],
    key: dg.AssetKey | None = None,
    deps: Sequence[dg.AssetKey | dg.AssetsDefinition] = (),
    table: str | None = None,
    checks: Mapping[str, str] | None = None,
    blocking: Collection[str] = (),
    automation_condition: dg.AutomationCondition | None = None,
    pool: str | None = None,
    description: str | None = None,
) -> Callable[[Callable[..., dg.MaterializeResult]], dg.AssetsDefinition]:
    """Make an asset with one partition per exchange session from a function that returns a `MaterializeResult`.

    key       the function's name if not given
    table     the table or lake dataset that the asset writes, as defined in `tables`
    checks    descriptions by name of the checks whose results the function returns with its own
    blocking  names of the checks that stop downstream assets when they fail
    """

    def decorate(compute: Callable[..., dg.MaterializeResult]) -> dg.AssetsDefinition:
        asset_key = key or dg.AssetKey(compute.__name__)
        make = dg.asset(
            key=asset_key,
            deps=deps,
            partitions_def=build_session_partitions(),
            backfill_policy=dg.BackfillPolicy.single_run(),
            automation_condition=automation_condition,
            group_name=group,
            owners=OWNERS,
            kinds=kinds,
            pool=pool,
            retry_policy=TRANSIENT_RETRIES,
            check_specs=[
                dg.AssetCheckSpec(name, asset=asset_key, blocking=name in blocking, description=text)
                for name, text in (checks or {}).items()
            ],
            metadata=describe_table(table) if table else None,
            description=description,
        )
        return make(retry_only_transient_errors()(compute))

    return decorate


@contextmanager
def retry_only_transient_errors() -> Iterator[None]:
    """Fail the step at once for an error that a second attempt would meet again; wraps an asset's work.

    Faults in the data never arrive here: they are findings, not exceptions.
    """
    try:
        yield
    except Exception as error:
        if _is_transient_error(error):
            raise
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from error


def _is_transient_error(error: Exception) -> bool:
    if isinstance(error, VendorError):
        return error.is_transient
    return isinstance(error, LakeUnsettledError | ChainsUnsettledError) or is_transient(error)
