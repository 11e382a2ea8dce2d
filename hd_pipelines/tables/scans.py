"""Definition of `signal_scans`."""

from hd_pipelines.tables.model import FROM_ZERO, Check, Column, Index, Table, Type
from hd_pipelines.tables.shared import CREATED_AT, UPDATED_AT, alike
from hd_pipelines.tables.vocabulary import Resolution

SIGNAL_SCANS = Table(
    name="signal_scans",
    about="What each scan looked at, found and refused.",
    grain="One row per stretch of minutes, set of symbols and policy: the same scan again is the same row.",
    written_by="`loading.signals.scan`.",
    key=("scan_id",),
    columns=(
        Column(
            "scan_id",
            Type.KEY_TEXT,
            "Key, a pure function of resolution, range, policy and symbols.",
            "32 hex digits",
            source="`loading.signals.reports`",
        ),
        Column("session", Type.DATE, "Exchange session.", "date"),
        Column("resolution", Type.TEXT, "`minute` or `day`.", enum=Resolution),
        Column("first_as_of", Type.INSTANT, "First instant scanned."),
        Column("last_as_of", Type.INSTANT, "Last instant scanned."),
        *alike(
            Column("symbols", Type.COUNT, "Symbols that had rows."),
            Column("rows", Type.COUNT, "Symbol-minutes scanned."),
            Column("candidates", Type.COUNT, "Times a detector fired."),
            Column("stored", Type.COUNT, "Signals that were new."),
            unit="count",
            bounds=FROM_ZERO,
            check="counts",
        ),
        Column(
            "rejections",
            Type.JSON,
            "How often each (detector, reason) rejected a candidate; scanner.md lists the reasons.",
            "JSON",
            source="`signals.scanner.rejections`",
        ),
        Column(
            "labels",
            Type.JSON,
            "Which inputs the scan lacked, and for which symbols.",
            "JSON",
            source="`signals.features`",
        ),
        Column("policy_version", Type.TEXT, "Digest of the scanner's policy.", "12 hex digits"),
        Column("seconds", Type.NUMBER, "Time that scoring took.", "seconds", null="it was not measured"),
        Column("run_id", Type.TEXT, "Dagster run that scanned last.", null="a command did", source="Dagster"),
        CREATED_AT,
        UPDATED_AT,
    ),
    checks=(
        Check("times", "first_as_of <= last_as_of"),
        Check("documents", "jsonb_typeof(rejections) = 'array' AND jsonb_typeof(labels) = 'array'"),
        Check("scan_id", "scan_id ~ '^[0-9a-f]{32}$'"),
    ),
    indexes=(Index("signal_scans_session_idx", ("session", "last_as_of")),),
)
