"""What adb and Android's commands print, read strictly: pure functions, no device.

A value that is missing, no number, or outside what the thing can be is None or an error, never 0.
The formats were taken from recorded dumps and AOSP's own ``dump`` methods; ``tests/devices/dumps``
has one labelled fixture for each, and says which of them are recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: What each state of a device means to its owner, and what to do about it.
STATES = {
    "device": "ready",
    "unauthorized": "unlock the phone and allow USB debugging for this computer",
    "authorizing": "wait: the phone is checking this computer's key",
    "connecting": "wait: the connection is being made",
    "offline": "unplug and plug in again, or restart the phone; for a network address: adb connect",
    "no permissions": "this user may not open the USB device: on Debian and Ubuntu install "
    "android-sdk-platform-tools-common, join the group plugdev, and plug in again",
    "bootloader": "the phone is in its bootloader: start it",
    "recovery": "the phone is in recovery: restart it",
    "sideload": "the phone waits for a system image: restart it",
    "rescue": "the phone is in rescue mode: restart it",
    "host": "this is no device, but an adb host",
}


@dataclass(frozen=True)
class DeviceLine:
    """A line of ``adb devices -l``."""

    serial: str
    state: str
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def over_network(self) -> bool:
        """Whether the serial is an address, or one that adb found on the network."""
        return bool(re.search(r":\d+$|\._adb-tls-connect\._tcp\.?$|\._tcp", self.serial))


_DEVICE_LINE = re.compile(
    r"(?P<serial>\S+|\(no serial number\))\s+"
    r"(?P<state>no permissions|[a-z]+)(?P<why> \(.*?\); see \[\S*\]| \([^)]*\))?"
    r"(?P<rest>(?:\s+\S+:\S*|\s+\d+-[\d.]+)*)\s*"
)


def parse_device_lines(text: str) -> tuple[DeviceLine, ...]:
    """The devices of ``host:devices-l``; lines that are none are left out."""
    found = []
    for line in text.splitlines():
        match = _DEVICE_LINE.fullmatch(line)
        if match is None or match["state"] not in STATES:
            continue
        pairs = (word.partition(":") for word in match["rest"].split() if ":" in word)
        found.append(
            DeviceLine(match["serial"], match["state"], {key: value for key, _, value in pairs})
        )
    return tuple(found)


def parse_properties(text: str) -> dict[str, str]:
    """The lines ``[name]: [value]`` of ``getprop``; a value may have several lines."""
    pairs = re.findall(r"^\[([^\]\n]+)\]: \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)
    return dict(pairs)


@dataclass(frozen=True)
class Battery:
    """``dumpsys battery``. None: not reported.

    ``level`` in percent, ``temperature`` in °C, ``voltage`` in mV, ``charge_counter`` in µAh;
    ``plugged`` names the powered sources; ``faked``: somebody stopped the updates, so that nothing
    here is the battery's.
    """

    level: int | None = None
    temperature: float | None = None
    voltage: int | None = None
    charge_counter: int | None = None
    plugged: tuple[str, ...] | None = None
    faked: bool = False


_PLUGS = ("AC", "USB", "Wireless", "Dock")


def parse_battery(text: str) -> Battery:
    """Reads the service's own block.

    Only whole lines in the service's own spelling are taken, the first of each: Samsung's dump
    goes on with lower-case twins and a log in which old levels are repeated.
    """
    level = _whole(text, "level", 0, 1000)
    if level is not None:
        scale = _whole(text, "scale", 1, 1000) or 100
        level = round(100 * level / scale) if level <= scale else None
    temperature = _whole(text, "temperature", -500, 1500)
    powered = {
        name: re.search(rf"^  {name} powered: (true|false)$", text, re.MULTILINE) for name in _PLUGS
    }
    known = [match for match in powered.values() if match]
    plugged = tuple(name for name, match in powered.items() if match and match[1] == "true")
    return Battery(
        level=level,
        temperature=None if temperature is None else temperature / 10,
        voltage=_whole(text, "voltage", 1, 100_000),
        charge_counter=_whole(text, "Charge counter", 1, 10**9),
        plugged=plugged if known else None,
        faked="UPDATES STOPPED" in text,
    )


def _whole(text: str, name: str, least: int, most: int) -> int | None:
    match = re.search(rf"^  {name}: (-?\d{{1,12}})$", text, re.MULTILINE)
    value = int(match[1]) if match else None
    return value if value is not None and least <= value <= most else None


@dataclass(frozen=True)
class Thermal:
    """``dumpsys thermalservice`` (Android 10 and later).

    ``status`` is 0 (none) to 6 (shutdown). ``temperatures``: °C of each fitted sensor, as the
    hardware reads now; empty where it reports none. ``skin``: the hottest of the sensors that
    stand for the skin.
    """

    status: int | None = None
    temperatures: dict[str, float] = field(default_factory=dict)
    skin: float | None = None


_TEMPERATURE = re.compile(
    r"\s+Temperature\{mValue=(-?\d{1,5}(?:\.\d{1,9})?), mType=(-?\d{1,3}), "
    r"mName=([^,}]{1,80}), mStatus=(\d)\}"
)

# Types of android.os.Temperature that are no temperatures: volts, amperes and percent.
_NOT_DEGREES = ("6", "7", "8")
_SKIN = "3"


def parse_thermal(text: str) -> Thermal:
    """Reads the status, and the block that the hardware answered just now.

    The cached block above it is older and is not used; a sensor that is not fitted reads 0.0.
    """
    status = re.search(r"^Thermal Status: ([0-6])$", text, re.MULTILINE)
    _, _, block = text.partition("\nCurrent temperatures from HAL:\n")
    temperatures = {}
    skin: float | None = None
    for line in block.splitlines():
        match = _TEMPERATURE.fullmatch(line)
        if match is None:
            break
        value, kind, name = float(match[1]), match[2], match[3]
        if kind not in _NOT_DEGREES and value != 0 and -50 <= value <= 200:
            temperatures[name] = value
            if kind == _SKIN:
                skin = value if skin is None else max(skin, value)
    return Thermal(int(status[1]) if status else None, temperatures, skin)


def parse_screen_on(text: str) -> bool | None:
    """Whether ``dumpsys power`` says that the device is awake."""
    match = re.search(r"^  ?mWakefulness=(\w+)", text, re.MULTILINE)
    return None if match is None else match[1] == "Awake"


def parse_power_save(text: str) -> bool | None:
    """``settings get global low_power``; a device on which it was never set prints ``null``."""
    value = text.strip()
    return {"0": False, "null": False, "1": True}.get(value)


# Names of the same fact by age: Android 10 and later (KeyguardServiceDelegate), before, oldest.
_LOCKED = ("showing", "isStatusBarKeyguard", "mShowingLockscreen", "isKeyguardShowing")


def parse_locked(text: str) -> bool | None:
    """Whether ``dumpsys window policy`` says that the lock screen shows."""
    said = re.findall(rf"^\s*(?:{'|'.join(_LOCKED)})=(true|false)\b", text, re.MULTILINE)
    return "true" in said if said else None


@dataclass(frozen=True)
class Start:
    """What ``am start -W`` said: ``ok``, ``timeout`` or an error; times in milliseconds."""

    status: str
    activity: str = ""
    total_ms: int | None = None
    reason: str = ""


def parse_start(text: str) -> Start:
    """Reads an activity's start. Exit codes say nothing: a missing activity exits with 0."""
    error = re.search(r"^(?:Error: |Exception occurred|java\.lang\.)(.*)$", text, re.MULTILINE)
    kind = re.search(r"^Error type (\d+)$", text, re.MULTILINE)
    if error or kind:
        reason = error[0].removeprefix("Error: ") if error else kind[0] if kind else ""
        return Start("error", reason=reason.strip()[:300])
    status = re.search(r"^Status: (ok|timeout)$", text, re.MULTILINE)
    if status is None:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return Start("error", reason=(lines[-1] if lines else "it said nothing")[:300])
    activity = re.search(r"^Activity: (\S+)$", text, re.MULTILINE)
    total = re.search(r"^TotalTime: (\d{1,7})$", text, re.MULTILINE)
    return Start(status[1], activity[1] if activity else "", int(total[1]) if total else None)


