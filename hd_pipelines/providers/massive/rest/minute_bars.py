"""The vendor's one-minute aggregates of the running session: one ticker, from midnight to now.

Belongs here: the wire form of `/v2/aggs/ticker/{ticker}/range/1/minute/{from}/{to}` and its way into the columns of a
minute file, so that bars are derived from both alike. Rows keep the rules of the files (`bar_rules`) and two of their own:
a minute begins on a whole minute, and not later than now. The minute that is still forming comes with what it has so far;
it is left out, and taken when it is over, on the clock of the plan. Prices are asked for unadjusted, as the files have them.
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
from hd_pipelines.market.live_times import PLAN_DELAY
from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, NEW_YORK, is_session
from hd_pipelines.market.symbols import canonical_symbol, is_index, ticker_of
from hd_pipelines.providers.errors import ApiResponseError, ObjectPlace
from hd_pipelines.providers.massive.bar_order import sort_by_key
from hd_pipelines.providers.massive.bar_rules import SetAside, split_broken, split_by
from hd_pipelines.providers.massive.flat_files.layout import AssetClass
from hd_pipelines.providers.massive.rest.answers import Page
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.tables.vocabulary import Rule

DATASET = "live_bars"
PAGE_SIZE = 50_000
"""The most the service gives at once. A day has 1,440 minutes: one page."""
CLOCK_TOLERANCE = timedelta(seconds=2)
"""How far our clock may be from the vendor's, and how long after its end a minute may still grow."""
DELAY_TOLERANCE = timedelta(seconds=30)
"""How far a delayed plan may be from being 15 minutes behind."""
DEADLINE_SECONDS = 40.0
"""For one ticker, waits included: the next minute asks again."""
MOST_BAD_ROWS, MOST_BAD_SHARE = 5, 0.01
"""Beyond both the answer is refused: it is not these rows that are wrong."""
_CURE = "The rows were set aside, the others are used; the session is asked for again at the next minute."
_LATEST_MS = 10**13

_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Count = Annotated[int, Field(strict=True)]
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
    """One ticker's finished minutes of a session, and how they came.

    `minutes`: columns `MINUTES`, ascending, extended hours included. `forming`: rows left out because their minute was not
    over. `is_delayed`: the service called its answer delayed. `findings`: rows that were set aside or put in order.
    """

    symbol: str
    ticker: str
    minutes: pl.DataFrame
    forming: int
    pages: int
    is_delayed: bool
    findings: tuple[Finding, ...]


def minutes_path(symbol: str, session: date) -> str:
    """Path of a session's minutes; an index goes by its `I:` ticker, its plain symbol would be an empty 200."""
    return f"/v2/aggs/ticker/{ticker_of(symbol)}/range/1/minute/{session}/{session}"


