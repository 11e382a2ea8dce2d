"""The sandbox for commands: fill its bucket, serve it for one HD_HOME, announce its address to other processes.

Content and protocol of the sandbox are in `sandbox`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import polars as pl

from hd_pipelines.cli.terminal import Refusal, Steps, console
from hd_pipelines.market.sessions import find_last_completed_session, is_session, list_last_sessions
from hd_pipelines.providers.archive.files import list_archived_days
from hd_pipelines.providers.massive.flat_files.layout import INDEX_DAY, STOCK_DAY
from hd_pipelines.providers.source import SandboxAddress, announce, withdraw
from hd_pipelines.sandbox.generation import GenerationReport, Workers, generate
from hd_pipelines.sandbox.market.chain_extent import Extent
from hd_pipelines.sandbox.market.chains import write_chain_archive
from hd_pipelines.sandbox.market.full_market import generate_full_market
from hd_pipelines.sandbox.recording import has_bars, write_recording
from hd_pipelines.sandbox.rest.market import RecordedRest, RestMarket, SyntheticRest
from hd_pipelines.sandbox.server import SandboxServer, SandboxStartError, run_sandbox
from hd_pipelines.settings import Settings, load_settings

SYNTHETIC = "synthetic"
PROCESS_START_SECONDS = 60
Progress = Callable[[int, int], None]


def get_bucket_folder(settings: Settings, replay: Path | None) -> Path:
    """Return the bucket of one source. Sources never share a bucket, so that a replay leaves no objects in another."""
    name = SYNTHETIC if replay is None else f"replay-{replay.resolve().name}"
    return settings.home / "sandbox" / name


@dataclass(frozen=True, slots=True)
class Filled:
    """Numbers of bucket objects and chain archive files: written now, and already present."""

    written: int
    known: int

    @property
    def note(self) -> str:
        """Summary for a progress line."""
        return f"{self.written:,} files written, {self.known:,} already there"


def fill(
    settings: Settings,
    replay: Path | None,
    window: Sequence[date],
    on_progress: Progress,
    *,
    history: Sequence[date] = (),
    workers: Workers | None = None,
) -> Filled:
    """Write the files that the vendor would have for `window`, except those already written.

    `history`: earlier sessions of the synthetic market that need only day bars and sparse chains.
    """
    folder = get_bucket_folder(settings, replay)
    folder.mkdir(parents=True, exist_ok=True)
    reports: list[GenerationReport]
    if replay is None:
        with workers or Workers() as hands:
            reports = [
                generate(folder, window, workers=hands, on_progress=on_progress),
                generate(
                    folder,
                    history,
                    datasets=(STOCK_DAY, INDEX_DAY),
                    workers=hands,
                    on_progress=None if window else on_progress,
                ),
                write_chain_archive(
                    folder, window, settings.watchlist, extent=Extent.LIGHT, sparse_sessions=history, workers=hands
                ),
            ]
    else:
        reports = [write_recording(folder, replay, window[0], window[-1], on_progress)] if has_bars(replay) else []
    return Filled(
        written=sum(report.objects_written for report in reports),
        known=sum(report.objects_skipped for report in reports),
    )


def find_archive_folder(settings: Settings, replay: Path | None) -> Path | None:
    """Return the folder of a source's archived chains; None for a recording without chains."""
    folder = get_bucket_folder(settings, None) if replay is None else replay.resolve()
    return folder if list_archived_days(folder) else None


def open_rest_market(settings: Settings, replay: Path | None, last: date | None = None) -> RestMarket | None:
    """Return what the REST service serves: the synthetic market until the close of `last`, or a recording's chains."""
    if replay is None:
        return SyntheticRest(last or find_last_completed_session(datetime.now(UTC)), extent=Extent.LIGHT)
    return RecordedRest(replay) if find_archive_folder(settings, replay) is not None else None


@contextmanager
def serve_sandbox(settings: Settings, replay: Path | None, last: date | None = None) -> Iterator[str]:
    """Serve on a local port and announce it in HD_HOME until the block ends; yields the URL."""
    folder = get_bucket_folder(settings, replay)
    market = open_rest_market(settings, replay, last)
    with SandboxServer(folder, port=settings.sandbox_port or 0, market=market) as server:
        announce(settings.home, _make_address(settings, replay, server.url))
        try:
            yield server.url
        finally:
            withdraw(settings.home, server.url)


