"""Which inferences count where others interrupted some."""

from __future__ import annotations

import numpy as np
import pytest
from mobilebench.analysis.disturbance import TOO_MANY
from mobilebench.analysis.preemption import cpu_times, left_alone
from mobilebench.analysis.trial import describe
from mobilebench.records.runtime import Runtime
from mobilebench.records.timings import Timings

from tests.support.preempted import preempted

MS = 1_000_000


def bias(length: float, sigma: float, seed: int) -> tuple[float, bool]:
    """How far a trial's median is off beside others, and whether it may be used."""
    samples, cpu = preempted(length * 4 * MS, sigma, 4 * MS, seed=seed)
    found = describe(samples, cpu_ns=cpu)
    assert found.preemption is not None
    return found.median / (length * 4 * MS) - 1, not found.preemption.reason


@pytest.mark.parametrize("length", [0.02, 0.3, 0.6, 0.8, 0.95])
@pytest.mark.parametrize("sigma", [0.005, 0.02, 0.05, 0.1])
def test_what_may_be_used_is_as_on_a_quiet_machine(length: float, sigma: float) -> None:
    found = [bias(length, sigma, seed) for seed in range(20)]
    disturbed = sum(not usable for _, usable in found)
    # Beside the bias that is allowed, twenty medians of a hundred inferences or fewer scatter.
    if disturbed < TOO_MANY * len(found):
        assert abs(float(np.median([off for off, usable in found if usable]))) < 0.02 + sigma / 5
    if length < 0.7 and sigma < 0.1:
        assert not disturbed


def test_a_quiet_trial_is_taken_as_it_is() -> None:
    samples = np.random.default_rng(0).integers(1000, 2000, 500) * 1000
    cpu = samples.copy()
    cpu[:20] //= 2
    plain, found = describe(samples), describe(samples, cpu_ns=cpu)
    assert found.quantiles == plain.quantiles
    assert found.n == plain.n
    assert found.preemption is not None
    assert (found.preemption.share, found.preemption.left_out) == (0.04, False)
    assert plain.preemption is None


def test_too_few_left_alone() -> None:
    samples = np.full(60, 10 * MS)
    counted, found = left_alone(samples, np.where(np.arange(60) < 9, samples, 3 * MS))
    assert counted.all()
    assert found.reason == "others left 9 of 60 inferences alone"
    counted, found = left_alone(samples, np.where(np.arange(60) < 10, samples, 3 * MS))
    assert (counted.sum(), found.left_out, found.reason) == (10, True, "")


def test_short_inferences_are_not_chosen_by_their_length() -> None:
    """They share their readings, so that a wide spread among them is no bias."""
    samples = np.tile([1000, 3000], 50)
    hit = np.arange(100) % 20 < 10
    for scale, usable in ((1, True), (1000, False)):
        wall = samples * scale
        _, found = left_alone(wall, np.where(hit, wall // 2, wall))
        assert bool(found.reason) != usable


def test_only_one_thread_on_the_cpu_tells_by_its_time() -> None:
    times = Timings(np.array([5]), cpu=np.array([4]))
    assert cpu_times(times, Runtime(name="r")) is not None
    assert cpu_times(times, Runtime(name="r", threads=2)) is None
    assert cpu_times(times, Runtime(name="r", accelerator="gpu")) is None
    assert cpu_times(times, None) is None
    assert cpu_times(Timings(np.array([5])), Runtime(name="r")) is None