def fetch_minutes(api: VendorApi, symbol: str, *, now: datetime, tolerance: timedelta = CLOCK_TOLERANCE) -> MinuteFetch:
    """The minutes of `symbol` (or a ticker) that were over at `now` less `tolerance`, of the session that `now` is in.

    `now` is the clock from before the request, so an answer knows every minute that was over then. No rows is an answer:
    before the first trade, of a halted or of an unknown symbol.

    Raises `ApiError`s for an answer that cannot be had, read or believed, `ValueError` for a day without a session.
    """
    session = now.astimezone(NEW_YORK).date()
    if not is_session(session):
        raise ValueError(f"{session} is no exchange session: it has no minutes")
    ticker, path = ticker_of(symbol), minutes_path(symbol, session)
    place = ObjectPlace(DATASET, session, canonical_symbol(symbol))
    params: dict[str, str | int] = {"adjusted": "false", "sort": "asc", "limit": PAGE_SIZE}
    # The cursor's page has its first millisecond in the path instead of the day, and forgets that prices are unadjusted.
    following = re.compile(rf"/v2/aggs/ticker/{re.escape(ticker)}/range/1/minute/[0-9-]+/[0-9-]+")
    rows: list[_Row] = []
    asked_at, pages, is_delayed = now, 0, False
    answer = api.pages(
        path, params, place, next_path=following, repeated=("adjusted",), deadline_seconds=DEADLINE_SECONDS
    )
    for page in answer:
        _expect_what_was_asked(page, ticker, place)
        rows += _read_rows(page.results, place)
        asked_at = max(asked_at, page.fetched_at)
        pages, is_delayed = pages + 1, is_delayed or page.is_delayed
    aside = SetAside()
    sound = _sound(_frame(rows, ticker, place), ticker, session, asked_at + tolerance, aside)
    ordered, told = sort_by_key(sound, place, aside)
    findings = (*aside.findings(place, _CURE), *told)
    if aside.rows > max(MOST_BAD_ROWS, MOST_BAD_SHARE * len(rows)):
        raise ApiResponseError(*findings)
    finished = ordered.filter(_is_over(now, tolerance, is_delayed=is_delayed)).select(MINUTES.names())
    return MinuteFetch(
        symbol=canonical_symbol(symbol),
        ticker=ticker,
        minutes=finished,
        forming=ordered.height - finished.height,
        pages=pages,
        is_delayed=is_delayed,
        findings=findings,
    )


def _expect_what_was_asked(page: Page, ticker: str, place: ObjectPlace) -> None:
    told = page.about.get("ticker", ticker)
    if told != ticker:
        raise _malformed(f"the answer is about {str(told)[:20]!r}, not {ticker!r}.", place)
    if page.results and not is_index(ticker) and page.about.get("adjusted") is not False:
        raise _malformed("the prices are not said to be unadjusted, as was asked.", place)


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


def _frame(rows: Sequence[_Row], ticker: str, place: ObjectPlace) -> pl.DataFrame:
    """Rows as `MINUTES` with `row`, the 1-based number in the answer."""
    has_volume = not is_index(ticker)
    if has_volume and any("v" not in row for row in rows):
        raise _malformed("minutes of a stock come without a volume (v).", place)
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


def _sound(frame: pl.DataFrame, ticker: str, session: date, latest: datetime, aside: SetAside) -> pl.DataFrame:
    asset_class = AssetClass.INDEX if is_index(ticker) else AssetClass.STOCK
    begins = pl.col("window_start")
    of_minutes = pl.coalesce(
        pl.when(begins % NANOSECONDS_PER_MINUTE != 0).then(pl.lit(Rule.TIME_NOT_ON_MINUTE.value)),
        pl.when(begins > _ns(latest)).then(pl.lit(Rule.TIME_AHEAD_OF_CLOCK.value)),
    )
    return split_by(split_broken(frame, asset_class, session, aside), of_minutes, aside)


def _is_over(now: datetime, tolerance: timedelta, *, is_delayed: bool) -> pl.Expr:
    """Whether a row's minute can no longer grow, of rows in order of time.

    By our clock; and the newest row of a delayed plan by a clock a quarter of an hour behind, on which that minute may be
    forming still. A plan whose newest row begins just then is taken for delayed, whatever its answer says.
    """
    begins, ends = pl.col("window_start"), pl.col("window_start") + NANOSECONDS_PER_MINUTE
    is_newest = begins == begins.max()
    may_form_behind = ends > _ns(now - PLAN_DELAY - DELAY_TOLERANCE)
    looks_delayed = begins <= _ns(now - PLAN_DELAY + DELAY_TOLERANCE)
    in_doubt = is_newest & may_form_behind & (pl.lit(is_delayed) | looks_delayed)
    return (ends <= _ns(now - tolerance)) & ~in_doubt


def _ns(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1_000


def _malformed(detail: str, place: ObjectPlace) -> ApiResponseError:
    return ApiResponseError(
        place.error(Rule.RESPONSE_MALFORMED, detail, "Compare with the vendor's documentation. Nothing was taken.")
    )
