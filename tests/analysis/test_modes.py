"""Two clusters or one: the dip against its definition, its critical values, and what is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobilebench.analysis import modes
from mobilebench.analysis.modes import Modes, critical_dip, dip, two_modes
from scipy.optimize import linprog

DISTINCT = st.lists(st.integers(1, 400), min_size=3, max_size=12, unique=True)


def by_definition(x):
    """The least distance to a unimodal distribution function, as a linear programme a mode."""
    n = len(x)
    return min(_with_mode_at(x, mode) for mode in range(n))


def _with_mode_at(x, mode):
    # Unknown: the function at each point (at the mode before its jump), after the jump, distance.
    n = len(x)
    rows, bounds = [], []

    def at_most(bound, *terms):
        row = np.zeros(n + 2)
        for index, factor in terms:
            row[index] += factor
        rows.append(row)
        bounds.append(bound)

    left, right = list(range(mode + 1)), [n, *range(mode + 1, n)]
    for side, where, sign in ((left, range(mode + 1), 1), (right, range(mode, n), -1)):
        points = [float(x[i]) for i in where]
        for k in range(1, len(side)):
            at_most(0, (side[k - 1], 1), (side[k], -1))
        for k in range(1, len(side) - 1):
            before, after = points[k] - points[k - 1], points[k + 1] - points[k]
            at_most(
                0,
                (side[k], sign * (1 / before + 1 / after)),
                (side[k - 1], -sign / before),
                (side[k + 1], -sign / after),
            )
    at_most(0, (mode, 1), (n, -1))
    for i in range(n):
        after, before = (n, mode) if i == mode else (i, i)
        at_most((i + 1) / n, (after, 1), (n + 1, -1))
        at_most(-(i + 1) / n, (after, -1), (n + 1, -1))
        at_most(i / n, (before, 1), (n + 1, -1))
        at_most(-i / n, (before, -1), (n + 1, -1))
    found = linprog([0] * (n + 1) + [1], A_ub=rows, b_ub=bounds, bounds=[(0, 1)] * (n + 2))
    return found.fun


@given(DISTINCT)
@settings(max_examples=150, deadline=None)
def test_the_dip_is_the_distance_to_the_nearest_unimodal_distribution(values):
    x = np.sort(np.array(values, dtype=float))
    assert dip(x) == pytest.approx(by_definition(x), abs=1e-7)


@given(DISTINCT, st.integers(-4, 4), st.integers(0, 1000))
def test_the_dip_ignores_scale_place_and_direction(values, exponent, shift):
    x = np.sort(np.array(values, dtype=float))
    for other in (x * 2.0**exponent, x + shift, -x[::-1]):
        assert dip(other) == pytest.approx(dip(x), abs=1e-12)


@given(DISTINCT, st.floats(0, 0.3))
def test_a_dip_below_what_is_asked_for_is_not_sought(values, at_least):
    x = np.sort(np.array(values, dtype=float))
    assert dip(x, at_least) == pytest.approx(max(dip(x), at_least), abs=1e-12)


def test_known_dips():
    # Evenly spaced numbers are as uniform as numbers can be; two points are a quarter apart.
    assert dip(np.arange(10.0)) == pytest.approx(1 / 20)
    for share in (0.5, 0.8):
        many = round(1000 * share)
        clusters = np.concatenate([np.arange(many), 1e9 + np.arange(1000 - many)])
        assert dip(clusters) == pytest.approx((1 - share) / 2, abs=0.001)
    assert dip(np.array([1.0])) == 0.5


@pytest.mark.parametrize("n", [6, 11, 40, 200])
def test_one_percent_of_uniform_samples_are_beyond_the_critical_value(n):
    rng = np.random.default_rng(n)
    beyond = sum(dip(np.sort(rng.random(n))) > critical_dip(n) for _ in range(2000))
    # Two thousand draws of 1 %: 20, give or take three standard deviations.
    assert 7 <= beyond <= 34


def test_skew_tails_and_outliers_are_no_second_mode():
    rng = np.random.default_rng(2)
    for _ in range(40):
        for samples in (
            1e6 * rng.lognormal(0, 0.5, 800),
            1e6 + 3e5 * rng.exponential(1, 800),
            np.where(rng.random(800) < 0.03, 2, 1) * 1e6 * rng.lognormal(0, 0.02, 800),
        ):
            assert two_modes(samples.astype(np.int64)) is None


def test_two_speeds_are_found_with_their_shares():
    rng = np.random.default_rng(3)
    for share in (0.25, 0.5, 0.75):
        slow = rng.random(900) < share
        samples = np.where(slow, 1.6e6, 1e6) * rng.lognormal(0, 0.05, 900)
        found = two_modes(samples.astype(np.int64))
        assert found.low == pytest.approx(1e6, rel=0.02)
        assert found.high == pytest.approx(1.6e6, rel=0.02)
        assert found.share_high == pytest.approx(share, abs=0.05)


def test_six_trials_of_two_speeds_are_enough_and_five_are_not():
    six = [1.0, 1.5, 1.01, 1.51, 1.005, 1.505]
    assert two_modes(six) == Modes(pytest.approx(1.005), pytest.approx(1.505), 0.5)
    assert two_modes(six[:5]) is None


def test_modes_too_close_to_matter_are_none():
    near = [1e6 + n for n in range(300)] + [1.01e6 + n for n in range(300)]
    far = [1e6 + n for n in range(300)] + [1.2e6 + n for n in range(300)]
    assert two_modes(near) is None
    assert two_modes(far) == Modes(1e6 + 149.5, 1.2e6 + 149.5, 0.5)


def test_a_coarse_clock_makes_no_modes():
    rng = np.random.default_rng(5)
    ticks = np.round(rng.normal(20, 3, 500)).astype(np.int64) * 1000
    assert len(set(ticks)) < 25
    assert two_modes(ticks) is None


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60), st.integers(1, 1000), st.randoms())
def test_neither_unit_nor_order_matters(values, scale, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    plain = two_modes(np.array(values, dtype=np.int64))
    scaled = two_modes(np.array(shuffled, dtype=np.int64) * scale)
    assert (plain is None) == (scaled is None)
    if plain:
        assert plain.low <= plain.high
        assert scaled.low == pytest.approx(plain.low * scale)
        assert 0 < plain.share_high < 1


def test_the_tables_agree():
    assert len(modes._CRITICAL) == len(modes._CRITICAL_N)
