"""Steps of a series: the false-alarm rate, invariances, known series."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobilebench.analysis import steps
from mobilebench.analysis.steps import find_steps
from scipy import stats

# The annual flow of the Nile at Aswan, 1871 to 1970, 10^8 m³ (Cobb, Biometrika 65, 1978): the
# textbook's step, at the year 1899.
NILE = [
    1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180,
    799, 958, 1140, 1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833,
    701, 916, 692, 1020, 1050, 969, 831, 726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845,
    864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845, 944, 984, 897, 822, 1010, 771, 676, 649,
    846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050, 918, 986, 797, 923, 975, 815,
    1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
]  # fmt: skip


def test_the_nile_falls_in_1899():
    (step,) = find_steps(NILE)
    assert 1871 + step.index == 1899
    assert step.before == np.median(NILE[:28])
    assert step.after == np.median(NILE[28:])
    assert step.p <= 0.001


@pytest.mark.parametrize("draw", ["normal", "cauchy", "few values"])
def test_a_series_without_a_step_is_rarely_said_to_have_one(draw):
    rng = np.random.default_rng(7)
    make = {
        "normal": lambda: rng.normal(100, 2, 30),
        "cauchy": lambda: 100 + rng.standard_cauchy(30),
        "few values": lambda: rng.integers(1, 4, 30).astype(float),
    }[draw]
    false = sum(bool(find_steps(make())) for _ in range(300))
    assert stats.binomtest(false, 300, steps.ALPHA, "greater").pvalue > 0.001


def test_the_p_of_a_cut_is_the_share_of_orders_with_as_large_a_statistic():
    x = np.array([1.0, 2, 3, 4, 5, 16, 17, 18, 19, 20])
    ranks = stats.rankdata(x)
    # Every way to put five of ten ranks first; the order within a half matters to other cuts only.
    best = steps._statistics(ranks[np.newaxis])[0].max()
    halves = [sum(c) for c in itertools.combinations(ranks, 5)]
    middle = np.mean([abs(h - 27.5) / np.sqrt(25 * 11 / 12) >= best - 1e-9 for h in halves])
    assert middle == 2 / 252
    cut, p = steps._best_cut(x)
    assert cut == 5
    assert p == pytest.approx(2 / 252, abs=0.005)


@pytest.mark.parametrize("size", [0.03, 0.1, -0.05])
def test_one_step_is_found_where_it_is(size):
    rng = np.random.default_rng(3)
    values = rng.normal(1, 0.005, 40)
    values[25:] *= 1 + size
    (step,) = find_steps(list(values))
    assert step.index == 25
    assert step.change == pytest.approx(size, abs=0.005)


def test_two_steps_and_a_lone_outlier():
    rng = np.random.default_rng(5)
    values = np.concatenate(
        [rng.normal(10, 0.05, 15), rng.normal(11, 0.05, 12), rng.normal(10, 0.05, 14)]
    )
    values[8] = 30
    assert [s.index for s in find_steps(list(values))] == [15, 27]


def test_short_and_constant_series_have_none():
    assert find_steps([]) == ()
    assert find_steps([1.0] * 5 + [2.0] * 4) == ()
    assert find_steps([1.0] * 50) == ()


@given(
    st.lists(st.integers(1, 10**6), min_size=10, max_size=25),
    st.integers(-20, 20),
)
@settings(max_examples=60, deadline=None)
def test_the_unit_does_not_matter_and_levels_are_long_enough(values, exponent):
    plain = find_steps(values)
    scaled = find_steps([v * 2.0**exponent for v in values])
    assert [(s.index, s.p, s.change) for s in plain] == [(s.index, s.p, s.change) for s in scaled]
    edges = [0, *(s.index for s in plain), len(values)]
    assert all(b - a >= steps.LEAST_RUNS for a, b in itertools.pairwise(edges))


@given(
    st.lists(st.integers(1, 1000), min_size=10, max_size=20),
    st.integers(0, 14),
    st.integers(0, 1000),
)
def test_slower_later_runs_never_weaken_a_slowdown(values, position, more):
    cut = min(steps.LEAST_RUNS + position, len(values) - steps.LEAST_RUNS)
    slower = values[:cut] + [v + more for v in values[cut:]]
    before, after = (np.mean(stats.rankdata(x)[cut:]) for x in (values, slower))
    assert after >= before
    if before >= (len(values) + 1) / 2:
        at = cut - steps.LEAST_RUNS
        one, two = (
            steps._statistics(stats.rankdata(x)[np.newaxis])[0][at] for x in (values, slower)
        )
        assert two >= one


def test_five_hundred_runs_are_quickly_cut():
    rng = np.random.default_rng(1)
    levels = np.repeat([1.0, 1.04, 1.1, 0.9], 125)
    values = levels * rng.lognormal(0, 0.01, 500)
    assert [s.index for s in find_steps(list(values))] == pytest.approx([125, 250, 375], abs=1)


@pytest.mark.parametrize("values", [[3, 1, 2], [1, 1, 1], [2.5, -1, 2.5, 0, 7, 0, 2.5]])
def test_equal_values_share_the_mean_of_their_ranks(values):
    x = np.array(values, dtype=float)
    assert list(steps._ranks(x)) == list(stats.rankdata(x))


def test_a_long_series_is_asked_only_until_the_answer_is_known(monkeypatch):
    """What is found does not depend on how many orders are drawn at once, or after the answer."""
    rng = np.random.default_rng(11)
    noise = rng.normal(1, 0.01, 600)
    step = np.concatenate([noise[:350], noise[350:] * 1.01])
    found = [find_steps(values) for values in (noise, step)]
    assert [len(each) for each in found] == [0, 1]
    for at_once in (600, 1 << 22):
        monkeypatch.setattr(steps, "_AT_ONCE", at_once)
        assert [find_steps(values) for values in (noise, step)] == found
