"""Measures one command: wall, CPU and peak memory of a fresh process, and describes the machine.

Keep the measuring process small: on Linux a child's peak memory starts from that of the process which forked it.
"""

import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Measurement:
    """Wall and CPU seconds and peak resident megabytes (10^6 bytes) of one process with all its children."""

    wall_s: float
    cpu_s: float
    peak_mb: float

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 3) for name, value in asdict(self).items()}


class MeasuredCommandError(RuntimeError):
    """The measured command failed, so its figures are meaningless."""


def measure(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Measurement:
    """Run `argv` to its end, output discarded. Raises `MeasuredCommandError` with its error output if it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
    output = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise MeasuredCommandError(f"{' '.join(argv)} ended with {process.returncode}: {output.decode()[-2000:]}")
    return Measurement(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def measure_in_turn(commands: Mapping[str, Callable[[], Measurement]], rounds: int = 3) -> dict[str, Measurement]:
    """Medians of `rounds` measurements of each command, taken in turn so that a busy moment affects all equally."""
    taken: dict[str, list[Measurement]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(command())
    return {
        name: Measurement(
            median(m.wall_s for m in measured), median(m.cpu_s for m in measured), max(m.peak_mb for m in measured)
        )
        for name, measured in taken.items()
    }


def describe_machine() -> dict[str, str | int | float]:
    """Describe the machine: cores, processor model, memory in GB, load before the run, Python."""
    information = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.partition(":")[2].strip() for line in information.splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "model": models[0] if models else platform.processor(),
        "memory_gb": round(memory / 1e9, 1),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }
