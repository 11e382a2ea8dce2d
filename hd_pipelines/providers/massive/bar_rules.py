"""Validates rows of an aggregates file by polars expressions, and counts the rows that break a rule.

A row breaks at most one rule, the first of the list. Text is read in `flat_files.reading`; rules over several bars of a
session are in `market`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import compute_midnight_ns
from hd_pipelines.market.symbols import INDEX_TICKER_PATTERN, OPTION_TICKER_PATTERN, STOCK_TICKER_PATTERN
from hd_pipelines.providers.errors import ObjectPlace
from hd_pipelines.providers.massive.flat_files.layout import AssetClass
from hd_pipelines.tables.vocabulary import Rule

_CHICAGO = ZoneInfo("America/Chicago")
_TICKER_PATTERN = {
    AssetClass.STOCK: STOCK_TICKER_PATTERN,
    AssetClass.OPTION: OPTION_TICKER_PATTERN,
    AssetClass.INDEX: INDEX_TICKER_PATTERN,
}
_PRICES = ("open", "high", "low", "close")
_CURE = {
    Rule.ROW_RAGGED: "The row has too few or too many fields.",
    Rule.TEXT_NOT_UTF8: "The row holds bytes that are not UTF-8.",
    Rule.LINE_TOO_LONG: "The row is longer than any bar can be.",
    Rule.VALUE_UNREADABLE: "A number of the row cannot be read exactly.",
    Rule.TICKER_MALFORMED: "Extend market.symbols if the vendor has begun to use such names.",
    Rule.PRICE_NOT_FINITE: "A price is NaN or infinite.",
    Rule.PRICE_NOT_POSITIVE: "A price is zero or negative.",
    Rule.VOLUME_NEGATIVE: "A volume or count is negative.",
    Rule.HIGH_BELOW_LOW: "The high lies below the low.",
    Rule.PRICE_OUTSIDE_RANGE: "Open or close lies outside low to high.",
    Rule.FOREIGN_DATE: "The row's time is outside the day that the object is named after.",
    Rule.TIME_NOT_ON_MINUTE: "A minute's time is not that of a whole minute.",
    Rule.TIME_AHEAD_OF_CLOCK: "The row begins later than this machine's clock says it is: one of the two is wrong.",
    Rule.KEY_CONFLICTING: "The same ticker and time occur with different values.",
}
_SET_ASIDE = (
    "The rows were set aside, the others published; report to the vendor, the file is read again when replaced."
)


def compute_day_bounds_ns(asset_class: AssetClass, session: date) -> tuple[int, int]:
    """Compute the first and one-past-last instant of `session`, UTC nanoseconds: the New York calendar day.

    Index files end at midnight in Chicago, an hour later; a day timestamp of either zone lies inside.
    """
    following = session + timedelta(days=1)
    end = (
        compute_midnight_ns(following, _CHICAGO) if asset_class is AssetClass.INDEX else compute_midnight_ns(following)
    )
    return compute_midnight_ns(session), end


def is_sound(asset_class: AssetClass, session: date) -> pl.Expr:
    """One boolean: whether every row of the frame keeps every rule. Costs a few nanoseconds a row; nulls count as broken."""
    first_ns, end_ns = compute_day_bounds_ns(asset_class, session)
    tickers = pl.col("ticker").rle().struct.field("value")  # one look per run of a ticker, not per row
    sound = (
        tickers.str.contains(_TICKER_PATTERN[asset_class]).all(ignore_nulls=False)
        & (pl.col("low") > 0).all(ignore_nulls=False)
        & pl.col("high").is_finite().all(ignore_nulls=False)
        & pl.col("open").is_between("low", "high").all(ignore_nulls=False)
        & pl.col("close").is_between("low", "high").all(ignore_nulls=False)
        & pl.col("window_start").is_between(first_ns, end_ns, closed="left").all(ignore_nulls=False)
    )
    if asset_class is not AssetClass.INDEX:
        sound &= pl.col("volume").is_between(0, float("inf"), closed="left").all(ignore_nulls=False)
        sound &= (pl.col("transactions") >= 0).all(ignore_nulls=False)
    return sound


def find_broken_rule(asset_class: AssetClass, session: date) -> pl.Expr:
    """Name each row's first broken rule, null for a sound row. Prices and times must not be null."""
    first_ns, end_ns = compute_day_bounds_ns(asset_class, session)
    volume = pl.col("volume")
    rules: list[tuple[Rule, pl.Expr]] = [
        (Rule.TICKER_MALFORMED, ~pl.col("ticker").str.contains(_TICKER_PATTERN[asset_class])),
        (Rule.PRICE_NOT_FINITE, ~pl.all_horizontal(pl.col(*_PRICES).is_finite())),
        (Rule.PRICE_NOT_POSITIVE, ~pl.all_horizontal(pl.col(*_PRICES) > 0)),
        (Rule.VALUE_UNREADABLE, ~volume.is_finite()),
        (Rule.VOLUME_NEGATIVE, (volume < 0) | (pl.col("transactions") < 0)),
        (Rule.HIGH_BELOW_LOW, pl.col("high") < pl.col("low")),
        (
            Rule.PRICE_OUTSIDE_RANGE,
            ~(pl.col("open").is_between("low", "high") & pl.col("close").is_between("low", "high")),
        ),
        (Rule.FOREIGN_DATE, ~pl.col("window_start").is_between(first_ns, end_ns, closed="left")),
    ]
    return pl.coalesce(pl.when(broken).then(pl.lit(rule.value)) for rule, broken in rules)


