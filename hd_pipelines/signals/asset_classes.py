"""What kind of underlying a symbol is.

Belongs here: the one classification that detectors and thresholds go by. Indices are known by their ticker, funds by the
list below; everything else that trades as a share is a stock.
"""

from __future__ import annotations

from hd_pipelines.analytics.regime.funds import FUNDS
from hd_pipelines.market.symbols import is_index
from hd_pipelines.tables.vocabulary import AssetClass


def classify_symbol(symbol: str) -> AssetClass:
    """INDEX, EQUITY_ETF or STOCK."""
    if is_index(symbol):
        return AssetClass.INDEX
    return AssetClass.EQUITY_ETF if symbol in FUNDS else AssetClass.STOCK
