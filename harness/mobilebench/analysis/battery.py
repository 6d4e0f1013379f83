"""What a phone's battery current means: makers differ in its unit and in its sign.

On paper it is in µA and positive while charging. Phones have been seen that report mA, that are
positive while discharging, and that say the same number for ever. Nothing is guessed that the
readings do not show.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from mobilebench.analysis import units
from mobilebench.records.battery_current import CurrentProfile

Floats = npt.NDArray[np.float64]

#: What a device that runs a benchmark draws, in watts. The ends are less than a thousandfold
#: apart, so that µA and mA can never both be plausible.
_LEAST_WATTS, _MOST_WATTS = 0.05, 40.0

#: The share of readings that must agree on the sign.
_AGREEING = 0.9

#: The integral of the current may differ from the charge counter's change by so much: the counter
#: is coarse and often old.
_CHARGE_FACTOR = 2.0
_ENOUGH_TICKS = 5

UNITS = {"µA": 1e-6, "mA": 1e-3}


def detect(current: Floats, volts: float) -> CurrentProfile | str:
    """The profile that readings of a discharging battery show, or why they show none.

    Args:
        current: (n,) the numbers as the phone says them, nothing plugged in.
        volts: the battery's mean voltage.
    """
    if not current.size:
        return "no reading of its current"
    if np.unique(current).size == 1:
        return f"its current reads {current[0]:g} for ever: this gauge does not measure"
    positive = float(np.mean(current > 0))
    if _AGREEING > positive > 1 - _AGREEING:
        return (
            f"its current changes sign ({units.percent(positive, 0)} positive) although the "
            "battery discharges: something feeds it, or the gauge lies"
        )
    mean = float(np.mean(np.abs(current)))
    watts = {unit: mean * factor * volts for unit, factor in UNITS.items()}
    plausible = [unit for unit, value in watts.items() if _LEAST_WATTS <= value <= _MOST_WATTS]
    if not plausible:
        either = " or ".join(f"{value:.3g} W in {unit}" for unit, value in watts.items())
        return f"its current of {mean:.4g} would be {either}: neither is plausible"
    unit: Literal["µA", "mA"] = "µA" if plausible[0] == "µA" else "mA"
    return CurrentProfile(unit, "positive" if positive > 0.5 else "negative")


def contradiction(profile: CurrentProfile, current: Floats, moved_ah: float, seconds: float) -> str:
    """What a charge counter says against a current, or nothing.

    Args:
        profile: how the current is reported.
        current: (n,) the numbers as the phone says them, spread evenly over the time.
        moved_ah: how far the charge counter fell meanwhile, ampere hours.
        seconds: how long that took.
    """
    integral = float(np.mean(np.abs(current))) * UNITS[profile.unit] * seconds / 3600
    if 1 / _CHARGE_FACTOR <= integral / moved_ah <= _CHARGE_FACTOR:
        return ""
    return (
        f"its current adds up to {1e3 * integral:.3g} mAh in {profile.unit}, and its charge "
        f"counter fell by {1e3 * moved_ah:.3g} mAh: one of them lies"
    )


def enough_steps(change: float, resolution: float) -> bool:
    """Whether a charge counter moved far enough to check a current by."""
    return change >= _ENOUGH_TICKS * resolution
