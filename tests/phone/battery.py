"""A simulated battery: what a phone's gauge says while its app works.

A thread drains it by the processor time that the app's process really uses, and writes what the
gauge would say into files of the phone, where the app's core on a JVM reads them. How the gauge
lies is the personality's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.phone import apps
from tests.phone.phone import Phone
from tests.support import power_trees as trees

#: Of the phone at rest, and for one core that works; of the charger.
IDLE_WATTS, WORK_WATTS, CHARGER_WATTS = 0.9, 3.5, 5.0
VOLTS = 4.0

#: What a gauge says, given the amperes that flow into the battery.
Gauge = Callable[[float], int]


def honest(amperes: float) -> int:
    """As Android's documentation wants it: µA, positive while charging."""
    return round(1e6 * amperes)


def milliamperes(amperes: float) -> int:
    """A gauge that tells mA, and positive while discharging."""
    return round(-1e3 * amperes)


def dead(amperes: float) -> int:  # noqa: ARG001 (that is the point)
    """A gauge that always says the same."""
    return -2147480


class Battery:
    """The battery of a phone, drained by its app.

    Args:
        gauge: how it tells its current.
        plugged: whether the charger is in.
        step: of its charge counter, µAh.

    Attributes:
        plugged: whether the charger is in; asked all the time.
    """

    def __init__(self, gauge: Gauge, plugged: Callable[[], bool], step: int = 1) -> None:
        self._step = step
        self.plugged = plugged
        self._gauge = gauge
        self._name = f"battery-{secrets.token_hex(4)}"
        self._folder = Path()
        self._charge = 3e6  # µAh
        self._simulation = trees.Simulation(self._update, f"/data/{self._name}")

    def app(self, phone: Phone) -> list[str]:
        """The app's core, with this battery below it."""
        self._folder = phone.data / self._name
        self._folder.mkdir(parents=True)
        (self._folder / "voltage").write_text(f"{round(1e3 * VOLTS)}\n")
        self._update(0.01, 0.0)
        return [*apps.desktop(phone), "--battery", f"/data/{self._name}"]

    def __enter__(self) -> Self:
        self._simulation.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._simulation.__exit__(*details)

    def _update(self, seconds: float, work: float) -> None:
        watts = CHARGER_WATTS if self.plugged() else 0.0
        watts -= IDLE_WATTS + WORK_WATTS * work / seconds
        amperes = watts / VOLTS
        self._charge += 1e6 * amperes * seconds / 3600
        trees.put(self._folder / "current", str(self._gauge(amperes)))
        trees.put(self._folder / "charge", str(int(self._charge / self._step) * self._step))
        trees.put(self._folder / "plugged", "2" if self.plugged() else "0")
