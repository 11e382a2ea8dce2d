"""The named reasons for which a candidate does not become a signal.

A candidate is counted once, under the first check it fails, in the order of this enum. docs/reference/scanner.md lists them.
"""

from __future__ import annotations

from enum import StrEnum


class Rejection(StrEnum):
    """The check that rejected a candidate. `NOT_PERMITTED` is followed by a colon and the rule's name."""

    OUTSIDE_SESSION = "outside_session"
    NO_PRICE = "no_price"
    HALTED_OR_STALE_PRICE = "halted_or_stale_price"
    RELATIVE_VOLUME_UNKNOWN = "relative_volume_unknown"
    LOW_RELATIVE_VOLUME = "low_relative_volume"
    AVERAGE_VOLUME_UNKNOWN = "average_volume_unknown"
    LOW_AVERAGE_VOLUME = "low_average_volume"
    NOT_PERMITTED = "not_permitted"
    LOW_DATA_CONFIDENCE = "low_data_confidence"
    NO_SCORE = "no_score"
    BASE_SCORE_TOO_LOW = "base_score_too_low"
    COOL_DOWN = "cool_down"
    NO_STYLE = "no_style"
    NO_ATR = "no_atr"
    STYLE_SCORE_TOO_LOW = "style_score_too_low"
    EDGE_LOST = "edge_lost"
    IV_TOO_HIGH = "iv_too_high"
    STOP_TOO_FAR = "stop_too_far"
    RISK_BELOW_A_CENT = "risk_below_a_cent"
    RISK_REWARD_TOO_LOW = "risk_reward_too_low"
    HOURLY_CAP = "hourly_cap"


MEANING: dict[Rejection, str] = {
    Rejection.OUTSIDE_SESSION: "The row lies outside regular trading hours.",
    Rejection.NO_PRICE: "Nothing has traded in this session yet, or the price is not positive.",
    Rejection.HALTED_OR_STALE_PRICE: "The last trade is too old: the symbol is halted, or its data is late.",
    Rejection.RELATIVE_VOLUME_UNKNOWN: "A stock or ETF with too few past sessions of volume: a new listing.",
    Rejection.LOW_RELATIVE_VOLUME: "Volume so far is too low for this minute of the session.",
    Rejection.AVERAGE_VOLUME_UNKNOWN: "A stock or ETF whose average daily volume is unknown.",
    Rejection.LOW_AVERAGE_VOLUME: "A stock or ETF whose average daily volume is too low.",
    Rejection.NOT_PERMITTED: "The market regime or the VIX forbids the strategy; the rule's name follows the colon.",
    Rejection.LOW_DATA_CONFIDENCE: "Too much of the data behind the score is missing.",
    Rejection.NO_SCORE: "None of the detector's factors has data.",
    Rejection.BASE_SCORE_TOO_LOW: "The base score is below the threshold for asset class, time window and VIX.",
    Rejection.COOL_DOWN: "The same detector produced a signal for this symbol a short while ago.",
    Rejection.NO_STYLE: "No style has enough time left, or the bar resolution and the option's expiry allow none.",
    Rejection.NO_ATR: "The ATR that sets stop and targets is unknown for every remaining style.",
    Rejection.STYLE_SCORE_TOO_LOW: "The best style's score is below its threshold after contexts are applied.",
    Rejection.EDGE_LOST: "The detector's settled signals of this style lost money over the last 30 days.",
    Rejection.IV_TOO_HIGH: "Implied volatility is too high to buy options.",
    Rejection.STOP_TOO_FAR: "The ATR requires a stop further away than the style allows.",
    Rejection.RISK_BELOW_A_CENT: "Entry, stop and first target are less than a cent apart.",
    Rejection.RISK_REWARD_TOO_LOW: "The second target is too close relative to the stop.",
    Rejection.HOURLY_CAP: "The symbol has reached its signals per hour; better candidates of the same minute go first.",
}
"""One line of explanation for each rejection."""