@contextmanager
def serve_sandbox_in_process(settings: Settings, replay: Path | None, last: date | None = None) -> Iterator[str]:
    """Serve as `serve_sandbox` does, in a process of its own: a server and its client in one share an interpreter lock.

    The process ends with the block, or with this process, however that ends. Raises `SandboxStartError`.
    """
    context = get_context("spawn")
    parent_end, child_end = context.Pipe()
    server = context.Process(target=_serve_until_closed, args=(settings, replay, last, child_end), daemon=True)
    server.start()
    child_end.close()
    try:
        yield _receive_url(parent_end)
    finally:
        parent_end.close()
        server.join()


def _receive_url(connection: Connection) -> str:
    if not connection.poll(PROCESS_START_SECONDS):
        raise SandboxStartError(f"the process of the sandbox did not answer within {PROCESS_START_SECONDS} seconds")
    try:
        answer: str | SandboxStartError = connection.recv()
    except EOFError:
        raise SandboxStartError("the process of the sandbox ended before it answered; see its error above") from None
    if isinstance(answer, SandboxStartError):
        raise answer
    return answer


def _serve_until_closed(settings: Settings, replay: Path | None, last: date | None, connection: Connection) -> None:
    """Serve until the parent closes its end of the connection or dies. Signals to the whole group are left to the parent."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if connection.poll():
        return  # the parent is gone already
    try:
        with serve_sandbox(settings, replay, last) as url:
            connection.send(url)
            connection.poll(None)  # nothing is ever sent, so this waits for the end
    except SandboxStartError as error:
        connection.send(error)
    except BrokenPipeError:
        return  # the parent has left while the server started


def list_chain_sessions(recording: Path) -> list[date]:
    """Return the sessions for which a recording has option chains, ascending."""
    days = {day for have in list_archived_days(recording).values() for day in have}
    return sorted(day for day in days if is_session(day))


def list_minute_sessions(recording: Path) -> list[date]:
    """Return the sessions for which a recording has one-minute bars, ascending."""
    if not (file := recording / "minute_bars.parquet").is_file():
        return []
    days = pl.scan_parquet(file).select(pl.col("window_start").dt.date().unique()).collect().to_series()
    return sorted(day for day in days if is_session(day))


def read_recording_range(recording: Path) -> list[date]:
    """Return the first and last day of a recording. Raises `Refusal` for a folder without bars and chains."""
    days = [day for have in list_archived_days(recording).values() for day in (have[0], have[-1])]
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
        raise Refusal(f"{recording} is not a market recording: it has neither bars nor chains")
    return [min(days), max(days)]


def run_sandbox_command(*, sessions: int, replay: Path | None, full_market: bool) -> None:
    """Serve the sandbox until Ctrl-C, or write one full-size session and return."""
    settings = load_settings()
    steps = Steps()
    last = find_last_completed_session(datetime.now(UTC))
    if full_market:
        folder = settings.home / "sandbox" / "full-market"
        with steps.step(f"One session of full market size, {last}") as step:
            report = generate_full_market(folder, last, on_progress=step.advance)
            step.note = f"{report.rows:,} rows, {report.size_bytes / 1e6:,.0f} MB in {folder}"
        return
    window = read_recording_range(replay) if replay else list_last_sessions(last, sessions)
    with steps.step("Vendor files") as step:
        step.note = fill(settings, replay, window, step.advance).note
    port = settings.sandbox_port or _find_free_port()
    url = f"http://127.0.0.1:{port}"
    announce(settings.home, _make_address(settings, replay, url))
    console().print(f"The sandbox serves the vendor's bucket and REST service on {url}; Ctrl-C stops it.")
    try:
        run_sandbox(get_bucket_folder(settings, replay), port, market=open_rest_market(settings, replay, window[-1]))
    finally:
        withdraw(settings.home, url)


def _make_address(settings: Settings, replay: Path | None, url: str) -> SandboxAddress:
    archive = find_archive_folder(settings, replay)
    return SandboxAddress(url, get_bucket_folder(settings, replay).name, str(archive) if archive is not None else None)


def _find_free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
