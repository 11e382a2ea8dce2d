"""What every candidate must have before it is worth a score.

Belongs here: the universal filters, for all rows at once. Limits are the policy's. Source: product facts §3.7, step 2; its
limit on the underlying's own spread has no use, as no quotes of underlyings are kept.

A filter that can be asked must be answered: a stock whose relative or usual volume is unknown is refused by that name. An
index trades no shares, so an unknown volume of its fund does not refuse it; data confidence says what is missing.
"""

from __future__ import annotations

import numpy as np

from hd_pipelines.signals.detectors.rules.conditions import Booleans
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.policy.scan_policy import UniversalFilters
from hd_pipelines.signals.scanner.rejections import Rejection
from hd_pipelines.tables.vocabulary import AssetClass


def find_refused(frame: FeatureFrame, rules: UniversalFilters) -> list[tuple[Rejection, Booleans]]:
    """Where each filter refuses, in the order in which they are asked; booleans of shape (n,)."""
    price, volume, usual = frame["price"], frame["rvol"], frame["average_daily_volume"]
    is_traded = frame.asset_class is not AssetClass.INDEX
    return [
        (Rejection.OUTSIDE_SESSION, ~((frame["minutes_from_open"] > 0) & (frame["minutes_to_close"] >= 0))),
        (Rejection.NO_PRICE, ~((price > 0) & np.isfinite(price))),
        (Rejection.HALTED_OR_STALE_PRICE, ~(frame["price_age_minutes"] <= rules.max_price_age_minutes)),
        (Rejection.RELATIVE_VOLUME_UNKNOWN, np.isnan(volume) & is_traded),
        (Rejection.LOW_RELATIVE_VOLUME, volume < rules.min_relative_volume),
        (Rejection.AVERAGE_VOLUME_UNKNOWN, np.isnan(usual) & is_traded),
        (Rejection.LOW_AVERAGE_VOLUME, (usual < rules.min_average_daily_volume) & is_traded),
    ]
