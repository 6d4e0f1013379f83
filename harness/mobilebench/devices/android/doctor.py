"""Looks a phone over before it is measured, and puts right what the owner lets it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mobilebench.devices.adb.client import AdbDevice, AdbError
from mobilebench.devices.adb.link import explain
from mobilebench.devices.adb.parse import parse_properties
from mobilebench.devices.android import app, phone_power, phone_state
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.device import build_problems, describe
from mobilebench.devices.android.phone_state import Limits
from mobilebench.devices.kind import Check
from mobilebench.errors import BadInputError

_OLDEST_SDK = 26
_LEAST_FREE_BYTES = 512 << 20


@dataclass(frozen=True)
class Phone:
    """A phone that is looked over: a :class:`mobilebench.devices.kind.Patient`."""

    device: AdbDevice
    apk: Apk | None

    @property
    def name(self) -> str:
        """Its serial."""
        return self.device.serial

    def examine(self) -> tuple[Check, ...]:
        """Looks, and changes nothing."""
        return examine(self.device, self.apk)

    def repair(self) -> tuple[Check, ...]:
        """Does what can be done without the phone's owner, and looks again."""
        return repair(self.device, self.apk)

    def record(self, folder: Path) -> tuple[Path, ...]:
        """Saves what the phone prints as test data."""
        return record(self.device, folder)


def examine(device: AdbDevice, apk: Apk | None) -> tuple[Check, ...]:
    """Every check in the order in which a person would put things right.

    It stops where nothing further can be asked.

    Args:
        device: the phone.
        apk: the app that belongs on it; None if this installation has none.
    """
    try:
        device.server.ensure()
    except BadInputError as error:
        return (Check("adb", False, str(error), "start it with: adb start-server"),)
    address = f"{device.server.host}:{device.server.port}"
    checks = [Check("adb", True, f"an adb server answers at {address}")]
    try:
        state = device.state()
        if state != "device":
            return (
                *checks,
                Check("connection", False, f"{device.serial}: {state}", explain(state)),
            )
        checks.append(Check("connection", True, f"{device.serial} answers"))
        checks += _checks(device, apk)
    except AdbError as error:
        checks.append(Check("connection", False, f"{device.serial}: {error}", explain("offline")))
    return tuple(checks)


def repair(device: AdbDevice, apk: Apk | None) -> tuple[Check, ...]:
    """Does what can be done without the phone's owner, and examines it again.

    It installs the app (and removes one that was signed with another key), ends a faked battery
    state, switches battery saver off, wakes the screen and keeps it on while plugged in.

    Raises:
        AdbError: the phone was lost meanwhile.
        BadInputError: it refuses the app even so.
    """
    for check in examine(device, apk):
        if check.ok or not check.can_repair:
            continue
        match check.name:
            case "app":
                assert apk is not None
                _put_app(device, apk)
            case "battery-faked":
                device.shell("dumpsys", "battery", "reset")
            case "power-save":
                device.shell("settings", "put", "global", "low_power", "0")
            case "screen" | "lock":
                device.script("input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard")
            case "stay-awake":
                device.shell("svc", "power", "stayon", "true")
    return examine(device, apk)


def _put_app(device: AdbDevice, apk: Apk) -> None:
    try:
        app.install(device, apk)
    except BadInputError as error:
        replaceable = ("UPDATE_INCOMPATIBLE", "VERSION_DOWNGRADE")
        if not any(word in str(error) for word in replaceable):
            raise
        app.uninstall(device)
        app.install(device, apk)


def _checks(device: AdbDevice, apk: Apk | None) -> Iterator[Check]:
    properties = parse_properties(device.shell("getprop").output)
    facts = describe(properties)
    shown = " ".join(facts.get(key, "") for key in ("manufacturer", "model", "soc")).strip()
    sdk = properties.get("ro.build.version.sdk", "")
    number = int(sdk) if sdk.isascii() and sdk.isdigit() else 0
    android = f"{shown}, Android {facts.get('android', '?')} (SDK {number})"
    new_enough = number >= _OLDEST_SDK
    yield Check("android", new_enough, android, "" if new_enough else "Android 8.0 is needed")
    started = properties.get("sys.boot_completed") == "1"
    yield Check(
        "started",
        started,
        "it has started" if started else "it is still starting",
        "" if started else "wait a minute",
    )
    for reason in build_problems(properties):
        yield Check(reason.check, False, reason.sentence, "measure on a phone as users have it")
    yield _app(device, apk)
    yield _storage(device)
    yield from _state(device, number)
    battery = phone_state.read(device).battery
    yield Check("power", True, f"energy by {phone_power.describe(device, number, battery, facts)}")
    yield _stay_awake(device)


def _app(device: AdbDevice, apk: Apk | None) -> Check:
    version = app.installed_version(device)
    if apk is None:
        sentence = f"version {version}" if version is not None else "not installed"
        return Check("app", version is not None, sentence, "" if version else "build it first")
    if version == apk.version and app.is_same_file(device, apk) is not False:
        return Check("app", True, f"version {version}, as it should be")
    found = "not installed" if version is None else f"version {version}"
    if version == apk.version:
        found += " of another build"
    return Check("app", False, found, f"install version {apk.version}", can_repair=True)


