"""dbt models as assets: views and marts on the warehouse, in the same lineage as everything else.

Belongs here: how models appear in Dagster. Their SQL, tests and descriptions live in dbt_project/.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

from hd_pipelines.assets.reporting import OWNERS
from hd_pipelines.resources import Warehouse
from hd_pipelines.resources.dbt import PROJECT, DbtProject, ensure_manifest, project_state
from hd_pipelines.warehouse.read.bars import published_state, relations_in_marts

FOLLOWS = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
"""Of the tables that models read, most sessions since 2017 are not there and never will be: that must not hold them up."""


class MartTranslator(DagsterDbtTranslator):
    """Groups models by folder and gives them the platform's owners."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:  # noqa: ANN401
        """The spec dagster-dbt makes, with our group and owners; models follow the tables they are made from."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        folder = self.get_resource_props(manifest, unique_id)["fqn"][1]
        return spec.replace_attributes(group_name=folder, owners=OWNERS, automation_condition=FOLLOWS)


def dbt_build_arguments() -> list[str]:
    """`dbt build` of everything selected. Unit tests judge the SQL, not the data: they run with our own tests."""
    return ["build", "--profiles-dir", str(PROJECT), "--exclude-resource-type", "unit_test"]


def _inputs(warehouse: Warehouse) -> str:
    with warehouse.database.connect() as connection:
        return f"{published_state(connection)}; project {project_state()}"


def _mark(inputs: str, warehouse: Warehouse) -> str:
    """What a build leaves behind: the inputs it began with, and how much stood in marts after it."""
    with warehouse.database.connect() as connection:
        return f"{inputs}; {relations_in_marts(connection)} relations in marts"


def _still_passed(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
    # The run has announced these checks; one that is announced and not answered is shown as not passed.
    for key in sorted(context.selected_asset_check_keys):
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=True,
            metadata={"not_run_again": "It passed on these very tables and models at the last build."},
        )


@dbt_assets(manifest=ensure_manifest(), dagster_dbt_translator=MartTranslator())
def dbt_models(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, dbt_project: DbtProject, warehouse: Warehouse
) -> Iterator[Any]:
    """All dbt models and their tests, in one invocation: each one costs three seconds before its first query.

    Nothing is built, and nothing is said to have been, when neither tables nor models changed since the last good build
    of all of them; a run of some leaves no such mark.
    """
    built = dbt_project.last_build()
    if built.exists() and built.read_text() == _mark(_inputs(warehouse), warehouse):
        context.log.info("tables and models are as they were at the last build: nothing to do")
        yield from _still_passed(context)
        return
    built.unlink(missing_ok=True)
    before = _inputs(warehouse)  # what is published while dbt runs may be in its tables or not: build again then
    with dbt_project.running() as target:
        yield from dbt.cli(dbt_build_arguments(), context=context, target_path=target).stream()
    if context.selected_asset_keys >= set(dbt_models.keys):
        built.write_text(_mark(before, warehouse))
