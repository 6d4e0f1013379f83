"""Trials of a thread that gets a CPU for a while, and must then leave it to others for as long."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]


def preempted(
    length: float, sigma: float, slice_: float, seed: int = 0, n: int = 100, cold: float = 0.0
) -> tuple[Times, Times]:
    """Wall and CPU times of ``n`` inferences of about ``length`` nanoseconds.

    Args:
        length: the median of an undisturbed inference.
        sigma: the spread of its logarithm.
        slice_: how long the thread has the CPU, give or take 10 %, and then others.
        seed: of the draw.
        n: how many inferences.
        cold: what each break costs in CPU time, for the caches.
    """
    rng = np.random.default_rng(seed)
    left = rng.uniform(0, slice_)
    found = []
    for _ in range(n):
        need = cpu = length * float(np.exp(sigma * rng.standard_normal()))
        wall = 0.0
        while need > left:
            wall += left + slice_
            need, cpu = need - left + cold, cpu + cold
            left = slice_ * rng.uniform(0.9, 1.1)
        left -= need
        found.append((wall + need, cpu))
    wall_ns, cpu_ns = np.array(found).astype(np.int64).T
    return wall_ns, cpu_ns
