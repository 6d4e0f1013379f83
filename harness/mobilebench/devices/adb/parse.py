"""What adb and Android's commands print, read strictly: pure functions, no device.

A value that is missing, no number, or outside what the thing can be is None or an error, never 0.
The formats were taken from recorded dumps and AOSP's own ``dump`` methods; ``tests/devices/dumps``
has one labelled fixture for each, and says which of them are recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mobilebench.devices.adb import refusal


def _tidy(text: str) -> str:
    """Without blanks at the ends of lines, which some shells, terminals and makers add."""
    return "\n".join(line.rstrip(" \t\r") for line in text.split("\n"))


def parse_properties(text: str) -> dict[str, str]:
    """The lines ``[name]: [value]`` of ``getprop``; a value may have several lines."""
    # No value goes on over the next name: what has no end is not read once for each beginning.
    value = r"(?:(?!\n\[[^\]\n]+\]: \[).)*?"
    pairs = re.findall(rf"^\[([^\]\n]+)\]: \[({value})\]$", _tidy(text), re.MULTILINE | re.DOTALL)
    return dict(pairs)


@dataclass(frozen=True)
class Battery:
    """``dumpsys battery``. None: not reported.

    ``level`` in percent, ``temperature`` in °C, ``voltage`` in mV, ``charge_counter`` in µAh;
    ``plugged`` names the powered sources; ``faked``: somebody stopped the updates, so that nothing
    here is the battery's; ``present``: whether there is a battery at all. Of one that is absent the
    service prints zeros, which are no readings.
    """

    level: int | None = None
    temperature: float | None = None
    voltage: int | None = None
    charge_counter: int | None = None
    plugged: tuple[str, ...] | None = None
    faked: bool = False
    present: bool | None = None


_PLUGS = ("AC", "USB", "Wireless", "Dock")


def parse_battery(text: str) -> Battery:
    """Reads the service's own block.

    Only whole lines in the service's own spelling are taken, the first of each: Samsung's dump
    goes on with lower-case twins and a log in which old levels are repeated.
    """
    text = _tidy(text)
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
    said = re.search(r"^  present: (true|false)$", text, re.MULTILINE)
    present = None if said is None else said[1] == "true"
    if present is False:
        return Battery(
            plugged=plugged if known else None, faked="UPDATES STOPPED" in text, present=False
        )
    return Battery(
        level=level,
        temperature=None if temperature is None else temperature / 10,
        voltage=_whole(text, "voltage", 1, 100_000),
        charge_counter=_whole(text, "Charge counter", 1, 10**9),
        plugged=plugged if known else None,
        faked="UPDATES STOPPED" in text,
        present=present,
    )


def _whole(text: str, name: str, least: int, most: int) -> int | None:
    match = re.search(rf"^  {name}: (-?\d{{1,12}})$", text, re.MULTILINE)
    value = int(match[1]) if match else None
    return value if value is not None and least <= value <= most else None


@dataclass(frozen=True)
class Thermal:
    """``dumpsys thermalservice`` (Android 10 and later).

    ``status`` is 0 (none) to 6 (shutdown); None where it is not known, and ``reason`` says why.
    ``temperatures``: °C of each fitted sensor, as the hardware reads now; empty where it reports
    none. ``skin``: the hottest of the sensors that stand for the skin.
    """

    status: int | None = None
    temperatures: dict[str, float] = field(default_factory=dict)
    skin: float | None = None
    reason: str = ""


#: A sensor's name may be empty, or hold anything but a line's end.
_TEMPERATURE = re.compile(
    r"\s+Temperature\{mValue=(\S{1,30}), mType=(-?\d{1,3}), mName=(.{0,80}?), mStatus=-?\d{1,2}\}"
)

# Types of android.os.Temperature that are no temperatures: volts, amperes and percent.
_NOT_DEGREES = ("6", "7", "8")
_SKIN = "3"


def parse_thermal(text: str) -> Thermal:
    """Reads the status, and the block that the hardware answered just now.

    The cached block above it is older and is not used; a sensor that is not fitted reads 0.0. A
    sensor whose line cannot be read is left out, and the others are kept. While the hardware's
    service is not there, the status is only what Android began with, and so not known.
    """
    text = _tidy(text)
    status = re.search(r"^Thermal Status: ([0-6])$", text, re.MULTILINE)
    reason = _why_unknown(text, status is not None)
    _, _, block = text.partition("\nCurrent temperatures from HAL:\n")
    temperatures: dict[str, float] = {}
    skin: float | None = None
    for line in block.splitlines():
        if not line.startswith(("\t", " ")):
            break
        match = _TEMPERATURE.fullmatch(line)
        value = None if match is None else _celsius(match[1])
        if match is None or value is None or match[2] in _NOT_DEGREES:
            continue
        name = match[3].strip() or f"sensor of type {match[2]}"
        temperatures[name] = max(value, temperatures.get(name, value))
        if match[2] == _SKIN:
            skin = value if skin is None else max(skin, value)
    known = int(status[1]) if status and not reason else None
    return Thermal(known, temperatures, skin, reason)


def _why_unknown(text: str, has_status: bool) -> str:
    """Why the thermal status that was printed is not the hardware's; empty if it is."""
    if "Thermal Status:" not in text:
        return "it does not report its thermal status"
    override = re.search(r"^IsStatusOverride: (\w+)$", text, re.MULTILINE)
    if override is None or override[1] != "false":
        return (
            "its thermal status was overridden, or may have been, so that the true one is unknown; "
            "undo it with: adb shell cmd thermalservice reset"
        )
    ready = re.search(r"^HAL Ready: (\w+)$", text, re.MULTILINE)
    connected = re.findall(r"^[ \t]+ThermalHAL .{0,40}?connected: ?(\w*)", text, re.MULTILINE)
    if ready is None or ready[1] != "true" or any(word != "yes" for word in connected):
        return "its thermal hardware does not answer Android, so that its thermal status is unknown"
    return "" if has_status else "its thermal status is none that Android has"


