"""What a phone can be measured by when energy is asked for, in words for its owner."""

from __future__ import annotations

import re

from mobilebench.devices.adb.client import AdbDevice
from mobilebench.devices.adb.parse import Battery
from mobilebench.devices.android import current_profiles

_FIRST_WITH_POWER_MONITOR = 35

#: A constant, so that there is nothing to quote.
_RAILS = "cat /sys/bus/iio/devices/iio:device*/energy_value 2>/dev/null | head -c 20000"

#: A rail of the on-device meter (ODPM): channel, milliseconds since the start, name, µWs.
_RAIL = re.compile(r"^CH\d{1,3}\(T=\d{1,15}\)\[(\w{1,40})\], \d{1,19}$", re.MULTILINE)


def parse_rails(text: str) -> tuple[str, ...]:
    """The names of the rails in ``energy_value`` files of Pixel phones."""
    return tuple(dict.fromkeys(_RAIL.findall(text)))


def describe(device: AdbDevice, sdk: int, battery: Battery, facts: dict[str, str]) -> str:
    """What energy can be read from on a phone, and what prevents it.

    Args:
        device: the phone.
        sdk: its Android's number.
        battery: what it says of its battery.
        facts: ``manufacturer`` and ``model``.

    Raises:
        LinkLostError, DeadlineError: it does not answer.
    """
    found = []
    if sdk >= _FIRST_WITH_POWER_MONITOR:
        found.append("PowerMonitor, if it has rails")
    rails = parse_rails(device.script(_RAILS).output)
    if rails:
        found.append(f"{len(rails)} ODPM rails (seen by the shell, not used yet)")
    if battery.present is False:
        return "; ".join((*found, "no battery, and so no gauge"))
    profile = current_profiles.known(facts)
    gauge = f"battery gauge ({profile})" if profile else "battery gauge"
    charging = battery.plugged is None or bool(battery.plugged)
    found.append(f"{gauge}, when unplugged" if charging else gauge)
    return "; ".join(found)
