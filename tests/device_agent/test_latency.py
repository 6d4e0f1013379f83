"""Which inferences of a long loop are kept, and what is looked at when it ends."""

from array import array
from typing import Any

import numpy as np
import pytest
from mobilebench_agent import interruptions, latency, runtime
from mobilebench_agent.contract import PROTOCOL_VERSION, Job
from mobilebench_agent.interruptions import Interruptions
from mobilebench_agent.runtime import AgentError, Runtime


class Clock:
    """Time that passes only while the model runs: the n-th inference takes n + 1 nanoseconds."""

    def __init__(self) -> None:
        self.now = 0
        self.count = 0

    def invoke(self) -> None:
        self.count += 1
        self.now += self.count

    def perf_counter_ns(self) -> int:
        return self.now


@pytest.mark.parametrize("runs", [*range(1, 40), 100, 1000])
def test_of_many_every_second_fourth_eighth_is_kept(
    monkeypatch: pytest.MonkeyPatch, runs: int
) -> None:
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    loop = latency._repeat(clock.invoke, runs, 0, 10, most=8)
    assert loop.count == clock.count == runs
    assert loop.stride & (loop.stride - 1) == 0
    # The first, and every stride-th after it, each with the moment at which it began.
    kept = range(0, runs, loop.stride)
    assert list(loop.samples) == [number + 1 for number in kept]
    assert list(loop.starts) == [number * (number + 1) // 2 for number in kept]
    assert len(kept) <= 8
    assert loop.stride == 1 or len(kept) > 4


def test_the_limit_is_one_that_a_result_can_hold() -> None:
    """Every second one is dropped: an odd limit would shift the others."""
    assert latency.MOST_SAMPLES % 2 == 0
    widest = len(f"{2**63},") * 2
    assert latency.MOST_SAMPLES * widest < 256 << 20


class Drifting:
    """An interpreter of a model whose answers become infinite with the n-th inference."""

    def __init__(self, last_good: int) -> None:
        self._left = last_good

    def get_input_details(self) -> list[dict[str, Any]]:
        return []

    def get_output_details(self) -> list[dict[str, Any]]:
        return [{"index": 0, "name": "state"}]

    def invoke(self) -> None:
        self._left -= 1

    def get_tensor(self, _: int) -> Any:
        return np.array([1.0 if self._left >= 0 else np.inf], np.float32)


@pytest.mark.parametrize("last_good", [0, 1, 5])
def test_outputs_are_checked_after_the_last_timed_inference(
    monkeypatch: pytest.MonkeyPatch, last_good: int
) -> None:
    """One inference before the warm-up, two in it, three timed: six."""
    job = Job(
        PROTOCOL_VERSION,
        "t",
        "latency",
        "m",
        "x",
        warmup_runs=2,
        warmup_seconds=0,
        runs=3,
        seconds=0,
    )
    measure = latency.measure
    monkeypatch.setattr(runtime, "load", lambda *_: Drifting(last_good))
    with pytest.raises(AgentError, match="output 'state' of the model holds NaN") as caught:
        measure(Runtime("r", "1", None), job, lambda *_: None)
    assert caught.value.code == "output_nan"
    monkeypatch.setattr(runtime, "load", lambda *_: Drifting(6))
    assert len(measure(Runtime("r", "1", None), job, lambda *_: None).samples_ns) == 3


class Counters:
    """A machine whose clocks are set by hand."""

    def __init__(self) -> None:
        self.wall = self.cpu = self.switched = 0

    def perf_counter_ns(self) -> int:
        return self.wall

    def thread_time_ns(self) -> int:
        return self.cpu

    process_time_ns = thread_time_ns


def test_an_inference_has_the_share_of_its_interval_in_which_it_had_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = Counters()
    monkeypatch.setattr(interruptions, "time", now)
    monkeypatch.setattr(interruptions, "_counter", lambda _: lambda: now.switched)
    marks = Interruptions(threads=1)
    samples = array("q")
    # What was done before an interval begins is no inference's.
    now.wall, now.cpu, now.switched = 5000, 5000, 7
    marks.begin()
    for took, busy, switches in ((10_000, 10_000, 0), (40_000, 10_000, 1), (10_000, 10_020, 0)):
        now.wall, now.cpu, now.switched = now.wall + took, now.cpu + busy, now.switched + switches
        samples.append(took)
        marks.end(samples)
    # Two short ones share an interval.
    now.wall, now.cpu, now.switched = now.wall + 20_000, now.cpu + 10_000, now.switched + 2
    samples.extend((8000, 8000))
    marks.end(samples)
    # Two clocks read one after the other are never quite alike.
    now.wall, now.cpu = now.wall + 30_000, now.cpu + 26_000
    samples.append(30_000)
    marks.end(samples)
    assert list(marks.cpu_ns) == [10_000, 10_000, 10_000, 4000, 4000, 30_000]
    assert list(marks.switches) == [0, 1, 0, 2, 2, 0]
    marks.halve()
    assert list(marks.cpu_ns) == [10_000, 10_000, 4000]


def test_several_threads_may_have_more_cpu_time_than_wall_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = Counters()
    monkeypatch.setattr(interruptions, "time", now)
    marks = Interruptions(threads=2)
    marks.begin()
    now.wall, now.cpu = 1000, 1900
    marks.end(array("q", [1000]))
    assert list(marks.cpu_ns) == [1900]


@pytest.mark.parametrize("runs", [1, 7, 8, 9, 33, 100])
def test_every_sample_has_its_marks(runs: int) -> None:
    marks = Interruptions(threads=1)
    loop = latency._repeat(lambda: None, runs, 0, 10, most=8, interruptions=marks)
    assert len(marks.cpu_ns) == len(marks.switches) == len(loop.samples)


def test_a_system_without_such_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptions, "resource", None)
    marks = Interruptions(threads=1)
    marks.begin()
    marks.end(array("q", [1]))
    assert (len(marks.cpu_ns), len(marks.switches)) == (1, 0)