def guess_epoch_unit(stamp: int) -> str:
    """Describe a time outside the session: the unit in which it would be an instant of the years 2000 to 2100."""
    first_s, last_s = 946_684_800, 4_102_444_800
    for unit, per_second in (("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)):
        if first_s * per_second <= stamp < last_s * per_second:
            return unit
    return "no unit of time"


@dataclass(slots=True)
class SetAside:
    """Count of rows that may not be published: for each rule the number, the first row of the file and its content."""

    count: dict[Rule, int] = field(default_factory=dict)
    first: dict[Rule, tuple[int, str]] = field(default_factory=dict)

    def add(self, rule: Rule, row: int, example: str, rows: int = 1) -> None:
        """Count `rows` rows, of which the first has the number `row` (1-based) and the content `example`."""
        self.count[rule] = self.count.get(rule, 0) + rows
        if rule not in self.first or row < self.first[rule][0]:
            self.first[rule] = (row, example[:160])

    @classmethod
    def of(cls, parts: Iterable[SetAside]) -> SetAside:
        """Combine several counts."""
        whole = cls()
        for part in parts:
            for rule, count in part.count.items():
                whole.add(rule, *part.first[rule], count)
        return whole

    @property
    def rows(self) -> int:
        """Number of rows set aside under all rules."""
        return sum(self.count.values())

    def findings(self, place: ObjectPlace, cure: str = _SET_ASIDE) -> tuple[Finding, ...]:
        """Build one finding per rule, the most frequent first. `cure`: the remedy for rows that were set aside."""
        return tuple(
            place.error(
                rule,
                f"{count:,} rows, first {self.first[rule][1]!r}. {_CURE[rule]}",
                cure,
                rows=count,
                first_row=self.first[rule][0],
            )
            for rule, count in sorted(self.count.items(), key=lambda item: -item[1])
        )


def split_broken(frame: pl.DataFrame, asset_class: AssetClass, session: date, aside: SetAside) -> pl.DataFrame:
    """Keep the sound rows of `frame` (which has `row`, the 1-based number in the file); broken ones are counted."""
    return split_by(frame, find_broken_rule(asset_class, session), aside)


def split_by(frame: pl.DataFrame, broken: pl.Expr, aside: SetAside) -> pl.DataFrame:
    """Keep the rows of `frame` where `broken` is null. The others, whose broken rule it names, are counted."""
    checked = frame.with_columns(rule=broken)
    rows_aside = checked.filter(pl.col("rule").is_not_null())
    columns = [name for name in frame.columns if name != "row"]
    for (name,), rows in rows_aside.group_by("rule", maintain_order=True):
        first = rows.row(0, named=True)
        example = ",".join(str(first[column]) for column in columns)
        if name == Rule.FOREIGN_DATE:
            example += f" (window_start reads as {guess_epoch_unit(first['window_start'])})"
        aside.add(Rule(str(name)), first["row"], example, rows.height)
    return checked.filter(pl.col("rule").is_null()).drop("rule")
