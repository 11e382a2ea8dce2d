"""Tests of signals: features, engines, detectors, scanner."""
