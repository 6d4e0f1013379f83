"""Pruning schedules: which weights are zero at each point of the training.

Removing weights gradually while the network is trained on costs less accuracy than removing them
at once. The gradual schedule follows the cubic of Zhu and Gupta 2017,
s(t) = s_f + (s_i − s_f)(1 − t)³: most go early, when there are many to choose from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mobilebench.compress.pruning.importance import Scores, zero_share
from mobilebench.compress.pruning.masks import leave_out
from mobilebench.models.array import Array

#: The share of the training after which the gradual schedule has reached its goal.
_RAMP = 0.6


class Masking:
    """Which weights to keep as training goes on. What was left out once stays out."""

    def __init__(
        self,
        kept: Sequence[Array],
        start: Sequence[Array],
        scores: Scores,
        shares: float | Sequence[float],
        pattern: str | None,
        *,
        once: bool,
        matrices: Sequence[tuple[int, ...]] | None = None,
    ) -> None:
        self._kept = list(kept)
        self._scores, self._shares, self._pattern = scores, shares, pattern
        self._before = [zero_share([weights]) for weights in start]
        self._before_all = zero_share(start)
        self._once, self._settled = once, False
        self._matrices = matrices

    @property
    def settled(self) -> bool:
        """Whether what is pruned will stay as it is."""
        return self._settled

    def state(self) -> dict[str, Array]:
        """For a checkpoint."""
        kept = {f"kept_{number}": np.packbits(mask) for number, mask in enumerate(self._kept)}
        return {"settled": np.array(self._settled), **kept}

    def restore_state(self, kept: Mapping[str, Array]) -> None:
        """What :meth:`state` gave."""
        self._settled = bool(kept["settled"])
        self._kept = [
            np.unpackbits(kept[f"kept_{number}"], count=mask.size)
            .reshape(mask.shape)
            .astype(np.bool_)
            for number, mask in enumerate(self._kept)
        ]

    def __call__(self, done: float) -> list[Array]:
        """The masks when ``done`` (0 to 1) of the training is over."""
        if not self._settled:
            ramp = 1.0 if self._once else min(done / _RAMP, 1.0)
            self._settled = ramp >= 1.0
            self._advance(ramp)
        return self._kept

    def _advance(self, ramp: float) -> None:
        now: float | list[float]
        if isinstance(self._shares, float):
            now = cubic(ramp, min(self._before_all, self._shares), self._shares)
        else:
            now = [
                cubic(ramp, min(before, share), share)
                for before, share in zip(self._before, self._shares, strict=True)
            ]
        # Pruned weights rank lowest, below others whose score happens to be zero.
        scores = [
            np.where(kept, score, -np.finfo(np.float32).tiny)
            for kept, score in zip(self._kept, self._scores(), strict=True)
        ]
        found = leave_out(scores, now, self._pattern, self._matrices)
        self._kept = [old & new for old, new in zip(self._kept, found, strict=True)]


def cubic(done: float, start: float, goal: float) -> float:
    """The sparsity when ``done`` (0 to 1) of the ramp is over (Zhu and Gupta 2017, eq. 1)."""
    return float(goal + (start - goal) * (1 - min(max(done, 0.0), 1.0)) ** 3)
