"""Readings of counters, one trace for each."""

from mobilebench_agent.contract import Metric
from mobilebench_agent.traces import Traces


def test_readings_become_one_trace_a_counter() -> None:
    traces = Traces()
    bad = Metric.unavailable("heat", "°C", "zone", "asleep")
    for time, heat in ((0, bad), (5, Metric("heat", "°C", "zone", 40.5, 0.5, 1)), (9, bad)):
        traces.add(time, [heat, Metric("clock", "Hz", "cpufreq", 1e9 + time, 1000, 1)])
    heat, clock = traces.all()
    assert (heat.times_ns, heat.values, heat.reason) == ((5,), (40.5,), "asleep")
    assert (heat.unit, heat.source, heat.resolution) == ("°C", "zone", 0.5)
    assert (clock.times_ns, clock.values, clock.reason) == ((0, 5, 9), (1e9, 1e9 + 5, 1e9 + 9), "")


def test_a_counter_that_never_answered_says_why() -> None:
    traces = Traces()
    traces.add(0, [Metric.unavailable("heat", "°C", "zone", "asleep")])
    (heat,) = traces.all()
    assert (heat.values, heat.reason) == ((), "asleep")
