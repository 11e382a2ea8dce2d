"""Fetches the vendor's option chain snapshot: all pages of one underlying as one chain.

Defines the wire form of a contract in `/v3/snapshot/options/{underlying}` and its conversion to `CHAIN`. The service omits
what it does not know: Greeks and IV of deep contracts, quotes of a plan without them, a day without trades. These become
null. A required field that is missing or has another type stops the snapshot, because it would otherwise look like absent
data. Pages arrive seconds apart and contain no common time, so a snapshot is stamped with the start of its fetching.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, Required

import polars as pl
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.market.sessions import NEW_YORK, is_session, list_last_sessions
from hd_pipelines.market.symbols import to_symbol, to_ticker
from hd_pipelines.providers.chain_rules import ValidatedChain, validate_chain
from hd_pipelines.providers.errors import ApiResponseError, ObjectPlace
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.tables.vocabulary import ExerciseStyle, PriceSource, Rule, SnapshotKind

DATASET = "option_chains"
PAGE_SIZE = 250
SNAPSHOT_VERSION = 1
"""Raised when the same pages would give a different chain."""
_ENOUGH_TO_EXPECT_OPEN_INTEREST = 20

_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Count = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-(2**53), le=2**53)]
"""Whole, but sent with a point by some plans; beyond 2^53 a float is not exact."""
_Nanoseconds = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
_OPTIONAL = ConfigDict(extra="ignore")


@with_config(ConfigDict(extra="forbid"))
class _Empty(TypedDict):
    """`{}`, which the service sends for something that never happened."""


@with_config(_OPTIONAL)
class _Details(TypedDict):
    contract_type: Literal["call", "put", "other"]
    exercise_style: Literal["american", "european", "bermudan"]
    expiration_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    shares_per_contract: _Number
    strike_price: _Number
    ticker: str


@with_config(_OPTIONAL)
class _Greeks(TypedDict, total=False):
    delta: _Number | None
    gamma: _Number | None
    theta: _Number | None
    vega: _Number | None


@with_config(_OPTIONAL)
class _Quote(TypedDict, total=False):
    bid: Required[_Number]
    ask: Required[_Number]
    bid_size: _Count | None
    ask_size: _Count | None
    last_updated: _Nanoseconds | None


@with_config(_OPTIONAL)
class _Trade(TypedDict):
    price: _Number


@with_config(_OPTIONAL)
class _Day(TypedDict, total=False):
    volume: _Count | None


@with_config(_OPTIONAL)
class _Underlying(TypedDict, total=False):
    ticker: Required[str]
    price: _Number | None
    value: _Number | None


@with_config(_OPTIONAL)
class _Contract(TypedDict):
    details: _Details
    underlying_asset: _Underlying
    day: NotRequired[_Day | None]
    greeks: NotRequired[_Greeks | None]
    implied_volatility: NotRequired[_Number | None]
    last_quote: NotRequired[_Empty | _Quote | None]
    last_trade: NotRequired[_Empty | _Trade | None]
    open_interest: NotRequired[_Count | None]


_CONTRACTS = TypeAdapter(list[_Contract])
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class ChainFetch:
    """A snapshot and how it was fetched. `skew_seconds`: from the start of the first page to that of the last.

    `sha256` is of all pages' bytes in order; `url` the first request, without a key. `is_delayed`: the plan's data is.
    """

    validated: ValidatedChain
    url: str
    sha256: str
    pages: int
    skew_seconds: float
    is_delayed: bool


def build_chain_path(underlying: str) -> str:
    """Build the path of a chain. `underlying`: symbol or ticker; an index is addressed by its `I:` ticker."""
    return f"/v3/snapshot/options/{to_ticker(underlying)}"


def fetch_chain(api: VendorApi, underlying: str, *, now: datetime, kind: SnapshotKind) -> ChainFetch:
    """Fetch the whole chain of `underlying` as `CHAIN`, stamped `now`, to the second.

    Raises `ApiError`s for pages that cannot be fetched or read, `FileRefusedError` for a chain without usable rows,
    `ValueError` for a day without a session.
    """
    session = now.astimezone(NEW_YORK).date()
    if not is_session(session):
        raise ValueError(f"{session} is no exchange session: there is no chain to take")
    path = build_chain_path(underlying)
    place = ObjectPlace(DATASET, session, path)
    digest = hashlib.sha256()
    contracts: list[_Contract] = []
    fetched: list[datetime] = []
    is_delayed = False
    for page in api.fetch_pages(path, {"limit": PAGE_SIZE, "order": "asc", "sort": "ticker"}, place):
        digest.update(page.body)
        contracts += read_contracts(page.results, place)
        fetched.append(page.fetched_at)
        is_delayed = is_delayed or page.is_delayed
    rows = to_chain_rows(contracts, to_ticker(underlying), now, kind, place)
    return ChainFetch(
        validated=validate_chain(rows, place, session),
        url=f"{api.url}{path}?limit={PAGE_SIZE}",
        sha256=digest.hexdigest(),
        pages=len(fetched),
        skew_seconds=(fetched[-1] - fetched[0]).total_seconds(),
        is_delayed=is_delayed,
    )


def read_contracts(results: Sequence[Any], place: ObjectPlace) -> list[_Contract]:
    """Read one page's contracts and check types. Raises `ApiResponseError` naming the fields, never their values."""
    try:
        return _CONTRACTS.validate_python(list(results))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        row = wrong[0]["loc"][0]
        there = sorted(results[row]) if isinstance(row, int) and isinstance(results[row], dict) else []
        fields = sorted({f"{'.'.join(str(part) for part in e['loc'][1:])}: {e['type']}" for e in wrong})
        raise ApiResponseError(
            place.error(
                Rule.RESPONSE_MALFORMED,
                f"contracts do not read as the service promises ({'; '.join(fields[:5])}); the first such has "
                f"{', '.join(map(str, there)) or 'no fields'}.",
                "Compare with the vendor's changelog; the reader has to follow. Nothing was taken.",
                rows=len({e["loc"][0] for e in wrong}),
            )
        ) from None


