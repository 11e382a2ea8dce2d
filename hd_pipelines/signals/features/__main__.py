"""`python -m hd_pipelines.signals.features`: compile the loops at set-up; later processes find them in numba's cache."""

from __future__ import annotations

from hd_pipelines.signals.features import kernels_bars, kernels_running, kernels_shapes

__all__ = ["kernels_bars", "kernels_running", "kernels_shapes"]
