"""Fetches the bars of the running session and adds them to `historical_bars`, until the files replace them.

Bars are derived by `market.bars`, as from files. Only finished bars are added, and symbols without recent minutes are
reported. Do not add day bars: the vendor's day aggregates include extended hours, so a bar made of regular minutes would
not be comparable. Day bars come with the files.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from hd_pipelines.market.bars import DERIVATION, MINUTES, SCHEMA, build_hours_frame, derive_intraday_bars
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.live_times import PATIENCE, PLAN_DELAY, find_live_hours, has_opened
from hd_pipelines.market.sessions import Hours
from hd_pipelines.market.symbols import VOLUME_PROXIES, canonicalize_symbol, is_index
from hd_pipelines.providers.errors import ApiKeyRefusedError, VendorError
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.providers.massive.rest.minute_bars import DATASET, DELAY_TOLERANCE, MinuteFetch, fetch_minutes
from hd_pipelines.tables.vocabulary import Rule, Severity, Timeframe
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.publish.live_bars import LIVE, LiveLoad, add_live_bars, is_live
from hd_pipelines.warehouse.read.bars import read_bar_fingerprints
from hd_pipelines.warehouse.records.findings import CheckedScope, settle_findings

WORKERS = 4
"""Number of symbols fetched in parallel."""
ALL_SYMBOLS = "all symbols"
_LENGTH = {Timeframe.M1: 1, **MINUTES}


@dataclass(frozen=True, slots=True)
class LiveBarsReport:
    """Result of one round.

    `changed`: symbols with new or corrected bars; `from_files`: symbols skipped because the session's files are loaded;
    `refused`: symbols whose request failed or whose response failed validation, for the reasons in `errors`. `until`: end
    of the newest finished minute of any symbol, None without one. `delay_minutes`: by symbol, how far the end of its
    newest finished minute was behind the clock (behind the close, after it). `forming`: rows of unfinished minutes.
    """

    session: date
    asked_at: datetime
    changed: tuple[str, ...]
    from_files: tuple[str, ...]
    refused: tuple[str, ...]
    rows_added: int
    rows_corrected: int
    until: datetime | None
    delay_minutes: Mapping[str, float]
    forming: int
    is_delayed: bool
    findings: tuple[Finding, ...]
    errors: tuple[VendorError, ...]
    seconds: float


def add_volume_proxies(symbols: Iterable[str]) -> list[str]:
    """Add the funds whose volume is used for the indices among `symbols`; sorted, each name once."""
    names = {canonicalize_symbol(symbol) for symbol in symbols}
    return sorted(names | {VOLUME_PROXIES[name] for name in names & VOLUME_PROXIES.keys()})


def refresh_live_bars(
    database: Database, client: VendorApi, *, symbols: Sequence[str], now: datetime, run_id: str | None = None
) -> LiveBarsReport:
    """Add the bars of the running session that were finished at `now`, of `symbols` and their volume proxies.

    All responses are cut at the minute of `now`, so symbols can be compared. A symbol that fails leaves a finding, the
    others are loaded. Bars are only written if there are new ones. A refused key raises `ApiKeyRefusedError`. Raises
    `ValueError` outside sessions, and the errors of the warehouse.
    """
    began = time.perf_counter()
    hours = find_live_hours(now)
    if hours is None or not has_opened(now):
        raise ValueError(f"{now:%Y-%m-%d %H:%M} UTC is in no session: there are no live bars before the open")
    wanted = add_volume_proxies(symbols)
    held = _read_stored_fingerprints(database, wanted, hours.session)
    asked = [symbol for symbol in wanted if symbol not in held or is_live(held[symbol])]
    outcomes = _fetch(client, asked, now)
    fetched = [outcome for outcome in outcomes.values() if isinstance(outcome, MinuteFetch)]
    errors = [outcome for outcome in outcomes.values() if isinstance(outcome, VendorError)]
    minutes = _keep_regular_minutes(fetched, hours)
    ends = _find_newest_ends(minutes)
    bars = select_finished_bars(minutes, hours, now)
    findings = (
        *(finding for error in errors for finding in error.findings),
        *(finding for fetch in fetched for finding in fetch.findings),
        *_find_silent_symbols([fetch.symbol for fetch in fetched], ends, hours, now),
    )
    checked = CheckedScope(DATASET, frozenset({hours.session}), subjects=frozenset({*asked, ALL_SYMBOLS}))
    load = _publish(database, bars, held, session=hours.session, findings=findings, checked=checked, run_id=run_id)
    for error in errors:
        if isinstance(error, ApiKeyRefusedError):
            raise error
    return LiveBarsReport(
        session=hours.session,
        asked_at=now,
        changed=load.symbols,
        from_files=tuple(sorted({*wanted} - {*asked} | {*load.from_files})),
        refused=tuple(symbol for symbol, outcome in outcomes.items() if isinstance(outcome, VendorError)),
        rows_added=load.added,
        rows_corrected=load.corrected,
        until=max(ends.values(), default=None),
        delay_minutes={symbol: _measure_delay(end, hours, now) / timedelta(minutes=1) for symbol, end in ends.items()},
        forming=sum(fetch.forming for fetch in fetched),
        is_delayed=any(fetch.is_delayed for fetch in fetched),
        findings=findings,
        errors=tuple(errors),
        seconds=time.perf_counter() - began,
    )


def select_finished_bars(minutes: pl.DataFrame, hours: Hours, now: datetime) -> pl.DataFrame:
    """Derive the bars of all intraday timeframes that no later minute can change. Returns `bars.SCHEMA`, sorted.

    `minutes`: finished regular minutes, as `bars.derive_intraday_bars` takes them. A bar is finished when any symbol of
    the same feed (stocks, indices) has a minute at or after the bar's last one, since a symbol without trades has no such
    minute. All bars are finished after the close plus the delay of a delayed plan.
    """
    if minutes.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    over_ns = hours.closes_at_ns if now >= hours.closes_at + PLAN_DELAY + DELAY_TOLERANCE else 0
    horizons = minutes.group_by(is_index="is_index").agg(
        horizon=pl.max_horizontal(pl.col("window_start").max() + 60_000_000_000, pl.lit(over_ns, pl.Int64))
    )
    feed = minutes.select("symbol", "is_index").unique().join(horizons, on="is_index").drop("is_index")
    length_ns = pl.col("timeframe").replace_strict(
        {timeframe.value: length * 60_000_000_000 for timeframe, length in _LENGTH.items()}, return_dtype=pl.Int64
    )
    ends_ns = pl.min_horizontal(pl.col("timestamp").dt.epoch("ns") + length_ns, pl.lit(hours.closes_at_ns, pl.Int64))
    bars = derive_intraday_bars(minutes, build_hours_frame([hours.session]))
    finished = bars.join(feed, on="symbol").filter(ends_ns <= pl.col("horizon"))
    return finished.select(SCHEMA.names()).sort("symbol", "timeframe", "timestamp")


def _read_stored_fingerprints(database: Database, symbols: Sequence[str], session: date) -> dict[str, str]:
    with database.connect() as connection:
        marks = read_bar_fingerprints(connection, symbols, session, session)
    return {symbol: mark for (symbol, _), mark in marks.items()}


def _fetch(client: VendorApi, symbols: Sequence[str], now: datetime) -> dict[str, MinuteFetch | VendorError]:
    def fetch_one(symbol: str) -> MinuteFetch | VendorError:
        try:
            return fetch_minutes(client, symbol, now=now)
        except VendorError as error:
            return error

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="live-bars") as pool:
        return dict(zip(symbols, pool.map(fetch_one, symbols), strict=True))


def _keep_regular_minutes(fetched: Sequence[MinuteFetch], hours: Hours) -> pl.DataFrame:
    """Keep minutes inside regular hours, and add `symbol`, `session` and `is_index`."""
    parts = [
        fetch.minutes.with_columns(
            symbol=pl.lit(fetch.symbol), session=pl.lit(hours.session), is_index=pl.lit(is_index(fetch.ticker))
        )
        for fetch in fetched
    ]
    inside = pl.col("window_start").is_between(hours.opens_at_ns, hours.closes_at_ns, closed="left")
    return pl.concat(parts).filter(inside) if parts else pl.DataFrame()


def _find_newest_ends(minutes: pl.DataFrame) -> dict[str, datetime]:
    """Find the end of each symbol's newest finished minute; symbols without one are left out."""
    if minutes.is_empty():
        return {}
    newest = minutes.group_by("symbol").agg(pl.col("window_start").max() + 60_000_000_000).sort("symbol")
    return {symbol: datetime.fromtimestamp(end_ns / 1e9, UTC) for symbol, end_ns in newest.iter_rows()}


