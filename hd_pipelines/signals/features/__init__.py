"""Build feature frames. Live scans and scans of past sessions use the same functions, so they see the same numbers."""

from hd_pipelines.signals.features.day_frames import build_day_frame
from hd_pipelines.signals.features.minute_frames import build_frames, build_session_frame, evaluate

__all__ = ["build_day_frame", "build_frames", "build_session_frame", "evaluate"]
