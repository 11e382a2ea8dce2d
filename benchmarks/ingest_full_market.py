"""Measures one full-market session, csv.gz to Parquet, all four datasets: ours, plain gunzip, pandas, and polars alone.

`python -m benchmarks.ingest_full_market` generates the session once into HD_HOME, runs every contestant in a fresh process,
in turn, and prints medians. Ours does more than the others: it verifies CRC and SHA-256, applies every row rule, checks
order and uniqueness of keys, and publishes each part atomically with its provenance in the footer.

Work is the time inside the process without starting Python and importing libraries, which a running platform pays once;
wall, CPU and peak memory are of the whole process.
"""

import json
import shutil
import subprocess
import sys
import time
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.measure import Measurement, describe_machine, measure, measure_in_turn

SESSION = date(2026, 5, 22)
SEED = 7
CONTESTANTS = ("ours", "gunzip", "pandas", "polars")
DATASETS = ("stock_day_aggs", "stock_minute_aggs", "option_day_aggs", "option_minute_aggs")


def prepare(folder: Path) -> None:
    """Generate the session and land it, unless that was done before. Runs in a process of its own."""
    import hashlib
    from datetime import UTC, datetime

    from hd_pipelines.providers.errors import ObjectPlace
    from hd_pipelines.providers.massive.flat_files.gzip_stream import count_lines
    from hd_pipelines.providers.massive.flat_files.landing import (
        LandedFile,
        build_landed_path,
        find_newest_version,
        write_sidecar,
    )
    from hd_pipelines.providers.massive.flat_files.layout import DATASET_BY_NAME
    from hd_pipelines.sandbox.market.full_market import generate_full_market

    generate_full_market(folder / "bucket", SESSION, seed=SEED)
    for dataset in (DATASET_BY_NAME[name] for name in DATASETS):
        source = folder / "bucket" / dataset.key(SESSION)
        body = source.read_bytes()
        sha256 = hashlib.sha256(body).hexdigest()
        known = find_newest_version(folder / "landed", dataset, SESSION)
        if known and known.sha256 == sha256:
            continue
        path = build_landed_path(folder / "landed", dataset, SESSION, sha256[:32])
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        rows = count_lines(path, ObjectPlace(dataset.name, SESSION, dataset.key(SESSION))) - 1
        now = datetime.now(UTC)
        write_sidecar(
            LandedFile(dataset, SESSION, dataset.key(SESSION), sha256[:32], len(body), sha256, rows, now, path)
        )


def ingest_ours(folder: Path, out: Path) -> float:
    """Ingest file after file, as the lake asset does."""
    from hd_pipelines.lake import Lake, ingest
    from hd_pipelines.providers.massive.flat_files.landing import find_newest_version
    from hd_pipelines.providers.massive.flat_files.layout import DATASET_BY_NAME

    started = time.perf_counter()
    lake = Lake(out)
    for name in DATASETS:
        landed = find_newest_version(folder / "landed", DATASET_BY_NAME[name], SESSION)
        if landed is None:
            raise FileNotFoundError(f"{name} has not landed in {folder}; run prepare first")
        report = ingest(landed, lake)
        if report.rows != landed.rows:
            raise ValueError(f"{name}: {report.rows} of {landed.rows} rows; {report.findings}")
    return time.perf_counter() - started


def ingest_with_pandas(folder: Path, out: Path) -> float:
    """The usual pandas lines, with given types (which is faster than inferring them) and the same compression."""
    import pandas as pd
    import pyarrow.parquet  # noqa: F401  (pandas imports it when it writes)

    started = time.perf_counter()
    types = {"ticker": "str", "window_start": "int64", "transactions": "int64"}
    for path in _list_files(folder):
        bars = pd.read_csv(path, dtype=types, keep_default_na=False)
        bars.to_parquet(out / f"{path.parents[2].name}-{path.name}.parquet", compression="zstd", index=False)
    return time.perf_counter() - started


