"""What one latency trial's samples say: order statistics, outliers, two modes, drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobilebench.analysis.modes import Modes, two_modes
from mobilebench.analysis.warmup import Convergence, convergence

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)

#: A quantile of fewer samples than this is the maximum under another name: 1 / (1 - q).
ENOUGH_SAMPLES = {0.9: 10, 0.95: 20, 0.99: 100}

# Tukey's outer fences (Exploratory Data Analysis, 1977): "far out". The inner ones would flag the
# plain right skew of every latency distribution.
_FENCE = 3.0
# A box narrower than 1 % of the median is the timer's step, not the spread of the device.
_NARROWEST_BOX = 0.01
# Fewer samples tell a trend from chance too badly to speak of it.
_ENOUGH_FOR_DRIFT = 30


@dataclass(frozen=True)
class TrialStatistics:
    """One trial's samples in a few numbers; times in nanoseconds.

    ``outliers`` counts samples beyond Tukey's outer fences: flagged, never dropped. ``drift`` is
    the median of the last third over that of the first, less 1; None for under 30 samples.
    ``modes`` are the two values that the samples gather around, if they do. ``convergence`` says
    whether the warm-up had settled; None where that is not known.
    """

    n: int
    minimum: float
    p05: float
    p25: float
    median: float
    p75: float
    p90: float
    p95: float
    p99: float
    maximum: float
    outliers: int
    drift: float | None
    modes: Modes | None = None
    convergence: Convergence | None = None


def describe(
    samples_ns: npt.NDArray[np.int64], warmup_ns: npt.NDArray[np.int64] | None = None
) -> TrialStatistics:
    """The order statistics of one trial.

    Args:
        samples_ns: (n,) the timed inferences in the order they ran, nanoseconds.
        warmup_ns: (m,) the warm-up runs before them; the last ones will do.

    Raises:
        ValueError: there are no samples.
    """
    if not samples_ns.size:
        raise ValueError("a trial without samples has no statistics")
    p05, p25, p50, p75, p90, p95, p99 = (float(q) for q in np.quantile(samples_ns, QUANTILES))
    reach = _FENCE * max(p75 - p25, _NARROWEST_BOX * p50)
    outliers = np.count_nonzero((samples_ns < p25 - reach) | (samples_ns > p75 + reach))
    return TrialStatistics(
        n=samples_ns.size,
        minimum=float(samples_ns.min()),
        p05=p05,
        p25=p25,
        median=p50,
        p75=p75,
        p90=p90,
        p95=p95,
        p99=p99,
        maximum=float(samples_ns.max()),
        outliers=int(outliers),
        drift=_drift(samples_ns),
        modes=two_modes(samples_ns),
        convergence=None if warmup_ns is None else convergence(warmup_ns, samples_ns),
    )


def _drift(samples_ns: npt.NDArray[np.int64]) -> float | None:
    third = samples_ns.size // 3
    if samples_ns.size < _ENOUGH_FOR_DRIFT:
        return None
    first = float(np.median(samples_ns[:third]))
    return float(np.median(samples_ns[-third:])) / first - 1 if first > 0 else None
