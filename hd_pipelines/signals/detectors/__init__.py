"""Seventeen detectors of intraday setups: conditions, score factors and weights as data, one small file per family.

Add a detector as a family module here plus a line in `registry`; what detectors are built from is in `rules`.

Design notes:

- The market regime a detector looks at is one of five families, and each of the eleven regimes maps to exactly one.
- A factor whose features are missing leaves the weighted mean instead of scoring a neutral 50 points, and `coverage`
  reports how much of the weight is known.
- A condition on a missing feature does not hold. A veto on a missing feature does not block; the explanation shows the
  value as unknown.
- Conditions about the end of the day count minutes back from the session's own close, so they also work on half days.
- An index has no volume and no VWAP of its own; its tracking ETF's are used (`volume_of_SPY`).
- A symmetrical pair is one description. The short side evaluates it on a mirrored frame (`signals.catalogue`).
- Detectors see regular hours only.
"""
