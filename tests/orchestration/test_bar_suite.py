"""The Great Expectations suite of bars comes to the same verdict as the audit."""

import dagster as dg
import polars as pl
import pytest

from hd_pipelines.checks.bar_suite import build_bar_suite
from hd_pipelines.checks.withholding import make_bar_validator
from hd_pipelines.market.bar_audit import audit, measure_coverage
from hd_pipelines.market.bars import build_hours_frame
from hd_pipelines.tables.vocabulary import Rule, Severity
from tests.market.test_bar_audit import DEFECTS, LAST, NO_HISTORY, bars, with_defect
from tests.support.installation import SESSIONS, SYMBOLS

HERE = pl.col("symbol") == "SPY"
pytestmark = pytest.mark.slow


def validate_with_both(frame: pl.DataFrame):
    """Pairs and rules in error by the rules of `bar_audit`, and by the suite."""
    hours = build_hours_frame(SESSIONS)
    suite = build_bar_suite()
    first = [f for f in audit(frame, hours, NO_HISTORY).findings if f.severity is Severity.ERROR]
    second = make_bar_validator(suite)(frame, measure_coverage(frame, hours, NO_HISTORY))
    return {(f.rule, f.subject, f.session) for f in first}, {(f.rule, f.subject, f.session) for f in second}, suite


def test_sound_bars_meet_every_expectation():
    _, second, suite = validate_with_both(bars())
    assert second == set()
    result = suite.build_result("bars_are_sound")
    assert result.passed
    assert result.metadata["expectations_evaluated"].value >= 18
    assert result.metadata["rows_validated"].value == bars().height


@pytest.mark.parametrize("rule", [*DEFECTS, "infinite", "twice", "few minutes"])
def test_audit_and_suite_withhold_the_same_pair(rule):
    frame = bars()
    if rule == "twice":
        frame = pl.concat([frame, frame.filter(HERE, session=LAST).head(1)])
    elif rule == "infinite":
        frame = with_defect(frame, "SPY", LAST, high=float("inf"))
    elif rule == "few minutes":
        frame = bars(keep=lambda symbol, session: range(100) if (symbol, session) == ("SPY", LAST) else None)
    else:
        frame = with_defect(frame, "SPY", LAST, **DEFECTS[rule])
    first, second, suite = validate_with_both(frame)
    assert first
    assert {pair[1:] for pair in first} == {pair[1:] for pair in second} == {("SPY", LAST)}
    assert {found[0] for found in first} <= {found[0] for found in second}
    result = suite.build_result("bars_are_sound")
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert {failure["scopes"] for failure in result.metadata["failures"].value} == {1}


def test_days_without_minutes_are_validated_too(installation):
    """A recording of day bars only has no coverage to validate."""
    installation.publish_files(SESSIONS[:5])
    installation.landed_files = {
        dataset: files for dataset, files in installation.landed_files.items() if "day" in dataset.name
    }
    suite = build_bar_suite()
    installation.to_lake(SESSIONS[:5])
    report = installation.to_bars(SESSIONS[:5], validate=make_bar_validator(suite))
    assert (report.published, report.withheld, suite.rows) == (15, 0, 18)


def test_nothing_that_the_suite_fails_is_published(installation, monkeypatch):
    """With the audit disabled, the suite alone withholds the bad symbol's session, and its last good bars stay."""
    installation.publish_files()
    installation.refresh()
    good = [row for row in installation.bars() if row[0] == "SPY"]

    def few(frame):
        return frame.filter((pl.col("ticker") != "SPY") | (pl.int_range(pl.len()).over("ticker") < 100))

    monkeypatch.setattr("hd_pipelines.market.bar_audit.find_incomplete_sessions", lambda _: [])
    installation.publish_files([LAST], shift=2.0, minutes=few)
    installation.to_lake()
    report = installation.to_bars(validate=make_bar_validator(build_bar_suite()))
    assert (report.published, report.withheld) == (len(SYMBOLS) - 1, 1)
    assert [row for row in installation.bars() if row[0] == "SPY"] == good
    (found,) = installation.findings()
    assert (found.rule, found.subject, found.session) == (Rule.ROW_COUNT_UNUSUAL, "SPY", LAST)
