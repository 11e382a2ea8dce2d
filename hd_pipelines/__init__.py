"""US options data in Postgres: bars, Greeks, IV percentiles, gamma exposure, market regime, signals and alerts."""

__version__ = "0.1.0"
