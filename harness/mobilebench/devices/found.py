"""Devices that were found, and which of them somebody means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mobilebench.errors import BadInputError

#: ``--device all``
ALL = "all"

#: What to do where nothing is.
NOT_CONNECTED = "not connected: plug it in, switch on USB debugging, and see: mobilebench devices"


@dataclass(frozen=True)
class Found:
    """A device that was found. What it does not report is None or empty.

    Attributes:
        serial: what ``--device`` calls it.
        state: ``device`` is ready; of others adb's word.
        advice: what to do, if it is not ready.
        kind: of :class:`DeviceKind`; empty where it cannot be known yet.
        address: what a suite's ``address`` says to mean it.
        model, android, soc: for a person.
        battery: percent; ``temperature`` of the battery in °C; ``thermal``: Android's status.
        app: version code of the benchmark app on it.
        power: what energy can be read from on it.
        virtual: it is this project's test equipment.
        holder: who measures on it at the moment; empty: nobody, or it does not say.
        also: further serials of the same device, such as its network address.
        identity: distinguishes two connections to one device from two devices.
        info: what else it says of itself.
    """

    serial: str
    state: str = "device"
    advice: str = ""
    kind: str = ""
    address: str = ""
    model: str = ""
    android: str = ""
    soc: str = ""
    battery: int | None = None
    temperature: float | None = None
    thermal: int | None = None
    app: int | None = None
    power: str = ""
    virtual: bool = False
    holder: str = ""
    also: tuple[str, ...] = ()
    identity: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether a suite can run on it."""
        return self.state == "device"


def choose(selection: Sequence[str], found: Sequence[Found]) -> tuple[Found, ...]:
    """The devices that were asked for: serials, or ``all`` that are ready.

    Raises:
        BadInputError: one is not there or not ready; the message says what to do.
    """
    ready = [entry for entry in found if entry.ready]
    if ALL in selection:
        if not ready:
            states = "; ".join(f"{entry.serial} is {entry.advice}" for entry in found)
            raise BadInputError(f"no device is ready: {states or NOT_CONNECTED}")
        return tuple(ready)
    chosen: dict[str, Found] = {}
    for serial in selection:
        entry = next((e for e in found if serial in (e.serial, *e.also)), None)
        if entry is None:
            known = ", ".join(e.serial for e in found) or "none"
            raise BadInputError(f"there is no device {serial!r}; connected are: {known}")
        if not entry.ready:
            raise BadInputError(f"device {serial!r} is {entry.advice}")
        chosen[entry.serial] = entry
    return tuple(chosen.values())


def the_only(found: Sequence[Found]) -> Found:
    """The device that is meant where a suite names none.

    Raises:
        BadInputError: there is none, or more than one.
    """
    ready = choose([ALL], found)
    if len(ready) > 1:
        serials = ", ".join(entry.serial for entry in ready)
        raise BadInputError(f"several devices are connected ({serials}): choose with --device")
    return ready[0]