def _measure_delay(end: datetime, hours: Hours, now: datetime) -> timedelta:
    return max(min(now, hours.closes_at) - end, timedelta())


def _find_silent_symbols(
    symbols: Sequence[str], ends: Mapping[str, datetime], hours: Hours, now: datetime
) -> list[Finding]:
    """Report symbols without minutes or without a recent one, once even a delayed plan should have them."""
    if now < hours.opens_at + PATIENCE:
        return []

    def finding(rule: Rule, severity: Severity, subject: str, detail: str, cure: str) -> Finding:
        return Finding(rule, severity, DATASET, hours.session, subject, detail, cure)

    silent = [symbol for symbol in symbols if symbol not in ends]
    if symbols and len(silent) == len(symbols):
        return [
            finding(
                Rule.SESSION_MISSING,
                Severity.ERROR,
                ALL_SYMBOLS,
                "The exchange is open and the vendor has no minute of any symbol.",
                "Check that the plan includes aggregates of the running day, and the vendor's status page.",
            )
        ]
    return [
        *(
            finding(
                Rule.SYMBOL_MISSING,
                Severity.WARNING,
                symbol,
                "Other symbols have minutes of this session, this one has none.",
                "Nothing if it is halted; otherwise check the spelling. An index needs the vendor's index plan.",
            )
            for symbol in silent
        ),
        *(
            finding(
                Rule.BARS_STALE,
                Severity.WARNING,
                symbol,
                f"The newest minute ended {_measure_delay(end, hours, now) / timedelta(minutes=1):.0f} minutes ago.",
                "Nothing if it is halted or hardly trades; if many symbols are, look at the vendor's status page.",
            )
            for symbol, end in ends.items()
            if _measure_delay(end, hours, now) > PATIENCE
        ),
    ]


