"""Whether warm-up was long enough: simulated trials that settle early, late, or never."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench.analysis import warmup
from mobilebench.analysis.warmup import TOLERANCE, WINDOW

Nanoseconds = npt.NDArray[np.int64]


def simulate(runs: int, settles_after: int, start: float = 2.0, noise: float = 0.01) -> Nanoseconds:
    """Runs that begin so much slower and are warm after so many, 100 µs then."""
    random = np.random.default_rng(runs)
    ramp = np.ones(runs)
    ramp[:settles_after] = np.linspace(start, 1.2, settles_after)
    return (100_000 * ramp * (1 + noise * random.standard_normal(runs))).astype(np.int64)


def test_a_trial_that_was_warm() -> None:
    runs = simulate(120, 20)
    found = warmup.convergence(runs[:40], runs[40:])
    assert found is not None
    assert found.settled
    assert abs(found.excess) < TOLERANCE
    assert warmup.needed(runs[:40], runs[40:]) == 40


def test_a_trial_that_was_cold() -> None:
    runs = simulate(200, 60)
    found = warmup.convergence(runs[:40], runs[40:])
    assert found is not None
    assert not found.settled
    assert found.excess > TOLERANCE
    # The window's median is warm when half of it is.
    assert 60 - WINDOW // 2 <= warmup.needed(runs[:40], runs[40:]) <= 60


def test_a_noisy_trial_is_not_called_cold() -> None:
    runs = simulate(100, 0, noise=0.3)
    found = warmup.convergence(runs[:40], runs[40:])
    assert found is not None
    assert found.settled


@pytest.mark.parametrize(("warm", "timed"), [(0, 50), (2, 50), (50, 2)])
def test_too_few_runs_show_nothing(warm: int, timed: int) -> None:
    runs = simulate(warm + timed, 0)
    assert warmup.convergence(runs[:warm], runs[warm:]) is None


@given(
    st.lists(st.integers(1, 10**9), min_size=3, max_size=40),
    st.lists(st.integers(1, 10**9), min_size=3, max_size=40),
)
def test_any_runs(warm: list[int], timed: list[int]) -> None:
    before, after = np.array(warm), np.array(timed)
    found = warmup.convergence(before, after)
    assert found is not None
    scaled = warmup.convergence(before * 7, after * 7)
    assert scaled is not None
    assert scaled.excess == pytest.approx(found.excess)
    assert len(warm) <= warmup.needed(before, after) <= len(warm) + len(timed)


@given(st.integers(3, 50), st.integers(3, 50))
def test_runs_that_are_all_alike_are_settled(warm: int, timed: int) -> None:
    found = warmup.convergence(np.full(warm, 5), np.full(timed, 5))
    assert found is not None
    assert (found.settled, found.excess) == (True, 0.0)
    assert warmup.needed(np.full(warm, 5), np.full(timed, 5)) == warm
