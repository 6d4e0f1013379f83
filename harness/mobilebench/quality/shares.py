"""Intervals of shares of samples: how many are right, and how many more than before."""

from __future__ import annotations

import functools
import math

CONFIDENCE = 0.95


@functools.lru_cache(maxsize=1024)
def interval(right: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact interval of a share of ``n`` >= 1 (Clopper & Pearson, Biometrika 26, 1934)."""
    from scipy import stats  # slow to import

    found = stats.binomtest(right, n).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)


def paired_interval(
    right: int, base_right: int, n: int, disagreements: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The interval of the difference of two shares of the *same* ``n`` samples.

    Agresti and Min's interval for matched pairs (Statistics in Medicine 24, 2005, p. 729): the
    Wald interval after adding 1/2 to each cell. It needs the number of samples that exactly one
    model has right. Without labels only a bound of it is known, the number of samples on which
    the predictions differ; with the bound the interval can only be wider.

    Raises:
        ValueError: so few disagreements cannot make this difference.
    """
    from scipy import special  # slow to import

    gain = right - base_right
    if not abs(gain) <= disagreements <= n:
        raise ValueError(f"{disagreements} disagreements cannot make a difference of {gain}")
    z = float(special.ndtri((1 + confidence) / 2))
    centre = gain / (n + 2)
    spread = z * math.sqrt(disagreements + 1 - gain**2 / (n + 2)) / (n + 2)
    # The interval's centre is drawn towards 0; it keeps the observed difference inside.
    value = gain / n
    return max(min(centre - spread, value), -1.0), min(max(centre + spread, value), 1.0)
