"""The raw times of a latency trial."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Nanoseconds = npt.NDArray[np.int64]


def _none() -> Nanoseconds:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Timings:
    """One latency trial, in nanoseconds and in order.

    Attributes:
        samples: (n,) the timed inferences.
        warmup: (m,) the warm-up, without the very first inference.
        starts: (n,) when each timed inference began, from the start of measuring; or (0,).
        cpu: (n,) the CPU time of each timed inference; or (0,) where it is not known.
        switches: (n,) how often the scheduler took a CPU away meanwhile; or (0,).
    """

    samples: Nanoseconds
    warmup: Nanoseconds = field(default_factory=_none)
    starts: Nanoseconds = field(default_factory=_none)
    cpu: Nanoseconds = field(default_factory=_none)
    switches: Nanoseconds = field(default_factory=_none)
