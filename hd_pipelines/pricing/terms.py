"""Terms of the expirations in a chain: when each settles, how it is exercised, and which ones cannot be valued.

Belongs here: everything that is the same for all strikes of one root and expiration in one snapshot. Not here: prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import polars as pl

from hd_pipelines.market.option_products import OptionProduct, product_of_root
from hd_pipelines.market.sessions import NEW_YORK, is_session
from hd_pipelines.market.symbols import canonical_symbol, is_index
from hd_pipelines.market.vocabulary import ExerciseStyle
from hd_pipelines.pricing.settlement import settlements, years_between

_OPTIONS_ON_FUTURES = frozenset({"I:VIX"})
EXPIRATION_KEY = ["underlying", "snapshot_at", "root", "expiration"]


class TermsReason(StrEnum):
    """Why nothing of a root and expiration can be valued; goes into `iv_reason`."""

    NO_SESSION = "no_session"
    """The snapshot is dated on a day without a session: its quotes are those of the session before, or of nobody."""

    NO_TIME_LEFT = "no_time_left"
    """The settlement instant is now or over."""

    ADJUSTED_DELIVERABLE = "adjusted_deliverable"
    """OCC changed what the root delivers; a share count alone does not say what cash or other shares go with it."""

    FLEX_TERMS = "flex_terms"
    """FLEX series choose their own exercise and settlement; the root does not tell."""

    UNKNOWN_ROOT = "unknown_root"
    """A root on an index whose settlement this project does not know (`market.option_products`)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`contracts` with an integer column `expiry`; `expirations` one row each, in the order of `expiry`.

    Columns of `expirations`: `expiry`, `snapshot` (integer key of underlying and instant), those of `EXPIRATION_KEY`,
    `symbol`, `session`, `settles_at`, `years`, `spot`, `is_european`, `is_tied_to_spot`, `terms_reason`.
    """

    contracts: pl.DataFrame
    expirations: pl.DataFrame


def read_terms(contracts: pl.DataFrame) -> Terms:
    """Terms of all expirations in `contracts`: `EXPIRATION_KEY`, `exercise_style` (may be null), `underlying_price`.

    Exercise is what the source says, else what the root is known for. `spot` is the first price of the underlying that
    the snapshot gives; null if it gives none that is positive.
    """
    found = (
        contracts.group_by(EXPIRATION_KEY, maintain_order=True)
        .agg(
            pl.col("exercise_style").first(ignore_nulls=True),
            pl.col("underlying_price").filter(pl.col("underlying_price") > 0).first().alias("spot"),
        )
        .with_row_index("expiry")
        .with_columns(
            pl.col("expiry").cast(pl.Int64),
            snapshot=pl.struct("underlying", "snapshot_at").rank("dense").cast(pl.Int64),
        )
    )
    found = found.with_columns(pl.col("spot").first(ignore_nulls=True).over("snapshot"))
    days = found.select(pl.col("snapshot_at").unique()).with_columns(
        session=pl.col("snapshot_at").dt.convert_time_zone(str(NEW_YORK)).dt.date()
    )
    names = found.select(pl.col("underlying").unique())
    symbols = names.with_columns(
        symbol=pl.Series([canonical_symbol(name) for name in names["underlying"]], dtype=pl.String)
    )
    instants = settlements(found.select("root", "expiration").unique(maintain_order=True))
    expirations = (
        found.join(days, on="snapshot_at", maintain_order="left")
        .join(symbols, on="underlying", maintain_order="left")
        .join(instants, on=["root", "expiration"], maintain_order="left")
        .with_columns(years=years_between(pl.col("snapshot_at"), pl.col("settles_at")))
    )
    expirations = expirations.with_columns(_by_root(expirations)).sort("expiry")
    key = expirations.select(*EXPIRATION_KEY, "expiry")
    return Terms(contracts.join(key, on=EXPIRATION_KEY, maintain_order="left"), expirations)


def _by_root(expirations: pl.DataFrame) -> list[pl.Series]:
    styles, tied, reasons = [], [], []
    rows = expirations.select("root", "underlying", "exercise_style", "session", "years")
    for root, underlying, style, session, years in rows.iter_rows():
        product = product_of_root(root)
        styles.append((style or product.exercise_style.value) == ExerciseStyle.EUROPEAN.value)
        tied.append(underlying not in _OPTIONS_ON_FUTURES)
        reasons.append(_reason(product, underlying, session, years))
    return [
        pl.Series("is_european", styles, dtype=pl.Boolean),
        pl.Series("is_tied_to_spot", tied, dtype=pl.Boolean),
        pl.Series("terms_reason", reasons, dtype=pl.String),
    ]


def _reason(product: OptionProduct, underlying: str, session: date, years: float) -> str | None:
    conditions = {
        TermsReason.NO_SESSION: not is_session(session),
        TermsReason.FLEX_TERMS: product.is_flex,
        TermsReason.ADJUSTED_DELIVERABLE: product.is_adjusted,
        TermsReason.UNKNOWN_ROOT: is_index(underlying) and product.underlying != underlying,
        TermsReason.NO_TIME_LEFT: years <= 0,
    }
    return next((reason.value for reason, holds in conditions.items() if holds), None)
