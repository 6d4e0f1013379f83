"""Under which conditions a trial ran: clocks, caps, throttling and other processes' load.

Read from the metrics that the agents report around a trial (``docs/protocol.md`` names them): the
one place that says what a throttled or capped trial is. Devices make it invalid, the analysis
reports it. What a device does not report is not held against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mobilebench_agent.contract import Metric

from mobilebench.records.trial import TrialConditions

#: A busy cluster that ends so far below its limit (a share) was slowed down by something.
FAR_BELOW = 0.7

#: Load of others makes no trial invalid, but is reported: they may use so much of the CPUs that a
#: trial leaves free (a share), and so much more (CPUs).
_SHARE_OF_ROOM, _ALWAYS = 0.5, 0.1

#: Load is counted in ticks, which belong to whoever runs when they fall: of a trial that lasts only
#: a few of them, so many say nothing.
_LENIENT_TICKS = 3

#: The bits of a Raspberry Pi's firmware; 16 bits higher, each says whether it was so since boot.
_FIRMWARE = {1: "under-voltage", 2: "frequency capped", 4: "throttled", 8: "soft temperature limit"}


@dataclass(frozen=True)
class Conditions:
    """One trial's; None where the device does not report it.

    ``frequency`` and ``limit`` (Hz) are those at its end of the cluster that ran it; ``load_other``
    and ``load_stolen`` are means, in CPUs, of the ``cpus`` that it could run on. ``capped``,
    ``throttled``, ``slowed`` and ``loaded`` say in a phrase why it is, and are empty if it is not.
    ``interrupted`` is the share of its inferences that others interrupted, ``left_out`` whether its
    statistics leave these out, ``unharmed`` whether they tell the latency in spite of others.
    """

    frequency: float | None
    limit: float | None
    temperature: float | None
    load_other: float | None
    load_stolen: float | None
    cpus: tuple[int, ...]
    governors: tuple[str, ...]
    capped: str
    throttled: str
    slowed: str
    loaded: str
    interrupted: float | None = None
    left_out: bool = False
    unharmed: bool = False


def describe(
    metrics: Iterable[Metric], conditions: TrialConditions, threads: int = 1
) -> Conditions:
    """One trial's conditions.

    Args:
        metrics: of the trial.
        conditions: what it reported besides.
        threads: how many it ran with.
    """
    metrics = list(metrics)
    values = values_of(metrics)
    cluster = _cluster(values, values.get("last_cpu"))
    name = "" if cluster is None else f"after_cpu{cluster}_frequency"
    heat = [v for key, v in values.items() if re.fullmatch(r"after_zone\d+_temperature", key)]
    return Conditions(
        frequency=values.get(f"{name}_current"),
        limit=values.get(f"{name}_limit"),
        temperature=max(heat, default=values.get("after_battery_temperature")),
        load_other=_others(values) if "cpu_load_other" in values else None,
        load_stolen=values.get("cpu_load_stolen"),
        cpus=conditions.cpus,
        governors=tuple(sorted(set(conditions.governors.values()))),
        capped=capped(values, conditions.cpus),
        throttled=throttled(values) or stopped(values),
        slowed=slowed(values),
        loaded=loaded(
            values, len(conditions.cpus), threads, _resolution(metrics, "cpu_load_other")
        ),
    )


def values_of(metrics: Iterable[Metric]) -> dict[str, float]:
    """The values of the metrics that have one, by name."""
    return {metric.name: metric.value for metric in metrics if metric.value is not None}


def capped(values: Mapping[str, float], cpus: Sequence[int] = ()) -> str:
    """Whether a cluster's frequency was limited below the hardware's, before or after the trial.

    Args:
        values: of the metrics, by name; see ``values_of``.
        cpus: where the trial could run; clusters without any of them do not count. Empty: all do.
    """
    clusters = _clusters(values)
    used = {_cluster(values, cpu) for cpu in cpus} if cpus else set(clusters)
    for first in (cluster for cluster in clusters if cluster in used):
        for moment in ("before", "after"):
            limit = values.get(f"{moment}_cpu{first}_frequency_limit")
            hardware = values.get(f"{moment}_cpu{first}_frequency_hardware_limit")
            if limit is not None and hardware is not None and limit < hardware:
                return f"cpu{first} is limited to {_hertz(limit)} of {_hertz(hardware)}"
    return ""


def limits(values: Mapping[str, float], moment: str) -> dict[int, float]:
    """The limit of each cluster's frequency (Hz) before or after a trial, by its first CPU."""
    found = {
        first: values.get(f"{moment}_cpu{first}_frequency_limit") for first in _clusters(values)
    }
    return {first: limit for first, limit in found.items() if limit is not None}


