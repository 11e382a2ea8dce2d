"""Why a candidate did not become a signal, by name.

Belongs here: the names and what each means. A candidate has exactly one: that of the first check it fails, in the order
of this enum. They are counted per detector in `ScanOutcome.rejections`; docs/reference/scanner.md lists them.
"""

from __future__ import annotations

from enum import StrEnum


class Rejection(StrEnum):
    """A check that keeps a candidate back. `NOT_PERMITTED` is counted with the rule's own name after a colon."""

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
    Rejection.OUTSIDE_SESSION: "The row is not a minute of regular hours.",
    Rejection.NO_PRICE: "Nothing traded yet in this session, or the price is not positive.",
    Rejection.HALTED_OR_STALE_PRICE: "The last trade is too old: the symbol is halted, or its data is late.",
    Rejection.RELATIVE_VOLUME_UNKNOWN: "A stock or fund without sessions to compare its volume with: a new listing.",
    Rejection.LOW_RELATIVE_VOLUME: "Too little traded for this minute of the session.",
    Rejection.AVERAGE_VOLUME_UNKNOWN: "A stock or fund whose usual volume is not known.",
    Rejection.LOW_AVERAGE_VOLUME: "A stock or fund that trades too little on a usual day.",
    Rejection.NOT_PERMITTED: "The market's regime or the VIX forbids the strategy; the rule's name follows the colon.",
    Rejection.LOW_DATA_CONFIDENCE: "Too much of what a score rests on is missing.",
    Rejection.NO_SCORE: "None of the detector's factors is known.",
    Rejection.BASE_SCORE_TOO_LOW: "The base score does not reach the threshold of class, window and VIX.",
    Rejection.COOL_DOWN: "The same detector spoke for this symbol a short while ago.",
    Rejection.NO_STYLE: "No holding time is left, or none that the market, the resolution and the option allow.",
    Rejection.NO_ATR: "The ATR that stop and targets are measured in is known for none of these styles.",
    Rejection.STYLE_SCORE_TOO_LOW: "The best style's score does not reach its threshold after contexts.",
    Rejection.EDGE_LOST: "The detector's settled signals of this style lost over the last 30 days.",
    Rejection.IV_TOO_HIGH: "Options are too dear to be bought.",
    Rejection.STOP_TOO_FAR: "The ATR asks for a stop further away than the style allows.",
    Rejection.RISK_BELOW_A_CENT: "Entry, stop and first target are not a cent apart.",
    Rejection.RISK_REWARD_TOO_LOW: "The second target is worth too little against the stop.",
    Rejection.HOURLY_CAP: "The symbol had its signals of the hour; better ones of the same minute went first.",
}
"""One line for each."""
