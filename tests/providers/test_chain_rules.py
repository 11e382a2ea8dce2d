"""Rules for a row of a chain; a bad row does not affect the others."""

from datetime import date

import polars as pl
import pytest

from hd_pipelines.market.option_chains import CHAIN, STAMP
from hd_pipelines.providers.chain_rules import build_standard_terms, validate_chain, validate_chains
from hd_pipelines.providers.errors import FileRefusedError, ObjectPlace
from hd_pipelines.tables.vocabulary import Rule, Severity
from tests.support.rest import CLOSE, SESSION, contract_rows

PLACE = ObjectPlace("option_chains", SESSION, "chains/SPY/2026-05-22.parquet")


def chain_of(count=40, **changed):
    """A sound chain in the columns of `CHAIN`; `changed` are expressions or values for its first row."""
    rows = contract_rows(count).with_columns(
        snapshot_at=pl.lit(CLOSE, dtype=STAMP),
        kind=pl.lit("close"),
        source=pl.lit("chain_archive"),
        open_interest_as_of=pl.lit(date(2026, 5, 21)),
        quote_at=pl.from_epoch("quote_at_ns", time_unit="ns").dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
    )
    first = pl.int_range(pl.len()) == 0
    rows = rows.with_columns(
        pl.when(first).then(pl.lit(value, dtype=rows.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in changed.items()
    )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in CHAIN.items())


def test_a_sound_chain_is_kept_whole():
    validated = validate_chain(chain_of().sample(fraction=1.0, shuffle=True, seed=1), PLACE, SESSION)
    assert (validated.chain.height, validated.rows_set_aside, validated.findings) == (40, 0, ())
    assert validated.chain.equals(chain_of())


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"ticker": "SPY260619C00500000"}, Rule.TICKER_MALFORMED),
        ({"ticker": "O:SPY26061C00500000"}, Rule.TICKER_MALFORMED),
        ({"ticker": "O:SPY261319C00500000"}, Rule.CONTRACT_CONTRADICTORY),
        ({"ticker": None}, Rule.TICKER_MALFORMED),
        ({"bid": float("nan")}, Rule.PRICE_NOT_FINITE),
        ({"ask": float("inf")}, Rule.PRICE_NOT_FINITE),
        ({"underlying_price": float("nan")}, Rule.PRICE_NOT_FINITE),
        ({"bid": -0.05}, Rule.PRICE_NOT_POSITIVE),
        ({"last": -1.0}, Rule.PRICE_NOT_POSITIVE),
        ({"strike": 0.0}, Rule.PRICE_NOT_POSITIVE),
        ({"underlying_price": 0.0}, Rule.PRICE_NOT_POSITIVE),
        ({"open_interest": -1}, Rule.VOLUME_NEGATIVE),
        ({"bid_size": -3}, Rule.VOLUME_NEGATIVE),
        ({"root": "SPXW"}, Rule.CONTRACT_CONTRADICTORY),
        ({"option_type": "put"}, Rule.CONTRACT_CONTRADICTORY),
        ({"option_type": "other"}, Rule.CONTRACT_CONTRADICTORY),
        ({"strike": 500.5}, Rule.CONTRACT_CONTRADICTORY),
        ({"expiration": date(2026, 6, 18)}, Rule.CONTRACT_CONTRADICTORY),
        (
            {"ticker": "O:SPY260521C00500000", "expiration": date(2026, 5, 21)},
            Rule.CONTRACT_EXPIRED,
        ),
    ],
)
def test_a_row_that_breaks_a_rule_is_set_aside_and_reported(changed, rule):
    validated = validate_chain(chain_of(**changed), PLACE, SESSION)
    assert (validated.chain.height, validated.rows_set_aside) == (39, 1)
    (finding,) = validated.findings
    assert (finding.rule, finding.severity, finding.first_row, finding.rows) == (rule, Severity.ERROR, 1, 1)


@pytest.mark.parametrize("name", ["bid", "ask", "last", "volume", "open_interest", "underlying_price", "vendor_iv"])
def test_a_value_that_is_not_there_is_no_fault(name):
    validated = validate_chain(chain_of(**{name: None}), PLACE, SESSION)
    assert (validated.chain.height, validated.findings) == (40, ())
    assert validated.chain[name].null_count() == 1


def test_a_contract_that_expires_today_is_alive():
    today = chain_of(ticker="O:SPY260522C00500000", expiration=SESSION)
    assert validate_chain(today, PLACE, SESSION).chain.height == 40


