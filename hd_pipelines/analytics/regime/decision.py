"""Decides each row of measures by the rule table, without memory.

Thresholds are in `rules`, memory in `classification`.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from hd_pipelines.analytics.regime.breadth import WHOLE_MARKET
from hd_pipelines.analytics.regime.conditions import Rule
from hd_pipelines.analytics.regime.rules import AXES, RULES, Axis
from hd_pipelines.tables.vocabulary import MarketRegime

SAMPLE_WEIGHT = 0.5
"""Weight of breadth that was counted over fewer stocks than `WHOLE_MARKET`."""


def decide(measures: pl.DataFrame, rules: Sequence[Rule] = RULES) -> pl.DataFrame:
    """Find the first rule that fires on each row of `measures` (`MEASURES`): columns `rule` (its index), `raw_regime`.

    Rows are independent, and the result is never null. Raises `ValueError` if the last rule has any condition, because some
    rows might then match no rule.
    """
    if rules[-1].requires or rules[-1].unless_contradicted:
        raise ValueError(f"the last rule, {rules[-1].name}, must fire on everything")
    first = pl.coalesce(pl.when(rule.fires()).then(pl.lit(index)) for index, rule in enumerate(rules))
    return measures.select(rule=first.cast(pl.Int64)).with_columns(
        raw_regime=pl.col("rule").replace_strict(
            {index: rule.regime.value for index, rule in enumerate(rules)}, return_dtype=pl.String
        )
    )


def find_regimes_that_may_stay(measures: pl.DataFrame, rules: Sequence[Rule] = RULES) -> pl.DataFrame:
    """One boolean column per regime: whether a market already in it may stay, by any of its rules with slack."""
    return measures.select(
        pl.any_horizontal(rule.may_stay() for rule in rules if rule.regime is regime).alias(regime.value)
        if any(rule.regime is regime for rule in rules)
        else pl.lit(value=False).alias(regime.value)
        for regime in MarketRegime
    )


def measure_coverage() -> pl.Expr:
    """Share of the evidence that is measured, 0-1: the sum of the axes' weights, each times its measured columns' share.

    Breadth of a sample (`n_stocks` below `WHOLE_MARKET`) counts half; a published series has no `n_stocks`.
    """
    parts = []
    for axis, (weight, columns) in AXES.items():
        share = pl.mean_horizontal(pl.col(c).fill_nan(None).is_not_null().cast(pl.Float64) for c in columns)
        if axis is Axis.BREADTH:
            share = share * pl.when(pl.col("n_stocks") < WHOLE_MARKET).then(SAMPLE_WEIGHT).otherwise(1.0)
        parts.append(weight * share)
    return pl.sum_horizontal(parts)


def list_missing_axes() -> pl.Expr:
    """List the axes that are not or only partly measured, as in `breadth, put/call`; null where all are measured."""
    names = [
        pl.when(pl.any_horizontal(pl.col(c).fill_nan(None).is_null() for c in columns)).then(pl.lit(axis.value))
        for axis, (_, columns) in AXES.items()
    ]
    return pl.concat_str(names, separator=", ", ignore_nulls=True).replace("", None)