def to_chain_rows(
    contracts: Sequence[_Contract], underlying: str, now: datetime, kind: SnapshotKind, place: ObjectPlace
) -> pl.DataFrame:
    """Convert contracts to the columns of `CHAIN`, as sent and not yet validated. Raises `ApiResponseError`."""
    details = [contract["details"] for contract in contracts]
    quotes: list[Mapping[str, Any]] = [contract.get("last_quote") or _NOTHING for contract in contracts]
    greeks: list[Mapping[str, Any]] = [contract.get("greeks") or _NOTHING for contract in contracts]
    trades: list[Mapping[str, Any]] = [contract.get("last_trade") or _NOTHING for contract in contracts]
    days: list[Mapping[str, Any]] = [contract.get("day") or _NOTHING for contract in contracts]
    assets = [contract["underlying_asset"] for contract in contracts]
    _require_underlying({asset["ticker"] for asset in assets}, underlying, place)
    held = [contract.get("open_interest") for contract in contracts]
    if len(held) >= _ENOUGH_TO_EXPECT_OPEN_INTEREST and all(value is None for value in held):
        raise _build_malformed_error("no contract has an open_interest; every plan's answer has one.", place)
    tickers = pl.Series("ticker", [detail["ticker"] for detail in details], dtype=pl.String)
    raw = pl.DataFrame(
        {
            "ticker": tickers,
            "root": tickers.str.slice(2).str.head(-15),
            "expiration": pl.Series([detail["expiration_date"] for detail in details], dtype=pl.String),
            "option_type": pl.Series([detail["contract_type"] for detail in details], dtype=pl.String),
            "strike": _to_floats(detail["strike_price"] for detail in details),
            "exercise_style": pl.Series([detail["exercise_style"] for detail in details], dtype=pl.String),
            "shares_per_contract": _to_floats(detail["shares_per_contract"] for detail in details),
            "bid": _to_floats(quote.get("bid") for quote in quotes),
            "ask": _to_floats(quote.get("ask") for quote in quotes),
            "bid_size": _to_floats(quote.get("bid_size") for quote in quotes),
            "ask_size": _to_floats(quote.get("ask_size") for quote in quotes),
            "quote_at": pl.Series([quote.get("last_updated") for quote in quotes], dtype=pl.Int64),
            "last": _to_floats(trade.get("price") for trade in trades),
            "volume": _to_floats(day.get("volume") for day in days),
            "open_interest": _to_floats(held),
            "underlying_price": _to_floats(asset.get("price") or asset.get("value") for asset in assets),
            "vendor_iv": _to_floats(contract.get("implied_volatility") for contract in contracts),
            **{
                f"vendor_{name}": _to_floats(greek.get(name) for greek in greeks)
                for name in ("delta", "gamma", "theta", "vega")
            },
        }
    )
    counts = ("bid_size", "ask_size", "volume", "open_interest")
    broken = [name for name in counts if (raw[name] % 1 != 0).any()]
    if broken:
        raise _build_malformed_error(f"{', '.join(broken)} of an option is no whole number.", place)
    styles = {style.value: style.value for style in ExerciseStyle}
    session = now.astimezone(NEW_YORK).date()
    return raw.with_columns(
        pl.lit(underlying).alias("underlying"),
        pl.lit(now.replace(microsecond=0), dtype=STAMP).alias("snapshot_at"),
        pl.lit(kind.value).alias("kind"),
        pl.lit(PriceSource.CHAIN_SNAPSHOT.value).alias("source"),
        pl.col("expiration").str.to_date("%Y-%m-%d", strict=False),
        pl.col("exercise_style").replace_strict(styles, default=None),
        *(pl.col(name).cast(pl.Int64) for name in counts),
        pl.from_epoch("quote_at", time_unit="ns").dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
        pl.lit(list_last_sessions(session, 2)[0]).alias("open_interest_as_of"),
    )


def _to_floats(values: Iterable[float | None]) -> pl.Series:
    return pl.Series(list(values), dtype=pl.Float64, strict=False)


def _require_underlying(stated: set[str], wanted: str, place: ObjectPlace) -> None:
    if any(to_symbol(name) != to_symbol(wanted) for name in stated):
        raise _build_malformed_error(f"the contracts are on {', '.join(sorted(stated)[:3])}, not on {wanted}.", place)


def _build_malformed_error(detail: str, place: ObjectPlace) -> ApiResponseError:
    return ApiResponseError(
        place.error(Rule.RESPONSE_MALFORMED, detail, "Compare with the vendor's documentation. Nothing was taken.")
    )
