"""What adb reaches, for the kinds of device that speak it.

What speaks adb is imported inside the functions: a suite for this machine needs none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from mobilebench.devices.found import Found, choose, the_only
from mobilebench.errors import BadInputError

if TYPE_CHECKING:
    from mobilebench.devices.adb.client import AdbDevice


def connected() -> Sequence[Found]:
    """Every phone and board that the adb server sees.

    Raises:
        BadInputError: there is no adb server, and none can be started.
    """
    from mobilebench.devices.adb.client import AdbServer
    from mobilebench.devices.adb_discovery import discover

    return discover(AdbServer.from_environment())


def located(address: str) -> Found | None:
    """What is at ``adb://HOST:PORT/SERIAL``; None for an address of another form.

    Raises:
        BadInputError: there is no such device, or it is not ready.
    """
    if not address.startswith("adb://"):
        return None
    from mobilebench.devices.adb.client import parse_address
    from mobilebench.devices.adb_discovery import discover

    server, serial = parse_address(address)
    (found,) = choose([serial], discover(server))
    return replace(found, address=address)


def found_again(address: str, identity: str) -> str:
    """Where a phone is now that was at an address: by cable, over the air, or at another port.

    Args:
        address: a serial, or ``adb://HOST:PORT/SERIAL``.
        identity: its own serial number, ``ro.serialno``.

    Returns:
        The same address if the phone is there, or nowhere.
    """
    from mobilebench.devices.adb.client import AdbServer, parse_address
    from mobilebench.devices.adb_discovery import discover

    try:
        server, serial = parse_address(address)
        found = [entry for entry in discover(server) if entry.ready]
    except BadInputError:
        return address
    if any(serial in (entry.serial, *entry.also) for entry in found):
        return address
    now = next((entry.serial for entry in found if entry.identity == identity), serial)
    return now if server == AdbServer.from_environment() else f"adb://{server.address}/{quote(now)}"


def opened(address: str, kind: str) -> AdbDevice:
    """The device at an address; for an empty one the only device of its kind that is connected.

    Raises:
        BadInputError: the address is none, or no device or several are connected.
    """
    from mobilebench.devices.adb.client import AdbDevice, parse_address

    if not address:
        # Of a device that is not ready it is not known what it is.
        address = the_only([entry for entry in connected() if entry.kind in (kind, "")]).serial
    return AdbDevice(*parse_address(address))