def ingest_with_polars(folder: Path, out: Path) -> float:
    """scan_csv to sink_parquet: the fastest known few lines, without any check."""
    import polars as pl

    started = time.perf_counter()
    types = {"ticker": pl.String, "window_start": pl.Int64, "transactions": pl.Int64}
    types |= dict.fromkeys(("volume", "open", "close", "high", "low"), pl.Float64)
    for path in _list_files(folder):
        rows = pl.scan_csv(path, schema_overrides=types)
        rows.sink_parquet(out / f"{path.parents[2].name}-{path.name}.parquet", compression="zstd", compression_level=1)
    return time.perf_counter() - started


def _list_files(folder: Path) -> list[Path]:
    return sorted((folder / "bucket").rglob("*.csv.gz"))


def _measure_contestant(contestant: str, folder: Path, work_seconds: dict[str, list[float]]) -> Measurement:
    if contestant == "gunzip":
        taken = measure(["gzip", "-dc", *map(str, _list_files(folder))])
        work_seconds[contestant].append(taken.wall_s)
        return taken
    out = folder / f"out-{contestant}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    try:
        taken = measure([sys.executable, "-m", "benchmarks.ingest_full_market", contestant, str(folder), str(out)])
        work_seconds[contestant].append(float((out / "work_seconds").read_text()))
        return taken
    finally:
        shutil.rmtree(out)


def run(home: Path | None = None, rounds: int = 3) -> dict[str, object]:
    """Prepare, measure all contestants `rounds` times in turn, and return medians, rates and ratios to gunzip."""
    folder = (home or _parse_home()) / "bench" / "full-market"
    subprocess.run([sys.executable, "-m", "benchmarks.ingest_full_market", "prepare", str(folder)], check=True)
    rows = sum(json.loads(path.read_text())["rows"] for path in (folder / "landed").rglob("*.json"))
    before = describe_machine()
    work: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    taken = measure_in_turn({name: partial(_measure_contestant, name, folder, work) for name in CONTESTANTS}, rounds)
    work_s = {name: median(seconds) for name, seconds in work.items()}
    return {
        "benchmark": "ingest_full_market",
        "machine": before,
        "rows": rows,
        "rounds": rounds,
        "contestants": {
            name: measurement.as_dict()
            | {
                "work_s": round(work_s[name], 3),
                "rows_per_s": round(rows / work_s[name]),
                "work_to_gunzip": round(work_s[name] / work_s["gunzip"], 2),
                "wall_to_gunzip": round(measurement.wall_s / taken["gunzip"].wall_s, 2),
            }
            for name, measurement in taken.items()
        },
    }


def _parse_home() -> Path:
    from hd_pipelines.settings import load_settings

    return load_settings().home


def show(result: dict) -> None:
    """Print a result as a table."""
    machine_ = result["machine"]
    print(
        f"{result['rows']:,} rows of a full-market session, csv.gz to Parquet; median of {result['rounds']}\n"
        f"{machine_['cores']} cores {machine_['model']}, {machine_['memory_gb']} GB, load {machine_['load']}\n"
    )
    print(
        f"{'':10}{'work s':>9}{'M rows/s':>10}{'x gunzip':>10}{'wall s':>9}{'x gunzip':>10}{'CPU s':>9}{'peak MB':>9}"
    )
    for name, c in result["contestants"].items():
        print(
            f"{name:10}{c['work_s']:9.2f}{c['rows_per_s'] / 1e6:10.2f}{c['work_to_gunzip']:10.2f}{c['wall_s']:9.2f}"
            f"{c['wall_to_gunzip']:10.2f}{c['cpu_s']:9.2f}{c['peak_mb']:9.0f}"
        )


if __name__ == "__main__":
    steps = {"ours": ingest_ours, "pandas": ingest_with_pandas, "polars": ingest_with_polars}
    if len(sys.argv) == 1:
        show(run())
    elif sys.argv[1] == "prepare":
        prepare(Path(sys.argv[2]))
    else:
        output = Path(sys.argv[3])
        seconds = steps[sys.argv[1]](Path(sys.argv[2]), output)
        (output / "work_seconds").write_text(str(seconds))
