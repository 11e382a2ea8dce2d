"""Computes the exercise boundary and early exercise premium of American puts, for a block of options at once.

Mathematics only, in numba's subset of Python, on the rows of one scratch array. `american_loops` reads, checks and writes
options.

Everything is a put with strike 1: a call on S with strike K is a put on K with strike S whose rate and dividend yield are
interchanged (McDonald and Schroder, 1998). With a = rate * T, b = yield * T and v = sigma * sqrt(T), times are fractions of
T, and the boundary is X e^-G(t), where X = min(1, a / b) is its limit at settlement.

G is found by collocation at Chebyshev points of sqrt(t): Andersen, Lake and Offengenden, "High-performance American option
pricing" (2016), equation system A; G^2 is interpolated. It starts from the QD+ approximation of Li, "Analytical
approximations for the critical stock prices of American options" (2010), which takes a few Newton steps from the formula of
Bjerksund and Stensland (1993). Two fixed-point steps follow; a third changes prices by less than the interpolation error
(tests/pricing/test_american_prices.py).

As the collocation points and the quadrature points are the same fractions of T for all options, all interpolation weights
are constants, and each inner loop runs over options without a branch.
"""

import math

import numpy as np
from numpy.typing import NDArray

from hd_pipelines.pricing.kernels.elementary import (
    SQRT_2PI,
    exponential,
    inlined,
    logarithm,
    mills,
    shared,
)

Floats = NDArray[np.float64]

LANES = 64
_NODES = 7
_INNER = 10
_OUTER = 24
_NEWTON_STEPS = 4
_FIXED_POINT_STEPS = 2
_PER_ROOT = 1.0 / SQRT_2PI

# Rows of the scratch array: the problem, its answers, and room for the boundary.
A, B, V, M = 0, 1, 2, 3
LOG_EDGE, PREMIUM, SLOPE, CURVATURE = 4, 5, 6, 7
_LIMIT, _N, _D, _DN, _DD = 8, 9, 10, 11, 12
_G = 13
_H = _G + _NODES
ROWS = _H + _NODES


def _build_interpolation(points: Floats) -> Floats:
    """Weights of the collocated values (the value at 0 is 0) in the interpolating polynomial at each of the points."""
    order = np.arange(_NODES + 1)
    nodes = (1.0 + np.cos(order * np.pi / _NODES)) / 2.0
    barycentric = (-1.0) ** order
    barycentric[[0, -1]] /= 2.0
    weights = barycentric / (points[..., None] - nodes)
    return np.ascontiguousarray((weights / weights.sum(-1, keepdims=True))[..., :-1])


def _build_legendre(points: int) -> tuple[Floats, Floats]:
    """Points and weights of Gauss-Legendre quadrature on (0, 1)."""
    at, weights = np.polynomial.legendre.leggauss(points)
    return (1.0 + at) / 2.0, weights / 2.0


_X = ((1.0 + np.cos(np.arange(_NODES) * np.pi / _NODES)) / 2.0).copy()
_Y, _Y_WEIGHT = _build_legendre(_INNER)
_INNER_WEIGHTS = _build_interpolation(_X[:, None] * np.sqrt(1.0 - _Y * _Y))
_Z, _Z_WEIGHT = _build_legendre(_OUTER)
_OUTER_WEIGHTS = _build_interpolation(np.sqrt(1.0 - _Z * _Z))


@inlined
def _guess_boundary(a: float, b: float, v: float, limit: float, x: float) -> float:
    """Ln of the boundary at time x^2: from the limit towards the perpetual boundary (Bjerksund and Stensland)."""
    v2 = v * v
    drift = a - b - 0.5 * v2
    root = math.sqrt(drift * drift + 2.0 * v2 * a)
    exponent = -2.0 * a / (root - drift) if drift < 0.0 else -(drift + root) / v2
    perpetual = exponent / (exponent - 1.0)
    edge = exponential(limit)
    gap = max(edge - perpetual, 1e-12)
    h = -(2.0 * v * x + (b - a) * x * x) * edge / gap
    return logarithm(max(perpetual + gap * exponential(min(h, 0.0)), 1e-300))


