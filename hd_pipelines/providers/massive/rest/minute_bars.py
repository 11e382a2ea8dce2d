"""Fetches the vendor's one-minute aggregates of the running session: one ticker, from midnight to now.

Defines the wire form of `/v2/aggs/ticker/{ticker}/range/1/minute/{from}/{to}` and its conversion to the columns of a minute
file, so that bars are derived from both alike. Rows follow the rules of the files (`bar_rules`) and two more: a minute
begins on a whole minute, and not later than now. The service includes the minute that is still forming; it is left out and
taken once it is over, by the clock of the plan. Prices are requested unadjusted, as in the files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, NotRequired

import polars as pl
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from hd_pipelines.market.findings import Finding
from hd_pipelines.market.instants import to_ns
from hd_pipelines.market.live_times import PLAN_DELAY
from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, NEW_YORK, is_session
from hd_pipelines.market.symbols import canonicalize_symbol, is_index, to_ticker
from hd_pipelines.providers.errors import ApiResponseError, ObjectPlace
from hd_pipelines.providers.massive.bar_order import sort_by_key
from hd_pipelines.providers.massive.bar_rules import SetAside, split_broken, split_by
from hd_pipelines.providers.massive.flat_files.layout import AssetClass
from hd_pipelines.providers.massive.rest.answers import Page
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.tables.vocabulary import Rule

DATASET = "live_bars"
PAGE_SIZE = 50_000
"""The most that the service returns at once. A day has 1,440 minutes, so one page suffices."""
CLOCK_TOLERANCE = timedelta(seconds=2)
"""How far this clock may differ from the vendor's, and how long after its end a minute may still change."""
DELAY_TOLERANCE = timedelta(seconds=30)
"""How far a delayed plan may differ from being 15 minutes behind."""
DEADLINE_SECONDS = 40.0
"""For one ticker, waits included. The next minute makes a new request."""
MOST_BAD_ROWS, MOST_BAD_SHARE = 5, 0.01
"""If both are exceeded, the response is refused, because then more than single rows is wrong."""
_CURE = "The rows were set aside, the others are used; the session is asked for again at the next minute."
_LATEST_MS = 10**13

_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Count = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
_Milliseconds = Annotated[int, Field(strict=True, ge=0, lt=_LATEST_MS)]

MINUTES: pl.Schema = pl.Schema(
    {
        "ticker": pl.String,
        "volume": pl.Float64,
        "open": pl.Float64,
        "close": pl.Float64,
        "high": pl.Float64,
        "low": pl.Float64,
        "window_start": pl.Int64,
        "transactions": pl.Int64,
    }
)
"""Columns of fetched minutes: those of a minute file. `window_start` is ns UTC; an index has no volume, no transactions."""


@with_config(ConfigDict(extra="ignore"))
class _Row(TypedDict):
    t: _Milliseconds
    o: _Number
    h: _Number
    l: _Number  # noqa: E741  (the vendor's name)
    c: _Number
    v: NotRequired[_Number]
    n: NotRequired[_Count]


_ROWS = TypeAdapter(list[_Row])


@dataclass(frozen=True, slots=True)
class MinuteFetch:
    """One ticker's finished minutes of a session, and how they were fetched.

    `minutes`: columns `MINUTES`, ascending, extended hours included. `forming`: rows left out because their minute was not
    over. `is_delayed`: the service marked its response as delayed. `findings`: rows that were set aside or reordered.
    """

    symbol: str
    ticker: str
    minutes: pl.DataFrame
    forming: int
    pages: int
    is_delayed: bool
    findings: tuple[Finding, ...]


def build_minutes_path(symbol: str, session: date) -> str:
    """Build the path of a session's minutes.

    An index is addressed by its `I:` ticker; its plain symbol gives an empty 200.
    """
    return f"/v2/aggs/ticker/{to_ticker(symbol)}/range/1/minute/{session}/{session}"


def fetch_minutes(api: VendorApi, symbol: str, *, now: datetime, tolerance: timedelta = CLOCK_TOLERANCE) -> MinuteFetch:
    """Fetch the minutes of `symbol` (or a ticker) that were over at `now` minus `tolerance`, of the session of `now`.

    `now` is the time before the request, so that the response contains every minute that was over then. No rows is a valid
    result: before the first trade, or for a halted or unknown symbol.

    Raises `ApiError`s for a response that cannot be fetched, read or trusted, and `ValueError` for a day without a session.
    """
    session = now.astimezone(NEW_YORK).date()
    if not is_session(session):
        raise ValueError(f"{session} is no exchange session: it has no minutes")
    ticker, path = to_ticker(symbol), build_minutes_path(symbol, session)
    place = ObjectPlace(DATASET, session, canonicalize_symbol(symbol))
    params: dict[str, str | int] = {"adjusted": "false", "sort": "asc", "limit": PAGE_SIZE}
    # The cursor's page has its first millisecond in the path instead of the day, and forgets that prices are unadjusted.
    following = re.compile(rf"/v2/aggs/ticker/{re.escape(ticker)}/range/1/minute/[0-9-]+/[0-9-]+")
    rows: list[_Row] = []
    asked_at, pages, is_delayed = now, 0, False
    answer = api.fetch_pages(
        path, params, place, next_path=following, repeated=("adjusted",), deadline_seconds=DEADLINE_SECONDS
    )
    for page in answer:
        _require_requested_range(page, ticker, place)
        rows += _read_rows(page.results, place)
        asked_at = max(asked_at, page.fetched_at)
        pages, is_delayed = pages + 1, is_delayed or page.is_delayed
    aside = SetAside()
    sound = _keep_sound(_build_frame(rows, ticker, place), ticker, session, asked_at + tolerance, aside)
    ordered, stated = sort_by_key(sound, place, aside)
    findings = (*aside.findings(place, _CURE), *stated)
    if aside.rows > max(MOST_BAD_ROWS, MOST_BAD_SHARE * len(rows)):
        raise ApiResponseError(*findings)
    finished = ordered.filter(_is_over(now, tolerance, is_delayed=is_delayed)).select(MINUTES.names())
    return MinuteFetch(
        symbol=canonicalize_symbol(symbol),
        ticker=ticker,
        minutes=finished,
        forming=ordered.height - finished.height,
        pages=pages,
        is_delayed=is_delayed,
        findings=findings,
    )


