"""From the windows and counters of an energy trial to joules per inference.

Of each pair of windows, one idle and one under load next to each other in random order::

    energy per inference = (E_load - P_idle * T_load) / N

so that what the device draws anyhow (screen, radio, this very recording) cancels, and slow drift
with it. A counter that cannot measure it gives no number but a reason: it is coarser than what is
asked of it, did not change, or sees the charger's current instead of the device's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mobilebench.analysis import battery
from mobilebench.analysis.battery import Floats
from mobilebench.records.battery_current import CurrentProfile

if TYPE_CHECKING:
    from mobilebench_agent.contract import PowerSeries, Window

    from mobilebench.records.run import Run

#: The least net energy of a whole trial, in steps of its counter.
ENOUGH_TICKS = 50

#: A reading further from a window's end than this share of the window is of another time; what a
#: busy system takes to wake a process (seconds) is allowed for.
_NEAR = 0.1
_WAKING = 0.05

#: Of each unit, how much it is of the SI's: J, W, A, V, C.
_UNITS = {
    "µJ": 1e-6, "uWs": 1e-6, "nWh": 3.6e-6, "µWh": 3.6e-3, "µW": 1e-6, "mW": 1e-3,
    "µA": 1e-6, "mA": 1e-3, "µV": 1e-6, "mV": 1e-3, "µAh": 3.6e-3, "mAh": 3.6,
}  # fmt: skip

#: A sensor so called sees a whole board, not a part of it.
_WHOLE = re.compile(r"(?i)(^|[ _])(v?in|vdd_in|total|sys(tem)?|psys|5v_in)($|[ _])")


class _CannotTellError(Exception):
    """Why a counter gives no energy."""


class _ContradictionError(_CannotTellError):
    """Why nothing that a battery says is believed."""


@dataclass(frozen=True)
class TrialEnergy:
    """What an energy trial found; SI units.

    Attributes:
        per_inference: one number a pair of windows, joules; empty if there is none.
        source: the counter, by its name and files.
        resolution: its step, in joules a window.
        idle_watts, load_watts: medians over windows.
        profile: how the phone reports its current, where the counter is one.
        reason: why there is no number.
    """

    per_inference: tuple[float, ...] = ()
    source: str = ""
    resolution: float = 0.0
    idle_watts: float | None = None
    load_watts: float | None = None
    profile: CurrentProfile | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Window:
    load: bool
    start: float
    end: float
    inferences: int


@dataclass(frozen=True)
class _Series:
    """Times in seconds; values in SI units, or as reported where a unit cannot be believed."""

    name: str
    quantity: str
    unit: str
    source: str
    resolution: float
    maximum: float | None
    downstream: bool
    times: Floats
    values: Floats


@dataclass(frozen=True)
class _Account:
    """Energy and seconds of each window by one counter, and its step in joules a window."""

    joules: Floats
    seconds: Floats
    step: float
    profile: CurrentProfile | None = None


def of_trial(
    windows: Sequence[Window],
    power: Sequence[PowerSeries],
    profile: CurrentProfile | None = None,
    prefer: str = "",
) -> TrialEnergy:
    """The energy per inference by the best counter that can measure it.

    Args:
        windows: idle and load in pairs.
        power: each counter's readings.
        profile: how this model of phone reports its battery's current, if that is known.
        prefer: the name of a counter; no other is then taken.
    """
    found = [_window(window) for window in windows]
    groups: dict[str, list[_Series]] = {}
    plugs: list[_Series] = []
    for entry in power:
        series = _series(entry)
        if series.quantity == "plugged":
            plugs.append(series)
        elif not prefer or series.name == prefer:
            groups.setdefault(series.name, []).append(series)
    if not groups:
        missing = f"there is no power counter {prefer!r}" if prefer else "no power counter"
        return TrialEnergy(reason=f"{missing} was read")
    if not _are_pairs(found):
        return TrialEnergy(reason="its windows are not in pairs of idle and load")
    reasons = []
    for name, group in sorted(groups.items(), key=lambda item: _rank(*item)):
        for account in _accounts(group):
            try:
                if not all(series.downstream for series in group):
                    _require_battery(plugs)
                return _divide(name, group, account(found, profile), found)
            except _CannotTellError as error:
                reasons.append(f"{name}: {error}")
                if isinstance(error, _ContradictionError):
                    break
    return TrialEnergy(reason="; ".join(dict.fromkeys(reasons)))


def _divide(
    name: str, group: Sequence[_Series], account: _Account, windows: Sequence[_Window]
) -> TrialEnergy:
    """The net energy of each pair over its inferences."""
    loads = np.array([window.load for window in windows])
    watts = account.joules / account.seconds
    net = account.joules[loads] - watts[~loads] * account.seconds[loads]
    total = float(net.sum())
    if total < ENOUGH_TICKS * account.step:
        raise _CannotTellError(
            f"what inference added in all windows together, {total:.3g} J, is less than "
            f"{ENOUGH_TICKS} steps of {account.step:.3g} J: make the windows longer"
        )
    counts = np.array([window.inferences for window in windows])[loads]
    return TrialEnergy(
        per_inference=tuple(float(value) for value in net / counts),
        source=f"{name} ({', '.join(dict.fromkeys(series.source for series in group))})",
        resolution=account.step,
        idle_watts=float(np.median(watts[~loads])),
        load_watts=float(np.median(watts[loads])),
        profile=account.profile,
    )


# Which counter.


def _rank(name: str, group: Sequence[_Series]) -> tuple[bool, bool, bool, str]:
    """Counters of the device's own draw first; of those, energies first, then whole boards."""
    quantities = {series.quantity for series in group}
    return (
        not all(series.downstream for series in group),
        not quantities & {"energy", "energy_left"},
        not _WHOLE.search(name),
        name,
    )


