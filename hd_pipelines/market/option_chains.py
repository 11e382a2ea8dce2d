"""Columns of an option chain and of a valued chain, as modules hand them to each other.

`providers` and `lake` produce chains and `pricing` values them; `warehouse` stores `VALUED` as `historical_greeks`.
"""

from hd_pipelines.market.frames import STAMP, build_frame_schema
from hd_pipelines.tables.chains import OPTION_CHAINS
from hd_pipelines.tables.greeks import HISTORICAL_GREEKS

__all__ = ["CHAIN", "STAMP", "VALUED"]

CHAIN = build_frame_schema(OPTION_CHAINS)
"""One contract in one snapshot. Key: `snapshot_at`, `ticker`. Sorted by underlying, snapshot_at, ticker."""

VALUED = build_frame_schema(HISTORICAL_GREEKS, without=("iv_rank", "iv_percentile"))
"""One valued contract. Key: `contract_ticker`, `timestamp`. Sorted by symbol, timestamp, contract_ticker."""