@inlined
def _take_qd_step(  # noqa: PLR0917
    y: float, a: float, b: float, v: float, alpha: float, beta: float, dr: float, dq: float
) -> float:
    """Newton step in y = ln S towards the QD+ boundary."""
    s = exponential(y)
    dp = (y + a - b) / v + 0.5 * v
    dm = dp - v
    at_p = exponential(-0.5 * dp * dp)
    tail_p = at_p * mills(abs(dp))
    tail_m = exponential(-0.5 * dm * dm) * mills(abs(dm))
    cdf_p = tail_p if dp > 0.0 else 1.0 - tail_p  # N(-d+)
    cdf_m = tail_m if dm > 0.0 else 1.0 - tail_m
    density = at_p * _PER_ROOT
    worth = dr * cdf_m - s * dq * cdf_p
    theta = a * dr * cdf_m - b * s * dq * cdf_p - 0.5 * v * s * dq * density
    charm = (b - a) * dq * density / v - b * dq * cdf_p - 0.5 * v * dq * (density - dp * density / v)
    kept = 1.0 - dq * cdf_p
    value = kept * s - beta * (1.0 - s - worth) + alpha * theta / dr
    slope = kept + dq * density / v + beta * kept + alpha * charm / dr
    return min(max(-value / (slope * s), -0.5), 0.5)


@inlined
def _find_qd_boundary(a: float, b: float, v: float, limit: float, guess: float) -> float:
    """Ln of the QD+ boundary of an option with a, b, v for its whole life."""
    v2 = v * v
    dr, dq = exponential(-a), exponential(-b)
    per = 1.0 + 0.5 * a if abs(a) < 1e-6 else a / (1.0 - dr)
    omega = 1.0 - 2.0 * (a - b) / v2
    root = math.sqrt(omega * omega + 8.0 * per / v2)
    exponent = -4.0 * per / v2 / (omega + root) if omega > 0.0 else 0.5 * (omega - root)
    alpha = -2.0 * dr / (v2 * root)
    beta = alpha * (per - 2.0 * per * per / (v2 * root * root)) - exponent
    y = guess
    for _ in range(_NEWTON_STEPS):
        y = min(y + _take_qd_step(y, a, b, v, alpha, beta, dr, dq), limit)
    return y


@shared
def find_boundaries(work: Floats) -> None:
    """From rows A, B, V compute the boundary's G at the collocation points, and LOG_EDGE, ln of the boundary today."""
    for j in range(LANES):
        a, b = work[A * LANES + j], work[B * LANES + j]
        work[_LIMIT * LANES + j] = logarithm(max(a / b, 1e-30)) if b > a else 0.0
    for i in range(_NODES):
        x = _X[i]
        for j in range(LANES):
            a, b, v = work[A * LANES + j], work[B * LANES + j], work[V * LANES + j]
            limit = work[_LIMIT * LANES + j]
            y = _find_qd_boundary(a * x * x, b * x * x, v * x, limit, _guess_boundary(a, b, v, limit, x))
            work[(_G + i) * LANES + j] = max(limit - y, 0.0)
    for _ in range(_FIXED_POINT_STEPS):
        _take_fixed_point_step(work)
    for j in range(LANES):
        work[LOG_EDGE * LANES + j] = work[_LIMIT * LANES + j] - work[_G * LANES + j]


@inlined
def _square(work: Floats) -> None:
    for i in range(_NODES):
        for j in range(LANES):
            g = work[(_G + i) * LANES + j]
            work[(_H + i) * LANES + j] = g * g


@inlined
def _interpolate_g(work: Floats, weights: Floats, j: int) -> float:
    """G between the collocation points, at the point to which `weights` belong."""
    h = 0.0
    for i in range(_NODES):
        h += weights[i] * work[(_H + i) * LANES + j]
    return math.sqrt(max(h, 0.0))


