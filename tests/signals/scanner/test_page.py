"""docs/reference/scanner.md is up to date with the scanner."""

import re

import pytest

from hd_pipelines.signals.scanner.policy.default_policy import DEFAULT_POLICY
from hd_pipelines.signals.scanner.rejections import Rejection
from tests.signals.scanner.tables import CONDITIONS, PAGE, TABLES, with_tables


def test_the_tables_match_the_code():
    text = PAGE.read_text()
    assert text == with_tables(text), "stale: run python -m tests.signals.scanner.tables"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_on_the_page_once(name):
    assert len(re.findall(f"<!-- {name} -->", PAGE.read_text())) == 1


def test_every_rejection_is_listed_in_the_order_of_the_checks():
    listed = re.findall(r"(?m)^\| `(\w+)` \| [A-Z]", PAGE.read_text())
    assert [name for name in listed if name in set(Rejection)] == list(Rejection)


def test_numbers_in_the_prose_are_those_of_the_policy():
    text = PAGE.read_text()
    plan, rules = DEFAULT_POLICY.plan, DEFAULT_POLICY.thresholds
    for statement in (
        f"between {plan.nearest_stop:g} and {plan.farthest_stop:g} times as far",
        f"(× {plan.buffer_in_high_iv:g}) when IV is in its highest quarter, narrower (× {plan.buffer_in_low_iv:g})",
        f"within {plan.target_reach_r[0]:g} R of the first target's place, or {plan.target_reach_r[1]:g} R of the others'",
        f"never be above {rules.highest_score:g}, and reward-to-risk is never below {rules.lowest_risk_reward:g}",
        f"counts from {DEFAULT_POLICY.styles.least:g} to {DEFAULT_POLICY.styles.most:g}",
    ):
        assert statement in re.sub(r"\s+", " ", text), statement


def test_conditions_are_described_where_they_have_bounds():
    assert set(DEFAULT_POLICY.styles.bounds) <= set(CONDITIONS)


def test_parameters_that_are_named_exist():
    names = re.findall(r"`((?:thresholds|plan)\.[\w.]+)`", PAGE.read_text())
    assert names
    assert set(names) <= set(DEFAULT_POLICY.parameters())