def _require_requested_range(page: Page, ticker: str, place: ObjectPlace) -> None:
    stated = page.about.get("ticker", ticker)
    if stated != ticker:
        raise _build_malformed_error(f"the answer is about {str(stated)[:20]!r}, not {ticker!r}.", place)
    if page.results and not is_index(ticker) and page.about.get("adjusted") is not False:
        raise _build_malformed_error("the prices are not said to be unadjusted, as was asked.", place)


def _read_rows(results: Sequence[Any], place: ObjectPlace) -> list[_Row]:
    try:
        return _ROWS.validate_python(list(results))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        fields = sorted({f"{'.'.join(str(part) for part in e['loc'][1:]) or 'row'}: {e['type']}" for e in wrong})
        raise ApiResponseError(
            place.error(
                Rule.RESPONSE_MALFORMED,
                f"minutes do not read as the service promises ({'; '.join(fields[:5])}).",
                "Compare with the vendor's changelog; the reader has to follow. Nothing was taken.",
                rows=len({e["loc"][0] for e in wrong}),
                first_row=min(int(e["loc"][0]) for e in wrong) + 1,
            )
        ) from None


def _build_frame(rows: Sequence[_Row], ticker: str, place: ObjectPlace) -> pl.DataFrame:
    """Rows as `MINUTES` with `row`, the 1-based number in the response."""
    has_volume = not is_index(ticker)
    if has_volume and any("v" not in row for row in rows):
        raise _build_malformed_error("minutes of a stock come without a volume (v).", place)
    frame = pl.DataFrame(
        {
            "ticker": [ticker] * len(rows),
            "volume": [row.get("v") if has_volume else None for row in rows],
            "open": [row["o"] for row in rows],
            "close": [row["c"] for row in rows],
            "high": [row["h"] for row in rows],
            "low": [row["l"] for row in rows],
            "window_start": [row["t"] * 1_000_000 for row in rows],
            "transactions": [row.get("n") if has_volume else None for row in rows],
        },
        schema=MINUTES,
    )
    return frame.with_row_index("row", 1).with_columns(pl.col("row").cast(pl.Int64))


def _keep_sound(frame: pl.DataFrame, ticker: str, session: date, latest: datetime, aside: SetAside) -> pl.DataFrame:
    asset_class = AssetClass.INDEX if is_index(ticker) else AssetClass.STOCK
    begins = pl.col("window_start")
    of_minutes = pl.coalesce(
        pl.when(begins % NANOSECONDS_PER_MINUTE != 0).then(pl.lit(Rule.TIME_NOT_ON_MINUTE.value)),
        pl.when(begins > to_ns(latest)).then(pl.lit(Rule.TIME_AHEAD_OF_CLOCK.value)),
    )
    return split_by(split_broken(frame, asset_class, session, aside), of_minutes, aside)


def _is_over(now: datetime, tolerance: timedelta, *, is_delayed: bool) -> pl.Expr:
    """Whether a row's minute can no longer change, for rows in order of time.

    Decided by our clock. The newest row of a delayed plan is decided by a clock 15 minutes behind, on which that minute may
    still be forming. A plan whose newest row begins just then counts as delayed, whatever its response says.
    """
    begins, ends = pl.col("window_start"), pl.col("window_start") + NANOSECONDS_PER_MINUTE
    is_newest = begins == begins.max()
    may_form_behind = ends > to_ns(now - PLAN_DELAY - DELAY_TOLERANCE)
    looks_delayed = begins <= to_ns(now - PLAN_DELAY + DELAY_TOLERANCE)
    in_doubt = is_newest & may_form_behind & (pl.lit(is_delayed) | looks_delayed)
    return (ends <= to_ns(now - tolerance)) & ~in_doubt


def _build_malformed_error(detail: str, place: ObjectPlace) -> ApiResponseError:
    return ApiResponseError(
        place.error(Rule.RESPONSE_MALFORMED, detail, "Compare with the vendor's documentation. Nothing was taken.")
    )
