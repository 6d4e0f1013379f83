import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench.analysis.trial import describe, enough_samples

SAMPLES = st.lists(st.integers(1, 10**10), min_size=1, max_size=200).map(
    lambda values: np.array(values, dtype=np.int64)
)


def test_known_quantiles():
    found = describe(np.arange(1, 102, dtype=np.int64), quantiles=(0.9, 0.99))
    assert (found.minimum, found.median, found.maximum) == (1, 51, 101)
    assert (found.quantiles[0.9], found.quantiles[0.99]) == (91, 100)
    assert (found.n, found.outliers) == (101, 0)


@given(SAMPLES)
def test_quantiles_are_ordered(samples):
    s = describe(samples, quantiles=(0.99, 0.9))
    ordered = [s.minimum, *(s.quantiles[q] for q in sorted(s.quantiles)), s.maximum]
    assert len(ordered) == 9
    assert ordered == sorted(ordered)
    assert 0 <= s.outliers <= s.n / 2


@given(SAMPLES, st.integers(1, 1000))
def test_outliers_do_not_depend_on_the_unit(samples, scale):
    assert describe(samples * scale).outliers == describe(samples).outliers


@given(SAMPLES)
def test_all_but_drift_ignores_order(samples):
    forward, backward = describe(samples), describe(samples[::-1])
    assert forward.outliers == backward.outliers
    assert forward.quantiles == backward.quantiles


def test_a_quantile_of_too_few_samples_is_the_extreme_one():
    assert [enough_samples(q) for q in (0.5, 0.9, 0.95, 0.99, 0.999, 0.1)] == [
        1,
        10,
        20,
        100,
        1000,
        10,
    ]


def test_a_spike_is_flagged_and_kept():
    samples = np.full(100, 1000, dtype=np.int64)
    samples[50] = 5000
    found = describe(samples)
    assert found.outliers == 1
    assert found.maximum == 5000
    assert found.n == 100


def test_a_tick_of_the_timer_is_no_outlier():
    samples = np.full(100, 1000, dtype=np.int64)
    samples[:20] = 1001
    assert describe(samples).outliers == 0


def test_drift_compares_the_last_third_with_the_first():
    assert describe(np.repeat([100, 105, 110], 20)).drift == pytest.approx(0.1)
    assert describe(np.repeat([100, 110], 5)).drift is None


def test_no_samples_are_an_error():
    with pytest.raises(ValueError, match="without samples"):
        describe(np.array([], dtype=np.int64))
