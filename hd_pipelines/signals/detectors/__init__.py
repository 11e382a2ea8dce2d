"""The seventeen detectors: conditions, factors and weights as data, one small file per family, one registry.

Differences from the predecessor, for all of them:

- The market's regime is one of five families that its eleven regimes map to; there were three vocabularies.
- A factor whose features are missing leaves the weighted mean, and `coverage` tells how much is known. It had 50 points,
  as though something had been seen: flow without prints, a market without a regime.
- A condition on a missing feature does not hold; a veto on one does not forbid, and is told as not seen.
- What is late in the day counts back from the session's own close, so that half days have it; it counted from 9:30.
- An index's volume and VWAP are those of its fund. Its own feed has neither, so those detectors could not fire.
- A symmetrical pair is one description. A seller sees the frame turned around (`signals.catalogue`).
- Detectors see regular hours only, so the looser thresholds for other hours are not built.
"""
