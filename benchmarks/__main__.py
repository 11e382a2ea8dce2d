"""`python -m benchmarks [NAME …]` runs all or the named benchmarks and shows the results in one table.

Each runs in a process of its own: a child's peak memory counts from that of the process that forked it, and what one
benchmark imports must not affect the next. Results go to benchmarks/results.json; benchmarks that were not run keep their
entry.
"""

import argparse
import importlib
import subprocess
import sys
from datetime import UTC, datetime

from benchmarks.report import RESULTS, build_table, read_results, record_result

NAMES = (
    "ingest_full_market",
    "publish_bars",
    "pricing",
    "gamma_profile",
    "signal_features",
    "scanner_frames",
    "signal_scan",
    "chains_to_regime",
    "warehouse_queries",
    "demo_run",
)


def run_here(name: str) -> None:
    """Run one benchmark in this process and record it."""
    result = importlib.import_module(f"benchmarks.{name}").run()
    record_result(result, datetime.now(UTC).date())


def main(arguments: list[str]) -> int:
    """Run, print, and return the exit code: 1 if a benchmark failed, after the others have run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(NAMES)}; all without")
    parser.add_argument("--here", choices=NAMES, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.here:
        run_here(given.here)
        return 0
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    chosen = [name for name in NAMES if not given.names or name in given.names]
    failed = [name for name in chosen if not _run_and_report(name)]
    results = read_results()
    print(build_table(results[name] for name in chosen if name in results and name not in failed))
    print(f"\nWritten to {RESULTS}." if len(failed) < len(chosen) else "\nNothing was measured.")
    if failed:
        print(f"Failed, see above: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run_and_report(name: str) -> bool:
    print(f"{name} …", file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--here", name], stdout=sys.stderr, check=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
