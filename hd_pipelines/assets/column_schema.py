"""Dagster column schemas generated from the table definitions in `tables`."""

import dagster as dg

from hd_pipelines.tables.catalogue import TABLES
from hd_pipelines.tables.model import Column, Store, Table


def column_schema(table_name: str) -> dg.TableSchema:
    """Column schema of the table or lake dataset `table_name`, for the metadata key `dagster/column_schema`.

    Raises `KeyError` for a table that is not defined in `tables`.
    """
    table = TABLES[table_name]
    return dg.TableSchema(columns=[_describe(column, table) for column in table.columns])


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
