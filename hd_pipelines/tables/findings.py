"""Definition of `data_findings`."""

from hd_pipelines.tables.model import FROM_ZERO, Column, Index, Table, Type
from hd_pipelines.tables.vocabulary import Severity

DATA_FINDINGS = Table(
    name="data_findings",
    about="What was wrong with data, where, and what to do. See data-quality.md for every rule.",
    grain="One row per rule, dataset, session and subject; a repeated finding updates the row, a clean check resolves it.",
    written_by="`warehouse.records.findings.settle_findings`, by every stage.",
    key=("finding_id",),
    columns=(
        Column("finding_id", Type.TEXT, "Key, a pure function of rule, dataset, session and subject.", "32 hex digits"),
        Column("rule", Type.TEXT, "Name of the rule, `tables.vocabulary.Rule`."),
        Column(
            "severity",
            Type.TEXT,
            "`error`: data was withheld. `warning`: data was published and the finding reported.",
            enum=Severity,
        ),
        Column("dataset", Type.TEXT, "Dataset of the vendor, or `historical_bars`."),
        Column(
            "session",
            Type.DATE,
            "Exchange session, or the closed day in question.",
            null="the finding is not about a single day",
        ),
        Column("subject", Type.TEXT, "What to look up: an object key, a symbol, a prefix."),
        Column("detail", Type.TEXT, "What was found, with numbers."),
        Column("cure", Type.TEXT, "What to do."),
        Column("rows", Type.COUNT, "How many rows, bars or sessions are concerned.", "count", bounds=FROM_ZERO),
        Column(
            "first_row",
            Type.COUNT,
            "First such row of the file; data rows count from 1, the header is 0.",
            "row number",
            null="not about a row",
        ),
        Column("first_seen_at", Type.INSTANT, "When it was first found.", source="server clock", default="now()"),
        Column("last_seen_at", Type.INSTANT, "When it was last found.", source="server clock", default="now()"),
        Column(
            "resolved_at",
            Type.INSTANT,
            "When a check of the same place no longer found it.",
            null="still open",
            source="server clock",
        ),
        Column(
            "run_id",
            Type.TEXT,
            "Dagster run that found it last.",
            null="found from the command line",
            source="Dagster",
        ),
    ),
    indexes=(Index("data_findings_open_idx", ("dataset", "session"), where="resolved_at IS NULL"),),
)
