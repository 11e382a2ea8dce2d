"""Dagster metadata of tables, generated from the table definitions in `tables`."""

import dagster as dg

from hd_pipelines.tables.catalogue import TABLES
from hd_pipelines.tables.model import Column, Store, Table


def describe_table(table_name: str) -> dict[str, object]:
    """Build the metadata by which Dagster shows the name and columns of a table or lake dataset.

    Raises `KeyError` for a table that is not defined in `tables`.
    """
    table = TABLES[table_name]
    schema = dg.TableSchema(columns=[_describe(column, table) for column in table.columns])
    name = {"dagster/table_name": f"public.{table.name}"} if table.store is Store.WAREHOUSE else {}
    return {"dagster/column_schema": schema, **name}


def _describe(column: Column, table: Table) -> dg.TableColumn:
    parts = [column.meaning]
    if column.shown_unit:
        parts.append(f"Unit: {column.shown_unit}.")
    if column.is_nullable:
        parts.append(f"Null: {column.null}.")
    return dg.TableColumn(
        column.name,
        column.type.arrow if table.store is Store.LAKE else column.type.postgres,
        description=" ".join(parts),
        constraints=dg.TableColumnConstraints(
            nullable=column.is_nullable,
            unique=table.key == (column.name,),
            other=[str(column.bounds)] if column.bounds else [],
        ),
    )
