"""The seventeen detectors: conditions, factors and weights as data, one small file per family, one registry."""
