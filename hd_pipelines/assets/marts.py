"""dbt models as assets: views and marts on the warehouse, in the same lineage as everything else.

Belongs here: how models appear in Dagster. Their SQL, tests and descriptions live in dbt_project/.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

from hd_pipelines.assets.reporting import OWNERS
from hd_pipelines.resources.dbt import PROJECT, DbtProject, ensure_manifest


class MartTranslator(DagsterDbtTranslator):
    """Groups models by folder and gives them the platform's owners."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:  # noqa: ANN401
        """The spec dagster-dbt makes, with our group and owners."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        folder = self.get_resource_props(manifest, unique_id)["fqn"][1]
        return spec.replace_attributes(group_name=folder, owners=OWNERS)


def dbt_build_arguments() -> list[str]:
    """`dbt build` of everything selected. Unit tests judge the SQL, not the data: they run with our own tests."""
    return ["build", "--profiles-dir", str(PROJECT), "--exclude-resource-type", "unit_test"]


@dbt_assets(manifest=ensure_manifest(), dagster_dbt_translator=MartTranslator())
def dbt_models(context: dg.AssetExecutionContext, dbt: DbtCliResource, dbt_project: DbtProject) -> Iterator[Any]:
    """All dbt models and their tests, in one invocation: each one costs three seconds before its first query."""
    with dbt_project.running() as target:
        yield from dbt.cli(dbt_build_arguments(), context=context, target_path=target).stream()
