"""What can change a number from outside, read before and after a trial, never inside one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Tuple

from mobilebench_agent import affinity, clocks, heat, load, mains
from mobilebench_agent.contract import Metric


class Environment:
    """Clocks, heat, slowdowns and other processes around one trial.

    Args:
        root: where /proc and /sys are.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._before = self._state()
        self._counts = heat.counts(root)
        self._load = load.read(root, affinity.allowed())

    def moment(self) -> List[Metric]:
        """What is worth watching while a trial goes on for minutes."""
        return [*clocks.current(self._root), *heat.temperatures(self._root)]

    def end(self) -> Tuple[Metric, ...]:
        """Ends the watch: the state before and after, and what happened between."""
        # The clocks first: they fall as soon as there is nothing to do.
        after = self._state()
        now = load.read(self._root, affinity.allowed())
        return (
            *_prefixed("before_", self._before),
            *_prefixed("after_", after),
            *load.between(self._root, self._load, now),
            load.last_cpu(self._root, now),
            *heat.growth(self._counts, heat.counts(self._root)),
        )

    def conditions(self) -> Dict[str, Any]:
        """What holds and is no number; what is not reported is left out."""
        found = {"cpus": affinity.allowed(), "governors": clocks.governors(self._root)}
        return {name: value for name, value in found.items() if value}

    def _state(self) -> List[Metric]:
        root = self._root
        return [
            *clocks.frequencies(root),
            *heat.temperatures(root),
            *heat.firmware(root),
            *mains.plugged(root),
        ]


def _prefixed(prefix: str, metrics: List[Metric]) -> List[Metric]:
    return [replace(metric, name=prefix + metric.name) for metric in metrics]
