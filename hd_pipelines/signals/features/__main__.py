"""`python -m hd_pipelines.signals.features` compiles the kernels at set-up; later processes load them from numba's cache."""

from __future__ import annotations

from hd_pipelines.signals.features.kernels import bars as kernels_bars
from hd_pipelines.signals.features.kernels import running as kernels_running
from hd_pipelines.signals.features.kernels import shapes as kernels_shapes

__all__ = ["kernels_bars", "kernels_running", "kernels_shapes"]
