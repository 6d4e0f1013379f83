"""How busy the processors were with others than this process (proc(5): stat, PID/stat)."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from mobilebench_agent import other_systems, system_files
from mobilebench_agent.contract import Metric
from mobilebench_agent.system_files import UnreadableError

#: The first columns of /proc/stat's line ``cpu``. Time of guests is within user and nice.
_COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_BUSY = ("user", "nice", "system", "irq", "softirq")

#: Where the columns of /proc/PID/stat stand behind the command's name.
_UTIME, _STIME, _PROCESSOR = 11, 12, 36

# Ticks are counted where the clock finds a process: shares of few ticks are not exact.
_LENIENT_TICKS = 3
_LENIENT_SHARE = 0.05


@dataclass(frozen=True)
class Reading:
    """Ticks so far by column, at one time; ``reason`` says why there are none.

    ``processor`` is -1, and ``ticks`` has no ``steal``, where the system does not report it.
    """

    time_ns: int
    ticks: Dict[str, int] = field(default_factory=dict)
    own: int = 0
    processor: int = 0
    cpus: int = 0
    reason: str = ""


def read(root: Path, cpus: Sequence[int]) -> Reading:
    """How long this process, and all of them on its CPUs, have been busy so far.

    Args:
        root: where /proc is.
        cpus: the CPUs that this process may run on; none: all there are.
    """
    now = time.monotonic_ns()
    try:
        if other_systems.is_meant(root):
            every, mine, count = other_systems.cpu_ticks()
            return Reading(now, every, mine, -1, count)
        own, processor = _own(root / "proc/self/stat")
        ticks, count = _all(root / "proc/stat", cpus)
        return Reading(now, ticks, own, processor, count)
    except UnreadableError as error:
        return Reading(now, reason=str(error))


def between(root: Path, before: Reading, after: Reading) -> List[Metric]:
    """How many of this process's CPUs others, and other guests of the host, kept busy: means."""
    if other_systems.is_meant(root):
        source, stolen_source = "psutil's cpu_times, less this process's", "psutil's cpu_times"
    else:
        source = f"{root / 'proc/stat'} less {root / 'proc/self/stat'}"
        stolen_source = f"{root / 'proc/stat'} steal"
    reason = before.reason or after.reason or _contradiction(before, after)
    if reason:
        return [
            Metric.unavailable("cpu_load_other", "CPUs", source, reason),
            Metric.unavailable("cpu_load_stolen", "CPUs", stolen_source, reason),
        ]
    grown = _grown(before, after)
    other = max(0, sum(grown[name] for name in _BUSY) - (after.own - before.own))
    ticks = _ticks(before, after)
    load = Metric("cpu_load_other", "CPUs", source, other / ticks, 1 / ticks, n=2)
    if "steal" not in after.ticks:
        reason = "this system does not count it"
        return [load, Metric.unavailable("cpu_load_stolen", "CPUs", stolen_source, reason)]
    return [
        load,
        Metric("cpu_load_stolen", "CPUs", stolen_source, grown["steal"] / ticks, 1 / ticks, n=2),
    ]


def last_cpu(root: Path, reading: Reading) -> Metric:
    """The CPU that this process's first thread ran on."""
    source = f"{root / 'proc/self/stat'} processor"
    if other_systems.is_meant(root):
        reason = reading.reason or "this system does not report it"
        return Metric.unavailable("last_cpu", "1", "psutil", reason)
    if reading.reason:
        return Metric.unavailable("last_cpu", "1", source, reading.reason)
    return Metric("last_cpu", "1", source, reading.processor, 1, n=1)


def _contradiction(before: Reading, after: Reading) -> str:
    """Why two readings say nothing together; empty if they do."""
    grown = _grown(before, after)
    own = after.own - before.own
    # Idle and iowait may go backwards by design.
    for name in (*_BUSY, "steal"):
        if grown[name] < 0:
            return f"/proc/stat: {name} went backwards"
    if own < 0:
        return "/proc/self/stat went backwards"
    ticks = _ticks(before, after)
    if ticks <= 0 or (not any(grown.values()) and ticks > _LENIENT_TICKS):
        return "/proc/stat did not change"
    busy = sum(grown[name] for name in _BUSY)
    if own - busy > _LENIENT_TICKS + _LENIENT_SHARE * own:
        return f"this process was busy for {own} ticks, and all of them together for {busy}"
    if busy + grown["steal"] > _LENIENT_TICKS + (1 + _LENIENT_SHARE) * after.cpus * ticks:
        return f"/proc/stat counts {busy} busy ticks of {after.cpus} CPUs in {ticks:.0f}"
    return ""


def _grown(before: Reading, after: Reading) -> Dict[str, int]:
    return {name: after.ticks.get(name, 0) - before.ticks.get(name, 0) for name in _COLUMNS}


def _ticks(before: Reading, after: Reading) -> float:
    rate = os.sysconf("SC_CLK_TCK") if "steal" in after.ticks else other_systems.TICKS
    return rate * (after.time_ns - before.time_ns) / 1e9


def _all(path: Path, cpus: Sequence[int]) -> Tuple[Dict[str, int], int]:
    """The ticks of those CPUs together, and how many they are."""
    lines = [words for line in system_files.text(path).splitlines() if (words := line.split())]
    lines_of = {words[0]: words for words in lines if re.fullmatch("cpu[0-9]+", words[0])}
    wanted = [f"cpu{cpu}" for cpu in cpus] or sorted(lines_of)
    ticks = dict.fromkeys(_COLUMNS, 0)
    for cpu in wanted or ["cpu0"]:
        words = lines_of.get(cpu, [])
        if not words:
            raise UnreadableError(f"/proc/stat has no line {cpu!r}")
        if len(words) <= len(_COLUMNS):
            raise UnreadableError(f"/proc/stat has {len(words) - 1} columns")
        for column, name in enumerate(_COLUMNS):
            ticks[name] += system_files.number(words[column + 1])
    return ticks, len(wanted)


def _own(path: Path) -> Tuple[int, int]:
    # The command's name stands in brackets, and may hold brackets and spaces.
    words = system_files.text(path).rpartition(")")[2].split()
    if len(words) <= _PROCESSOR:
        raise UnreadableError("/proc/self/stat has too few columns")
    utime, stime, processor = (
        system_files.number(words[column]) for column in (_UTIME, _STIME, _PROCESSOR)
    )
    return utime + stime, processor
