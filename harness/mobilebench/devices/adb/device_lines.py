"""The list of devices that an adb server keeps: ``adb devices -l``, read from behind.

AOSP's ``transport.cpp`` prints a line as the serial, the state, the place on the bus, properties,
and at the very end ``transport_id:N``, so that what comes before it may be anything: a serial may
have spaces, as those of wireless debugging do (``adb-R5CT (2)._adb-tls-connect._tcp``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: What each state of a device means to its owner, and what to do about it: all that adb knows.
STATES = {
    "device": "ready",
    "unauthorized": "unlock the phone and allow USB debugging for this computer",
    "authorizing": "wait: the phone is checking this computer's key",
    "connecting": "wait: the connection is being made",
    "offline": "unplug and plug in again, or restart the phone; for a network address: adb connect",
    "detached": "adb was asked to leave it alone: adb attach, with its serial",
    "no permissions": "this user may not open the USB device: on Debian and Ubuntu install "
    "android-sdk-platform-tools-common, join the group plugdev, and plug in again",
    "bootloader": "the phone is in its bootloader: start it",
    "recovery": "the phone is in recovery: restart it",
    "sideload": "the phone waits for a system image: restart it",
    "rescue": "the phone is in rescue mode: restart it",
    "host": "this is no device, but an adb host",
    "unknown": "adb does not know its state: unplug and plug in again",
}

#: The state of a line that could not be read; its serial is the whole line.
UNREAD = "unread"

#: No line of adb's is longer; as much of one that could not be read is shown.
_LONGEST, _SHOWN = 1000, 100


@dataclass(frozen=True)
class DeviceLine:
    """A line of ``adb devices -l``; ``state`` is one of ``STATES``, or ``UNREAD``."""

    serial: str
    state: str
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def over_network(self) -> bool:
        """Whether the serial is an address, or one that adb found on the network."""
        if self.state == UNREAD:
            return False
        return bool(re.search(r":\d+$|\._tcp\.?(?:local\.?)?$", self.serial))


_TAIL = re.compile(
    rf"(?P<state>{'|'.join(STATES)})"
    r"(?: ?\(.*?\))?(?:; see \[\S*\])?"  # why there are no permissions
    # Where on the bus, and what it is: pairs without spaces, of which later adbs have more.
    r"(?P<rest>(?: \S*\d\S*)??(?: [a-z_]{1,30}:\S*){0,9}?"
    r"(?P<last> transport_id:\d+)?)"
)


def parse_device_lines(text: str) -> tuple[DeviceLine, ...]:
    """The devices of ``host:devices-l``; a line that is not understood has the state ``UNREAD``."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(_line(line) for line in lines if line)


def _line(line: str) -> DeviceLine:
    if len(line) > _LONGEST:
        return DeviceLine(line[:_SHOWN], UNREAD)
    # A serial may hold a state's name: of all ways to read the line the last one is adb's.
    for space in reversed(list(re.finditer(r"\s+", line))):
        serial, tail = line[: space.start()], _TAIL.fullmatch(line, space.end())
        # Before 2018 adb wrote no transport_id, and no serial had a space.
        if tail is not None and (tail["last"] or not re.search(r"\s", serial)):
            pairs = (word.partition(":") for word in tail["rest"].split() if ":" in word)
            return DeviceLine(serial, tail["state"], {key: value for key, _, value in pairs})
    return DeviceLine(line[:_SHOWN], UNREAD)
