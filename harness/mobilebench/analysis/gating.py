"""The gate's tests: sign flips against a margin, two looks, Holm over metrics.

A block holds one trial of the baseline and one of the candidate, in random order. If the candidate
is exactly as much worse as the margin allows, then the two trials of a block, less that margin,
could be swapped without anybody noticing: every pattern of signs of the blocks' differences is
equally likely. That is all the tests assume, and it makes their error rates exact for any
distribution.
"""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from mobilebench.records.gate import Look

#: The errors allowed at the first and at the second look; together 5 %.
ALPHAS = (0.02, 0.03)

#: The first look's blocks where one metric is tested: the fewest of which an interval exists.
FIRST_BLOCKS = 6

#: A difference below so many times the noise of identical variants is no regression.
NOISE_FACTOR = 2.0

# Differences closer than this are ties: a change of units must not break one (share).
_DIGITS = 12
# The median of |x| is 0.6745 standard deviations of a normal distribution.
_MAD_TO_SD = 1 / 0.6744897501960817


class Verdict(enum.StrEnum):
    """What the gate says of a metric, a comparison, or all."""

    PASS = "PASS"  # noqa: S105 (a word, not a password)
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    FAIL = "FAIL"


#: From best to worst. What was proven to be worse stays so, whatever else went wrong.
SEVERITY = tuple(Verdict)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst of some verdicts; of none, INCONCLUSIVE: nothing was looked at."""
    return max(verdicts, key=SEVERITY.index, default=Verdict.INCONCLUSIVE)


def plan_looks(metrics: int, first: int = FIRST_BLOCKS) -> tuple[Look, Look]:
    """Two looks, the second at twice the blocks of the first.

    The smallest p that n blocks can give is 2⁻ⁿ; the first look is put where one of ``metrics``
    can fail in spite of Holm's division: 6 blocks for one metric, 7 for two, 10 for twenty.
    """
    needed = math.ceil(math.log2(max(1, metrics) / ALPHAS[0]))
    blocks = max(first, needed)
    return Look(blocks, ALPHAS[0]), Look(2 * blocks, ALPHAS[1])


def sign_flip_p(differences: Sequence[float]) -> float:
    """The exact one-sided p of "the differences are not above 0".

    The statistic is the sum of signed ranks of the magnitudes (Wilcoxon, Biometrics Bulletin 1,
    1945), its distribution that over all 2ⁿ patterns of signs of *these* magnitudes, so that ties
    and zeros are exact too. Ranks, not sums: one trial that something else disturbed would
    otherwise outweigh eleven that were not.

    Args:
        differences: one a block.

    Returns:
        The share of patterns with at least this statistic; 1 where there is nothing to rank.
    """
    x = np.round(np.asarray(differences, dtype=float), _DIGITS)
    x = x[x != 0]
    if not x.size:
        return 1.0
    # Midranks are halves: doubled, they are counted in whole numbers.
    ranks = tuple(int(r) for r in np.rint(2 * stats.rankdata(np.abs(x))))
    statistic = sum(rank for rank, value in zip(ranks, x, strict=True) if value > 0)
    return float(_upper_tail(tuple(sorted(ranks)))[statistic])


@functools.lru_cache(maxsize=4096)
def _upper_tail(ranks: tuple[int, ...]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """P(sum of a random subset ≥ s) for each s from 0."""
    chances = np.zeros(sum(ranks) + 1)
    chances[0] = 1.0
    for rank in ranks:
        chances[rank:] += chances[: chances.size - rank].copy()
        chances /= 2
    tail: np.ndarray[tuple[int], np.dtype[np.float64]] = np.cumsum(chances[::-1])[::-1]
    return tail


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values: each may be compared with alpha itself (Holm, Scand. J. Stat. 6, 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    least = 0.0
    for position, i in enumerate(order):
        least = min(1.0, max(least, p_values[i] * (len(p_values) - position)))
        adjusted[i] = least
    return tuple(adjusted)


@dataclass(frozen=True)
class Series:
    """One metric's replicates: the logarithm of how much worse the candidate was, by block.

    ``margin`` is a share: 0.03 allows the candidate to be 3 % worse.
    """

    worse: tuple[float, ...]
    margin: float

    def beyond(self, blocks: int) -> list[float]:
        """How far the first blocks are beyond the margin."""
        allowed = math.log1p(self.margin)
        return [value - allowed for value in self.worse[:blocks]]


@dataclass(frozen=True)
class Decision:
    """What the tests said of one metric, and at which look.

    ``p_fail`` belongs to "not worse than the margin" and is adjusted by Holm; ``p_pass`` belongs
    to "worse than the margin, or as bad".
    """

    verdict: Verdict = Verdict.INCONCLUSIVE
    p_fail: float = 1.0
    p_pass: float = 1.0
    blocks: int = 0


def decide(family: Sequence[Series], looks: Sequence[Look]) -> tuple[Decision, ...]:
    """A verdict for each metric, taken at the first look that gives one.

    FAIL rejects "worse by at most the margin" and PASS rejects "worse by at least the margin":
    noise can do neither. Over the family the chance of any wrong FAIL is at most the sum of the
    looks' alphas (Holm within a look). PASS needs no such correction: all metrics must pass, so a
    wrong PASS of the whole is no likelier than that of the worst one (Berger, Technometrics 24,
    1982).

    Args:
        family: the metrics that are judged together.
        looks: in order; one for which some metric has too few blocks is not taken.
    """
    decisions = [Decision() for _ in family]
    shortest = min((len(series.worse) for series in family), default=0)
    for look in looks:
        if look.blocks > shortest:
            break
        beyond = [series.beyond(look.blocks) for series in family]
        p_fail = holm([sign_flip_p(values) for values in beyond])
        p_pass = [sign_flip_p([-value for value in values]) for values in beyond]
        for i, before in enumerate(decisions):
            if before.verdict != Verdict.INCONCLUSIVE:
                continue
            now = Decision(Verdict.INCONCLUSIVE, p_fail[i], p_pass[i], look.blocks)
            if p_fail[i] <= look.alpha:
                now = replace(now, verdict=Verdict.FAIL)
            elif p_pass[i] <= look.alpha:
                now = replace(now, verdict=Verdict.PASS)
            decisions[i] = now
    return tuple(decisions)


def noise(worse: Sequence[float]) -> float:
    """How much two identical variants differ within a block: a robust standard deviation (share).

    Of identical variants the true difference is 0, so the median distance from 0 is taken; it does
    not follow the few blocks that something else disturbed, as the tests do not.

    Args:
        worse: the logarithms of the ratio of identical variants, one a block.

    Raises:
        ValueError: there are none.
    """
    if not len(worse):
        raise ValueError("noise needs at least one block")
    return math.expm1(float(np.median(np.abs(worse))) * _MAD_TO_SD)


def margin_above(policy: float, noise_share: float | None) -> float:
    """The margin that is tested: the policy's, or what the noise makes of it (shares)."""
    return policy if noise_share is None else max(policy, NOISE_FACTOR * noise_share)
