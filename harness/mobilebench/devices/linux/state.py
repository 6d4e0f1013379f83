"""The state of a Linux machine before a trial: heat, frequency limits, governor, firmware.

Read from sysfs, on a board by one small shell script. What a machine does
not report, as virtual ones do not, is no problem. What happened *during* a trial is reported by
the agent, see :mod:`mobilebench.devices.validity`; only in the place of a program that reports
nothing is the machine read here a second time, and its state reported under the agent's names.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mobilebench_agent import system_files
from mobilebench_agent.contract import Metric, Result
from mobilebench_agent.system_files import UnreadableError

from mobilebench.devices.base import (
    Cooldown,
    InvalidTrialError,
    OnWait,
    PreflightProblem,
    PreflightResult,
)
from mobilebench.devices.cooldown import pause, report
from mobilebench.devices.validity import allowed_warnings, ensure_valid, problems_during
from mobilebench.errors import DeviceError
from mobilebench.records import conditions

# Documentation/ABI/testing: sysfs-class-thermal, sysfs-devices-system-cpu, sysfs-class-power. The
# Raspberry Pi's firmware: get_throttled.
_FILES = (
    "class/thermal/thermal_zone*/temp",
    "devices/system/cpu/cpufreq/policy*/scaling_max_freq",
    "devices/system/cpu/cpufreq/policy*/cpuinfo_max_freq",
    "devices/system/cpu/cpufreq/policy*/scaling_governor",
    "devices/system/cpu/cpufreq/policy*/scaling_driver",
    "devices/platform/soc/soc:firmware/get_throttled",
)

#: Their ``powersave`` governor is no fixed lowest frequency.
_ADAPTIVE = ("intel_pstate", "amd-pstate", "amd-pstate-epp")

_POLL_SECONDS = 2.0


def script(root: str = "/") -> str:
    """The shell script that prints the state; ``root`` is where /sys is."""
    base = shlex.quote(root.rstrip("/"))
    files = " ".join(f"{base}/sys/{file}" for file in _FILES)
    return f'for f in {files}; do [ -r "$f" ] && echo "$f=$(cat "$f" 2>/dev/null)"; done; true'


def read_here(root: Path) -> str:
    """What the script prints, without a shell: the state of this machine, empty where no sysfs is.

    Args:
        root: where /sys is.
    """
    lines = []
    for pattern in _FILES:
        for path in sorted((root / "sys").glob(pattern)):
            with contextlib.suppress(UnreadableError):
                lines.append(f"{path.as_posix()}={system_files.text(path)}\n")
    return "".join(lines)


@dataclass(frozen=True)
class LinuxState:
    """What a machine reported at one moment.

    ``temperatures`` in °C by zone; ``limits`` and ``hardware_limits`` in Hz and ``governors``,
    ``drivers`` by the first CPU of their cluster; ``firmware``: a Raspberry Pi's bits.
    """

    temperatures: dict[str, float] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    hardware_limits: dict[str, int] = field(default_factory=dict)
    governors: dict[str, str] = field(default_factory=dict)
    drivers: dict[str, str] = field(default_factory=dict)
    firmware: int | None = None

    def metrics(self, moment: str) -> tuple[Metric, ...]:
        """What an agent reports of it, under the same names; ``moment``: before or after."""
        readings: list[tuple[str, str, float]] = [
            *((f"{cpu}_frequency_limit", "Hz", n) for cpu, n in self.limits.items()),
            *((f"{cpu}_frequency_hardware_limit", "Hz", n)
              for cpu, n in self.hardware_limits.items()),
            *((f"{zone.replace('thermal_', '')}_temperature", "°C", celsius)
              for zone, celsius in self.temperatures.items()),
        ]  # fmt: skip
        if self.firmware is not None:
            readings.append(("firmware_throttled", "1", self.firmware))
        return tuple(
            Metric(f"{moment}_{name}", unit, "sysfs, read by the host", float(value), n=1)
            for name, unit, value in readings
        )


def parse(text: str) -> LinuxState:
    """The state that the script printed; a line that is none, or no possible value, is left out."""
    state = LinuxState()
    numbers = {"scaling_max_freq": state.limits, "cpuinfo_max_freq": state.hardware_limits}
    words = {"scaling_governor": state.governors, "scaling_driver": state.drivers}
    for path, value in re.findall(r"^(.+?)=(.*)$", text, re.MULTILINE):
        parts = path.split("/")
        if len(parts) < 4:
            continue
        name, group = parts[-1], parts[-2].replace("policy", "cpu")
        whole = re.fullmatch(r"-?\d{1,12}", value.strip())
        if name == "temp" and whole and -100_000 < int(value) < 200_000:
            state.temperatures[group] = int(value) / 1000
        elif name in numbers and whole and int(value) > 0:
            numbers[name][group] = int(value) * 1000
        elif name in words:
            words[name][group] = value.strip()
        elif name == "get_throttled" and re.fullmatch(r"(0x)?[0-9a-fA-F]{1,8}", value.strip()):
            state = replace(state, firmware=int(value, 16))
    return state


def problems(state: LinuxState, was_clear: bool = False) -> Iterator[PreflightProblem]:
    """Every known reason not to measure now.

    Args:
        state: of the machine.
        was_clear: whether its clocks were not limited before: then the limit is the system's answer
            to heat, and passes.
    """
    values = conditions.values_of(state.metrics("before"))
    if limit := conditions.capped(values):
        yield PreflightProblem("frequency", limit, passes=was_clear, short=limit)
    if heat := conditions.throttled(values):
        yield PreflightProblem("thermal", f"it is slowed down: {heat}", passes=True, short=heat)
    slow = [c for c, g in state.governors.items() if g == "powersave"]
    if any(state.drivers.get(cluster) not in _ADAPTIVE for cluster in slow):
        yield PreflightProblem(
            "power-save", "its governor is powersave: choose another, such as schedutil"
        )


def too_warm(state: LinuxState, cooldown: Cooldown) -> Iterator[PreflightProblem]:
    """Whether its hottest zone is warmer than a trial may begin."""
    zone = max(state.temperatures, key=state.temperatures.__getitem__, default=None)
    if zone is not None and cooldown.celsius is not None:
        found, limit = state.temperatures[zone], cooldown.celsius
        if found > limit:
            yield PreflightProblem(
                "cooldown",
                f"{zone} has {found:g} °C, and a trial begins at {limit:g} °C at most "
                "(cooldown_celsius)",
                passes=True,
                short=f"{found:g} → {limit:g} °C",
            )


class StateChecks:
    """Checks the state of one machine before and after each trial.

    Args:
        name: how tables call it.
        read: runs the script there and returns what it printed.
        allowed: checks that may fail; every result says so.
        option: how a command line names it, where that is known.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], str],
        allowed: frozenset[str] = frozenset(),
        option: str = "",
    ) -> None:
        self._name = name
        self._read = read
        self._allowed = allowed
        self._option = option
        self._before = LinuxState()
        self._was_clear = False

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:
        """See :class:`mobilebench.devices.base.Device`."""
        end = time.monotonic() + cooldown.seconds
        who = f"device {self._name!r} failed preflight"
        while True:
            self._before = state = parse(self._read())
            found = tuple(problems(state, self._was_clear))
            reasons = [
                *(reason for reason in found if reason.check not in self._allowed),
                *too_warm(state, cooldown),
            ]
            if not reasons:
                break
            sentences = "; ".join(reason.sentence for reason in reasons)
            if not all(reason.passes for reason in reasons):
                checks = sorted({r.check for r in reasons} - {"cooldown"})
                allow = " ".join(filter(None, [self._option, *(f"--allow {c}" for c in checks)]))
                raise DeviceError(f"{who}: {sentences} (measure it anyway with {allow})", "unfit")
            if time.monotonic() >= end:
                raise InvalidTrialError("too_hot", f"{who}: {sentences}")
            short = ", ".join(reason.short for reason in reasons)
            pause(_POLL_SECONDS, partial(report, on_wait, short, end))
        self._was_clear = self._was_clear or not found
        warnings = allowed_warnings(found, self._allowed)
        if cooldown.celsius is not None and not state.temperatures:
            warnings += ("not cooled down: it does not report its temperature",)
        return PreflightResult(warnings=warnings)

    def validate(self, result: Result) -> Result:
        """The result of a trial, with a warning for each failed check that is allowed.

        Raises:
            InvalidTrialError: the machine's state invalidates it.
        """
        if not any(metric.name.startswith("after_") for metric in result.metrics):
            # It is not from our agent, which would have reported it.
            around = self._before.metrics("before") + parse(self._read()).metrics("after")
            result = replace(result, metrics=result.metrics + around)
        found = tuple(problems_during(result))
        warnings = result.warnings + allowed_warnings(found, self._allowed)
        result = replace(result, warnings=warnings)
        ensure_valid(result, found, self._allowed)
        return result
