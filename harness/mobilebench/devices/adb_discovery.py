"""Which phones and boards adb sees, in which state, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from mobilebench.devices.adb import parse as adb_parse
from mobilebench.devices.adb.client import AdbDevice, AdbError, AdbServer, is_virtual
from mobilebench.devices.adb.device_lines import DeviceLine
from mobilebench.devices.adb.lease import holder_of
from mobilebench.devices.adb.link import explain
from mobilebench.devices.android import phone_power, phone_state
from mobilebench.devices.android.app import installed_version
from mobilebench.devices.android.device import describe
from mobilebench.devices.found import Found
from mobilebench.errors import BadInputError

#: The kinds that adb reaches, as a suite names them.
_PHONE, _BOARD = "android", "board"


def discover(server: AdbServer) -> tuple[Found, ...]:
    """Every device behind a server, each once, asked all at the same time.

    Raises:
        BadInputError: there is no adb server, and none can be started.
    """
    server.ensure()
    try:
        lines = server.devices()
    except AdbError as error:
        raise BadInputError(f"the adb server does not list its devices: {error}") from error
    with ThreadPoolExecutor(max_workers=max(1, min(16, len(lines)))) as pool:
        return merge(pool.map(lambda line: _look(server, line), lines))


def merge(found: Iterable[Found]) -> tuple[Found, ...]:
    """One entry a device: of several connections the cable's, being the faster and surer."""
    entries = list(found)
    serials = Counter(entry.serial for entry in entries)
    merged: dict[str, Found] = {}
    for entry in sorted(entries, key=lambda entry: (_over_network(entry.serial), entry.serial)):
        key = entry.identity or f"serial {entry.serial}"
        first = merged.setdefault(key, entry)
        if first is not entry:
            merged[key] = replace(first, also=(*first.also, entry.serial))
    return tuple(
        # adb knows devices by their serials alone: neither can be named.
        replace(
            entry,
            state="ambiguous",
            advice=f"ambiguous: {count} devices have this serial; unplug all but one",
            also=(),
        )
        if (count := serials[entry.serial]) > 1
        else entry
        for entry in merged.values()
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _over_network(serial: str) -> bool:
    return DeviceLine(serial, "device").over_network


def _look(server: AdbServer, line: DeviceLine) -> Found:
    model = line.properties.get("model", "").replace("_", " ")
    entry = Found(
        line.serial, line.state, address=line.serial, model=model, virtual=is_virtual(line)
    )
    if line.state != "device":
        return replace(entry, advice=explain(line.state))
    device = AdbDevice(server, line.serial)
    try:
        properties = adb_parse.parse_properties(device.shell("getprop").output)
        if "ro.build.version.sdk" not in properties:
            return replace(entry, kind=_BOARD, holder=str(holder_of(device) or ""))
        facts = describe(properties)
        state = phone_state.read(device)
        return replace(
            entry,
            kind=_PHONE,
            model=facts.get("model", model),
            android=facts.get("android", ""),
            soc=facts.get("soc", ""),
            battery=state.battery.level,
            temperature=state.battery.temperature,
            thermal=state.thermal.status,
            app=installed_version(device),
            power=phone_power.describe(
                device, _number(properties["ro.build.version.sdk"]), state.battery, facts
            ),
            identity=properties.get("ro.serialno", ""),
            holder=str(holder_of(device) or ""),
        )
    except AdbError as error:
        return replace(entry, state="unresponsive", advice=f"ready, but does not answer: {error}")
