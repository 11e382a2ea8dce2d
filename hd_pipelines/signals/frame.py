"""The feature frame: one row per minute of a symbol's session, one column per feature of the catalogue.

Live scans and scans of past sessions read the same frame. A row depends only on what was known at its `as_of`: cutting
all inputs at t leaves every row at or before t unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.signals.catalogue import FEATURES, LEVELS, Orientation, encode_value
from hd_pipelines.tables.vocabulary import AssetClass, Direction, RegimeFamily, Resolution

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class FeatureFrame:
    """Rows of one symbol, ascending in time; shape (n,) throughout, NaN where a value is unknown.

    as_of_ns: the instant of each row, ns UTC: the end of the last minute it includes.
    columns: every feature of `catalogue.FEATURES`.
    levels: every level of `catalogue.LEVELS`.
    labels: what is degraded about the frame, by name ("volume_of_SPY", "rvol_of_7_sessions").
    """

    symbol: str
    asset_class: AssetClass
    resolution: Resolution
    as_of_ns: Integers
    columns: Mapping[str, Floats]
    levels: Mapping[str, Floats]
    labels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.as_of_ns.size

    def __getitem__(self, feature: str) -> Floats:
        return self.columns[feature]

    def as_of(self, row: int) -> datetime:
        """Instant of a row, UTC."""
        return datetime.fromtimestamp(int(self.as_of_ns[row]) // 1_000_000_000, UTC)

    def session(self, row: int) -> date:
        """Session of a row; regular hours lie within one UTC date."""
        return self.as_of(row).date()

    def select(self, chosen: slice | NDArray[np.intp] | NDArray[np.bool_]) -> FeatureFrame:
        """Return a frame of only these rows."""
        return FeatureFrame(
            self.symbol,
            self.asset_class,
            self.resolution,
            self.as_of_ns[chosen],
            {name: values[chosen] for name, values in self.columns.items()},
            {name: values[chosen] for name, values in self.levels.items()},
            self.labels,
        )

    def view_for(self, direction: Direction) -> Mapping[str, Floats]:
        """Return the columns for a trade of that direction: as they are for LONG, mirrored for SHORT."""
        return self.columns if direction is Direction.LONG else MirroredView(self.columns)


_REGIME_TO_A_SELLER = np.array(
    [
        encode_value(
            "regime_family",
            {
                RegimeFamily.TRENDING_UP: RegimeFamily.TRENDING_DOWN,
                RegimeFamily.TRENDING_DOWN: RegimeFamily.TRENDING_UP,
            }.get(family, family),
        )
        for family in RegimeFamily
    ]
)


@dataclass(frozen=True)
class MirroredView(Mapping[str, Floats]):
    """Columns mirrored for a short trade, computed when first accessed; see `catalogue.Orientation`."""

    columns: Mapping[str, Floats]
    _turned: dict[str, Floats] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Floats:
        if name not in self._turned:
            self._turned[name] = self._turn(name)
        return self._turned[name]

    def _turn(self, name: str) -> Floats:
        feature = FEATURES[name]
        if feature.orientation is Orientation.SWAPPED and feature.partner is not None:
            return self.columns[feature.partner]
        values = self.columns[name]
        if feature.orientation is Orientation.SIGNED:
            return -values
        if feature.orientation is Orientation.CENTRED:
            return 100.0 - values
        if feature.orientation is Orientation.REGIME:
            known = np.where(np.isnan(values), 0, values).astype(np.intp)
            return np.where(np.isnan(values), np.nan, _REGIME_TO_A_SELLER[known])
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def empty_columns(rows: int) -> dict[str, Floats]:
    """Every feature of the catalogue as a column of NaN, to be filled."""
    return {name: np.full(rows, np.nan) for name in FEATURES}


def empty_levels(rows: int) -> dict[str, Floats]:
    """Every level as a column of NaN, to be filled."""
    return {name: np.full(rows, np.nan) for name in LEVELS}


def join_frames(frames: Sequence[FeatureFrame]) -> FeatureFrame:
    """Join frames of one symbol in the order given, which must ascend. Raises `ValueError` if there are none."""
    if not frames:
        raise ValueError("no frames to join; pass at least one")
    first = frames[0]
    return FeatureFrame(
        first.symbol,
        first.asset_class,
        first.resolution,
        np.concatenate([frame.as_of_ns for frame in frames]),
        {name: np.concatenate([frame.columns[name] for frame in frames]) for name in first.columns},
        {name: np.concatenate([frame.levels[name] for frame in frames]) for name in first.levels},
        tuple(dict.fromkeys(label for frame in frames for label in frame.labels)),
    )
