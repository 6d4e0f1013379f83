"""Looks a phone over before it is measured, and puts right what the owner lets it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mobilebench.devices.adb.client import AdbDevice, AdbError
from mobilebench.devices.adb.link import explain
from mobilebench.devices.adb.parse import parse_properties
from mobilebench.devices.android import app, makers, page_size, phone_power, phone_state
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.device import build_problems, describe
from mobilebench.devices.android.phone_state import Limits
from mobilebench.devices.base import PreflightProblem
from mobilebench.devices.kind import Check
from mobilebench.devices.linux import state as linux_state
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
    checks = [Check("adb", True, f"an adb server answers at {device.server.address}")]
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
    refused: set[str] = set()
    for check in examine(device, apk):
        if check.ok or not check.can_repair:
            continue
        done = None
        match check.name:
            case "app":
                assert apk is not None
                _put_app(device, apk)
            case "battery-faked":
                done = device.shell("dumpsys", "battery", "reset")
            case "power-save":
                done = device.shell("settings", "put", "global", "low_power", "0")
            case "screen" | "lock":
                done = device.script("input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard")
            case "stay-awake":
                done = device.shell("svc", "power", "stayon", "true")
        if done is not None and makers.is_refusal(f"{done.output}\n{done.errors}"):
            refused.add(check.name)
    checks = examine(device, apk)
    if not refused:
        return checks
    maker = device.shell("getprop", "ro.product.manufacturer").output
    advice = f"Android refused that to adb: {makers.switch(maker)}"
    return tuple(
        replace(check, repair=advice, can_repair=False)
        if check.name in refused and not check.ok
        else check
        for check in checks
    )


def _put_app(device: AdbDevice, apk: Apk) -> None:
    user = app.installation(device).user
    try:
        app.install(device, apk, user)
    except BadInputError as error:
        replaceable = ("UPDATE_INCOMPATIBLE", "VERSION_DOWNGRADE")
        if not any(word in str(error) for word in replaceable):
            raise
        app.uninstall(device)
        app.install(device, apk, user)


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
    yield from page_size.check(device, number, properties, apk)
    yield _storage(device)
    yield _limits(device)
    yield from _state(device, number)
    battery = phone_state.read(device).battery
    yield Check("power", True, f"energy by {phone_power.describe(device, number, battery, facts)}")
    yield _stay_awake(device)


def _app(device: AdbDevice, apk: Apk | None) -> Check:
    found = app.installation(device)
    if found.refused:
        whose = "" if found.user is None else f" of user {found.user}"
        return Check(
            "app",
            False,
            f"Android does not let adb see the apps{whose}: {found.refused}",
            "switch to the phone's owner, or to a user whom adb may install apps for",
        )
    if found.version is None:
        sentence = "not installed"
    elif not found.here:
        user = "" if found.user is None else f", and user {found.user} is in front"
        sentence = f"version {found.version}, for another user only{user}"
    else:
        sentence = f"version {found.version}"
    if apk is None:
        return Check("app", found.here, sentence, "" if found.here else "build it first")
    if app.is_as_it_should_be(device, apk, found):
        return Check("app", True, f"{sentence}, as it should be")
    if found.here and found.version == apk.version:
        sentence += " of another build"
    whom = "" if found.user in (None, 0) else f" for user {found.user}"
    return Check("app", False, sentence, f"install version {apk.version}{whom}", can_repair=True)


def _limits(device: AdbDevice) -> Check:
    """Limits of the clocks that hold while the phone rests: what every trial is held to."""
    state = linux_state.parse(device.script(linux_state.script()).output)
    standing = [
        f"{cpu} is limited to {limit / 1e9:.2f} of {state.hardware_limits[cpu] / 1e9:.2f} GHz"
        for cpu, limit in state.limits.items()
        if limit < state.hardware_limits.get(cpu, 0)
    ]
    if standing:
        sentence = f"{'; '.join(standing)} at rest: a trial is invalid if that changes"
    elif state.limits and state.hardware_limits:
        sentence = "no clock is limited at rest"
    else:
        sentence = "adb's shell may not read the clocks' limits: only the app may"
    return Check("frequency", True, sentence)


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
        "battery": "it has no battery" if battery.present is False else f"at {battery.level} %",
        "battery-temperature": f"its battery has {battery.temperature} °C",
        "thermal": "not throttled by heat"
        if thermal.status == 0
        else "no thermal status is reported",
        "power-save": "battery saver is off",
        "screen": "its screen is on",
        "lock": "it is unlocked",
    }
    bad: dict[str, PreflightProblem] = {}
    for reason in phone_state.problems(state, sdk, Limits()):
        bad.setdefault(reason.check, reason)
    repairable = {"battery-faked", "screen", "lock"}
    if state.power_save:
        repairable.add("power-save")
    for name, reason in bad.items():
        yield Check(
            name,
            False,
            reason.sentence.partition(":")[0],
            reason.sentence.partition(": ")[2] or "look at the phone",
            can_repair=name in repairable,
        )
    if battery.present is False:
        del well["battery-temperature"]
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
    "makers-savers": makers.SAVERS_SCRIPT,
    "users": "am get-current-user; pm list users",
    "page-size": "getconf PAGE_SIZE",
    "page-size-mode": f"dumpsys package {app.PACKAGE} | grep pageSizeCompat; "
    "getprop pm.16kb.app_compat.disabled; getprop bionic.linker.16kb.app_compat.enabled",
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
