"""Which devices a suite or a command line means, and what can be found without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mobilebench.devices import discovery, kinds
from mobilebench.devices.base import Device
from mobilebench.devices.checks import DeviceCheck
from mobilebench.devices.found import ALL, Found
from mobilebench.devices.kind import Patient
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError
from mobilebench.text import file_name


def open_device(spec: DeviceSpec) -> Device:
    """The device that a suite means.

    Raises:
        BadInputError: its settings name no device.
    """
    return kinds.get(spec.kind).open(spec)


def choose_devices(
    selection: Sequence[str],
    allow: Sequence[DeviceCheck],
    binary: Path | None = None,
    unplugged: bool = False,
) -> tuple[DeviceSpec, ...]:
    """The devices that a command line names: ``local``, serials, addresses, or ``all``.

    Args:
        selection: what it names; if nothing, ``all`` where the rest asks for a phone or board,
            else there is no device to choose.
        allow: checks that they may fail.
        binary: ``benchmark_model``, if that is to measure.
        unplugged: those that have a battery must run on it.

    Raises:
        BadInputError: one is not connected or not ready, or cannot be measured on in this way; the
            message says what to do.
    """
    if not selection:
        if not (allow or binary or unplugged):
            return ()
        selection = (ALL,)
    specs: list[DeviceSpec] = []
    for found in discovery.locate(selection):
        kind = kinds.get(found.kind)
        spec = DeviceSpec(
            name=_device_name(found.model or found.serial, [s.name for s in specs]),
            kind=kind.name,
            address=found.address,
            allow=tuple(allow),
            executor="agent" if binary is None else "benchmark_model",
            binary=None if binary is None else str(binary),
            unplugged=unplugged and "unplugged" in kind.takes,
        )
        kinds.ensure_heeded(spec)
        specs.append(spec)
    return tuple(specs)


@dataclass(frozen=True)
class FoundDevices:
    """What can be measured on, and why something expected may be missing."""

    devices: tuple[Found, ...]
    notes: tuple[str, ...]


def find_devices() -> FoundDevices:
    """What every kind of device finds, this machine among it if a runtime is on it."""
    known, problems = kinds.every()
    found, notes = discovery.discover(known)
    return FoundDevices(found, (*problems, *notes))


def patients(selection: Sequence[str]) -> list[Patient]:
    """The devices that the doctor can look over: all that are connected, or those named.

    Raises:
        BadInputError: there is none, or the doctor knows nothing of one that was named.
    """
    if ALL in selection:
        patients = filter(None, map(_patient, discovery.connected()))
        if found := list(patients):
            return found
        raise BadInputError(
            "no phone is connected: plug one in and switch on USB debugging (see docs/phone.md)"
        )
    connected, _ = discovery.discover(kinds.every()[0])
    named = []
    for serial in selection:
        # One that is not there is looked for by the doctor, who says what to do.
        entry = next((e for e in connected if serial in (e.serial, *e.also)), Found(serial))
        patient = _patient(replace(entry, serial=serial, address=serial))
        if patient is None:
            raise BadInputError(
                f"the doctor knows nothing of {serial!r}, which is {kinds.get(entry.kind).help}"
            )
        named.append(patient)
    return named


def _patient(found: Found) -> Patient | None:
    doctors = (kind.doctor for kind in kinds.every()[0] if kind.doctor is not None)
    return next(filter(None, (doctor(found) for doctor in doctors)), None)


def plugged_in(search: Callable[[], Sequence[Found]] | None = None) -> Iterator[Found]:
    """Each device as it becomes ready.

    Args:
        search: what looks for devices; None: for those that are plugged into this machine.
    """
    return discovery.plugged(search or discovery.connected)


def _device_name(text: str, taken: Sequence[str]) -> str:
    """A device's model as a name; two phones of one model are distinguished by a number."""
    name = file_name(text).strip("-._")[:50] or "device"
    number = 2
    while name in taken:
        name, number = f"{name.rsplit('-', 1)[0] if number > 2 else name}-{number}", number + 1
    return name
