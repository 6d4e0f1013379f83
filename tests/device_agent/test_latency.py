"""Which inferences of a long loop are kept."""

import pytest
from mobilebench_agent import latency


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
