"""hd_pipelines: US options data, signals, backtests and paper trading on one desk."""

__version__ = "0.1.0"
