"""What the doctor finds, what it puts right, and what it records."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from mobilebench.devices.adb.client import AdbDevice, AdbServer
from mobilebench.devices.adb.parse import parse_battery, parse_locked, parse_thermal
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.doctor import Check, examine, record, repair

from tests.phone.android import PACKAGE, Android, Package
from tests.phone.fixtures import Connect


@pytest.fixture
def apk(tmp_path: Path) -> Apk:
    path = tmp_path / "mobilebench-agent.apk"
    path.write_bytes(b"PK" + bytes(1000))
    return Apk(path, 3, hashlib.sha256(path.read_bytes()).hexdigest())


def bad(checks: tuple[Check, ...]) -> set[str]:
    return {check.name for check in checks if not check.ok}


def test_a_phone_in_good_health(any_android: Android, connect: Connect, apk: Apk) -> None:
    any_android.installed[PACKAGE] = Package(3)
    checks = examine(connect(any_android.phone), apk)
    assert bad(checks) == {"stay-awake"}
    assert all(check.repair for check in checks if not check.ok)
    names = [check.name for check in checks]
    assert names[:3] == ["adb", "connection", "android"]
    assert set(names) >= {"app", "storage", "battery", "thermal", "screen", "lock", "power-save"}
    assert len(names) == len(set(names))


Illness = Callable[[Android], object]


@pytest.mark.parametrize(
    ("illness", "name", "healed"),
    [
        (lambda a: a.installed.clear(), "app", True),
        (lambda a: a.installed.update({PACKAGE: Package(2)}), "app", True),
        (lambda a: a.installed.update({PACKAGE: Package(4)}), "app", True),
        (lambda a: a.installed.update({PACKAGE: Package(3, "theirs")}), "app", False),
        (lambda a: a.installed.update({PACKAGE: Package(2, "theirs")}), "app", True),
        (lambda a: setattr(a.state, "faked", True), "battery-faked", True),
        (lambda a: setattr(a.state, "power_save", "1"), "power-save", True),
        (lambda a: setattr(a.state, "awake", False), "screen", True),
        (lambda a: setattr(a.state, "locked", True), "lock", False),
        (lambda a: setattr(a.state, "level", 7), "battery", False),
        (lambda a: setattr(a.state, "temperature", 450), "battery-temperature", False),
        (lambda a: setattr(a.state, "thermal_status", 3), "thermal", False),
        (lambda a: a.phone.make.properties.update({"sys.boot_completed": "0"}), "started", False),
        (lambda a: a.phone.make.properties.update({"ro.debuggable": "1"}), "debuggable", False),
        (
            lambda a: a.phone.make.properties.update({"ro.build.version.sdk": "25"}),
            "android",
            False,
        ),
    ],
)
def test_illness(
    pixel: Android, connect: Connect, apk: Apk, illness: Illness, name: str, healed: bool
) -> None:
    device = connect(pixel.phone)
    pixel.know(apk.path, Package(3))
    pixel.installed[PACKAGE] = Package(3)
    illness(pixel)
    expected = {name, "stay-awake"}
    found = examine(device, apk)
    # The package manager's file shows no key: it is Android that refuses an update by another.
    if pixel.installed.get(PACKAGE) != Package(3, "theirs"):
        assert bad(found) == expected
    assert ("stay-awake" in bad(repair(device, apk))) is False
    assert (name in bad(examine(device, apk))) is (not healed and name != "app")


def test_no_phone(adb: AdbServer) -> None:
    checks = examine(AdbDevice(adb, "nobody"), None)
    assert [check.ok for check in checks] == [True, False]
    assert "plug it in" in checks[-1].repair


def test_no_server() -> None:
    server = AdbServer("adb.invalid", 5037)
    (check,) = examine(AdbDevice(server, "nobody"), None)
    assert (check.name, check.ok) == ("adb", False)


def test_a_full_phone(pixel: Android, connect: Connect, apk: Apk) -> None:
    pixel.phone.answer(
        "df", lambda call: call.say("/dev/fuse 1000000 999000 1000 99% /data\n") or 0
    )
    assert "storage" in bad(examine(connect(pixel.phone), apk))


def test_recording(any_android: Android, connect: Connect, tmp_path: Path) -> None:
    device = connect(any_android.phone)
    any_android.phone.make.properties["gsm.operator.alpha"] = "A private thing"
    paths = record(device, tmp_path / "dumps")
    texts = {path.name.partition("-")[0]: path.read_text() for path in paths}
    assert parse_battery(texts["battery"]).level == 84
    assert parse_locked(texts["policy"]) is False
    old = any_android.phone.make.properties["ro.build.version.sdk"] == "26"
    assert parse_thermal(texts["thermal"]).status == (None if old else 0)
    serial = any_android.phone.make.properties["ro.serialno"]
    for text in texts.values():
        assert text.splitlines()[1].startswith("# Recorded by mobilebench doctor --record on 20")
        assert serial not in text
        assert "A private thing" not in text
