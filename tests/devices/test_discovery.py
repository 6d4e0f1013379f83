"""Finding, choosing and watching devices."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from mobilebench.devices.adb.client import AdbDevice, AdbServer, LinkLostError
from mobilebench.devices.adb_discovery import discover, merge
from mobilebench.devices.android import app
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.device import AndroidDevice
from mobilebench.devices.base import Device
from mobilebench.devices.discovery import plugged
from mobilebench.devices.found import Found, choose
from mobilebench.devices.linux.board import BoardDevice
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError
from mobilebench.runs import selection

from tests.phone import apps, personalities
from tests.phone.android import PACKAGE, Android, Package
from tests.phone.fixtures import Connect
from tests.phone.phone import Phone
from tests.phone.system import System


def ours(server: AdbServer, *phones: Phone) -> list[Found]:
    serials = [phone.serial for phone in phones]
    return [entry for entry in discover(server) if entry.serial in serials]


def open_device(name: str, kind: str, address: str) -> Device:
    return selection.open_device(DeviceSpec(name=name, kind=kind, address=address))


def test_phones_and_boards(
    any_android: Android, board: Phone, adb: AdbServer, connect: Connect
) -> None:
    connect(any_android.phone)
    connect(board)
    any_android.installed[PACKAGE] = Package(7)
    found = {entry.kind: entry for entry in ours(adb, any_android.phone, board)}
    properties = any_android.phone.make.properties
    phone = found["android"]
    assert phone.model == properties["ro.product.model"]
    assert phone.android == properties["ro.build.version.release"]
    assert phone.soc
    assert (phone.battery, phone.temperature, phone.app) == (84, 28.7, 7)
    assert phone.ready
    assert phone.virtual
    assert found["board"].ready
    assert found["board"].virtual


def test_states_are_explained(pixel: Android, adb: AdbServer, connect: Connect) -> None:
    connect(pixel.phone)
    pixel.phone.cable.state = "unauthorized"
    adb.disconnect(pixel.phone.serial)
    adb.connect(pixel.phone.serial)
    (entry,) = ours(adb, pixel.phone)
    assert not entry.ready
    assert "allow USB debugging" in entry.advice
    with pytest.raises(BadInputError, match="allow USB debugging"):
        choose([pixel.phone.serial], [entry])
    with pytest.raises(BadInputError, match=r"no device is ready: .* allow USB debugging"):
        choose(["all"], [entry])
    pixel.phone.cable.allow()
    assert AdbDevice(adb, pixel.phone.serial).wait(120)
    assert ours(adb, pixel.phone)[0].ready


def test_a_phone_that_does_not_answer(pixel: Android, adb: AdbServer, connect: Connect) -> None:
    connect(pixel.phone)
    pixel.phone.commands["getprop"] = lambda _: 1
    (entry,) = ours(adb, pixel.phone)
    assert entry.kind == "board"


def test_two_phones_are_two(
    phone_system: System, adb: AdbServer, connect: Connect, tmp_path: Path
) -> None:
    first = personalities.pixel(tmp_path / "1", phone_system, apps.agent)
    second = personalities.samsung(tmp_path / "2", phone_system, apps.agent)
    connect(first.phone)
    connect(second.phone)
    found = ours(adb, first.phone, second.phone)
    assert {entry.model for entry in found} == {"Pixel 7 Pro", "SM-S911B"}
    assert len(choose(["all"], found)) == 2
    with pytest.raises(BadInputError, match="several devices are connected"):
        open_device("phone", "android", "")


def test_one_phone_twice_is_one(
    phone_system: System, adb: AdbServer, connect: Connect, tmp_path: Path
) -> None:
    """The same serial number behind two addresses, as by cable and by network."""
    first = personalities.pixel(tmp_path / "1", phone_system, apps.agent)
    second = personalities.pixel(tmp_path / "2", phone_system, apps.agent)
    connect(first.phone)
    connect(second.phone)
    found = [e for e in discover(adb) if first.phone.serial in (e.serial, *e.also)]
    (entry,) = found
    assert {entry.serial, *entry.also} == {first.phone.serial, second.phone.serial}
    assert choose([second.phone.serial], found) == (entry,)
    assert choose([first.phone.serial, second.phone.serial], found) == (entry,)


def test_the_cable_is_preferred() -> None:
    network = Found("192.168.1.20:5555", "device", identity="28301FDH3000AB")
    cable = Found("28301FDH3000AB", "device", identity="28301FDH3000AB")
    assert merge([network, cable]) == (replace(cable, also=("192.168.1.20:5555",)),)


def test_two_phones_with_one_serial_are_not_taken_for_one() -> None:
    """Some makers give all their phones the same; adb cannot tell these apart."""
    same = Found("0123456789ABCDEF", "device", identity="0123456789ABCDEF")
    (entry,) = merge([same, same])
    assert not entry.ready
    with pytest.raises(BadInputError, match="2 devices have this serial; unplug all but one"):
        choose(["all"], [entry])
    with pytest.raises(BadInputError, match="2 devices have this serial"):
        choose([same.serial], [entry])


def test_devices_without_an_identity_are_not_merged() -> None:
    assert len(merge([Found("a", "offline"), Found("b", "offline")])) == 2


def test_a_serial_that_is_not_there() -> None:
    with pytest.raises(BadInputError, match="there is no device 'x'; connected are: a"):
        choose(["x"], [Found("a", "device")])
    with pytest.raises(BadInputError, match="connected are: none"):
        choose(["x"], [])
    with pytest.raises(BadInputError, match="no device is ready: not connected"):
        choose(["all"], [])


def test_opening(
    adb: AdbServer, board: Phone, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = connect(board).serial
    device = open_device("pi", "board", serial)
    assert isinstance(device, BoardDevice)
    assert device.probe().runtime
    remote = open_device("pi", "board", f"adb://127.0.0.1:{adb.port}/{serial}")
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    assert remote.probe().info["serial"] == serial


def test_opening_a_phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shipped:
        @staticmethod
        def described() -> Apk:
            return Apk(tmp_path / "a.apk", 1, "ab")

    monkeypatch.setattr(app, "Apk", Shipped)
    assert isinstance(open_device("phone", "android", "R5CW"), AndroidDevice)


def test_each_phone_as_it_is_plugged_in(
    pixel: Android, board: Phone, connect: Connect, adb: AdbServer
) -> None:
    def unplug() -> None:
        pixel.phone.cable.unplug()
        adb.disconnect(pixel.phone.serial)

    def plug() -> None:
        pixel.phone.cable.plug()
        adb.connect(pixel.phone.serial)
        assert AdbDevice(adb, pixel.phone.serial).wait(120)

    looks = [
        lambda: connect(pixel.phone),
        lambda: None,
        lambda: connect(board),
        unplug,
        lambda: None,
        plug,
        lambda: None,
    ]

    def next_look() -> bool:
        if not looks:
            return True
        looks.pop(0)()
        return False

    found = [entry.serial for entry in plugged(lambda: discover(adb), 0.0, next_look)]
    assert found == [pixel.phone.serial, board.serial, pixel.phone.serial]


def test_nobody_is_watched_after_the_end(adb: AdbServer) -> None:
    assert list(plugged(lambda: discover(adb), stopped=lambda: True)) == []


def test_a_server_is_started_when_asked_for(
    adb: AdbServer,  # noqa: ARG001 (it keeps the new one from every real phone)
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as free:
        server = AdbServer("127.0.0.1", free.getsockname()[1])
    with pytest.raises(LinkLostError):
        server.devices()
    assert discover(server) == ()
    server.end()
