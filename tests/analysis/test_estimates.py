import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench.analysis import estimates

NUMBERS = st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=40)


def test_six_trials_are_enclosed_by_their_range_and_five_by_nothing():
    six = estimates.median([6, 1, 5, 2, 4, 3])
    assert six.value == 3.5
    assert six.interval == estimates.Interval(1, 6, 0.96875)
    five = estimates.median([1, 2, 3, 4, 5])
    assert five.interval is None
    assert "needs 6" in five.reason


def test_nothing_measured_is_missing_with_a_reason():
    none = estimates.median([])
    assert none.value is None
    assert none.reason


@pytest.mark.parametrize("n", [6, 9, 12, 14])
def test_coverage_is_exact_by_enumeration(n):
    """Each value is below or above the true median with probability 1/2, independently."""
    rank, coverage = estimates.order_statistics(n)
    inside = sum(rank <= sum(below) <= n - rank for below in product((0, 1), repeat=n))
    assert coverage == pytest.approx(inside / 2**n)
    assert coverage >= 0.95
    # The next narrower interval would not do.
    narrower = sum(rank + 1 <= sum(below) <= n - rank - 1 for below in product((0, 1), repeat=n))
    assert narrower / 2**n < 0.95


@given(NUMBERS, st.randoms())
def test_median_does_not_depend_on_order(values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    assert estimates.median(shuffled) == estimates.median(values)


@given(NUMBERS, st.integers(-10, 10))
def test_median_scales_with_the_unit(values, exponent):
    scale = 2.0**exponent
    plain, scaled = estimates.median(values), estimates.median([v * scale for v in values])
    assert scaled.value == plain.value * scale
    if plain.interval:
        assert scaled.interval.low == plain.interval.low * scale
        assert scaled.interval.high == plain.interval.high * scale
        assert plain.interval.holds(plain.value)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=20), st.data())
def test_median_never_falls_when_a_trial_gets_slower(values, data):
    which = data.draw(st.integers(0, len(values) - 1))
    slower = values.copy()
    slower[which] += data.draw(st.integers(0, 10**9))
    before, after = estimates.median(values), estimates.median(slower)
    assert after.value >= before.value
    if before.interval:
        assert after.interval.low >= before.interval.low
        assert after.interval.high >= before.interval.high


@given(st.lists(st.integers(1, 10**9), min_size=6, max_size=12), st.integers(-8, 8), st.randoms())
def test_a_ratio_of_medians_scales_and_a_side_against_itself_is_one(values, exponent, random):
    scale = 2.0**exponent
    scaled = [v * scale for v in values]
    found = estimates.ratio_of_medians(scaled, values)
    assert found.value == scale
    assert found.interval.low <= scale <= found.interval.high
    again = estimates.ratio_of_medians(values, values)
    assert (again.interval.low * scale, again.interval.high * scale) == (
        found.interval.low,
        found.interval.high,
    )
    random.shuffle(values)
    assert estimates.ratio_of_medians(values, [1] * 6).value == np.median(values)


@pytest.mark.parametrize("n", [6, 12])
def test_the_bootstrap_covers_a_ratio_nearly_as_often_as_it_says(n):
    rng = np.random.default_rng(n)
    covered = sum(
        estimates.ratio_of_medians(
            1.5 * rng.lognormal(0, 0.02, n), rng.lognormal(0, 0.05, n + 2)
        ).interval.holds(1.5)
        for _ in range(400)
    )
    assert covered >= 370


def test_too_few_trials_have_no_bootstrap_interval():
    few = estimates.ratio_of_medians([3, 3, 3], [2] * 8)
    assert (few.value, few.interval) == (1.5, None)
    assert "needs 6" in few.reason
    assert estimates.ratio_of_medians([], [1]).value is None
    assert estimates.ratio_of_medians([0] * 6, [1] * 6).value is None