@dataclass(frozen=True)
class Install:
    """How an installation ended: ``code`` is empty when it succeeded."""

    code: str = ""
    reason: str = ""


def parse_install(text: str) -> Install:
    """Reads ``Success`` or ``Failure [CODE: reason]`` of ``adb install`` or ``pm install``."""
    if re.search(r"^Success$", text, re.MULTILINE):
        return Install()
    match = re.search(r"Failure \[(INSTALL_[A-Z_0-9]+)(?:: ?(.*?))?\]\s*$", text, re.MULTILINE)
    if match is None:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return Install("INSTALL_UNKNOWN", (lines[-1] if lines else "it said nothing")[:300])
    return Install(match[1], (match[2] or "").strip()[:300])


def parse_app_version(text: str) -> int | None:
    """``versionCode`` of ``dumpsys package NAME``; None if it is not installed."""
    match = re.search(r"^\s+versionCode=(\d{1,10})\b", text, re.MULTILINE)
    return int(match[1]) if match else None


@dataclass(frozen=True)
class Exit:
    """How a process of the app ended, as ``dumpsys activity exit-info`` (Android 11+) keeps it.

    ``reason`` is the system's word, such as ``APP CRASH(EXCEPTION)`` or ``LOW_MEMORY``; ``status``
    the exit code, or the signal.
    """

    when: str
    pid: int
    reason: str
    status: int = 0
    description: str = ""


_EXIT = re.compile(
    r"^\s+ApplicationExitInfo #0:\n"
    r"\s+timestamp=(?P<when>[\d:. -]{1,40}?) pid=(?P<pid>\d{1,9})\b[^\n]*\n"
    r"\s+process=[^\n]*? reason=\d{1,3} \((?P<reason>[A-Z_ ]+(?:\([A-Z]+\))?)\)"
    r"[^\n]*? status=(?P<status>\d{1,9})\n"
    r"(?:\s+importance=[^\n]*? description=(?P<description>[^\n]*?) state=)?",
    re.MULTILINE,
)


def parse_exit(text: str) -> Exit | None:
    """The newest end of a process."""
    match = _EXIT.search(text)
    if match is None:
        return None
    description = match["description"] or ""
    return Exit(
        match["when"],
        int(match["pid"]),
        match["reason"],
        int(match["status"]),
        "" if description == "null" else description[:300],
    )
