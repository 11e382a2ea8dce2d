"""Definitions of `gamma_by_strike` and `gamma_by_expiration`, whose rows belong to a row of `gamma_exposure_snapshots`."""

from hd_pipelines.tables.model import FINITE, FROM_ZERO, POSITIVE, Check, Column, Partitioning, Span, Table, Type
from hd_pipelines.tables.shared import CREATED_AT, UPDATED_AT, alike, same_day

_WRITTEN_BY = "`warehouse.publish.derived_rows.publish_rows`, in the transaction of their snapshot."
_SYMBOL = Column("symbol", Type.KEY_TEXT, "Plain symbol of the underlying.")
_TIMESTAMP = Column("timestamp", Type.INSTANT, "When the chain was read. The partition key.", source="snapshot")
_SESSION = Column("session", Type.DATE, "Exchange session; the UTC date of `timestamp`.")
_EXPOSURES = alike(
    Column("call_gex_usd_per_1pct", Type.NUMBER, "Gamma exposure of calls, rounded to a cent; 0 without calls."),
    Column(
        "put_gex_usd_per_1pct",
        Type.NUMBER,
        "Gamma exposure of puts, rounded to a cent; negative under the naive sign model, 0 without puts.",
    ),
    Column(
        "gex_usd_per_1pct", Type.NUMBER, "Net gamma exposure of both, rounded to a cent.", "USD of delta per 1 % move"
    ),
    unit="USD per 1 %",
    source="`analytics.gamma.sums`",
    bounds=FINITE,
    check="finite",
)
_PARTITIONING = Partitioning(by="timestamp", session="session", span=Span.MONTH)

GAMMA_BY_STRIKE = Table(
    name="gamma_by_strike",
    about="Dealer gamma, open interest and volume of one chain snapshot by strike, over all expirations.",
    grain="One row per symbol, chain snapshot and strike. Partitioned by month of `timestamp`, kept 90 days.",
    written_by=_WRITTEN_BY,
    key=("symbol", "timestamp", "strike"),
    columns=(
        _SYMBOL,
        _TIMESTAMP,
        Column(
            "strike", Type.PRICE, "Strike price.", "USD, index points for an index", source="chain", bounds=POSITIVE
        ),
        _SESSION,
        *alike(*_EXPOSURES, null="no contract of the strike could be valued"),
        *alike(
            Column("call_oi", Type.COUNT, "Open interest in calls."),
            Column("put_oi", Type.COUNT, "Open interest in puts."),
            Column("call_volume", Type.COUNT, "Calls traded in the session so far."),
            Column("put_volume", Type.COUNT, "Puts traded in the session so far."),
            unit="contracts",
            null="none known",
            source="chain",
            bounds=FROM_ZERO,
            check="counts",
        ),
        CREATED_AT,
        UPDATED_AT,
    ),
    checks=(
        Check("exposures", "num_nulls(call_gex_usd_per_1pct, put_gex_usd_per_1pct, gex_usd_per_1pct) IN (0, 3)"),
        same_day("timestamp", "session"),
        Check("symbol", "symbol <> ''"),
    ),
    partitioning=_PARTITIONING,
)

GAMMA_BY_EXPIRATION = Table(
    name="gamma_by_expiration",
    about="Dealer gamma of one chain snapshot by expiration, over all strikes.",
    grain="One row per symbol, chain snapshot and expiration with a contract that could be valued. Partitioned by month of "
    "`timestamp`, kept 90 days.",
    written_by=_WRITTEN_BY,
    key=("symbol", "timestamp", "expiration"),
    columns=(
        _SYMBOL,
        _TIMESTAMP,
        Column("expiration", Type.DATE, "Expiration date of the contracts.", "date", source="chain"),
        _SESSION,
        *_EXPOSURES,
        CREATED_AT,
        UPDATED_AT,
    ),
    checks=(same_day("timestamp", "session"), Check("symbol", "symbol <> ''")),
    partitioning=_PARTITIONING,
)
