"""Decides by its spelling whether a ticker of the full-market file is a stock.

The day file lists 12,000 tickers of every kind and no type column. The spelling reveals preferred shares (`BACpL`),
warrants, units, rights and when-issued lines (`AACT.WS`, `AACT.U`, `XYZr`, `XYZw`), Nasdaq's fifth letter (W, R, U; M, N,
O, P for preferreds) and the exchanges' test symbols. It does not reveal funds, of which `funds` lists the most traded,
closed-end funds, notes and ADRs; for those the caller passes the vendor's list of common stocks. Sources: Nasdaq, "Fifth
Character Symbol Suffixes"; CTA and UTP test symbols.
"""

from __future__ import annotations

import polars as pl

from hd_pipelines.analytics.regime.funds import FUNDS

NOT_COMMON_PATTERN = r"[a-z/]|\.(?:W|WS|U|UN|R|RT|WI|PR)\b|^[A-Z]{4}[WRUMNOP]$"
TEST_PATTERN = (
    r"^(?:Z[A-Z]ZZT|Z[BCEIJKVWX]ZX?T?|[ACMNPZ]TEST|[ACMNPZ]TST|ZEXIT|ZIEXT|ZXIET|NTEST\..*|CBO|CBX|IGZ|ZTST)$"
)


def is_stock(ticker: pl.Expr) -> pl.Expr:
    """Whether the spelling is that of a company's share: no listed fund, no other security, no test symbol."""
    return ~(
        ticker.str.contains(NOT_COMMON_PATTERN)
        | ticker.str.contains(TEST_PATTERN)
        | ticker.is_in(sorted(FUNDS))
        | ticker.str.starts_with("I:")
    )
