"""Definitions of bars: the vendor's aggregates in the lake, and the derived bars of every timeframe."""

from hd_pipelines.tables.model import FROM_ZERO, POSITIVE, Check, Column, Partitioning, Span, Store, Table, Type
from hd_pipelines.tables.shared import CREATED_AT, alike
from hd_pipelines.tables.vocabulary import Timeframe

HISTORICAL_BARS = Table(
    name="historical_bars",
    about="Bars of the watchlist in every timeframe, which everything downstream reads.",
    grain="One row per symbol, timeframe and start of the bar. Partitioned by month of `session` "
    "(`historical_bars_y2026m11`).",
    written_by="`warehouse.publish.bars.publish_bars`, called by the asset `historical_bars` and by `hd watchlist "
    "add`.",
    # Readers ask for one symbol and timeframe over a range of time; monthly partitions bound the scan when they ask by
    # session instead. With session before timestamp, a query by time alone would read all history of the symbol.
    key=("symbol", "timeframe", "timestamp", "session"),
    columns=(
        Column(
            "symbol",
            Type.KEY_TEXT,
            "Symbol in common use: `SPY`, `BRK.B`, `SPX`. An index that was added by its ticker keeps that name: "
            "`I:COMP`.",
            source="`watchlist.symbol`",
        ),
        Column(
            "timeframe",
            Type.KEY_TEXT,
            "Length of the bar: `1m`, `5m`, `15m`, `1h`, `4h`, `day`, `week`.",
            enum=Timeframe,
        ),
        Column(
            "timestamp",
            Type.INSTANT,
            "Instant at which the bar begins; for `day` and `week` the regular open of the (first) session.",
            "UTC instant, microseconds",
            source="`window_start` of the minute file; the calendar for `day` and `week`",
        ),
        Column(
            "session",
            Type.DATE,
            "Exchange session that the bar belongs to; for a week, its last session. The partition key.",
            source="name of the vendor object",
        ),
        *alike(
            Column(
                "open",
                Type.PRICE,
                "First price, not adjusted for splits or dividends.",
                "USD, index points for an index",
                source="`open` of the first minute, or of the day file",
            ),
            Column("high", Type.PRICE, "Highest price.", source="`high`"),
            Column("low", Type.PRICE, "Lowest price.", source="`low`"),
            Column(
                "close",
                Type.PRICE,
                "Last price; for a day bar the vendor's close.",
                source="`close` of the last minute, or of the day file",
            ),
            unit="as `open`",
            expected=POSITIVE,
        ),
        Column(
            "volume",
            Type.PRICE,
            "Shares traded, fractions possible. `day` and `week` include extended hours, intraday bars do not.",
            "shares",
            null="an index, or one part of the bar had no volume in the file",
            source="`volume`",
            bounds=FROM_ZERO,
        ),
        Column(
            "vwap",
            Type.PRICE,
            "Volume-weighted typical price (high + low + close) / 3 of the regular minutes inside, rounded to 6 "
            "decimals; for a week, the mean of its days' VWAPs weighted by volume.",
            "as `open`",
            null="a `1m` bar, an index, a day without minutes, no volume, or minutes that contradict the bar",
            source="`market.bars`",
        ),
        Column(
            "trades",
            Type.COUNT,
            "Number of trades.",
            "count",
            null="the file had none (indices, recordings)",
            source="`transactions`",
            bounds=FROM_ZERO,
        ),
        CREATED_AT,
    ),
    checks=(
        # Midnight to 23:00 New York lie within one day at UTC-4, summer and winter; naming the zone costs a third of a
        # load. A week begins at most six days before its last session.
        Check(
            "session",
            "session - (\"timestamp\" AT TIME ZONE interval '-04:00')::date"
            " BETWEEN 0 AND CASE timeframe WHEN 'week' THEN 6 ELSE 0 END",
        ),
        # NaN sorts above everything in PostgreSQL: "high below infinity" refuses it for all four prices.
        Check(
            "prices",
            "low > 0 AND low <= open AND low <= close AND high >= open AND high >= close AND high < 'Infinity'::numeric",
        ),
        # Exact: a VWAP is rounded into its bar when computed, since floats may exceed it by one unit in the last place.
        Check("vwap", "vwap >= low AND vwap <= high"),
        Check("symbol", "symbol <> ''"),
    ),
    partitioning=Partitioning(by="session", session="session", span=Span.MONTH),
)

LAKE_BARS = Table(
    name="lake_bars",
    about="The vendor's aggregates as published: every row of a flat file that passed the reading rules.",
    grain="One row per ticker and start of the aggregate. One Parquet file per dataset and session, sorted by that key.",
    written_by="`loading.inputs.flat_files.refresh_lake`.",
    key=("ticker", "window_start"),
    columns=(
        Column("ticker", Type.KEY_TEXT, "The vendor's ticker: `SPY`, `I:SPX`, `O:SPXW190501C01800000`."),
        Column("window_start", Type.COUNT, "Start of the aggregate.", "ns since 1970, UTC"),
        Column("open", Type.NUMBER, "First price, not adjusted.", "USD, index points for an index"),
        Column("high", Type.NUMBER, "Highest price.", "as `open`"),
        Column("low", Type.NUMBER, "Lowest price.", "as `open`"),
        Column("close", Type.NUMBER, "Last price.", "as `open`"),
        *alike(
            Column("volume", Type.NUMBER, "Shares or contracts traded.", "shares; contracts for options"),
            Column("transactions", Type.COUNT, "Number of trades.", "count"),
            null="an index, or an empty field in the file",
        ),
    ),
    store=Store.LAKE,
)
