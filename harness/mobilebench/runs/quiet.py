"""Waiting until other processes leave a device's CPUs alone, before a timed trial begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mobilebench.devices import interrupt
from mobilebench.devices.base import Device, ReportsCpuTimes
from mobilebench.records import conditions
from mobilebench.records.runtime import Runtime

#: Over so long the load is seen: a tenth of a CPU is then ten ticks.
_LOOK_SECONDS = 1.0
_STEP_SECONDS = 0.25

#: The columns of a line of /proc/stat that are no work: idle and iowait. Guests are within user.
_IDLE = (3, 4)
_COLUMNS = 8
_MOST_DIGITS = 20


class Quiet:
    """How long one lane may still wait for a quiet device.

    Args:
        seconds: in all its trials together. Later trials begin at once: a device that is never
            quiet is not waited for before each of them.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    def wait(self, device: Device, runtime: Runtime, on_wait: Callable[[str], None]) -> str:
        """Waits until others leave free what a trial needs.

        Args:
            device: where it will run.
            runtime: its threads and CPUs.
            on_wait: is given what is waited for; it may raise to end the waiting.

        Returns:
            A warning for the trial's result; empty where it begins on a quiet device.
        """
        if self._left <= 0:
            return ""
        if not isinstance(device, ReportsCpuTimes):
            self._left = 0
            return "it was not waited for a quiet device: this kind does not report its load"
        while True:
            began = time.monotonic()
            before = device.cpu_times()
            while time.monotonic() < began + _LOOK_SECONDS:
                interrupt.check()
                time.sleep(_STEP_SECONDS)
            busy, cpus = busy_cpus(before, device.cpu_times(), runtime.cpus)
            if not cpus:
                self._left = 0
                return "it was not waited for a quiet device: it does not report its load"
            reason = conditions.loaded({"cpu_load_other": busy}, cpus, runtime.threads)
            if not reason:
                return ""
            self._left -= time.monotonic() - began
            if self._left <= 0:
                return f"it was begun on a busy device, since the time to wait was over: {reason}"
            on_wait(f"waiting for quiet: {reason}; {self._left / 60:.0f} min left")


def busy_cpus(before: str, after: str, cpus: Sequence[int] = ()) -> tuple[float, int]:
    """How many CPUs were busy between two readings of ``/proc/stat``, and of how many.

    Args:
        before: the first reading.
        after: the second one.
        cpus: which of them count; none: all.

    Returns:
        ``(0.0, 0)`` where the readings do not say.
    """
    first, last = _times(before), _times(after)
    busy, count = 0.0, 0
    for cpu, times in last.items():
        if cpus and cpu not in cpus:
            continue
        grown = [now - then for now, then in zip(times, first.get(cpu, times), strict=True)]
        total = sum(grown)
        if total > 0 and min(n for i, n in enumerate(grown) if i not in _IDLE) >= 0:
            busy += 1 - sum(grown[i] for i in _IDLE) / total
            count += 1
    return busy, count


def _times(text: str) -> dict[int, list[int]]:
    """The columns of each CPU."""
    found = {}
    for line in text.splitlines():
        name, *words = line.split() or [""]
        columns = words[:_COLUMNS]
        if name == "cpu" or not name.startswith("cpu") or len(columns) < _COLUMNS:
            continue
        numbers = [name.removeprefix("cpu"), *columns]
        if all(n.isascii() and n.isdigit() and len(n) < _MOST_DIGITS for n in numbers):
            cpu, *ticks = map(int, numbers)
            found[cpu] = ticks
    return found