_Reckoning = Callable[[Sequence[_Window], CurrentProfile | None], _Account]


def _accounts(group: Sequence[_Series]) -> Iterable[_Reckoning]:
    """The ways in which a group can measure energy, the surest first."""
    by_quantity: dict[str, list[_Series]] = {}
    for series in group:
        by_quantity.setdefault(series.quantity, []).append(series)
    if "energy" in by_quantity:
        yield lambda windows, _: _counted(by_quantity["energy"], windows)
    if "energy_left" in by_quantity:
        yield lambda windows, _: _counted(by_quantity["energy_left"], windows, sign=-1)
    if "power" in by_quantity:
        yield lambda windows, _: _integrated(by_quantity["power"][0], windows)
    if {"current", "voltage"} <= by_quantity.keys():
        yield lambda windows, profile: _current(by_quantity, windows, profile)
    if {"charge", "voltage"} <= by_quantity.keys():
        yield lambda windows, _: _charge(by_quantity, windows)


def _require_battery(plugs: Sequence[_Series]) -> None:
    if not any(series.values.size for series in plugs):
        raise _CannotTellError(
            "it is not known whether something charged the device meanwhile, and this counter "
            "would see that"
        )
    fed = [series.name for series in plugs if series.values.any()]
    if fed:
        raise _CannotTellError(
            f"the device was on external power ({', '.join(fed)}), and this counter sees the "
            "charger's current: pull the plug (a phone: --unplugged)"
        )


# Counters that count.


def _counted(group: Sequence[_Series], windows: Sequence[_Window], sign: int = 1) -> _Account:
    """Differences of cumulative counters between the two ends of each window."""
    joules = np.zeros(len(windows))
    step = 0.0
    seconds = np.zeros(len(windows))
    for series in group:
        changes, seconds = _differences(series, windows, sign)
        joules += changes
        step += _step(series)
    if not joules.any():
        raise _CannotTellError("it did not change in any window: suspended, or slower than them")
    return _Account(joules, seconds, step)


def _differences(series: _Series, windows: Sequence[_Window], sign: int) -> tuple[Floats, Floats]:
    if not series.values.size:
        raise _CannotTellError("it was not read")
    changes, seconds = [], []
    for window in windows:
        near = max(_WAKING, _NEAR * (window.end - window.start))
        ends = []
        for moment in (window.start, window.end):
            index = int(np.argmin(np.abs(series.times - moment)))
            if abs(series.times[index] - moment) > near:
                raise _CannotTellError(
                    f"a reading is {abs(series.times[index] - moment):.2g} s away from the end of "
                    f"a window of {window.end - window.start:.2g} s: make the windows longer"
                )
            ends.append(index)
        first, last = ends
        change = sign * float(series.values[last] - series.values[first])
        if change < 0:
            if series.maximum is None or sign < 0:
                raise _CannotTellError("it went backwards")
            # At its maximum the counter begins again at 0. What would then be a large part of its
            # range is no wrap, but a step back.
            change += series.maximum
            if not 0 <= change < series.maximum / 2:
                raise _CannotTellError("it went backwards, and not because it wraps")
        changes.append(change)
        seconds.append(float(series.times[last] - series.times[first]))
    if min(seconds) <= 0:
        raise _CannotTellError("its readings have the same time at both ends of a window")
    return np.array(changes), np.array(seconds)


def _step(series: _Series) -> float:
    """The step that a counter really takes: what all its changes are multiples of."""
    units = series.values / series.resolution
    changes = {abs(round(float(b - a))) for a, b in pairwise(units)}
    return max(1, math.gcd(*changes)) * series.resolution


def _charge(by_quantity: Mapping[str, Sequence[_Series]], windows: Sequence[_Window]) -> _Account:
    volts = _volts(by_quantity["voltage"][0])
    counted = _counted(by_quantity["charge"], windows, sign=-1)
    return _Account(counted.joules * volts, counted.seconds, counted.step * volts)


