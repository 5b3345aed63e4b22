# SPDX-License-Identifier: Apache-2.0
"""The regularized upper incomplete gamma function, Q(a, x), in plain floats."""

from math import exp, lgamma, log

_SMALL = 1e-300
_ENOUGH = 1e-15
_MOST_TERMS = 1_000_000
_LEAST_LOG = -745.0
"""exp() of less is zero."""


def igamc(a: float, x: float) -> float:
    """Return Q(a, x) = Gamma(a, x) / Gamma(a): the tail of a chi-square at 2x, 2a.

    By the power series of its complement below a + 1 and by Legendre's continued
    fraction above (NIST DLMF 8.7.1 and 8.9.2), to about 1e-10.

    Args:
        a: positive; half the degrees of freedom.
        x: half the chi-square; what is below zero counts as zero.
    """
    if x <= 0:
        return 1.0
    scale = a * log(x) - x - lgamma(a)
    if x < a + 1:
        return max(0.0, 1.0 - exp(scale) * _series(a, x))
    return exp(scale) * _fraction(a, x) if scale > _LEAST_LOG else 0.0


def _series(a: float, x: float) -> float:
    term = total = 1.0 / a
    for step in range(1, _MOST_TERMS):
        term *= x / (a + step)
        total += term
        if term < total * _ENOUGH:
            break
    return total


def _fraction(a: float, x: float) -> float:
    """Evaluate the continued fraction from its front, by Lentz's method."""
    b = x + 1.0 - a
    c, d = 1.0 / _SMALL, 1.0 / b
    value = d
    for step in range(1, _MOST_TERMS):
        term = -step * (step - a)
        b += 2.0
        d = 1.0 / (term * d + b or _SMALL)
        c = b + term / c or _SMALL
        value *= d * c
        if abs(d * c - 1.0) < _ENOUGH:
            break
    return value
