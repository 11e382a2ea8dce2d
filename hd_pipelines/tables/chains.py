"""Definitions of option chains: their contracts in the lake, and the record of snapshots."""

from hd_pipelines.tables.model import FROM_ZERO, POSITIVE, SHARE, Check, Column, Store, Table, Type
from hd_pipelines.tables.shared import CREATED_AT, UPDATED_AT, alike, same_day
from hd_pipelines.tables.vocabulary import ExerciseStyle, OptionType, PriceSource, SnapshotKind

OPTION_CHAIN_SNAPSHOTS = Table(
    name="option_chain_snapshots",
    about="Which chain snapshots the lake holds and how complete each is. Intraday chains "
    "cannot be bought later, so a gap here is permanent.",
    grain="One row per underlying and snapshot.",
    written_by="`warehouse.records.chains.record_chains`, after the chain is in the lake.",
    key=("underlying", "snapshot_at"),
    columns=(
        Column("underlying", Type.KEY_TEXT, "Vendor's ticker of the underlying: `SPY`, `I:SPX`.", source="vendor"),
        Column("snapshot_at", Type.INSTANT, "When the chain was read."),
        Column("session", Type.DATE, "Exchange session; the UTC date of `snapshot_at`."),
        Column("kind", Type.TEXT, "`close` or `intraday`.", enum=SnapshotKind),
        Column("source", Type.TEXT, "`chain_snapshot` or `chain_archive`.", enum=PriceSource),
        Column("contracts", Type.COUNT, "Contracts in the chain.", "count"),
        Column("with_quote", Type.COUNT, "Contracts with bid and ask above zero.", "count"),
        Column("with_open_interest", Type.COUNT, "Contracts with open interest.", "count"),
        Column("with_vendor_iv", Type.COUNT, "Contracts with the vendor's own implied volatility.", "count"),
        Column(
            "completeness",
            Type.NUMBER,
            "`contracts` over the median of the snapshots before.",
            "0 to 1",
            null="too few snapshots before",
            source="`market.chain_coverage`",
            bounds=SHARE,
        ),
        Column("fingerprint", Type.TEXT, "Identifies the source bytes and the version of the code that read them."),
        Column("landed_url", Type.TEXT, "Source of the chain, without an API key.", null="not kept"),
        CREATED_AT,
        UPDATED_AT,
    ),
    checks=(
        same_day("snapshot_at", "session"),
        Check(
            "counts",
            "contracts >= 0 AND with_quote BETWEEN 0 AND contracts AND with_open_interest BETWEEN 0 AND "
            "contracts AND with_vendor_iv BETWEEN 0 AND contracts",
        ),
        Check("names", "underlying <> '' AND fingerprint <> ''"),
    ),
)

OPTION_CHAINS = Table(
    name="option_chains",
    about="Option chains as the vendor quotes them.",
    grain="One row per contract and snapshot. One Parquet file per session, sorted by underlying, snapshot and ticker.",
    written_by="`loading.inputs.chain_archive` and `loading.inputs.chain_snapshots`.",
    key=("snapshot_at", "ticker"),
    columns=(
        Column("underlying", Type.KEY_TEXT, "Vendor's ticker of the underlying: `SPY`, `I:SPX`."),
        Column(
            "snapshot_at",
            Type.INSTANT,
            "When the chain was read. An archive that knows only the day gives the session's close.",
        ),
        Column("kind", Type.TEXT, "`close` or `intraday`.", enum=SnapshotKind),
        Column("source", Type.TEXT, "`chain_snapshot` or `chain_archive`.", enum=PriceSource),
        Column("ticker", Type.KEY_TEXT, "OCC ticker with the prefix `O:`."),
        Column("root", Type.TEXT, "Option root: `SPXW`, or an adjusted one such as `TSLA1`."),
        Column("expiration", Type.DATE, "Expiration date.", "date"),
        Column("option_type", Type.TEXT, "`call` or `put`.", enum=OptionType),
        Column("strike", Type.PRICE, "Strike price.", "USD, index points for an index", bounds=POSITIVE),
        Column("exercise_style", Type.TEXT, "`american` or `european`.", enum=ExerciseStyle),
        Column(
            "shares_per_contract",
            Type.PRICE,
            "Deliverable. Never assumed for an adjusted root.",
            "shares",
            null="the source does not say",
            bounds=POSITIVE,
        ),
        *alike(
            Column("bid", Type.PRICE, "Best bid; 0 is a real bid of nothing.", "as `strike`, of one share"),
            Column("ask", Type.PRICE, "Best ask.", "as `bid`"),
            Column("bid_size", Type.COUNT, "Contracts bid for.", "contracts"),
            Column("ask_size", Type.COUNT, "Contracts offered.", "contracts"),
            null="no quote",
            bounds=FROM_ZERO,
        ),
        Column("quote_at", Type.INSTANT, "Time of the quote.", null="unknown"),
        Column("last", Type.PRICE, "Last trade.", "as `bid`", null="no trade", bounds=FROM_ZERO),
        *alike(
            Column("volume", Type.COUNT, "Contracts traded in the session so far."),
            Column("open_interest", Type.COUNT, "Contracts open at the close of `open_interest_as_of`."),
            unit="contracts",
            null="the source had none",
            bounds=FROM_ZERO,
        ),
        Column(
            "open_interest_as_of",
            Type.DATE,
            "Session of the open interest, the one before the snapshot's.",
            null="no open interest",
        ),
        Column(
            "underlying_price",
            Type.PRICE,
            "Price of the underlying at the snapshot.",
            "as `strike`",
            null="the source had none",
            bounds=POSITIVE,
        ),
        *alike(
            Column(
                "vendor_iv",
                Type.NUMBER,
                "The vendor's implied volatility. The vendor's 0 means none and becomes null.",
                "per year",
                bounds=POSITIVE,
            ),
            Column("vendor_delta", Type.NUMBER, "The vendor's delta."),
            Column("vendor_gamma", Type.NUMBER, "The vendor's gamma."),
            Column("vendor_theta", Type.NUMBER, "The vendor's theta."),
            Column("vendor_vega", Type.NUMBER, "The vendor's vega."),
            unit="of one share",
            null="the vendor had no answer",
        ),
    ),
    store=Store.LAKE,
)
