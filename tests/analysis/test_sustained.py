"""Minutes of inference: simulated throttling is found where it begins, and noise is none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mobilebench.analysis import sustained
from mobilebench.analysis.sustained import THROTTLED
from mobilebench_agent.contract import Trace

#: A minute of the simulations, ns.from mobilebench_agent.contract import Trace

MINUTE = 1_000_000

Nanoseconds = npt.NDArray[np.int64]


def simulate(medians: list[int], noise: float = 0.0, seed: int = 0) -> Nanoseconds:
    """A device whose inferences take so long in each minute, one after the other."""
    random = np.random.default_rng(seed)
    samples: list[int] = []
    elapsed = 0
    while elapsed < len(medians) * MINUTE:
        middle = medians[elapsed // MINUTE]
        sample = max(1, round(middle * (1 + noise * random.standard_normal())))
        samples.append(sample)
        elapsed += sample
    return np.array(samples, dtype=np.int64)


def test_a_device_that_throttles_in_its_fourth_minute() -> None:
    found = sustained.describe(simulate([10_000] * 3 + [13_000] * 5, noise=0.02), minute=MINUTE)
    assert [minute.number for minute in found.minutes] == list(range(8))
    assert found.throttled_after == 3 * MINUTE
    assert found.first == pytest.approx(10_000, rel=0.01)
    assert found.steady == pytest.approx(13_000, rel=0.01)
    assert found.change == pytest.approx(0.3, abs=0.02)


def test_a_device_that_slows_down_slowly() -> None:
    ramp = [round(10_000 * 1.03**minute) for minute in range(10)]
    found = sustained.describe(simulate(ramp, noise=0.01), minute=MINUTE)
    # 1.03 ** 4 is the first beyond 1.1.
    assert found.throttled_after == 4 * MINUTE


@pytest.mark.parametrize(
    "medians",
    [
        [10_000] * 10,
        [10_000, 10_000, 14_000, 10_000, 10_000],  # one bad minute is no throttling
        [10_000] * 5 + [14_000],  # nothing follows that could confirm it
        [10_900] + [10_000] * 3 + [11_800] * 4,  # less than a tenth above the first
        [14_000] + [10_000] * 6,  # it gets faster
    ],
)
def test_what_is_no_throttling(medians: list[int]) -> None:
    assert sustained.describe(simulate(medians, noise=0.01), minute=MINUTE).throttled_after is None


medians = st.lists(st.integers(5_000, 30_000), min_size=1, max_size=8)


@given(medians, st.integers(0, 99))
def test_every_inference_is_in_one_minute(values: list[int], seed: int) -> None:
    samples = simulate(values, 0.05, seed)
    found = sustained.describe(samples, minute=MINUTE)
    assert sum(minute.n for minute in found.minutes) == samples.size
    numbers = [minute.number for minute in found.minutes]
    assert numbers == sorted(set(numbers))
    assert samples.min() <= found.steady <= samples.max()


@given(medians, st.integers(2, 1000))
def test_a_slower_clock_changes_nothing(values: list[int], factor: int) -> None:
    samples = simulate(values)
    found = sustained.describe(samples, minute=MINUTE)
    scaled = sustained.describe(samples * factor, minute=MINUTE * factor)
    assert [m.n for m in scaled.minutes] == [m.n for m in found.minutes]
    assert scaled.change == pytest.approx(found.change)
    expected = None if found.throttled_after is None else found.throttled_after * factor
    assert scaled.throttled_after == expected


@given(medians, medians)
def test_what_comes_later_does_not_move_the_beginning(values: list[int], more: list[int]) -> None:
    first = sustained.describe(simulate(values), minute=MINUTE).throttled_after
    assume(first is not None)
    assert sustained.describe(simulate(values + more), minute=MINUTE).throttled_after == first


@given(st.integers(1, 6), st.floats(THROTTLED + 0.05, 2.0), st.integers(2, 5))
def test_a_step_is_found_where_it_is(before: int, step: float, after: int) -> None:
    values = [10_000] * before + [round(10_000 * (1 + step))] * after
    found = sustained.describe(simulate(values, noise=0.01), minute=MINUTE)
    assert found.throttled_after == before * MINUTE


def test_an_inference_that_takes_minutes() -> None:
    found = sustained.describe(np.array([MINUTE * 3, MINUTE * 3]), minute=MINUTE)
    assert [minute.number for minute in found.minutes] == [0, 3]


@given(medians)
def test_time_between_inferences_is_time(values: list[int]) -> None:
    """A device that rests as long as it works: the same medians, after twice the time."""
    samples = simulate(values)
    starts = 2 * (np.cumsum(samples) - samples)
    found = sustained.describe(samples, starts, 2 * MINUTE)
    dense = sustained.describe(samples, minute=MINUTE)
    assert sum(minute.n for minute in found.minutes) == samples.size
    assert found.minutes[: len(values) - 1] == dense.minutes[: len(values) - 1]


def test_short_trials_are_cut_into_quarters() -> None:
    assert sustained.minute_ns(10) == sustained.minute_ns(4) == 60_000_000_000
    assert sustained.minute_ns(1) == 15_000_000_000


def test_no_samples() -> None:
    with pytest.raises(ValueError, match="without samples"):
        sustained.describe(np.array((), dtype=np.int64))


def test_over_trials() -> None:
    steady = sustained.describe(simulate([10_000] * 8), minute=MINUTE)
    throttling = sustained.describe(simulate([10_000] * 2 + [20_000] * 6), minute=MINUTE)
    assert sustained.over([]) is None
    alone = sustained.over([steady])
    assert alone is not None
    assert alone.throttled_after.value is None
    assert "in a row were 10 % slower" in alone.throttled_after.reason
    both = sustained.over([steady, throttling])
    assert both is not None
    assert (both.throttled_after.value, both.throttled_after.n) == (2 * MINUTE, 1)
    assert both.first.n == 2


def test_the_hottest_sensor_at_each_time() -> None:
    def trace(name: str, unit: str, times: tuple[int, ...], values: tuple[float, ...]) -> Trace:
        return Trace(name, unit, "a test", None, times, values, "" if values else "it says 'n/a'")

    traces = (
        trace("zone0_temperature", "°C", (0, 5, 10), (40.0, 60.0, 61.0)),
        trace("zone1_temperature", "°C", (0, 5, 10), (45.0, 46.0, 47.0)),
        # Not connected: it would hide all others.
        trace("zone2_temperature", "°C", (0, 5, 10), (125.0, 125.0, 125.0)),
        trace("zone3_temperature", "°C", (), ()),
        # One reading of it failed.
        trace("zone4_temperature", "°C", (0, 10), (30.0, 70.0)),
        trace("cpu0_frequency_current", "Hz", (0, 5, 10), (1e9, 1e9, 1e9)),
    )
    assert sustained.highest(traces, "°C") == ((0, 45.0), (5, 60.0), (10, 70.0))
    assert sustained.highest(traces, "Hz") == ((0, 1e9), (5, 1e9), (10, 1e9))
    assert sustained.highest(traces, "1") == ()
