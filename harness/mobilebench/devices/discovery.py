"""Which phones and boards are connected, in which state, and what to do about it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from mobilebench.devices.adb import parse as adb_parse
from mobilebench.devices.adb.client import AdbDevice, AdbError, AdbServer, is_virtual, parse_address
from mobilebench.devices.adb.link import explain
from mobilebench.devices.adb.parse import DeviceLine
from mobilebench.devices.android import phone_power, phone_state
from mobilebench.devices.android.app import Apk, installed_version
from mobilebench.devices.android.device import AndroidDevice, describe
from mobilebench.devices.base import Device
from mobilebench.devices.benchmark_model.device import UpstreamBoard, UpstreamPhone
from mobilebench.devices.linux.board import BoardDevice
from mobilebench.devices.linux.ssh_board import SshBoardDevice
from mobilebench.errors import BadInputError
from mobilebench.records.device import BENCHMARK_MODEL

#: ``--device all``
ALL = "all"


@dataclass(frozen=True)
class Found:
    """A connected device. What it does not tell is None or empty.

    Attributes:
        serial: how adb calls it.
        state: adb's word; ``device`` is ready.
        advice: what to do, if it is not ready.
        kind: ``android`` or ``board``.
        model, android, soc: for a person.
        battery: percent; ``temperature`` of the battery in °C; ``thermal``: Android's status.
        app: version code of the benchmark app on it.
        power: what tells energy on it.
        virtual: it is this project's test equipment.
        also: further serials of the same device, such as its network address.
        identity: tells two connections to one device from two devices.
    """

    serial: str
    state: str
    advice: str = ""
    kind: str = ""
    model: str = ""
    android: str = ""
    soc: str = ""
    battery: int | None = None
    temperature: float | None = None
    thermal: int | None = None
    app: int | None = None
    power: str = ""
    virtual: bool = False
    also: tuple[str, ...] = ()
    identity: str = ""

    @property
    def ready(self) -> bool:
        """Whether a suite can run on it."""
        return self.state == "device"


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


def choose(selection: Sequence[str], found: Sequence[Found]) -> tuple[Found, ...]:
    """The devices that were asked for: serials, or ``all`` that are ready.

    Raises:
        BadInputError: one is not there or not ready; the message says what to do.
    """
    ready = [entry for entry in found if entry.ready]
    if ALL in selection:
        if not ready:
            states = "; ".join(f"{entry.serial} is {entry.advice}" for entry in found)
            raise BadInputError(f"no device is ready: {states or explain('absent')}")
        return tuple(ready)
    chosen: dict[str, Found] = {}
    for serial in selection:
        entry = next((e for e in found if serial in (e.serial, *e.also)), None)
        if entry is None:
            known = ", ".join(e.serial for e in found) or "none"
            raise BadInputError(f"there is no device {serial!r}; connected are: {known}")
        if not entry.ready:
            raise BadInputError(f"device {serial!r} is {entry.advice}")
        chosen[entry.serial] = entry
    return tuple(chosen.values())


def open_device(
    name: str,
    kind: str,
    address: str,
    cache: Path,
    python: str | None = None,
    allowed: Iterable[str] = (),
    binary: str | None = None,
    unplugged: bool = False,
) -> Device:
    """A device to run trials on.

    Args:
        name: how tables call it.
        kind: ``android`` or ``board``.
        address: a serial, ``adb://HOST:PORT/SERIAL``, or empty if just one device is connected;
            of a board also ``ssh://USER@HOST:PORT``.
        cache: where the agent's archive is built.
        python: the interpreter on a board.
        allowed: checks that a phone may fail (see ``phone_state``).
        binary: ``benchmark_model``, to measure with in the agent's place.
        unplugged: a phone must run on its battery.

    Raises:
        BadInputError: the address names no device, or one that the binary cannot be run on.
    """
    if kind == BoardDevice.kind and address.startswith("ssh://"):
        if binary is not None:
            raise BadInputError(f"device {name!r}: {BENCHMARK_MODEL} runs on what adb reaches")
        return SshBoardDevice(name, address, cache, python or "python3", allowed=frozenset(allowed))
    if address:
        server, serial = parse_address(address)
    else:
        server = AdbServer.from_environment()
        serial = _only(discover(server)).serial
    device = AdbDevice(server, serial)
    if binary is not None:
        if kind == BoardDevice.kind:
            return UpstreamBoard(name, device, Path(binary), cache, allowed)
        return UpstreamPhone(name, device, Path(binary), allowed)
    if kind == BoardDevice.kind:
        return BoardDevice(name, device, cache, python or "python3", allowed=frozenset(allowed))
    return AndroidDevice(
        name, device, Apk.described(), allowed=frozenset(allowed), unplugged=unplugged
    )


def plugged(
    server: AdbServer,
    poll_seconds: float = 2.0,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Found]:
    """Each device as it becomes ready; one that went away and came back, again.

    Raises:
        BadInputError: there is no adb server any more, and none can be started.
    """
    present: set[str] = set()
    while not stopped():
        found = {entry.identity or entry.serial: entry for entry in discover(server)}
        ready = {key: entry for key, entry in found.items() if entry.ready}
        present &= set(ready)
        for key, entry in ready.items():
            if key not in present:
                present.add(key)
                yield entry
        time.sleep(poll_seconds)


def _only(found: Sequence[Found]) -> Found:
    ready = choose([ALL], found)
    if len(ready) > 1:
        serials = ", ".join(entry.serial for entry in ready)
        raise BadInputError(f"several devices are connected ({serials}): choose with --device")
    return ready[0]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _over_network(serial: str) -> bool:
    return DeviceLine(serial, "device").over_network


def _look(server: AdbServer, line: DeviceLine) -> Found:
    model = line.properties.get("model", "").replace("_", " ")
    entry = Found(line.serial, line.state, model=model, virtual=is_virtual(line))
    if line.state != "device":
        return replace(entry, advice=explain(line.state))
    device = AdbDevice(server, line.serial)
    try:
        properties = adb_parse.parse_properties(device.shell("getprop").output)
        if "ro.build.version.sdk" not in properties:
            return replace(entry, kind=BoardDevice.kind)
        facts = describe(properties)
        state = phone_state.read(device)
        return replace(
            entry,
            kind=AndroidDevice.kind,
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
        )
    except AdbError as error:
        return replace(entry, state="unresponsive", advice=f"ready, but does not answer: {error}")
