"""Exponential, logarithm and normal tail without a branch, so that a compiled loop handles eight or four options at a time.

Also defines how kernels are compiled. Only other kernel modules import this one, and they are imported at the first call of
the public functions, because importing numba takes a third of a second.

Calls into a C library would keep LLVM from vectorising a loop. Each function here is a polynomial of its reduced argument,
accurate to one or two units in the last place; `mills` follows Shepherd and Laframboise (1981), whose single change of
variable covers the half line. Kernels release the interpreter lock and start no threads of their own: numba's thread pools
survive neither a fork nor, without OpenMP or TBB, two callers at once.
"""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.typing.templates import Signature

_Function = TypeVar("_Function", bound=Callable[..., Any])

SOURCES = hashlib.sha256(
    b"".join(
        path.read_bytes()
        for path in (*sorted(Path(__file__).parent.glob("*.py")), Path(__file__).parent.with_name("reasons.py"))
    )
).hexdigest()
"""Hash of all kernel sources. numba's cache on disk checks one source file only, so every cached kernel carries this hash
in a closure, which is part of the cache key: after a change in any of these files nothing stale is loaded.
"""

_OPTIONS: Any = {"error_model": "numpy", "fastmath": {"contract"}, "nogil": True}
_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_MANTISSA = 0xFFFFFFFFFFFFF
LOWEST_EXPONENT = -708.0
SQRT_2PI = math.sqrt(2.0 * math.pi)


def inlined(function: _Function) -> _Function:
    """Compile a function that becomes part of the kernels that call it. It has no cache of its own."""
    return cast("_Function", numba.njit(forceinline=True, **_OPTIONS)(function))


def shared(function: _Function) -> _Function:
    """Compile a function too large to be inlined into each kernel that calls it. It has no cache of its own."""
    return cast("_Function", numba.njit(**_OPTIONS)(function))


def cached(signature: Signature) -> Callable[[_Function], _Function]:
    """Compile a kernel for one signature now, or load it from the cache on disk. The kernel must close over `SOURCES`."""

    def compile_it(function: _Function) -> _Function:
        if not function.__closure__:
            raise TypeError(f"{function.__name__} must close over the stamp of the kernel sources")
        return cast("_Function", numba.njit(signature, cache=True, **_OPTIONS)(function))

    return compile_it


@inlined
def exponential(x: float) -> float:
    """e^x for x <= 709; below -708 it stays at e^-708, about 3e-308."""
    x = max(x, LOWEST_EXPONENT)
    shifted = x * _LOG2_E + _ROUND
    power = np.float64(shifted).view(np.int64)
    whole = shifted - _ROUND
    r = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return float(p * np.int64((power + 1023) << 52).view(np.float64))


@inlined
def _log_of_quotient(s: float) -> float:
    """ln((1 + s) / (1 - s)) for |s| <= 0.172, the series of 2 atanh(s)."""
    u = s * s
    p = 2.0 / 23.0
    p = p * u + 2.0 / 21.0
    p = p * u + 2.0 / 19.0
    p = p * u + 2.0 / 17.0
    p = p * u + 2.0 / 15.0
    p = p * u + 2.0 / 13.0
    p = p * u + 2.0 / 11.0
    p = p * u + 2.0 / 9.0
    p = p * u + 2.0 / 7.0
    p = p * u + 2.0 / 5.0
    p = p * u + 2.0 / 3.0
    return p * u * s + 2.0 * s


@inlined
def logarithm(x: float) -> float:
    """Natural logarithm of a positive normal number."""
    bits = np.float64(x).view(np.int64) - np.int64(_SQRT_HALF_BITS)
    mantissa = np.int64((bits & np.int64(_MANTISSA)) + np.int64(_SQRT_HALF_BITS)).view(np.float64)
    exponent = np.int64((bits >> 52) + np.int64(0x4338000000000000)).view(np.float64) - _ROUND
    return exponent * _LN2_HIGH + (_log_of_quotient((mantissa - 1.0) / (mantissa + 1.0)) + exponent * _LN2_LOW)


@inlined
def log_ratio(a: float, b: float) -> float:
    """ln(a / b), accurate to the last place also where a and b are nearly equal."""
    difference = (a - b) / (a + b)
    near = _log_of_quotient(difference)
    far = logarithm(a / b)
    return near if abs(difference) < 0.17 else far


@inlined
def mills(z: float) -> float:
    """e^(z^2/2) N(-z) for z >= 0, the normal tail without its exponential: erfcx(z / sqrt 2) / 2."""
    reciprocal = 1.0 / ((z + 6.0) * (z + 1.0))
    t = (z - 6.0) * (z + 1.0) * reciprocal
    p = 8.832119066106692e-10
    p = p * t + 1.8949932199647974e-09
    p = p * t - 1.3216248494004574e-08
    p = p * t - 1.6072442060433033e-08
    p = p * t + 1.2855300997957524e-07
    p = p * t - 7.0131470648339625e-09
    p = p * t - 9.96080076103636e-07
    p = p * t + 1.7901065399515133e-06
    p = p * t + 4.410330294912029e-06
    p = p * t - 2.635716897642523e-05
    p = p * t + 3.779571503282202e-05
    p = p * t + 0.00011949111348273791
    p = p * t - 0.0008689948765084577
    p = p * t + 0.002935655159481754
    p = p * t - 0.007059819386114566
    p = p * t + 0.013246864207649086
    p = p * t - 0.019766479223419838
    p = p * t + 0.022592467058330578
    p = p * t - 0.016141517332019992
    p = p * t - 0.004373386779422709
    p = p * t + 0.03981142456242622
    p = p * t - 0.08502536230577265
    p = p * t + 0.45345520027112796
    return p * ((z + 6.0) * reciprocal)


@inlined
def normal_cdf(x: float) -> float:
    """N(x), with full relative precision in the lower tail."""
    tail = exponential(-0.5 * x * x) * mills(abs(x))
    return tail if x < 0.0 else 1.0 - tail