# Readings of the moment.


def _current(
    by_quantity: Mapping[str, Sequence[_Series]],
    windows: Sequence[_Window],
    profile: CurrentProfile | None,
) -> _Account:
    """Current times voltage; the unit of a battery's current is what its profile says."""
    current, voltage = by_quantity["current"][0], by_quantity["voltage"][0]
    volts = _volts(voltage)
    if current.downstream:
        at = np.interp(current.times, voltage.times, voltage.values)
        return _integrated(current, windows, scale=at, per_step=volts)
    found = battery.detect(current.values, volts)
    if isinstance(found, str):
        raise _CannotTellError(found)
    moved = _moved(by_quantity.get("charge", ()))
    against = battery.contradiction(found, current.values, *moved) if moved else ""
    if against:
        raise _ContradictionError(against)
    if profile is not None and found != profile:
        raise _ContradictionError(
            f"its current seems to be in {found}, and the profile of this model says {profile}: "
            "something charges it, or the profile is wrong (battery_current in the suite)"
        )
    factor = battery.UNITS[found.unit]
    sign = 1 if found.discharging == "positive" else -1
    at = sign * factor * np.interp(current.times, voltage.times, voltage.values)
    account = _integrated(current, windows, scale=at, per_step=factor * volts)
    return _Account(account.joules, account.seconds, account.step, found)


def _moved(charge: Sequence[_Series]) -> tuple[float, float] | None:
    """How far a charge counter fell (ampere hours) in how many seconds, if it reports it."""
    if not charge or charge[0].values.size < 2:
        return None
    series = charge[0]
    fell = float(series.values[0] - series.values[-1])
    if not battery.enough_steps(fell, _step(series)):
        return None
    return fell / 3600, float(series.times[-1] - series.times[0])


def _volts(voltage: _Series) -> float:
    if not voltage.values.size or not voltage.values.all():
        raise _CannotTellError("no reading of its voltage")
    return float(np.mean(voltage.values))


def _integrated(
    series: _Series,
    windows: Sequence[_Window],
    scale: Floats | float = 1.0,
    per_step: float = 1.0,
) -> _Account:
    """Trapezoids over the readings in each window, repeated old readings left out.

    Between the last reading and a window's end the reading stays. ``scale`` makes watts of each
    reading, ``per_step`` of the counter's step.
    """
    values = series.values * scale
    if series.quantity == "power":
        # Whether discharging is positive is the maker's choice; here the battery discharges.
        values = np.abs(values)
    fresh = np.ones(series.values.size, dtype=bool)
    fresh[1:] = series.values[1:] != series.values[:-1]
    if np.count_nonzero(fresh) < len(windows):
        raise _CannotTellError(
            f"it changed {max(0, np.count_nonzero(fresh) - 1)} times in {len(windows)} windows: "
            "it is suspended, or slower than the windows"
        )
    joules, seconds = [], []
    for window in windows:
        inside = (series.times >= window.start) & (series.times <= window.end) & fresh
        if not inside.any():
            raise _CannotTellError("it did not change in a whole window: make the windows longer")
        times = np.array([window.start, *series.times[inside], window.end])
        powers = values[inside]
        heights = np.array([powers[0], *powers, powers[-1]])
        joules.append(float(np.trapezoid(heights, times)))
        seconds.append(window.end - window.start)
    watts = _step(series) * per_step
    return _Account(np.array(joules), np.array(seconds), watts * float(np.median(seconds)))


# What the agent sent, and what is known of the device.


def settings(run: Run, device: str) -> tuple[CurrentProfile | None, str]:
    """How a device reports its battery's current, and which counter was asked for."""
    facts = run.device(device)
    return (facts.battery_current, facts.power_counter) if facts else (None, "")


def _window(window: Window) -> _Window:
    return _Window(window.load, window.start_ns / 1e9, window.end_ns / 1e9, window.inferences)


def _series(series: PowerSeries) -> _Series:
    """A battery's current stays as the phone says it; everything else becomes SI units."""
    trusted = series.quantity != "current" or series.downstream
    factor = _UNITS.get(series.unit, 1.0) if trusted else 1.0
    return _Series(
        series.name,
        series.quantity,
        series.unit,
        series.source,
        (series.resolution or 1.0) * factor,
        None if series.maximum is None else series.maximum * factor,
        series.downstream,
        np.array(series.times_ns, dtype=np.float64) / 1e9,
        np.array(series.values, dtype=np.float64) * factor,
    )


def _are_pairs(windows: Sequence[_Window]) -> bool:
    pairs = list(zip(windows[::2], windows[1::2], strict=False))
    return (
        len(windows) % 2 == 0
        and bool(pairs)
        and all({a.load, b.load} == {False, True} for a, b in pairs)
    )
