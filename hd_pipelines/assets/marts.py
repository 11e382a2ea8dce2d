"""dbt models as assets: views and marts on the warehouse, in the same lineage as everything else.

Their SQL, tests and descriptions are in dbt_project/.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from hd_pipelines.assets.session_asset import OWNERS
from hd_pipelines.resources import WarehouseResource
from hd_pipelines.resources.dbt import PROJECT, DbtResource, digest_project, ensure_manifest
from hd_pipelines.resources.dbt_command import DagsterDbtTranslator, DbtCommand, dbt_assets
from hd_pipelines.warehouse.read.bars import count_mart_relations, read_published_state

FOLLOWS = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
"""`any_deps_missing` is left out: most sessions since 2017 were never loaded, which would block the models for ever."""


class MartTranslator(DagsterDbtTranslator):
    """Groups models by folder and gives them the platform's owners."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:  # noqa: ANN401
        """Return the spec of dagster-dbt with our group, owners and automation: models follow the tables that they read."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        folder = self.get_resource_props(manifest, unique_id)["fqn"][1]
        return spec.replace_attributes(group_name=folder, owners=OWNERS, automation_condition=FOLLOWS)


def build_dbt_arguments() -> list[str]:
    """Build the arguments of `dbt build` without unit tests: those test the SQL, not the data, and run in our test suite."""
    return ["build", "--profiles-dir", str(PROJECT), "--exclude-resource-type", "unit_test"]


def _describe_inputs(warehouse: WarehouseResource) -> str:
    with warehouse.database.connect() as connection:
        return f"{read_published_state(connection)}; project {digest_project()}"


def _describe_build(inputs: str, warehouse: WarehouseResource) -> str:
    """Describe a finished build: the inputs it started with, and the number of relations in marts after it."""
    with warehouse.database.connect() as connection:
        return f"{inputs}; {count_mart_relations(connection)} relations in marts"


def _repeat_passed_checks(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
    # The run has announced these checks; Dagster shows an announced check without a result as not passed.
    for key in sorted(context.selected_asset_check_keys):
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=True,
            metadata={"not_run_again": "It passed at the last build, on the same tables and models."},
        )


@dbt_assets(manifest=ensure_manifest(), dagster_dbt_translator=MartTranslator())
def dbt_models(
    context: dg.AssetExecutionContext, dbt: DbtCommand, dbt_project: DbtResource, warehouse: WarehouseResource
) -> Iterator[Any]:
    """All dbt models and their tests, in one invocation: each invocation takes three seconds before its first query.

    If neither tables nor models changed since the last successful build of all models, nothing is built and nothing is
    materialized. A build of some of the models does not count as such a build. Builds wait for one another.
    """
    with warehouse.database.hold_lock("dbt build"):  # two builds at once rename the same tables
        yield from _build(context, dbt, dbt_project, warehouse)


def _build(
    context: dg.AssetExecutionContext, dbt: DbtCommand, dbt_project: DbtResource, warehouse: WarehouseResource
) -> Iterator[Any]:
    built = dbt_project.last_build
    if built.exists() and built.read_text() == _describe_build(_describe_inputs(warehouse), warehouse):
        context.log.info("nothing to do: tables and models are unchanged since the last build")
        yield from _repeat_passed_checks(context)
        return
    built.unlink(missing_ok=True)
    before = _describe_inputs(
        warehouse
    )  # rows published while dbt runs may be missing from its tables: the next run builds again
    with dbt_project.set_address() as target:
        yield from dbt.cli(build_dbt_arguments(), context=context, target_path=target).stream()
    if context.selected_asset_keys >= set(dbt_models.keys):
        built.write_text(_describe_build(before, warehouse))
