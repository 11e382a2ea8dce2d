"""The feature frame of a symbol's session: one function for scanner, backtest and paper trading."""

from hd_pipelines.signals.features.day_frames import build_day_frame
from hd_pipelines.signals.features.minute_frames import build_frames, build_session_frame, evaluate

__all__ = ["build_day_frame", "build_frames", "build_session_frame", "evaluate"]