def limit_changed(
    values: Mapping[str, float], cpus: Sequence[int], at_rest: Mapping[int, float]
) -> str:
    """Whether a cluster's limit was another than at rest, before or after the trial.

    Args:
        values: of the metrics, by name; see ``values_of``.
        cpus: where the trial could run; see ``capped``.
        at_rest: the limits of each cluster while the device rests, Hz.
    """
    used = {_cluster(values, cpu) for cpu in cpus} if cpus else set(_clusters(values))
    for moment in ("before", "after"):
        for first, limit in limits(values, moment).items():
            if first in used and limit != at_rest.get(first, limit):
                rest = _hertz(at_rest[first])
                return f"cpu{first} was limited to {_hertz(limit)}, and at rest to {rest}"
    return ""


def slowed(values: Mapping[str, float]) -> str:
    """Whether the cluster that ran a latency trial was far below its limit at its end.

    A hint, and no more: a clock falls as soon as there is nothing to do.
    """
    cluster = _cluster(values, values.get("last_cpu"))
    current = values.get(f"after_cpu{cluster}_frequency_current")
    limit = values.get(f"after_cpu{cluster}_frequency_limit")
    if current is not None and limit is not None and current < FAR_BELOW * limit:
        return f"cpu{cluster} at {_hertz(current)} of {_hertz(limit)}"
    return ""


def throttled(values: Mapping[str, float]) -> str:
    """Whether heat or the power supply slowed the trial down, says the system."""
    for what in ("core", "package"):
        events = values.get(f"thermal_throttle_{what}", 0)
        if events:
            plural = "s" if events > 1 else ""
            return f"{events:.0f} thermal throttle event{plural} of the {what}"
    before = int(values.get("before_firmware_throttled", 0))
    after = int(values.get("after_firmware_throttled", 0))
    # Now, at one of both ends; or in between: a bit since boot that was not there before.
    bits = (before | after | (after >> 16 & ~(before >> 16))) & 0xF
    if bits:
        return ", ".join(word for bit, word in _FIRMWARE.items() if bits & bit)
    status = max(values.get(f"{moment}_thermal_status", 0) for moment in ("before", "after"))
    return f"thermal status {status:.0f}" if status else ""


def stopped(values: Mapping[str, float]) -> str:
    """Whether a CPU quota stopped the process, or its group, during the trial."""
    nanoseconds = values.get("cgroup_throttled_time", 0)
    return f"a CPU quota stopped it for {nanoseconds / 1e6:.3g} ms" if nanoseconds else ""


def replugged(values: Mapping[str, float]) -> bool:
    """Whether the device was plugged in, pulled, or put on another charger during the trial."""
    before, after = (values.get(f"{when}_battery_plugged") for when in ("before", "after"))
    return before is not None and after is not None and before != after


def loaded(
    values: Mapping[str, float], cpus: int, threads: int = 1, resolution: float = 0.0
) -> str:
    """Whether others used more of its CPUs than the trial left free.

    Args:
        values: of the metrics, by name; see ``values_of``.
        cpus: on how many it could run; 0: not reported.
        threads: how many it ran with.
        resolution: what one tick of the counter makes, CPUs.
    """
    other = _others(values) + values.get("cpu_load_stolen", 0.0)
    sure = other - _LENIENT_TICKS * resolution
    if not cpus or sure <= _SHARE_OF_ROOM * max(0, cpus - threads) + _ALWAYS:
        return ""
    return f"others kept {other:.1f} of its {cpus} CPU{'s' if cpus > 1 else ''} busy"


def findings(trials: Sequence[Conditions]) -> tuple[str, ...]:
    """What a variant's trials together give rise to: a sentence each."""
    return tuple(
        f"{word} in {len(found)} of {len(trials)} trials: {found[len(found) // 2]}."
        for word, found in (
            ("Capped", [t.capped for t in trials if t.capped]),
            ("Throttled", [t.throttled for t in trials if t.throttled]),
            ("Clock far below its limit at the end", [t.slowed for t in trials if t.slowed]),
        )
        if found
    )


def _others(values: Mapping[str, float]) -> float:
    """The CPUs that other processes kept busy, without our own on the machine that it measures."""
    return max(0.0, values.get("cpu_load_other", 0.0) - values.get("cpu_load_host", 0.0))


def _resolution(metrics: Iterable[Metric], name: str) -> float:
    return next((m.resolution or 0.0 for m in metrics if m.name == name), 0.0)


def _clusters(values: Mapping[str, float]) -> list[int]:
    """The first CPU of each cluster that reports its frequency, in order."""
    matches = (re.match(r"(?:before|after)_cpu([0-9]{1,4})_frequency_", name) for name in values)
    return sorted({int(match.group(1)) for match in matches if match})


def _cluster(values: Mapping[str, float], cpu: float | None) -> int | None:
    """The cluster of a CPU: the last that begins at or before it; the only one if it is unknown."""
    clusters = _clusters(values)
    if cpu is None:
        return clusters[0] if len(clusters) == 1 else None
    return max((first for first in clusters if first <= cpu), default=None)


def _hertz(value: float) -> str:
    return f"{value / 1e9:.2f} GHz"
