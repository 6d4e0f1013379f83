"""The state of a phone around a trial: battery, heat, power saving, screen and lock.

A phone passes when nothing known of it disturbs a measurement; what it does not report counts as a
problem, unless its Android has no such thing. The limits follow MLPerf Mobile's rules and the
thermal statuses of Android (0: no throttling).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mobilebench_agent.contract import Metric

from mobilebench.devices.adb import parse as adb_parse
from mobilebench.devices.adb.client import AdbDevice
from mobilebench.devices.adb.parse import Battery, Thermal
from mobilebench.devices.android import makers
from mobilebench.devices.base import Cooldown, PreflightProblem

_FIRST_WITH_THERMAL_STATUS = 29

_MARK = "--mobilebench--"

# One round trip for all; a constant, so that there is nothing to quote.
_COMMANDS = (
    "dumpsys battery",
    "dumpsys thermalservice",
    "dumpsys power | grep mWakefulness=",
    "dumpsys window policy",
    "settings get global low_power",
    makers.SAVERS_SCRIPT,
)
_SCRIPT = f"; echo {_MARK}; ".join(f"{command} 2>/dev/null" for command in _COMMANDS)


@dataclass(frozen=True)
class Limits:
    """What a phone must keep to: battery in percent, temperature of the battery in °C."""

    battery_level: int = 25
    battery_temperature: float = 40.0
    thermal_status: int = 0


@dataclass(frozen=True)
class PhoneState:
    """What a phone reported at one moment; None: it did not.

    ``savers``: a sentence for each switch of its maker that saves power, or may do so.
    """

    battery: Battery
    thermal: Thermal
    screen_on: bool | None
    locked: bool | None
    power_save: bool | None
    savers: tuple[str, ...] = ()


def read(device: AdbDevice) -> PhoneState:
    """Asks the phone.

    Raises:
        LinkLostError, DeadlineError: it does not answer.
    """
    parts = device.script(_SCRIPT).output.split(f"{_MARK}\n")
    parts += [""] * (len(_COMMANDS) - len(parts))
    battery, thermal, power, window, saver, makers_savers = parts[: len(_COMMANDS)]
    return PhoneState(
        adb_parse.parse_battery(battery),
        adb_parse.parse_thermal(thermal),
        adb_parse.parse_screen_on(power),
        adb_parse.parse_locked(window),
        adb_parse.parse_power_save(saver),
        makers.parse_savers(makers_savers),
    )


def problems(state: PhoneState, sdk: int, limits: Limits) -> tuple[PreflightProblem, ...]:
    """Every reason not to measure now."""
    return (
        *_battery(state, limits),
        *_power_save(state),
        *_thermal(state, sdk, limits),
        *_screen(state),
    )


def plugged(state: PhoneState) -> Iterator[PreflightProblem]:
    """Why a phone that must run on its battery does not; no check that may be allowed to fail."""
    sources = state.battery.plugged
    if state.battery.present is False:
        yield PreflightProblem("plugged", "it has no battery to run on, as --unplugged wants")
    elif sources is None:
        yield PreflightProblem("plugged", "it does not report whether it is plugged in")
    elif sources:
        yield PreflightProblem(
            "plugged",
            f"it is charged by {' and '.join(sources)}, and --unplugged wants it on its battery: "
            "pull the cable",
        )


def _battery(state: PhoneState, limits: Limits) -> Iterator[PreflightProblem]:
    battery = state.battery
    if battery.faked:
        yield PreflightProblem(
            "battery-faked",
            "the battery's state was faked (UPDATES STOPPED); undo it with: "
            "adb shell dumpsys battery reset",
        )
    if battery.present is False:
        return  # There is nothing that could be low or hot.
    if battery.level is None:
        yield PreflightProblem("battery", "it does not report its battery's level")
    elif battery.level < limits.battery_level:
        yield PreflightProblem(
            "battery",
            f"its battery is at {battery.level} %, below {limits.battery_level} %: charge it",
        )
    if battery.temperature is None:
        yield PreflightProblem(
            "battery-temperature", "it does not report its battery's temperature"
        )
    elif battery.temperature > limits.battery_temperature:
        yield PreflightProblem(
            "battery-temperature",
            f"its battery has {battery.temperature:g} °C, above {limits.battery_temperature:g} °C:"
            " let it cool down",
            passes=True,
            short=f"{battery.temperature:g} → {limits.battery_temperature:g} °C",
        )


def _power_save(state: PhoneState) -> Iterator[PreflightProblem]:
    if state.power_save is None:
        yield PreflightProblem("power-save", "it does not report whether it saves power")
    elif state.power_save:
        yield PreflightProblem("power-save", "battery saver is on: switch it off")
    else:
        yield from (PreflightProblem("power-save", words) for words in state.savers)


def _thermal(state: PhoneState, sdk: int, limits: Limits) -> Iterator[PreflightProblem]:
    status = state.thermal.status
    if status is None:
        if sdk >= _FIRST_WITH_THERMAL_STATUS or sdk == 0:
            yield PreflightProblem("thermal", state.thermal.reason)
    elif status > limits.thermal_status:
        yield PreflightProblem(
            "thermal",
            f"it is throttled by heat (thermal status {status}): let it cool down",
            passes=True,
            short=f"thermal status {status}",
        )


def _screen(state: PhoneState) -> Iterator[PreflightProblem]:
    if state.screen_on is None or state.locked is None:
        yield PreflightProblem("screen", "it does not report whether its screen is on and unlocked")
    elif not state.screen_on:
        yield PreflightProblem("screen", "its screen is off: switch it on")
    elif state.locked:
        yield PreflightProblem("lock", "it is locked: unlock it")


def plug_changed(before: PhoneState, after: PhoneState) -> Iterator[PreflightProblem]:
    """Whether its cable was plugged in or pulled between the two moments."""
    if before.battery.plugged != after.battery.plugged:
        yield PreflightProblem("plug", "it was plugged in or unplugged meanwhile")


def too_warm(state: PhoneState, cooldown: Cooldown) -> Iterator[PreflightProblem]:
    """Whether its battery is warmer than a trial may begin; nothing where it does not report."""
    found, limit = state.battery.temperature, cooldown.celsius
    if found is not None and limit is not None and found > limit:
        yield PreflightProblem(
            "cooldown",
            f"its battery has {found:g} °C, and a trial begins at {limit:g} °C at most "
            "(cooldown_celsius)",
            passes=True,
            short=f"{found:g} → {limit:g} °C",
        )


def metrics(before: PhoneState, after: PhoneState) -> tuple[Metric, ...]:
    """The phone's state around a trial, as metrics of its result."""
    found = []
    for moment, state in (("before", before), ("after", after)):
        battery, thermal = state.battery, state.thermal
        readings = (
            ("level", "%", battery.level, 1),
            ("temperature", "°C", battery.temperature, 0.1),
            ("voltage", "mV", battery.voltage, 1),
            ("charge", "µAh", battery.charge_counter, None),
        )
        silent = "it has no battery" if battery.present is False else "the phone does not report"
        for name, unit, value, resolution in readings:
            metric = f"battery_{name}_{moment}"
            found.append(_metric(metric, unit, "dumpsys battery", value, resolution, silent))
        source = "dumpsys thermalservice"
        silent = thermal.reason or "the phone does not report"
        found += [
            _metric(f"thermal_status_{moment}", "1", source, thermal.status, 1, silent),
            _metric(f"skin_temperature_{moment}", "°C", source, thermal.skin, None),
        ]
    return tuple(found)


def _metric(
    name: str,
    unit: str,
    source: str,
    value: float | None,
    resolution: float | None,
    reason: str = "the phone does not report",
) -> Metric:
    if value is None:
        return Metric.unavailable(name, unit, source, reason)
    return Metric(name, unit, source, float(value), resolution, 1)
