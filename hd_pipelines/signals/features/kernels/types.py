"""How kernels are compiled, and the array types they take.

Kernel modules are imported at first use, because importing numba takes a third of a second. numba's disk cache lies beside
the sources, or where NUMBA_CACHE_DIR points; the first process compiles for some seconds. No `fastmath`: sums are taken in
the order of the bars.

Kernels walk through bars once and in time order, so a value cannot depend on a later row. In all of them `positions` and
`over` belong to the sessions of a `session_grid.Grid`.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba import types

_Function = TypeVar("_Function", bound=Callable[..., Any])

FLOAT, INT = types.float64, types.int64
REAL = types.Array(FLOAT, 1, "A", readonly=True)
WHOLE = types.Array(INT, 1, "A", readonly=True)
PRICES = types.Array(FLOAT, 2, "A", readonly=True)
OUT = types.Array(FLOAT, 2, "A")


def compile_kernel(*arguments: types.Type) -> Callable[[_Function], _Function]:
    """Compile a kernel for these types now, or load it from the cache on disk."""
    return cast(
        "Callable[[_Function], _Function]", numba.njit([arguments], cache=True, nogil=True, error_model="numpy")
    )
