"""Which devices a suite or a command line means, and what can be found without one.

What speaks adb is imported inside the functions: a suite for this machine alone needs none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mobilebench_agent import power, system_files

from mobilebench.cache import cache_folder
from mobilebench.devices.base import Device
from mobilebench.devices.checks import DeviceCheck
from mobilebench.devices.local.device import LocalDevice
from mobilebench.errors import BadInputError
from mobilebench.records.device import DeviceFacts
from mobilebench.suite.schema import DeviceSpec
from mobilebench.text import file_name

if TYPE_CHECKING:
    from mobilebench.devices.adb.client import AdbDevice
    from mobilebench.devices.android.app import Apk
    from mobilebench.devices.android.doctor import Check
    from mobilebench.devices.discovery import Found


def open_device(spec: DeviceSpec) -> Device:
    """The device that a suite means."""
    if spec.kind == "local":
        return LocalDevice(spec.name, spec.python, cache_folder(), frozenset(spec.allow))
    from mobilebench.devices import discovery

    return discovery.open_device(
        spec.name,
        spec.kind,
        spec.address,
        cache_folder(),
        spec.python,
        spec.allow,
        spec.binary,
        spec.unplugged,
    )


def choose_devices(
    selection: Sequence[str],
    allow: Sequence[DeviceCheck],
    binary: Path | None = None,
    unplugged: bool = False,
) -> tuple[DeviceSpec, ...]:
    """The devices that a command line names: ``local``, serials, adb addresses, or ``all``.

    Args:
        selection: what it names; if nothing, ``all`` where the rest asks for a phone or board,
            else there is no device to choose.
        allow: checks that they may fail.
        binary: ``benchmark_model``, if that is to measure.
        unplugged: phones must run on their battery.

    Raises:
        BadInputError: one is not connected or not ready; the message says what to do.
    """
    from mobilebench.devices import discovery
    from mobilebench.devices.adb.client import AdbServer, parse_address

    if not selection:
        if not (allow or binary or unplugged):
            return ()
        selection = (discovery.ALL,)
    if binary is not None and "local" in selection:
        raise BadInputError("benchmark_model runs on phones and boards that adb reaches")
    specs = [DeviceSpec(name="local", allow=tuple(allow))] if "local" in selection else []
    for address in dict.fromkeys(selection):
        if address == "local":
            continue
        server, serial = (
            (AdbServer.from_environment(), address)
            if address == discovery.ALL
            else parse_address(address)
        )
        for found in discovery.choose([serial], discovery.discover(server)):
            where = address if address.startswith("adb://") else found.serial
            specs.append(
                DeviceSpec(
                    name=_device_name(found.model or found.serial, [s.name for s in specs]),
                    kind="board" if found.kind == "board" else "android",
                    address=where,
                    allow=tuple(allow),
                    executor="agent" if binary is None else "benchmark_model",
                    binary=None if binary is None else str(binary),
                    unplugged=unplugged and found.kind != "board",
                )
            )
    return tuple(specs)


@dataclass(frozen=True)
class FoundDevices:
    """What can be measured on, and why something expected may be missing.

    ``local_power`` says what tells energy on this machine.
    """

    local: DeviceFacts | None
    connected: tuple[Found, ...]
    notes: tuple[str, ...]
    local_power: str = ""


def find_devices() -> FoundDevices:
    """This machine, if a runtime is on it, and what adb sees."""
    from mobilebench.devices.adb.client import AdbServer
    from mobilebench.devices.discovery import discover

    local: DeviceFacts | None = None
    connected: tuple[Found, ...] = ()
    notes: list[str] = []
    try:
        local = open_device(DeviceSpec(name="local")).probe()
    except BadInputError as error:
        notes.append(str(error))
    try:
        connected = discover(AdbServer.from_environment())
    except BadInputError as error:
        notes.append(f"no phones: {error}")
    counters, reasons = power.find(system_files.root())
    told = ", ".join(power.sources(counters)) or "; ".join(("no power counter", *reasons))
    return FoundDevices(local, connected, tuple(notes), told)


@dataclass(frozen=True)
class Patient:
    """A phone that the doctor is asked about."""

    name: str
    device: AdbDevice
    apk: Apk | None

    def examine(self) -> tuple[Check, ...]:
        """Looks, and changes nothing."""
        from mobilebench.devices.android import doctor

        return doctor.examine(self.device, self.apk)

    def repair(self) -> tuple[Check, ...]:
        """Does what can be done without the phone's owner, and looks again."""
        from mobilebench.devices.android import doctor

        return doctor.repair(self.device, self.apk)

    def record(self, folder: Path) -> tuple[Path, ...]:
        """Saves what the phone prints as test data."""
        from mobilebench.devices.android import doctor

        return doctor.record(self.device, folder)


def patients(selection: Sequence[str]) -> list[Patient]:
    """The phones that are connected, ready or not, or those that were named.

    Raises:
        BadInputError: there is none.
    """
    from mobilebench.devices import discovery
    from mobilebench.devices.adb.client import AdbDevice, AdbServer, parse_address
    from mobilebench.devices.android.app import Apk

    apk = Apk.described()
    if discovery.ALL not in selection:
        devices = [AdbDevice(*parse_address(address)) for address in selection]
    else:
        server = AdbServer.from_environment()
        devices = [AdbDevice(server, found.serial) for found in discovery.discover(server)]
    if not devices:
        raise BadInputError(
            "no phone is connected: plug one in and switch on USB debugging (see docs/phone.md)"
        )
    return [Patient(device.serial, device, apk) for device in devices]


def plugged_in() -> Iterator[str]:
    """The serial of each device as it becomes ready."""
    from mobilebench.devices.adb.client import AdbServer
    from mobilebench.devices.discovery import plugged

    for found in plugged(AdbServer.from_environment()):
        yield found.serial


def _device_name(text: str, taken: Sequence[str]) -> str:
    """A device's model as a name; two phones of one model are told apart by a number."""
    name = file_name(text).strip("-._")[:50] or "device"
    number = 2
    while name in taken:
        name, number = f"{name.rsplit('-', 1)[0] if number > 2 else name}-{number}", number + 1
    return name
