"""Validates the rows of an option chain, wherever the chain came from.

Vectorised rules of single contracts, with findings as the result. Rows that break a rule are set aside and reported; a
chain with too many bad rows is refused. Whether a chain as a whole is complete or stale is checked in
`market.chain_coverage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl

from hd_pipelines.market.findings import Finding
from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.market.option_products import find_product
from hd_pipelines.market.symbols import OPTION_TICKER_PATTERN, to_symbol
from hd_pipelines.providers.errors import FileRefusedError, ObjectPlace
from hd_pipelines.tables.vocabulary import OptionType, Rule

MOST_SET_ASIDE = 0.10
"""A chain with a larger share of unusable rows is refused, because the rest would not represent the market."""
CHAIN_SCHEMA: dict[str, Any] = dict(CHAIN)
_PRICES = ("strike", "bid", "ask", "last", "underlying_price")
_COUNTS = ("bid_size", "ask_size", "volume", "open_interest")
_CURE = "The row was set aside; report ticker and time to whoever delivered the chain."


@dataclass(frozen=True, slots=True)
class ValidatedChain:
    """`chain` is `CHAIN`, sorted by ticker, each contract once. `rows_set_aside` were bad or repeated."""

    chain: pl.DataFrame
    rows_set_aside: int
    findings: tuple[Finding, ...]


def validate_chain(rows: pl.DataFrame, place: ObjectPlace, session: date) -> ValidatedChain:
    """Set bad rows of one snapshot aside and keep each contract once, with the newest quote.

    `rows` has the columns and types of `CHAIN`, in any order of rows. A vendor IV that is not positive becomes null, and so
    does an ask of 0, which is not an offer. Raises `FileRefusedError` if no row is left or more than 10 % are bad.
    """
    if rows.is_empty():
        raise FileRefusedError(place.error(Rule.NO_ROWS, "the chain has no contract.", "Look at the source."))
    rules = rows.with_columns(pl.lit(session).alias("session")).select(_BROKEN_RULE.alias("rule"), pl.col("ticker"))
    bad = rows.height - rules["rule"].null_count()
    findings = _describe_set_aside(rules, place) if bad else []
    good = rows.filter(rules["rule"].is_null()) if bad else rows
    if good.is_empty() or bad > max(5, MOST_SET_ASIDE * rows.height):
        raise FileRefusedError(*findings)
    repeated = good.height - good["ticker"].n_unique()
    if repeated:
        findings.append(_describe_repeated(good, repeated, place))
        good = good.sort("ticker", "quote_at", nulls_last=False, maintain_order=True)
        good = good.unique("ticker", keep="last", maintain_order=True)
    findings += _describe_adjusted(good, place)
    return ValidatedChain(good.sort("ticker").select(_convert_columns()), bad + repeated, tuple(findings))


def validate_chains(rows: pl.DataFrame, places: Sequence[ObjectPlace]) -> dict[int, ValidatedChain | FileRefusedError]:
    """Validate many snapshots as `validate_chain` does, by position in `places`; sound ones cost one pass over all rows.

    `rows` has the columns and types of `CHAIN`, `session`, and `place`, the position in `places` of the row's snapshot,
    ascending.
    """
    is_bad = rows.select(_BROKEN_RULE.is_not_null()).to_series()
    unsound = rows["place"].filter(is_bad).unique()
    sound = rows.filter(~pl.col("place").is_in(unsound.implode())) if unsound.len() else rows
    if not sound.select(_IN_ORDER).item():
        sound = sound.sort("place", "ticker")
        repeated = sound["place"].filter(sound.select(~_FOLLOWS).to_series()).unique()
        unsound = unsound.append(repeated)
        sound = sound.filter(~pl.col("place").is_in(repeated.implode()))
    validated: dict[int, ValidatedChain | FileRefusedError] = {}
    for position in unsound.to_list():
        place = places[position]
        one = rows.filter(pl.col("place") == position)
        try:
            validated[position] = validate_chain(one, place, one["session"][0])
        except FileRefusedError as refusal:
            validated[position] = refusal
    adjusted = set(sound["place"].filter(sound["root"].is_in(_list_adjusted_roots(sound))).unique())
    chain, start = sound.select(_convert_columns()), 0
    for height, position in sound["place"].rle().struct.unnest().iter_rows():
        one = chain.slice(start, height)
        findings = _describe_adjusted(one, places[position]) if position in adjusted else []
        validated[position] = ValidatedChain(one, 0, tuple(findings))
        start += height
    return validated


_FOLLOWS = ((pl.col("place") != pl.col("place").shift()) | (pl.col("ticker") > pl.col("ticker").shift())).fill_null(
    value=True
)
"""Whether a row is the first of its snapshot or follows the one before it by ticker."""
_IN_ORDER = _FOLLOWS.all()


_ASK, _BID, _VENDOR_IV = pl.col("ask"), pl.col("bid"), pl.col("vendor_iv")
_READ_AS: dict[str, pl.Expr] = {
    "ask": pl.when(_ASK > 0).then(_ASK),
    # No offer at all. A bid of 0 without an offer is no quote either; a bid of 0 below an offer is a real one.
    "bid": pl.when((_ASK > 0) | (_BID > 0)).then(_BID),
    "vendor_iv": pl.when(_VENDOR_IV.is_finite() & (_VENDOR_IV > 0)).then(_VENDOR_IV),
}


def _convert_columns() -> list[pl.Expr]:
    return [_READ_AS.get(name, pl.col(name)) for name in CHAIN_SCHEMA]


_MEANING = {
    Rule.TICKER_MALFORMED: "not an OCC option ticker",
    Rule.CONTRACT_CONTRADICTORY: "root, expiration, right or strike differ from what the ticker says",
    Rule.CONTRACT_EXPIRED: "the contract expired before the session",
    Rule.PRICE_NOT_FINITE: "a price is NaN or infinite",
    Rule.PRICE_NOT_POSITIVE: "a price is negative, or strike or underlying price is zero",
    Rule.VOLUME_NEGATIVE: "a size, volume or open interest is negative",
}


def _describe_set_aside(rules: pl.DataFrame, place: ObjectPlace) -> list[Finding]:
    """Build one finding per broken rule. `rules`: `rule` (null for a good row) and `ticker` of every row."""
    groups = (
        rules.with_row_index("row", offset=1)
        .drop_nulls("rule")
        .group_by("rule", maintain_order=True)
        .agg(pl.first("ticker"), pl.len(), pl.first("row").alias("first"))
    )
    return [
        place.error(Rule(rule), f"{_MEANING[Rule(rule)]}, first {ticker!r}.", _CURE, rows=count, first_row=first)
        for rule, ticker, count, first in groups.iter_rows()
    ]


def _describe_repeated(rows: pl.DataFrame, repeated: int, place: ObjectPlace) -> Finding:
    first = rows.filter(pl.col("ticker").is_duplicated())["ticker"][0]
    return place.warning(
        Rule.CONTRACT_DUPLICATED,
        f"{repeated} rows repeat a contract, first {first!r}; the newest quote of each was kept.",
        "Nothing if the chain moved while it was paged through; otherwise report it.",
        rows=repeated,
    )


def _find_broken_rule() -> pl.Expr:
    """Name the first rule that a row breaks in its `session`, or null."""
    ticker = pl.col("ticker")
    rights = {OptionType.CALL.value: "C", OptionType.PUT.value: "P"}
    right = pl.col("option_type").replace_strict(rights, default=None, return_dtype=pl.String)
    spelled = pl.concat_str(
        pl.lit("O:"),
        pl.col("root"),
        pl.col("expiration").dt.strftime("%y%m%d"),
        right,
        (pl.col("strike") * 1000).round().cast(pl.Int64, strict=False).cast(pl.String).str.zfill(8),
    )
    prices = [pl.col(name) for name in _PRICES]
    finite = pl.all_horizontal([(price.is_null() | price.is_finite()) for price in prices])
    positive = pl.all_horizontal(
        *[price.is_null() | (price >= 0) for price in prices],
        pl.col("strike") > 0,
        pl.col("underlying_price").is_null() | (pl.col("underlying_price") > 0),
    )
    counts = pl.all_horizontal([pl.col(name).is_null() | (pl.col(name) >= 0) for name in _COUNTS])
    return pl.coalesce(
        pl.when(~ticker.str.contains(OPTION_TICKER_PATTERN).fill_null(value=False)).then(
            pl.lit(Rule.TICKER_MALFORMED.value)
        ),
        pl.when(~finite).then(pl.lit(Rule.PRICE_NOT_FINITE.value)),
        pl.when(~positive.fill_null(value=False)).then(pl.lit(Rule.PRICE_NOT_POSITIVE.value)),
        pl.when(~counts).then(pl.lit(Rule.VOLUME_NEGATIVE.value)),
        pl.when((spelled != ticker).fill_null(value=True)).then(pl.lit(Rule.CONTRACT_CONTRADICTORY.value)),
        pl.when(pl.col("expiration") < pl.col("session")).then(pl.lit(Rule.CONTRACT_EXPIRED.value)),
    )


_BROKEN_RULE = _find_broken_rule()


def _list_adjusted_roots(chain: pl.DataFrame) -> list[str]:
    return sorted(root for root in chain["root"].unique() if find_product(root).is_adjusted)


def _describe_adjusted(chain: pl.DataFrame, place: ObjectPlace) -> list[Finding]:
    adjusted = _list_adjusted_roots(chain)
    if not adjusted:
        return []
    spelled = place.warning(
        Rule.CONTRACT_ADJUSTED,
        f"contracts under {', '.join(adjusted)} deliver something else than 100 shares; no value is assumed for them.",
        "Nothing: they are kept and left out of volatility and gamma. OCC's memo tells the deliverable.",
        rows=int(chain["root"].is_in(adjusted).sum()),
    )
    return [replace(spelled, subject=to_symbol(chain["underlying"][0]))]


def build_standard_terms(roots: Iterable[str | None]) -> dict[str, pl.Expr]:
    """Build `exercise_style` and `shares_per_contract` from the column `root` with values `roots`, for sources without them.

    100 shares for a standard root; null for an adjusted or FLEX one, whose deliverable is stated only in OCC's memo.
    """
    products = {root: find_product(root) for root in roots if root and not root.isdigit()}
    styles = {root: product.exercise_style.value for root, product in products.items()}
    shares = {root: 100.0 for root, product in products.items() if product.is_standard}
    return {
        "exercise_style": pl.col("root").replace_strict(styles, default=None, return_dtype=pl.String),
        "shares_per_contract": pl.col("root").replace_strict(shares, default=None, return_dtype=pl.Float64),
    }
