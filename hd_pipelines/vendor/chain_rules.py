"""What a row of an option chain must satisfy, wherever the chain came from.

Belongs here: rules of single contracts, vectorised, as findings. Rows that break one are set aside and told; a chain of
which too many rows are bad is refused. Whether the chain as a whole is complete or stale: `market.chain_coverage`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from hd_pipelines.market.findings import Finding, Rule
from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.market.option_products import product_of_root
from hd_pipelines.market.symbols import OPTION_TICKER_PATTERN
from hd_pipelines.market.vocabulary import OptionType
from hd_pipelines.vendor.errors import FileRefusedError, ObjectPlace

MOST_SET_ASIDE = 0.10
"""A chain of which more is unusable is refused: what is left would be no picture of the market."""
CHAIN_SCHEMA: dict[str, Any] = dict(CHAIN)
_PRICES = ("strike", "bid", "ask", "last", "underlying_price")
_COUNTS = ("bid_size", "ask_size", "volume", "open_interest")
_CURE = "The row was set aside; report ticker and time to whoever delivered the chain."


@dataclass(frozen=True, slots=True)
class JudgedChain:
    """`chain` is `CHAIN`, sorted by ticker, each contract once. `rows_set_aside` were bad or repeated."""

    chain: pl.DataFrame
    rows_set_aside: int
    findings: tuple[Finding, ...]


def judge_chain(rows: pl.DataFrame, place: ObjectPlace, session: date) -> JudgedChain:
    """Set bad rows of one snapshot aside and keep every contract once: that with the newest quote.

    `rows` has the columns and types of `CHAIN` in any order of rows. A vendor IV that is not positive becomes null, and so
    does an offer of 0, which nobody makes. Raises `FileRefusedError` if no row is left or more than 10 % are bad.
    """
    if rows.is_empty():
        raise FileRefusedError(place.error(Rule.NO_ROWS, "the chain has no contract.", "Look at the source."))
    broken = rows.with_columns(_broken_rule(session).alias("rule")).with_row_index("row", offset=1)
    findings = [
        place.error(Rule(rule), f"{_MEANING[Rule(rule)]}, first {ticker!r}.", _CURE, rows=count, first_row=first)
        for rule, ticker, count, first in broken.drop_nulls("rule")
        .group_by("rule", maintain_order=True)
        .agg(pl.first("ticker"), pl.len(), pl.first("row").alias("first"))
        .rows()
    ]
    good = rows.filter(broken["rule"].is_null())
    bad = rows.height - good.height
    if good.is_empty() or bad > max(5, MOST_SET_ASIDE * rows.height):
        raise FileRefusedError(*findings)
    once = good.sort("ticker", "quote_at", nulls_last=False, maintain_order=True).unique(
        "ticker", keep="last", maintain_order=True
    )
    if repeated := good.height - once.height:
        first = good.filter(pl.col("ticker").is_duplicated())["ticker"][0]
        findings.append(
            place.warning(
                Rule.CONTRACT_DUPLICATED,
                f"{repeated} rows repeat a contract, first {first!r}; the newest quote of each was kept.",
                "Nothing if the chain moved while it was paged through; otherwise report it.",
                rows=repeated,
            )
        )
    findings += _adjusted(once, place)
    ask = pl.when(pl.col("ask") > 0).then(pl.col("ask"))
    # No offer at all: a bid of 0 beside it is no quote either, and a bid of 0 under an offer is a real one.
    bid = pl.when(pl.col("ask") > 0).then(pl.col("bid")).otherwise(pl.when(pl.col("bid") > 0).then(pl.col("bid")))
    vendor_iv = pl.when(pl.col("vendor_iv").is_finite() & (pl.col("vendor_iv") > 0)).then(pl.col("vendor_iv"))
    chain = once.with_columns(ask=ask, bid=bid, vendor_iv=vendor_iv).select(list(CHAIN_SCHEMA))
    return JudgedChain(chain, bad + repeated, tuple(findings))


_MEANING = {
    Rule.TICKER_MALFORMED: "not an OCC option ticker",
    Rule.CONTRACT_CONTRADICTORY: "root, expiration, right or strike differ from what the ticker says",
    Rule.CONTRACT_EXPIRED: "the contract expired before the session",
    Rule.PRICE_NOT_FINITE: "a price is NaN or infinite",
    Rule.PRICE_NOT_POSITIVE: "a price is negative, or strike or underlying price is zero",
    Rule.VOLUME_NEGATIVE: "a size, volume or open interest is negative",
}


def _broken_rule(session: date) -> pl.Expr:
    """Name of the first rule that a row breaks, or null."""
    ticker = pl.col("ticker")
    rights = {OptionType.CALL.value: "C", OptionType.PUT.value: "P"}
    right = pl.col("option_type").replace_strict(rights, default=None, return_dtype=pl.String)
    told = pl.concat_str(
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
        pl.when((told != ticker).fill_null(value=True)).then(pl.lit(Rule.CONTRACT_CONTRADICTORY.value)),
        pl.when(pl.col("expiration") < session).then(pl.lit(Rule.CONTRACT_EXPIRED.value)),
    )


def _adjusted(chain: pl.DataFrame, place: ObjectPlace) -> list[Finding]:
    roots = chain.group_by("root").len().sort("root").rows()
    adjusted = [(root, count) for root, count in roots if product_of_root(root).is_adjusted]
    if not adjusted:
        return []
    names = ", ".join(root for root, _ in adjusted)
    return [
        place.warning(
            Rule.CONTRACT_ADJUSTED,
            f"contracts under {names} deliver something else than 100 shares; nothing is assumed about their value.",
            "Nothing: they are kept and left out of volatility and gamma. OCC's memo tells the deliverable.",
            rows=sum(count for _, count in adjusted),
        )
    ]


def standard_terms(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `exercise_style` and `shares_per_contract` by root for a source that does not tell them.

    100 shares for a standard root; null for an adjusted or FLEX one, whose deliverable stands in OCC's memo only.
    """
    roots = [root for root in rows["root"].unique().to_list() if root]
    products = {root: product_of_root(root) for root in roots if not root.isdigit()}
    terms = pl.DataFrame(
        {
            "root": list(products),
            "exercise_style": [product.exercise_style.value for product in products.values()],
            "shares_per_contract": [100.0 if product.is_standard else None for product in products.values()],
        },
        schema={"root": pl.String, "exercise_style": pl.String, "shares_per_contract": pl.Float64},
    )
    return rows.join(terms, on="root", how="left", maintain_order="left")
