"""Measures ninety sessions of full option chains, from the lake to Greeks, percentiles, gamma exposure and regime.

`python -m benchmarks.chains_to_regime` writes chains of the default watchlist (11 underlyings, about 1.9 million contracts)
and the day bars of a year into a lake in HD_HOME, once. Measurement begins with the chains there and ends with the four
tables published, on an embedded server of its own. No peer does the same, so the figures stand beside the project's own
limit. Peak memory is that of the whole process.
"""

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks.measure import describe_machine

LAST_SESSION = date(2026, 5, 22)
SESSIONS, YEAR = 90, 253
LIMIT_S = 60.0


def run(home: Path | None = None) -> dict[str, object]:
    """Measure once from empty tables; wall and CPU seconds of each step and of all."""
    from pydantic import SecretStr

    import embedded_postgres as embedded
    from hd_pipelines.lake import Lake
    from hd_pipelines.loading.derived.gamma import refresh_gamma
    from hd_pipelines.loading.derived.greeks import refresh_greeks
    from hd_pipelines.loading.derived.iv_percentiles import refresh_iv_percentiles
    from hd_pipelines.loading.derived.regime import refresh_regime
    from hd_pipelines.loading.derived.yields import refresh_yields
    from hd_pipelines.loading.inputs.chain_archive import refresh_chain_archive
    from hd_pipelines.loading.inputs.flat_files import refresh_lake
    from hd_pipelines.market.sessions import list_last_sessions
    from hd_pipelines.providers.massive.flat_files.client import FlatFiles
    from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, STOCK_DAY
    from hd_pipelines.providers.massive.rest.client import VendorApi
    from hd_pipelines.providers.source import SANDBOX_KEY_ID, SANDBOX_SECRET
    from hd_pipelines.sandbox.rest.market import SyntheticRest
    from hd_pipelines.sandbox.server import SandboxServer
    from hd_pipelines.settings import DEFAULT_WATCHLIST, load_settings
    from hd_pipelines.warehouse.engine import Database
    from hd_pipelines.warehouse.schema import revision as schema

    folder = (home or load_settings().home) / "bench" / "chains-to-regime"
    year = list_last_sessions(LAST_SESSION, YEAR)
    window = year[-SESSIONS:]
    bucket = folder / "bucket"
    _write_market(bucket, year, window)
    shutil.rmtree(folder / "server", ignore_errors=True)
    shutil.rmtree(folder / "lake", ignore_errors=True)
    before = describe_machine()
    with (
        embedded.running(folder / "server") as url,
        SandboxServer(bucket, market=SyntheticRest(LAST_SESSION)) as server,
    ):
        schema.upgrade(url)
        database, lake = Database(url), Lake(folder / "lake")
        files = FlatFiles(
            url=server.url,
            bucket="flatfiles",
            key_id=SecretStr(SANDBOX_KEY_ID),
            secret=SecretStr(SANDBOX_SECRET),
            landing=folder / "landed",
        )
        for dataset in (STOCK_DAY, INDEX_DAY):
            files.download_many(files.list_objects(dataset, year[0], year[-1]), 6)
            refresh_lake(database, lake, dataset, files.find_landed(dataset, year), sessions=year)
        with VendorApi(url=server.url, key=SecretStr(SANDBOX_SECRET)) as api:
            refresh_yields(database, lake, api, None, sessions=window)
        names = list(DEFAULT_WATCHLIST)
        steps: dict[str, Callable[[], object]] = {
            "archive_to_lake": lambda: refresh_chain_archive(
                database, lake, bucket, underlyings=names, sessions=window
            ),
            "greeks": lambda: refresh_greeks(database, lake, symbols=names, sessions=window),
            "percentiles": lambda: refresh_iv_percentiles(database, lake, symbols=names, sessions=window),
            "gamma": lambda: refresh_gamma(database, symbols=names, sessions=window),
            "regime": lambda: refresh_regime(database, lake, sessions=window),
        }
        figures = {name: _measure_step(step) for name, step in steps.items()}
        with database.connect() as connection:
            rows = connection.exec_driver_sql("select count(*) from historical_greeks").scalar_one()
        database.close()
    whole = {
        "wall_s": sum(figures[name]["wall_s"] for name in figures if name != "archive_to_lake"),
        "cpu_s": sum(figures[name]["cpu_s"] for name in figures if name != "archive_to_lake"),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "limit_s": LIMIT_S,
    }
    whole["rows_per_s"] = rows / whole["wall_s"]
    contestants = {"greeks_to_regime": whole, **figures}
    return {"benchmark": "chains_to_regime", "machine": before, "rounds": 1, "rows": rows, "contestants": contestants}


def _write_market(bucket: Path, year: list[date], window: list[date]) -> None:
    from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, STOCK_DAY
    from hd_pipelines.sandbox.generation import Workers, generate
    from hd_pipelines.sandbox.market.chain_extent import Extent
    from hd_pipelines.sandbox.market.chains import write_chain_archive

    bucket.mkdir(parents=True, exist_ok=True)
    with Workers() as workers:
        generate(bucket, year, datasets=(STOCK_DAY, INDEX_DAY), workers=workers)
        write_chain_archive(bucket, window, extent=Extent.FULL, workers=workers)


def _measure_step(step: Callable[[], object]) -> dict[str, float]:
    began, busy = time.perf_counter(), time.process_time()
    step()
    return {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - busy}


if __name__ == "__main__":
    json.dump(run(), sys.stdout, indent=1)
