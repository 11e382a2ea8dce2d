"""Findings: the same place gives the same id, another place another one."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Rule, Severity

FINDING = Finding(
    Rule.HIGH_BELOW_LOW, Severity.ERROR, "stock_day_aggs", date(2026, 5, 22), "SPY", "The high is low.", "Look.", 3, 17
)


def test_the_same_place_is_the_same_finding_whatever_its_detail():
    again = replace(FINDING, detail="Seen again.", cure="Wait.", rows=9, first_row=2, severity=Severity.WARNING)
    assert again.finding_id == FINDING.finding_id


@pytest.mark.parametrize(
    "other",
    [
        {"rule": Rule.PRICE_NOT_POSITIVE},
        {"dataset": "stock_minute_aggs"},
        {"session": date(2026, 5, 21)},
        {"session": None},
        {"subject": "QQQ"},
    ],
)
def test_another_place_is_another_finding(other):
    assert replace(FINDING, **other).finding_id != FINDING.finding_id


def test_an_id_never_changes():
    """Stored ids are compared with new ones, so another recipe would report every open finding a second time."""
    assert FINDING.finding_id == "aca1e347200601bb4f51d6e1a1879bb2"


@given(st.text("ab", max_size=3), st.text("ab", max_size=3), st.text("ab", max_size=3), st.text("ab", max_size=3))
def test_places_do_not_run_into_each_other(dataset, subject, other_dataset, other_subject):
    one = replace(FINDING, dataset=dataset, subject=subject)
    other = replace(FINDING, dataset=other_dataset, subject=other_subject)
    assert (one.finding_id == other.finding_id) == ((dataset, subject) == (other_dataset, other_subject))


def test_a_finding_gives_place_and_remedy():
    assert str(FINDING) == (
        "ERROR high_below_low in stock_day_aggs 2026-05-22, SPY, row 17: The high is low. Cure: Look."
    )


def test_stored_values_of_rules_are_their_names():
    assert {rule.value for rule in Rule} == {rule.name.lower() for rule in Rule}
