"""The state of a Linux machine around a trial: heat, frequency limits, governor, mains.

Read from sysfs by one small shell script, here and on a board alike. What a machine does not tell,
as a virtual one tells nothing, is not held against it: the result then has no such condition.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from device_agent.contract import Result
from harness.devices.base import Cooldown, InvalidTrialError, OnWait, Readiness
from harness.devices.cooling import pause, tell
from harness.devices.phone_state import Unfit
from harness.errors import InvalidRunError

# Documentation/ABI/testing: sysfs-class-thermal, sysfs-devices-system-cpu, sysfs-class-power.
_FILES = (
    "class/thermal/thermal_zone*/temp",
    "devices/system/cpu/cpufreq/policy*/scaling_max_freq",
    "devices/system/cpu/cpufreq/policy*/cpuinfo_max_freq",
    "devices/system/cpu/cpufreq/policy*/scaling_governor",
    "devices/system/cpu/cpufreq/policy*/scaling_driver",
    "devices/system/cpu/cpu*/thermal_throttle/core_throttle_count",
    "class/power_supply/*/online",
)

#: Their ``powersave`` governor is no fixed lowest frequency.
_ADAPTIVE = ("intel_pstate", "amd-pstate", "amd-pstate-epp")

_POLL_SECONDS = 2.0


def script(root: str = "/sys") -> str:
    """The shell script that prints the state; ``root`` is this project's own word, never a name."""
    files = " ".join(f"{root}/{file}" for file in _FILES)
    return f'for f in {files}; do [ -r "$f" ] && echo "$f=$(cat "$f" 2>/dev/null)"; done; true'


@dataclass(frozen=True)
class LinuxState:
    """What a machine said at one moment.

    ``temperatures`` in °C by zone; ``limits`` and ``hardware_limits`` in kHz and ``governors``,
    ``drivers`` by cluster; ``throttles`` counts by CPU; ``online`` says of each supply whether it
    feeds the machine.
    """

    temperatures: dict[str, float] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    hardware_limits: dict[str, int] = field(default_factory=dict)
    governors: dict[str, str] = field(default_factory=dict)
    drivers: dict[str, str] = field(default_factory=dict)
    throttles: dict[str, int] = field(default_factory=dict)
    online: dict[str, int] = field(default_factory=dict)


def parse(text: str) -> LinuxState:
    """The state that the script printed; a line that is none, or no possible value, is left out."""
    state = LinuxState()
    numbers = {
        "scaling_max_freq": state.limits,
        "cpuinfo_max_freq": state.hardware_limits,
        "core_throttle_count": state.throttles,
        "online": state.online,
    }
    words = {"scaling_governor": state.governors, "scaling_driver": state.drivers}
    for path, value in re.findall(r"^(\S+)=(.*)$", text, re.MULTILINE):
        parts = path.split("/")
        if len(parts) < 4:
            continue
        name, group = parts[-1], parts[-3 if parts[-2] == "thermal_throttle" else -2]
        whole = re.fullmatch(r"-?\d{1,18}", value.strip())
        if name == "temp" and whole and -100_000 < int(value) < 200_000:
            state.temperatures[group] = int(value) / 1000
        elif name in numbers and whole and int(value) >= 0:
            numbers[name][group] = int(value)
        elif name in words:
            words[name][group] = value.strip()
    return state


def unfit(state: LinuxState) -> Iterator[Unfit]:
    """Every known reason not to measure now."""
    for cluster, limit in state.limits.items():
        hardware = state.hardware_limits.get(cluster, limit)
        if limit < hardware:
            yield Unfit(
                "frequency",
                f"{cluster} is limited to {limit / 1e6:.2f} of {hardware / 1e6:.2f} GHz",
            )
    slow = [c for c, g in state.governors.items() if g == "powersave"]
    if any(state.drivers.get(cluster) not in _ADAPTIVE for cluster in slow):
        yield Unfit("power-save", "its governor is powersave: choose another, such as schedutil")


def changed(before: LinuxState, after: LinuxState) -> Iterator[Unfit]:
    """What happened between two moments that a trial in between does not survive."""
    events = sum(max(0, n - before.throttles.get(c, n)) for c, n in after.throttles.items())
    if events:
        sentence = f"heat slowed it down meanwhile ({events} thermal throttle events)"
        yield Unfit("thermal", sentence, passes=True)
    if before.online != after.online:
        yield Unfit("plug", "it was plugged in or unplugged meanwhile")
    for problem in unfit(after):
        # A limit that came meanwhile is the system's answer to heat or to the power supply.
        yield replace(problem, passes=problem.check == "frequency")


def too_warm(state: LinuxState, cooldown: Cooldown) -> Iterator[Unfit]:
    """Whether its hottest zone is warmer than a trial may begin."""
    zone = max(state.temperatures, key=state.temperatures.__getitem__, default=None)
    if zone is not None and cooldown.celsius is not None:
        found, limit = state.temperatures[zone], cooldown.celsius
        if found > limit:
            yield Unfit(
                "cooldown",
                f"{zone} has {found:g} °C, and a trial begins at {limit:g} °C at most "
                "(cooldown_celsius)",
                passes=True,
                short=f"{found:g} → {limit:g} °C",
            )


class Fitness:
    """Looks after one machine.

    Args:
        name: how tables call it.
        read: runs the script there and returns what it printed.
        allowed: checks that may fail; every result says so.
    """

    def __init__(
        self, name: str, read: Callable[[], str], allowed: frozenset[str] = frozenset()
    ) -> None:
        self._name = name
        self._read = read
        self._allowed = allowed
        self._before = LinuxState()

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> Readiness:
        """See :class:`harness.devices.base.Device`."""
        end = time.monotonic() + cooldown.seconds
        while True:
            self._before = state = parse(self._read())
            found = tuple(unfit(state))
            spoilt = [reason for reason in found if reason.check not in self._allowed]
            who = f"device {self._name!r} is not fit"
            if spoilt:
                allow = " ".join(f"--allow {c}" for c in sorted({r.check for r in spoilt}))
                sentences = "; ".join(reason.sentence for reason in spoilt)
                raise InvalidRunError(f"{who}: {sentences} (measure it anyway with {allow})")
            warm = next(too_warm(state, cooldown), None)
            if warm is None:
                break
            if time.monotonic() >= end:
                raise InvalidTrialError("too_hot", f"{who}: {warm.sentence}")
            pause(_POLL_SECONDS, partial(tell, on_wait, warm.short, end))
        warnings = self._overlooked(found)
        if cooldown.celsius is not None and not state.temperatures:
            warnings += ("not cooled down: it does not tell its temperature",)
        return Readiness(warnings=warnings)

    def judge(self, result: Result) -> Result:
        """The result of a trial, marked with what was overlooked.

        Raises:
            InvalidTrialError: the machine's state spoilt it.
        """
        found = tuple(changed(self._before, parse(self._read())))
        result = replace(result, warnings=result.warnings + self._overlooked(found))
        spoilt = [reason for reason in found if reason.check not in self._allowed]
        if spoilt:
            heat = all(reason.passes for reason in spoilt)
            sentences = "; ".join(reason.sentence for reason in spoilt)
            raise InvalidTrialError(spoilt[0].code, sentences, result, heat)
        return result

    def _overlooked(self, found: Iterable[Unfit]) -> tuple[str, ...]:
        return tuple(
            f"measured although {reason.sentence}"
            for reason in found
            if reason.check in self._allowed
        )