@pytest.mark.parametrize("distribution", ["exponential", "cauchy", "uniform"])
def test_the_interval_covers_the_median_of_any_distribution(distribution):
    """2,000 draws of eight trials; the exact coverage is 99.2 % whatever the distribution."""
    from scipy import stats

    chosen = {"exponential": stats.expon, "cauchy": stats.cauchy, "uniform": stats.uniform}
    random, n = chosen[distribution], 8
    draws = random.rvs(size=(2000, n), random_state=np.random.default_rng(1))
    covered = sum(estimates.median(row).interval.holds(random.median()) for row in draws)
    _, coverage = estimates.order_statistics(n)
    assert stats.binomtest(covered, 2000, coverage).pvalue > 0.001


def test_wilson_known_values():
    """Newcombe, Statistics in Medicine 17 (1998) p. 857, table I, method 3."""
    for right, n, low, high in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605),
                                (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]:  # fmt: skip
        found = estimates.share(right, n)
        assert found.value == right / n
        assert found.interval.low == pytest.approx(low, abs=5e-5)
        assert found.interval.high == pytest.approx(high, abs=5e-5)


def test_newcombe_known_values():
    """Newcombe, Statistics in Medicine 17 (1998) p. 873, table II, method 10."""
    for right, n, base, base_n, low, high in [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (10, 10, 0, 10, 0.6075, 1.0),
    ]:
        found = estimates.difference(right, n, base, base_n)
        assert found.interval.low == pytest.approx(low, abs=5e-5)
        assert found.interval.high == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 500), st.data())
def test_more_disagreements_never_narrow_the_paired_interval(n, data):
    right, base = (data.draw(st.integers(0, n)) for _ in range(2))
    fewest = abs(right - base)
    few = data.draw(st.integers(fewest, n))
    many = data.draw(st.integers(few, n))
    narrow = estimates.paired_difference(right, base, n, few)
    wide = estimates.paired_difference(right, base, n, many)
    assert narrow.value == wide.value == (right - base) / n
    assert wide.interval.low <= narrow.interval.low <= narrow.value
    assert narrow.value <= narrow.interval.high <= wide.interval.high


def test_the_paired_interval_is_agresti_and_mins():
    """Their formula by hand, for 1144 pairs of which 132 and 107 are discordant."""
    n, gain = 1144, 25
    found = estimates.paired_difference(500 + gain, 500, n, 132 + 107)
    spread = 1.959964 * math.sqrt(240 - gain**2 / (n + 2)) / (n + 2)
    assert found.interval.low == pytest.approx(gain / (n + 2) - spread)
    assert found.interval.high == pytest.approx(gain / (n + 2) + spread)


def test_the_paired_interval_covers_exactly_enough():
    """Probability of covering the true difference, summed over all outcomes of 40 pairs."""
    from scipy.stats import multinomial

    n = 40
    for gain, loss in [(0.05, 0.05), (0.1, 0.02), (0.2, 0.1), (0.02, 0.3)]:
        covered = 0.0
        for b, c in product(range(n + 1), repeat=2):
            if b + c <= n:
                found = estimates.paired_difference(b, c, n, b + c)
                if found.interval.holds(gain - loss):
                    covered += multinomial.pmf([b, c, n - b - c], n, [gain, loss, 1 - gain - loss])
        assert covered >= 0.94


def test_contradicting_counts_are_refused():
    with pytest.raises(ValueError, match="disagreements"):
        estimates.paired_difference(10, 5, 20, 3)


def test_a_difference_of_shares_stays_between_minus_one_and_one():
    for n in range(1, 8):
        for right, base in product(range(n + 1), repeat=2):
            found = [estimates.difference(right, n, base, n)]
            found += [
                estimates.paired_difference(right, base, n, differing)
                for differing in range(abs(right - base), n + 1)
            ]
            for estimate in found:
                low, high = estimate.interval.low, estimate.interval.high
                assert -1 <= low <= estimate.value <= high <= 1
