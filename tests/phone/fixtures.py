"""Virtual phones behind a real adb server: a pytest plugin that ``tests/conftest.py`` loads."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mobilebench.devices.adb.client import AdbDevice, AdbError, AdbServer

from tests.phone import apps, needs, personalities, system
from tests.phone.android import Android
from tests.phone.phone import Phone
from tests.phone.server import QUIET, Server


@pytest.fixture(scope="session")
def phone_system() -> system.System:
    try:
        return system.prepare()
    except system.UnavailableError as error:
        needs.missing(str(error), error.mend or needs.INSTALL)


@pytest.fixture(scope="session")
def adb_process(
    phone_system: system.System,  # noqa: ARG001 (without it there is nothing to serve)
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("adb"))
    yield server
    server.close()


@pytest.fixture
def adb(adb_process: Server, monkeypatch: pytest.MonkeyPatch) -> AdbServer:
    """The tests' own adb server."""
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb_process.port))
    return AdbServer("127.0.0.1", adb_process.port)


Connect = Callable[[Phone], AdbDevice]


@pytest.fixture
def connect(adb: AdbServer) -> Iterator[Connect]:
    """Turns a phone on and plugs it in; turns it off when the test ends."""
    phones: list[Phone] = []

    def turn_on(phone: Phone) -> AdbDevice:
        phones.append(phone)
        phone.start()
        adb.connect(phone.serial)
        device = AdbDevice(adb, phone.serial)
        assert device.wait(120)
        return device

    yield turn_on
    for phone in phones:
        phone.close()
        with contextlib.suppress(AdbError):
            adb.disconnect(phone.serial)


@pytest.fixture(params=["pixel", "samsung", "old_phone"])
def any_android(
    request: pytest.FixtureRequest, phone_system: system.System, tmp_path: Path
) -> Android:
    make = getattr(personalities, request.param)
    return make(tmp_path / "phone", phone_system, apps.agent)


@pytest.fixture
def pixel(phone_system: system.System, tmp_path: Path) -> Android:
    return personalities.pixel(tmp_path / "phone", phone_system, apps.agent)


@pytest.fixture
def board(phone_system: system.System, tmp_path: Path) -> Phone:
    return personalities.board(tmp_path / "board", phone_system)