def _storage(device: AdbDevice) -> Check:
    lines = device.script("df -k /data/local/tmp 2>/dev/null").output.splitlines()
    # The last line may begin with a wrapped name: the numbers are found from the mount's percent.
    match = re.search(
        r"(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s+\d{1,3}%", lines[-1] if lines else ""
    )
    if match is None:
        return Check("storage", False, "it does not report its free storage", "make some space")
    free = int(match[3]) * 1024
    sentence = f"{free / 1e9:.1f} GB free"
    if free < _LEAST_FREE_BYTES:
        return Check("storage", False, sentence, "make some space: half a gigabyte is needed")
    return Check("storage", True, sentence)


def _state(device: AdbDevice, sdk: int) -> Iterator[Check]:
    state = phone_state.read(device)
    battery, thermal = state.battery, state.thermal
    well = {
        "battery": f"at {battery.level} %",
        "battery-temperature": f"its battery has {battery.temperature} °C",
        "thermal": "not throttled by heat"
        if thermal.status == 0
        else "no thermal status is reported",
        "power-save": "battery saver is off",
        "screen": "its screen is on",
        "lock": "it is unlocked",
    }
    bad = {reason.check: reason for reason in phone_state.problems(state, sdk, Limits())}
    repairable = ("battery-faked", "power-save", "screen", "lock")
    for name, reason in bad.items():
        yield Check(
            name,
            False,
            reason.sentence.partition(":")[0],
            reason.sentence.partition(": ")[2] or "look at the phone",
            can_repair=name in repairable,
        )
    for name, sentence in well.items():
        if name not in bad and not (name == "lock" and "screen" in bad):
            yield Check(name, True, sentence)


def _stay_awake(device: AdbDevice) -> Check:
    value = device.shell("settings", "get", "global", "stay_on_while_plugged_in").output.strip()
    on = value.isascii() and value.isdigit() and int(value) > 0
    return Check(
        "stay-awake",
        on,
        "the screen stays on while plugged in" if on else "the screen goes off while plugged in",
        "" if on else "developer options: switch on “Stay awake”",
        can_repair=not on,
    )


# Recording.

_RECORDED = {
    "battery": "dumpsys battery",
    "thermal": "dumpsys thermalservice",
    "power": "dumpsys power | grep mWakefulness=",
    "policy": "dumpsys window policy",
    "saver": "settings get global low_power",
    "exit": f"dumpsys activity exit-info {app.PACKAGE}",
    "package": f"dumpsys package {app.PACKAGE} | grep -E 'versionCode|versionName|Unable'",
    "properties": "getprop",
    "cpuinfo": "cat /proc/cpuinfo",
    "zones": "for z in /sys/class/thermal/thermal_zone*; do "
    'echo "$z $(cat $z/type 2>&1) $(cat $z/temp 2>&1)"; done',
    "cpufreq": "grep . /sys/devices/system/cpu/cpu*/cpufreq/scaling_*_freq 2>&1",
    "supplies": "grep . /sys/class/power_supply/*/uevent 2>&1",
}

#: Of the properties only those that say what a phone is; others name its owner's networks.
_KEPT_PROPERTIES = re.compile(
    r"^\[(ro\.(product|build|soc|hardware|board|debuggable|kernel\.qemu|boot\.qemu)|sys\.boot_comp)"
)


def record(device: AdbDevice, folder: Path) -> tuple[Path, ...]:
    """Saves what the phone prints as labelled test data, without serial numbers.

    Raises:
        AdbError: it does not answer.
        BadInputError: the folder cannot be written.
    """
    properties = parse_properties(device.shell("getprop").output)
    facts = describe(properties)
    model, android = facts.get("model", "unknown"), facts.get("android", "unknown")
    slug = re.sub(r"[^a-z0-9]+", "-", f"{model}-android{android}".lower()).strip("-")
    label = (
        f"# {facts.get('manufacturer', '')} {model}, Android {android}, "
        f"{facts.get('build', 'unknown build')}.\n"
        f"# Recorded by mobilebench doctor --record on {datetime.now(UTC):%Y-%m-%d}: "
    )
    private = [word for word in (device.serial, properties.get("ro.serialno", "")) if word]
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, command in _RECORDED.items():
            text = device.script(command, seconds=60).output
            if name == "properties":
                kept = (li for li in text.splitlines(True) if _KEPT_PROPERTIES.match(li))
                text = "".join(kept)
            for word in private:
                text = text.replace(word, "SERIAL")
            path = folder / f"{name}-{slug}.txt"
            path.write_text(f"{label}{command}\n{text}", "utf-8")
            written.append(path)
    except OSError as error:
        raise BadInputError(f"cannot write to {folder}: {error.strerror}") from error
    return tuple(written)
