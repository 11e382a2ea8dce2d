"""What the runner of all suites does with expectations that fail in unusual ways; the rules have tests of their own."""

import polars as pl
import pytest

from hd_pipelines.checks.expectations import expect_within
from hd_pipelines.checks.table_suite import TableRules, TableSuite

pytestmark = pytest.mark.slow
FRAME = pl.DataFrame({"symbol": ["SPY", "QQQ", "IWM"], "share": [0.2, 1.4, 0.9]})


def build_suite(*columns: str) -> TableSuite:
    rules = TableRules(
        "shares",
        ("symbol",),
        facts=lambda frame: {"shares": frame},
        expectations=lambda: {"shares": [*expect_within("is_a_share", columns, 0, 1)]},
    )
    return TableSuite(rules)


def test_only_the_scope_that_breaks_a_rule_is_withheld():
    suite = build_suite("share")
    verdict = suite.validate(FRAME)
    assert verdict.sound["symbol"].to_list() == ["SPY", "IWM"]
    assert verdict.broken.rows() == [("QQQ", "is_a_share", "share 1.4")]
    assert suite.evaluated == 1


def test_an_expectation_that_cannot_be_evaluated_withholds_everything():
    suite = build_suite("share", "no_such_column")
    verdict = suite.validate(FRAME)
    assert verdict.sound.is_empty()
    assert set(verdict.broken["symbol"]) == set(FRAME["symbol"])
    assert suite.evaluated == 2
    assert any("no_such_column" in text for text in verdict.broken["detail"])


def test_a_failure_that_the_second_look_does_not_repeat_withholds_everything(monkeypatch):
    import great_expectations.datasource.fluent.interfaces as gx

    validate, looks = gx.Batch.validate, []

    def fail_once(self, suite, **named):
        looks.append(named)
        result = validate(self, suite, **named)
        if len(looks) == 1:
            result.results[0].success = False
        return result

    monkeypatch.setattr(gx.Batch, "validate", fail_once)
    verdict = build_suite("share").validate(FRAME.with_columns(share=0.5))
    assert [look["result_format"] == "BOOLEAN_ONLY" for look in looks] == [True, False]
    assert verdict.sound.is_empty()
    assert set(verdict.broken["rule"]) == {"is_a_share"}
