"""`python -m benchmarks [NAME …]`: run all benchmarks, or those named, and show them in one table.

Each runs in a process of its own: a child's peak memory counts from that of the process that forked it, and what one
benchmark imports must not weigh on the next. Results go to benchmarks/results.json; what was not run keeps its entry.
"""

import argparse
import importlib
import subprocess
import sys
from datetime import UTC, datetime

from benchmarks.report import RESULTS, record, recorded, table

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
    record(result, datetime.now(UTC).date())


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
    failed = [name for name in chosen if not _ran(name)]
    results = recorded()
    print(table(results[name] for name in chosen if name in results and name not in failed))
    print(f"\nWritten to {RESULTS}." if len(failed) < len(chosen) else "\nNothing was measured.")
    if failed:
        print(f"Failed, see above: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _ran(name: str) -> bool:
    print(f"{name} …", file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--here", name], stdout=sys.stderr, check=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
