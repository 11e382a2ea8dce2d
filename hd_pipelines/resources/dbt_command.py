"""dagster-dbt without dbt-core in the Dagster process: it reads the manifest and starts dbt as a command.

Everything imports dagster-dbt from here and nowhere else. dbt-core takes 2.5 of the 6.5 CPU seconds of loading the
definitions, which every code server, run and `hd` command pays, and nothing in these processes uses it. dagster-dbt works
without it, as it must for dbt Fusion. tests/orchestration/test_definitions.py guards that it stays out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version

from packaging.version import Version


@contextmanager
def _hide_dbt_core() -> Iterator[None]:
    """Let `import dbt.version` fail inside the block, by which dagster-dbt finds out whether dbt-core is installed."""
    if "dbt.version" in sys.modules:  # somebody has paid for it already
        yield
        return
    sys.modules["dbt.version"] = None  # type: ignore[assignment]  # what the import system documents for this purpose
    try:
        yield
    finally:
        del sys.modules["dbt.version"]


with _hide_dbt_core():
    from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

__all__ = ["DagsterDbtTranslator", "DbtCommand", "dbt_assets"]


class DbtCommand(DbtCliResource):
    """Runs dbt commands, without what dagster-dbt does in front of each one and nobody here needs.

    That is `dbt --version`, a process of three CPU seconds that also asks PyPI for the newest release, and a connection
    of dbt's own in this process, for column metadata and row counts.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        """Return no adapter."""