def _celsius(word: str) -> float | None:
    """A number as Java prints it, of a fitted sensor; None for what no temperature can be."""
    if not re.fullmatch(r"-?\d{1,9}(?:\.\d{1,18})?(?:E-?\d{1,3})?", word):
        return None
    value = float(word)
    return value if value != 0 and -50 <= value <= 200 else None


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
    said = re.findall(rf"^[ \t]*(?:{'|'.join(_LOCKED)})=(true|false)\b", text, re.MULTILINE)
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
    text = _tidy(text)
    error = re.search(r"^Error: (.*)$", text, re.MULTILINE)
    thrown = re.search(r"^(?:Exception occurred|(?:java|android)\.[\w.$]+)", text, re.MULTILINE)
    kind = re.search(r"^Error type (\d{1,6})$", text, re.MULTILINE)
    status = re.search(r"^Status: (ok|timeout)$", text, re.MULTILINE)
    if thrown:
        return Start("error", reason=refusal.sentence(text))
    if error:
        return Start("error", reason=error[1].strip()[:300])
    if kind:
        return Start("error", reason=kind[0])
    if status is None:
        return Start("error", reason=refusal.sentence(text) or "it said nothing")
    activity = re.search(r"^Activity: (\S+)$", text, re.MULTILINE)
    total = re.search(r"^TotalTime: (\d{1,7})$", text, re.MULTILINE)
    return Start(status[1], activity[1] if activity else "", int(total[1]) if total else None)


@dataclass(frozen=True)
class Install:
    """How an installation ended: ``code`` is empty when it succeeded."""

    code: str = ""
    reason: str = ""


def parse_install(text: str) -> Install:
    """Reads ``Success`` or ``Failure [CODE: reason]`` of ``adb install`` or ``pm install``.

    A reason may have several lines, and brackets of its own.
    """
    text = _tidy(text)
    if re.search(r"^Success$", text, re.MULTILINE):
        return Install()
    match = re.search(
        r"Failure \[(INSTALL_[A-Z_0-9]+)(?::\s*((?:(?!Failure \[).)*?))?\]$",
        text,
        re.DOTALL | re.MULTILINE,
    )
    if match is None:
        return Install("INSTALL_UNKNOWN", refusal.sentence(text) or "it said nothing")
    return Install(match[1], " ".join((match[2] or "").split())[:300])


def parse_app_version(text: str) -> int | None:
    """``versionCode`` of ``dumpsys package NAME``; None if it is not installed."""
    match = re.search(r"^[ \t]+versionCode=(\d{1,10})\b", text, re.MULTILINE)
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
    r"^[ \t]+ApplicationExitInfo #0:\n"
    r"\s+timestamp=(?P<when>[\d:. -]{1,40}?) pid=(?P<pid>\d{1,9})\b[^\n]*\n"
    r"\s+process=[^\n]*? reason=\d{1,3} \((?P<reason>[A-Z_ ]+(?:\([A-Z]+\))?)\)"
    r"[^\n]*? status=(?P<status>\d{1,9})\n"
    r"(?:\s+importance=[^\n]*? description=(?P<description>[^\n]*?) state=)?",
    re.MULTILINE,
)


def parse_exit(text: str) -> Exit | None:
    """The newest end of a process."""
    text = _tidy(text)
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
