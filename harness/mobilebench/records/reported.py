"""Numbers that an agent reports, held against what they can be.

An agent is a program on somebody's device: a memory in another unit, or less than none, is a fault
of its own and no measurement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mobilebench_agent.contract import Metric

#: What every agent counts them in (``docs/protocol.md``), and whether they can be negative. Others
#: are the device's or a plug-in's own.
_KNOWN = tuple(
    (re.compile(pattern), unit, signed)
    for pattern, unit, signed in (
        (r"memory_\w+", "B", False),
        (r"latency_\w+", "ns", False),
        (r"(initialization|unpacking|warmup|preflight|cgroup_throttled)_time", "ns", False),
        (r"first_inference", "ns", False),
        (r"energy_per_inference", "J", False),
        (r"(before|after)_cpu\d+_frequency_\w+", "Hz", False),
        (r"(before|after)_zone\d+_temperature", "°C", True),
        (r"(before|after)_battery_temperature", "°C", True),
        (r"cpu_load_\w+", "CPUs", False),
        (r"(warmup|timed)_runs|sample_stride|answered_samples", "1", False),
    )
)


def fault(metrics: Iterable[Metric]) -> str:
    """What is wrong with the first metric that cannot be so, in a few words; empty if none is."""
    return next(filter(None, map(_fault, metrics)), "")


def _fault(metric: Metric) -> str:
    known = next((k for k in _KNOWN if k[0].fullmatch(metric.name)), None)
    if known is None:
        return ""
    _, unit, signed = known
    if metric.unit != unit:
        return f"{metric.name} is counted in {unit}, and is reported in {metric.unit[:40]!r}"
    if not signed and metric.value is not None and metric.value < 0:
        return f"{metric.name} is reported as less than nothing ({metric.value:g} {unit})"
    return ""
