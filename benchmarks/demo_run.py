"""Measures `hd` as people first use it: the demo in an empty HD_HOME, again over the same window, and one more symbol.

`python -m benchmarks.demo_run` runs the commands as whole processes, one after the other as they depend on each other, on
an embedded server of their own. Wall time is what a person waits, including the start of Python and, in the first run, the
creation of the database. CPU and peak memory are those of the command; the server is another process and not included. No
peer does the same, so the figures stand beside the project's own limits.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from statistics import median

from benchmarks.measure import Measurement, describe_machine, measure

SESSIONS = 90
SYMBOL = "PLTR"
"""A symbol of the synthetic market that is not on the default watchlist."""
LIMIT_S = {"first_demo": 70.0, "second_demo": 10.0, "watchlist_add": 3.0}
"""Limits for 90 sessions on two otherwise idle cores."""


def _find_hd() -> str:
    return str(Path(sys.executable).with_name("hd"))


def _build_environment(home: Path) -> dict[str, str]:
    """Keep only the home of the caller's settings: neither another database or lake nor the vendor's bucket."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("HD_")} | {
        "HD_HOME": str(home)
    }


def _measure_once(home: Path, sessions: int) -> dict[str, Measurement]:
    shutil.rmtree(home, ignore_errors=True)
    environment = _build_environment(home)
    demo = [_find_hd(), "demo", "--sessions", str(sessions)]
    # A folder without .env, so that the caller's settings do not come in through it.
    with tempfile.TemporaryDirectory() as elsewhere, chdir(elsewhere):
        try:
            return {
                "first_demo": measure(demo, env=environment),
                "second_demo": measure(demo, env=environment),
                "watchlist_add": measure([_find_hd(), "watchlist", "add", SYMBOL], env=environment),
            }
        finally:
            _take_down(home, environment)


def _take_down(home: Path, environment: Mapping[str, str]) -> None:
    if home.exists():
        subprocess.run([_find_hd(), "db", "stop"], env=environment, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(home)


def run(home: Path | None = None, rounds: int = 1, sessions: int = SESSIONS) -> dict[str, object]:
    """Measure `rounds` times from nothing. Returns medians, and their share of the limit if the window is the usual one."""
    folder = (home or _parse_home()) / "bench" / "demo-run" / "home"
    before = describe_machine()
    taken = [_measure_once(folder, sessions) for _ in range(rounds)]
    middle = {
        name: Measurement(
            median(one[name].wall_s for one in taken),
            median(one[name].cpu_s for one in taken),
            max(one[name].peak_mb for one in taken),
        )
        for name in LIMIT_S
    }
    return {
        "benchmark": "demo_run",
        "machine": before,
        "sessions": sessions,
        "rounds": rounds,
        "contestants": {
            name: measured.as_dict()
            | ({"limit_s": LIMIT_S[name], "of_limit": round(measured.wall_s / LIMIT_S[name], 2)} if usual else {})
            for name, measured in middle.items()
            for usual in (sessions == SESSIONS,)
        },
    }


def _parse_home() -> Path:
    from hd_pipelines.settings import load_settings

    return load_settings().home


def show(result: dict) -> None:
    """Print a result as a table."""
    about = result["machine"]
    print(
        f"{result['sessions']} sessions, whole commands; median of {result['rounds']}\n"
        f"{about['cores']} cores {about['model']}, {about['memory_gb']} GB, load {about['load']}\n"
    )
    print(f"{'':14}{'wall s':>9}{'limit s':>9}{'CPU s':>9}{'peak MB':>9}")
    for name, figures in result["contestants"].items():
        limit = f"{figures['limit_s']:9.0f}" if "limit_s" in figures else f"{'':9}"
        print(f"{name:14}{figures['wall_s']:9.2f}{limit}{figures['cpu_s']:9.2f}{figures['peak_mb']:9.0f}")


if __name__ == "__main__":
    result = run()
    show(result)
    print(json.dumps(result), file=sys.stderr)
