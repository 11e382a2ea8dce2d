"""Classify a symbol as index, ETF or stock.

Indices are recognized by ticker and ETFs by the list of funds; every other symbol is a stock.
"""

from __future__ import annotations

from hd_pipelines.analytics.regime.funds import FUNDS
from hd_pipelines.market.symbols import is_index
from hd_pipelines.tables.vocabulary import AssetClass


def classify_symbol(symbol: str) -> AssetClass:
    """Return INDEX, EQUITY_ETF or STOCK."""
    if is_index(symbol):
        return AssetClass.INDEX
    return AssetClass.EQUITY_ETF if symbol in FUNDS else AssetClass.STOCK
