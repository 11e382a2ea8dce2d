"""The feature frame of a symbol's session: one function for scanner, backtest and paper trading."""

from hd_pipelines.signals.features.day_frames import day_frame
from hd_pipelines.signals.features.minute_frames import evaluate, frames, session_frame

__all__ = ["day_frame", "evaluate", "frames", "session_frame"]
