"""Readings of the same counters again and again, while a trial goes on for minutes."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from mobilebench_agent.contract import Metric, Trace


class Traces:
    """Collects readings, as one ``Trace`` for each counter."""

    def __init__(self) -> None:
        self._readings: Dict[str, List[Tuple[int, Metric]]] = {}

    def add(self, time_ns: int, metrics: Sequence[Metric]) -> None:
        """One reading of each counter at one time."""
        for metric in metrics:
            self._readings.setdefault(metric.name, []).append((time_ns, metric))

    def all(self) -> Tuple[Trace, ...]:
        """What was read, in the order in which the counters first came."""
        return tuple(map(_trace, self._readings.values()))


def _trace(readings: List[Tuple[int, Metric]]) -> Trace:
    good = [(time, metric.value) for time, metric in readings if metric.value is not None]
    shown = next((metric for _, metric in readings if metric.value is not None), readings[0][1])
    return Trace(
        shown.name,
        shown.unit,
        shown.source,
        shown.resolution,
        tuple(time for time, _ in good),
        tuple(value for _, value in good),
        next((metric.reason for _, metric in readings if metric.reason), ""),
    )
