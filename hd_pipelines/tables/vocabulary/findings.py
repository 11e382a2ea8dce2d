"""Enums of data findings: the named rules and their severity."""

from enum import StrEnum


class Severity(StrEnum):
    """`ERROR` keeps data from being published; with `WARNING` it is published and the finding reported."""

    ERROR = "error"
    WARNING = "warning"


class Rule(StrEnum):
    """Every way in which vendor data can be unacceptable. Values are stored and shown; never rename one."""

    # the object in the bucket
    OBJECT_ABSENT = "object_absent"
    OBJECT_NOT_ENTITLED = "object_not_entitled"
    OBJECT_UNAVAILABLE = "object_unavailable"
    OBJECT_REPUBLISHED = "object_republished"
    OBJECT_ON_CLOSED_DAY = "object_on_closed_day"
    OBJECT_UNDER_TWO_DATES = "object_under_two_dates"
    OBJECT_STRAY = "object_stray"
    # the bytes
    DISK_NEARLY_FULL = "disk_nearly_full"
    CONNECTION_CUT = "connection_cut"
    GZIP_TRUNCATED = "gzip_truncated"
    GZIP_CORRUPT = "gzip_corrupt"
    GZIP_TRAILING_BYTES = "gzip_trailing_bytes"
    OUTPUT_TOO_LARGE = "output_too_large"
    FILE_EMPTY = "file_empty"
    NO_ROWS = "no_rows"
    # the text
    HEADER_WRONG = "header_wrong"
    COLUMN_MISSING = "column_missing"
    COLUMN_DUPLICATED = "column_duplicated"
    COLUMN_EXTRA = "column_extra"
    TEXT_NOT_UTF8 = "text_not_utf8"
    LINE_TOO_LONG = "line_too_long"
    ROW_RAGGED = "row_ragged"
    VALUE_UNREADABLE = "value_unreadable"
    # the rows
    PRICE_NOT_FINITE = "price_not_finite"
    PRICE_NOT_POSITIVE = "price_not_positive"
    HIGH_BELOW_LOW = "high_below_low"
    PRICE_OUTSIDE_RANGE = "price_outside_range"
    VOLUME_NEGATIVE = "volume_negative"
    TICKER_MALFORMED = "ticker_malformed"
    ROW_DUPLICATED = "row_duplicated"
    KEY_CONFLICTING = "key_conflicting"
    ROWS_OUT_OF_ORDER = "rows_out_of_order"
    FOREIGN_DATE = "foreign_date"
    TIME_NOT_ON_MINUTE = "time_not_on_minute"
    TIME_AHEAD_OF_CLOCK = "time_ahead_of_clock"
    # the whole
    ROW_COUNT_UNUSUAL = "row_count_unusual"
    SESSION_MISSING = "session_missing"
    SESSION_INCOMPLETE = "session_incomplete"
    SYMBOL_MISSING = "symbol_missing"
    DATASET_NOT_OFFERED = "dataset_not_offered"
    DAY_CONTRADICTS_MINUTES = "day_contradicts_minutes"
    BARS_STALE = "bars_stale"
    # option chains
    COLUMN_TYPE_WRONG = "column_type_wrong"
    RESPONSE_MALFORMED = "response_malformed"
    PAGINATION_BROKEN = "pagination_broken"
    CONTRACT_CONTRADICTORY = "contract_contradictory"
    CONTRACT_DUPLICATED = "contract_duplicated"
    CONTRACT_EXPIRED = "contract_expired"
    CONTRACT_ADJUSTED = "contract_adjusted"
    CHAIN_INCOMPLETE = "chain_incomplete"
    CHAIN_STALE = "chain_stale"
    SNAPSHOT_MISSED = "snapshot_missed"
    # derived rows
    EXPECTATION_BROKEN = "expectation_broken"