def test_many_chains_are_validated_as_each_alone():
    sound = chain_of()
    repeated = pl.concat([sound, sound.head(2).with_columns(bid=pl.lit(0.5))])
    adjusted = sound.with_columns(pl.col("ticker").str.replace("SPY", "SPY1"), root=pl.lit("SPY1"))
    chains = [
        sound,
        chain_of(bid=-1.0, ticker="SPY"),
        sound.sample(fraction=1.0, shuffle=True, seed=1),
        repeated,
        repeated.sample(fraction=1.0, shuffle=True, seed=1),
        adjusted,
        sound.with_columns(strike=pl.lit(-1.0)),
        chain_of(ask=0.0, vendor_iv=float("nan")),
        chain_of(ticker="O:SPY260521C00500000", expiration=date(2026, 5, 21)),
    ]
    places = [ObjectPlace("option_chains", SESSION, f"chains/SPY/{at}.parquet") for at in range(len(chains))]
    rows = pl.concat(
        one.with_columns(place=pl.lit(at, dtype=pl.UInt32), session=pl.lit(SESSION)) for at, one in enumerate(chains)
    )
    validated = validate_chains(rows, places)
    assert sorted(validated) == list(range(len(chains)))
    refused = validated.pop(6)
    assert isinstance(refused, FileRefusedError)
    with pytest.raises(FileRefusedError) as caught:
        validate_chain(chains[6], places[6], SESSION)
    assert caught.value.findings == refused.findings
    for at, together in validated.items():
        alone = validate_chain(chains[at], places[at], SESSION)
        assert together.chain.equals(alone.chain)
        assert (together.rows_set_aside, together.findings) == (alone.rows_set_aside, alone.findings)


def test_a_chain_of_which_more_than_a_tenth_is_bad_is_refused():
    rows = chain_of(100)
    bad = rows.with_columns(bid=pl.when(pl.int_range(pl.len()) < 10).then(-1.0).otherwise(pl.col("bid")))
    assert validate_chain(bad, PLACE, SESSION).rows_set_aside == 10
    worse = rows.with_columns(bid=pl.when(pl.int_range(pl.len()) < 11).then(-1.0).otherwise(pl.col("bid")))
    with pytest.raises(FileRefusedError) as caught:
        validate_chain(worse, PLACE, SESSION)
    assert [(found.rule, found.rows) for found in caught.value.findings] == [(Rule.PRICE_NOT_POSITIVE, 11)]


def test_of_a_repeated_contract_the_one_with_the_newest_quote_is_kept():
    rows = chain_of(10)
    older = rows.head(1).with_columns(quote_at=pl.col("quote_at").dt.offset_by("-1m"), bid=pl.lit(0.5))
    unknown = rows.head(1).with_columns(quote_at=pl.lit(None, dtype=STAMP), bid=pl.lit(0.7))
    validated = validate_chain(pl.concat([rows, older, unknown]), PLACE, SESSION)
    assert validated.chain.equals(rows)
    assert (validated.rows_set_aside, validated.findings[0].rule, validated.findings[0].rows) == (
        2,
        Rule.CONTRACT_DUPLICATED,
        2,
    )


def test_adjusted_contracts_are_kept_and_reported():
    rows = contract_rows(4, "AMD").with_columns(
        pl.col("ticker").str.replace("AMD", "AMD1"), root=pl.lit("AMD1"), shares_per_contract=pl.lit(None)
    )
    both = pl.concat([contract_rows(20, "AMD"), rows.cast(contract_rows(1).schema)])
    chain = both.with_columns(
        snapshot_at=pl.lit(CLOSE, dtype=STAMP), kind=pl.lit("close"), source=pl.lit("chain_archive"),
        open_interest_as_of=pl.lit(SESSION), quote_at=pl.lit(None, dtype=STAMP),
    ).select(pl.col(name).cast(dtype) for name, dtype in CHAIN.items())  # fmt: skip
    validated = validate_chain(chain, PLACE, SESSION)
    assert validated.chain.filter(root="AMD1").height == 4
    assert [(found.rule, found.severity, found.rows) for found in validated.findings] == [
        (Rule.CONTRACT_ADJUSTED, Severity.WARNING, 4)
    ]


def test_terms_follow_from_the_root_and_are_never_assumed_for_an_adjusted_one():
    roots = pl.DataFrame({"root": ["SPX", "SPXW", "SPY", "OEX", "AMD1", None]})
    caught = roots.select(expression.alias(name) for name, expression in build_standard_terms(roots["root"]).items())
    assert caught.rows() == [
        ("european", 100.0),
        ("european", 100.0),
        ("american", 100.0),
        ("american", 100.0),
        ("american", None),
        (None, None),
    ]