def _publish(
    database: Database,
    bars: pl.DataFrame,
    held: Mapping[str, str],
    *,
    session: date,
    findings: Sequence[Finding],
    checked: CheckedScope,
    run_id: str | None,
) -> LiveLoad:
    marks = {str(symbol): _compute_fingerprint(of_symbol) for (symbol,), of_symbol in bars.group_by("symbol")}
    changed = {symbol: mark for symbol, mark in sorted(marks.items()) if held.get(symbol) != mark}
    if not changed:
        with database.begin() as connection:
            settle_findings(connection, findings, [checked], run_id=run_id)
        return LiveLoad(0, 0, (), ())
    return add_live_bars(
        database,
        bars.filter(pl.col("symbol").is_in(list(changed))),
        session=session,
        fingerprints=changed,
        run_id=run_id,
        findings=findings,
        checked=[checked],
    )


def _compute_fingerprint(bars: pl.DataFrame) -> str:
    """Combine the end of the newest minute and a digest of the bars, so a corrected minute changes the fingerprint too."""
    newest = bars.filter(pl.col("timeframe") == Timeframe.M1.value)["timestamp"].max()
    until = newest + timedelta(minutes=1)  # type: ignore[operator]  # every symbol with bars has minutes
    digest = hashlib.sha256(f"{DERIVATION}|{bars.write_csv()}".encode()).hexdigest()[:16]
    return f"{LIVE}{until:%Y-%m-%dT%H:%MZ}-{digest}"
