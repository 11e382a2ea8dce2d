"""Black's formula (1976), its inverse and its derivatives for one option, without a branch. Loops are in `european_loops`.

Everything is computed on the out-of-the-money side, normalised as in Jaeckel, "Let's Be Rational" (Wilmott, 2015): with x =
-|ln(F / K)|, s = sigma sqrt(T), h = x / s and t = s / 2 the time value is sqrt(F K) b(x, s), where

    b = e^(x/2) N(h + t) - e^(-x/2) N(h - t),    0 <= b < e^(x/2).

Both normal terms share the factor e^(-(h^2 + t^2)/2), so b is a difference of two `mills` values and keeps its relative
precision down to 1e-300. For small s the difference is computed by its Taylor series, which preserves the precision at zero
days too.
"""

import math

from hd_pipelines.pricing.kernels.elementary import (
    SQRT_2PI,
    exponential,
    inlined,
    log_ratio,
    logarithm,
    mills,
)

_SMALL_T = 0.05
_SMALL_B = 0.01
_POLYA = 2.0 / math.pi


@inlined
def mills_difference(z: float, m: float, t: float) -> float:
    """(m(z - t) - m(z + t)) for small t, given m = mills(z): Taylor series to the ninth derivative."""
    d1 = z * m - 1.0 / SQRT_2PI
    d2 = z * d1 + m
    d3 = z * d2 + 2.0 * d1
    d4 = z * d3 + 3.0 * d2
    d5 = z * d4 + 4.0 * d3
    d6 = z * d5 + 5.0 * d4
    d7 = z * d6 + 6.0 * d5
    u = t * t
    return -2.0 * t * (d1 + u * (d3 / 6.0 + u * (d5 / 120.0 + u * (d7 / 5040.0))))


@inlined
def normalised_price(x: float, root: float, s: float) -> tuple[float, float, float]:
    """(b, root - b, db/ds) at x <= 0 and s > 0, with root = e^(x/2). Both b and root - b keep full relative precision."""
    h = x / s
    t = 0.5 * s
    d1 = h + t
    small = t < _SMALL_T
    shared = exponential(-0.5 * (h * h + t * t))
    near = mills(-h if small else abs(d1))
    far = mills(t - h)
    series = mills_difference(-h, near, t)
    whole = 1.0 if d1 > 0.0 else 0.0
    whole = 0.0 if small else whole
    direct = (1.0 - 2.0 * whole) * near - far
    part = shared * (series if small else direct)
    value = whole * root + part
    rest = (1.0 - whole) * root - part
    return value, rest, shared * (1.0 / SQRT_2PI)


@inlined
def guess_by_polya(x: float, root: float, b: float) -> float:
    """First guess of s, within about a tenth: Stefanica and Radoicic (2017), from Polya's approximation of N.

    At the money in the last minutes that formula is a difference of equal numbers; there b = s / sqrt(2 pi) + x / 2 is
    used.
    """
    ratio = root * root
    a = b * root
    h = exponential(_POLYA * x)
    g = ratio / h
    spread = g - 1.0 / g
    big_a = spread * spread
    big_b = 4.0 * (h + 1.0 / h) - (2.0 / ratio) * (g + 1.0 / g) * (2.0 * ratio - 4.0 * a * (1.0 - ratio + a))
    big_c = 16.0 * a * (a + 1.0 - ratio) * (ratio - a) * (1.0 + a) / (ratio * ratio)
    beta = 2.0 * big_c / (big_b + math.sqrt(big_b * big_b + 4.0 * big_a * big_c))
    gamma = -logarithm(beta) / _POLYA
    u = math.sqrt(max(gamma - x, 0.0))
    v = math.sqrt(max(gamma + x, 0.0))
    turn = 0.5 * root - 0.5 * (1.0 - math.sqrt(max(1.0 - h * h, 0.0))) / root
    at_the_money = SQRT_2PI * (b - 0.5 * x)
    polya = max(u + v if b > turn else u - v, SQRT_2PI * b)  # b <= s / sqrt(2 pi) always
    return at_the_money if -x < b < _SMALL_B else polya


@inlined
def take_householder_step(x: float, root: float, target: float, low: bool, s: float) -> float:
    """Take a step of fourth order towards the s that gives the price, on 1 / ln b (`low`) or ln(e^(x/2) - b)."""
    value, rest, slope = normalised_price(x, root, s)
    y = value if low else rest
    log_y = logarithm(y)
    q = slope / y
    q = q if low else -q
    inverse = 1.0 / log_y if low else 0.0
    newton = (target - log_y) * (log_y / target if low else 1.0) / q
    h = x / s
    c2 = h * h / s - 0.25 * s
    c3 = c2 * c2 - 3.0 * (h / s) * (h / s) - 0.25
    q2 = q * (1.0 + 2.0 * inverse)
    k2 = c2 - q2
    k3 = c3 + 2.0 * q * q * (1.0 + 3.0 * inverse * (1.0 + inverse)) - 3.0 * c2 * q2
    return newton * (1.0 + 0.5 * k2 * newton) / (1.0 + newton * (k2 + k3 * newton * (1.0 / 6.0)))


@inlined
def normalised_volatility(x: float, root: float, b: float) -> tuple[float, float]:
    """(s, relative size of the last step) for 0 < b < root = e^(x/2); the size is infinite where no s > 0 was found.

    The error of s is about the fourth power of that size.
    """
    low = b < 0.5 * root
    target = logarithm(b if low else root - b)
    s = guess_by_polya(x, root, b)
    s += take_householder_step(x, root, target, low, s)
    step = take_householder_step(x, root, target, low, s)
    return s + step, abs(step / s) if s + step > 0.0 else math.inf


@inlined
def payoff(forward: float, strike: float, is_call: bool) -> float:
    """Value of exercise at the forward."""
    gain = forward - strike
    gain = gain if is_call else -gain
    return max(gain, 0.0)


@inlined
def black_derivatives(
    forward: float, strike: float, sigma: float, root_years: float, is_call: bool
) -> tuple[float, float, float, float]:
    """Undiscounted (time value, d/dF, d2/dF2, d/dsigma), the normal terms shared with `normalised_price`."""
    geometric = math.sqrt(forward) * math.sqrt(strike)
    root = min(forward, strike) / geometric
    s = sigma * root_years
    h = -abs(log_ratio(forward, strike)) / s
    t = 0.5 * s
    d1 = h + t
    shared = exponential(-0.5 * (h * h + t * t))
    near = mills(abs(d1))
    far = mills(t - h)
    at_d1 = shared / root
    tail = at_d1 * near
    above = d1 > 0.0
    upper = 1.0 - tail if above else tail  # N(d1) and N(d2) of the out-of-the-money call on the smaller of F and K
    lower = shared * root * far
    series = mills_difference(max(-h, 0.0), mills(-h), t)
    direct = geometric * (root * upper - lower / root)
    time_value = geometric * shared * series if t < _SMALL_T else direct
    one_minus_upper = tail if above else 1.0 - tail
    otm_is_call = forward <= strike
    call_delta = upper if otm_is_call else 1.0 - lower
    put_delta = -one_minus_upper if otm_is_call else -lower
    to_forward = call_delta if is_call else put_delta
    density = geometric * shared * (1.0 / SQRT_2PI)  # F n(d1)
    return time_value, to_forward, density / (forward * forward * s), density * root_years
