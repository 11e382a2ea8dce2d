"""The sandbox for commands: filling its bucket, serving it for one HD_HOME, announcing the address.

Belongs here: which bucket folder a source has and how the others learn the address. Content and protocol are in `sandbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from hd_pipelines.cli.terminal import Refusal, Steps, console
from hd_pipelines.market.sessions import last_completed_session, sessions_back
from hd_pipelines.sandbox.full_market import generate_full_market
from hd_pipelines.sandbox.generation import GenerationReport, generate
from hd_pipelines.sandbox.recording import write_recording
from hd_pipelines.sandbox.server import SandboxServer, run_sandbox
from hd_pipelines.settings import Settings, load_settings
from hd_pipelines.vendor.source import SandboxAddress, announce, withdraw

SYNTHETIC = "synthetic"
Progress = Callable[[int, int], None]


def bucket_folder(settings: Settings, replay: Path | None) -> Path:
    """The bucket of one source; sources never share one, so that a replay cannot leave objects in another."""
    name = SYNTHETIC if replay is None else f"replay-{replay.resolve().name}"
    return settings.home / "sandbox" / name


def fill(settings: Settings, replay: Path | None, window: Sequence[date], on_progress: Progress) -> GenerationReport:
    """Write the objects of `window` that are not there yet."""
    folder = bucket_folder(settings, replay)
    folder.mkdir(parents=True, exist_ok=True)
    if replay is None:
        return generate(folder, window, on_progress=on_progress)
    return write_recording(folder, replay, window[0], window[-1], on_progress=on_progress)


@contextmanager
def serving(settings: Settings, replay: Path | None) -> Iterator[str]:
    """Answer on a port of this machine and announce it to this HD_HOME until the block ends; gives the URL."""
    folder = bucket_folder(settings, replay)
    with SandboxServer(folder, port=settings.sandbox_port or 0) as server:
        announce(settings.home, SandboxAddress(server.url, folder.name))
        try:
            yield server.url
        finally:
            withdraw(settings.home)


def recording_sessions(recording: Path) -> list[date]:
    """First and last day that a recording has bars of. Raises `Refusal` for a folder without any."""
    days: list[date] = []
    if (file := recording / "day_bars.parquet").is_file():
        days += (
            pl.scan_parquet(file)
            .select(pl.col("session").min(), pl.col("session").max().alias("last"))
            .collect()
            .row(0)
        )
    if (file := recording / "minute_bars.parquet").is_file():
        stamps = pl.col("window_start").dt.convert_time_zone("America/New_York").dt.date()
        days += pl.scan_parquet(file).select(stamps.min(), stamps.max().alias("last")).collect().row(0)
    if not days:
        raise Refusal(f"{recording} is not a market recording: it has neither day_bars.parquet nor minute_bars.parquet")
    return [min(days), max(days)]


def run_sandbox_command(*, sessions: int, replay: Path | None, full_market: bool) -> None:
    """`hd sandbox`."""
    settings = load_settings()
    steps = Steps()
    last = last_completed_session(datetime.now(UTC))
    if full_market:
        folder = settings.home / "sandbox" / "full-market"
        with steps.step(f"One session at real size, {last}") as step:
            report = generate_full_market(folder, last, on_progress=step.advance)
            step.note = f"{report.rows:,} rows, {report.size_bytes / 1e6:,.0f} MB in {folder}"
        return
    window = recording_sessions(replay) if replay else sessions_back(last, sessions)
    with steps.step("Vendor files") as step:
        report = fill(settings, replay, window, step.advance)
        step.note = f"{report.objects_written} written, {report.objects_skipped} known"
    port = settings.sandbox_port or _free_port()
    announce(settings.home, SandboxAddress(f"http://127.0.0.1:{port}", bucket_folder(settings, replay).name))
    console().print(f"The vendor's bucket answers on http://127.0.0.1:{port}; Ctrl-C stops it.")
    try:
        run_sandbox(bucket_folder(settings, replay), port)
    finally:
        withdraw(settings.home)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