@inlined
def _take_fixed_point_step(work: Floats) -> None:
    """One step of system A at all collocation points, each from the same old boundary.

    Where the equation's right side falls with the boundary at its own point, the step is Newton's in that point alone,
    because plain steps would oscillate with growing amplitude.
    """
    _square(work)
    for i in range(_NODES):
        x = _X[i]
        for j in range(LANES):
            a, b, v = work[A * LANES + j], work[B * LANES + j], work[V * LANES + j]
            per = 1.0 / (v * x)
            dm = (work[_LIMIT * LANES + j] - work[(_G + i) * LANES + j] + (a - b) * x * x) * per - 0.5 * v * x
            dp = dm + v * x
            density_m = exponential(-0.5 * dm * dm) * _PER_ROOT * per
            at_p = exponential(-0.5 * dp * dp)
            density_p = at_p * _PER_ROOT * per
            tail = at_p * mills(abs(dp))
            work[_N * LANES + j] = density_m
            work[_D * LANES + j] = density_p + (1.0 - tail if dp > 0.0 else tail)
            work[_DN * LANES + j] = -density_m * dm * per
            work[_DD * LANES + j] = density_p * (1.0 - dp * per)
        for k in range(_INNER):
            z = x * _Y[k]
            u = x * x - z * z
            weight = x * x * 2.0 * _Y[k] * _Y_WEIGHT[k]
            weights = _INNER_WEIGHTS[i, k]
            for j in range(LANES):
                a, b, v = work[A * LANES + j], work[B * LANES + j], work[V * LANES + j]
                per = 1.0 / (v * z)
                gap = _interpolate_g(work, weights, j) - work[(_G + i) * LANES + j]
                dm = (gap + (a - b) * z * z) * per - 0.5 * v * z
                dp = dm + v * z
                at_p = exponential(-0.5 * dp * dp)
                tail = at_p * mills(abs(dp))
                cdf = 1.0 - tail if dp > 0.0 else tail
                density_m = weight * a * exponential(a * u - 0.5 * dm * dm) * _PER_ROOT * per
                density_p = at_p * _PER_ROOT * per
                dividends = weight * b * exponential(b * u)
                work[_N * LANES + j] += density_m
                work[_D * LANES + j] += dividends * (cdf + density_p)
                work[_DN * LANES + j] -= density_m * dm * per
                work[_DD * LANES + j] += dividends * density_p * (1.0 - dp * per)
        for j in range(LANES):
            a, b, old = work[A * LANES + j], work[B * LANES + j], work[(_G + i) * LANES + j]
            n, d = work[_N * LANES + j], work[_D * LANES + j]
            ratio = n / d
            sound = 1e-300 < ratio < 1e300
            step = work[_LIMIT * LANES + j] + (a - b) * x * x - logarithm(ratio if sound else 1.0) - old
            falls = min(work[_DN * LANES + j] / n - work[_DD * LANES + j] / d, 0.0)
            work[(_G + i) * LANES + j] = max(old + step / (1.0 - falls), 0.0) if sound else old


@shared
def find_premiums(work: Floats) -> None:
    """Compute PREMIUM, that of early exercise at M = ln S above the boundary, from the rows left by `find_boundaries`."""
    _square(work)
    for j in range(LANES):
        work[PREMIUM * LANES + j] = 0.0
    for k in range(_OUTER):
        z, weight = _Z[k], 2.0 * _Z[k] * _Z_WEIGHT[k]
        weights = _OUTER_WEIGHTS[k]
        for j in range(LANES):
            a, b, v, m = work[A * LANES + j], work[B * LANES + j], work[V * LANES + j], work[M * LANES + j]
            per = 1.0 / (v * z)
            gap = m - work[_LIMIT * LANES + j] + _interpolate_g(work, weights, j)
            dm = (gap + (a - b) * z * z) * per - 0.5 * v * z
            dp = dm + v * z
            tail_m = exponential(-0.5 * dm * dm) * mills(abs(dm))
            tail_p = exponential(-0.5 * dp * dp) * mills(abs(dp))
            interest = a * exponential(-a * z * z) * (tail_m if dm > 0.0 else 1.0 - tail_m)
            dividends = b * exponential(m - b * z * z) * (tail_p if dp > 0.0 else 1.0 - tail_p)
            work[PREMIUM * LANES + j] += weight * (interest - dividends)


@shared
def find_premium_slopes(work: Floats) -> None:
    """Compute PREMIUM with its first and second derivative to M, SLOPE and CURVATURE."""
    _square(work)
    for j in range(3 * LANES):
        work[PREMIUM * LANES + j] = 0.0
    for k in range(_OUTER):
        z, weight = _Z[k], 2.0 * _Z[k] * _Z_WEIGHT[k]
        weights = _OUTER_WEIGHTS[k]
        for j in range(LANES):
            a, b, v, m = work[A * LANES + j], work[B * LANES + j], work[V * LANES + j], work[M * LANES + j]
            per = 1.0 / (v * z)
            g = _interpolate_g(work, weights, j) - work[_LIMIT * LANES + j]
            dm = (m + g + (a - b) * z * z) * per - 0.5 * v * z
            dp = dm + v * z
            at_m = exponential(-0.5 * dm * dm)
            tail_m = at_m * mills(abs(dm))
            tail_p = exponential(-0.5 * dp * dp) * mills(abs(dp))
            discount = exponential(-a * z * z)
            interest = a * discount * (tail_m if dm > 0.0 else 1.0 - tail_m)
            dividends = b * exponential(m - b * z * z) * (tail_p if dp > 0.0 else 1.0 - tail_p)
            at_edge = b * exponential(-g)
            density = discount * at_m * _PER_ROOT * per
            work[PREMIUM * LANES + j] += weight * (interest - dividends)
            work[SLOPE * LANES + j] -= weight * ((a - at_edge) * density + dividends)
            work[CURVATURE * LANES + j] += weight * (density * ((a - at_edge) * dm * per + at_edge) - dividends)
