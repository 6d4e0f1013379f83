"""Which channels to remove: how many from each pool, the least important first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mobilebench.compress.channels.graph import ChannelGraph, Pool
from mobilebench.models.array import Array

#: Gives the channels to keep (channels,) when a share (0 to 1) of them is to be removed.
Allocation = Callable[[float], Array]

#: With scope global, no pool is left with less than this share of what uniform pruning leaves.
_LEAST_SHARE = 0.25
#: Steps of bisection where each costs nothing.
_BISECTIONS = 40


@dataclass(frozen=True)
class Curve:
    """How much worse a network gets without a share of one pool's channels.

    ``shares`` rise from 0; ``losses`` is by how much the loss rises at each.
    """

    shares: tuple[float, ...]
    losses: tuple[float, ...]

    def share_within(self, loss: float) -> float:
        """The largest share that costs no more than ``loss``, on straight lines between points."""
        rising = np.maximum.accumulate(self.losses)
        if loss >= rising[-1]:
            return self.shares[-1]
        i = int(np.searchsorted(rising, loss, side="right"))
        low, high = rising[i - 1], rising[i]
        return float(
            self.shares[i - 1]
            + (self.shares[i] - self.shares[i - 1]) * max(loss - low, 0.0) / (high - low)
        )


def by_layer(graph: ChannelGraph, scores: Array, multiple: int) -> Allocation:
    """The same share of each pool."""

    def keep(share: float) -> Array:
        return _keep(graph, scores, [len(p.channels) * share for p in graph.pools], multiple)

    return keep


def over_all(graph: ChannelGraph, scores: Array, multiple: int) -> Allocation:
    """The least important of the whole network, but never nearly all of one pool."""
    pool_of = np.concatenate([np.full(len(p.channels), i) for i, p in enumerate(graph.pools)])
    values = np.concatenate([np.sort(scores[p.channels]) for p in graph.pools])
    rank = np.concatenate([np.arange(len(p.channels)) for p in graph.pools])
    sizes = np.array([len(p.channels) for p in graph.pools])

    def keep(share: float) -> Array:
        most = np.floor(sizes * (1 - (1 - share) * _LEAST_SHARE))
        eligible = np.flatnonzero(rank < most[pool_of])
        first = eligible[np.argsort(values[eligible], kind="stable")]
        gone = first[: round(share * len(values))]
        return _keep(graph, scores, np.bincount(pool_of[gone], minlength=len(sizes)), multiple)

    return keep


def by_sensitivity(
    graph: ChannelGraph, scores: Array, multiple: int, curves: Sequence[Curve]
) -> Allocation:
    """From each pool the share that costs the same loss (Li et al. 2017; Han et al. 2015)."""
    sizes = np.array([len(p.channels) for p in graph.pools])

    def removed(loss: float) -> Array:
        return np.asarray(np.array([c.share_within(loss) for c in curves]) * sizes)

    def keep(share: float) -> Array:
        low, high = 0.0, max(max(c.losses) for c in curves)
        if removed(0.0).sum() >= share * sizes.sum():
            high = 0.0
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if removed(middle).sum() < share * sizes.sum():
                low = middle
            else:
                high = middle
        wanted = removed(high)
        lacking = share * sizes.sum() - wanted.sum()
        if lacking > 0:  # beyond the last point of every curve: of the rest alike
            wanted = wanted + (sizes - wanted) * lacking / (sizes - wanted).sum()
        elif wanted.sum() > 0:  # where even no loss would allow more
            wanted = wanted * share * sizes.sum() / wanted.sum()
        return _keep(graph, scores, wanted, multiple)

    return keep


def least_share(keep: Allocation, fits: Callable[[Array], bool]) -> float | None:
    """The least share whose removal fits a target that only gets easier, None if none does."""
    if not fits(keep(1.0)):
        return None
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if fits(keep(middle)):
            high = middle
        else:
            low = middle
    return high


def one_pool(graph: ChannelGraph, scores: Array, pool: Pool, share: float) -> Array:
    """All channels but a share of one pool's."""
    sizes = [len(p.channels) * share if p is pool else 0 for p in graph.pools]
    return _keep(graph, scores, sizes, 1)


def _keep(
    graph: ChannelGraph, scores: Array, removed: Sequence[float] | Array, multiple: int
) -> Array:
    keep = np.ones(graph.count, np.bool_)
    for pool, gone in zip(graph.pools, removed, strict=True):
        size = len(pool.channels)
        kept = _rounded(size, size - float(gone), multiple) if gone else size
        order = np.argsort(scores[pool.channels], kind="stable")
        keep[pool.channels[order[: size - kept]]] = False
    return keep


def _rounded(size: int, kept: float, multiple: int) -> int:
    """The nearest multiple, at least one of them, at most what there is."""
    return min(size, max(1, round(kept / multiple)) * multiple)
