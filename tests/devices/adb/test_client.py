"""The adb layer against a real adb server and a real adbd."""

import hashlib
import os
import socket
import tempfile
import threading
from pathlib import Path

import pytest
from mobilebench.devices.adb.client import (
    AdbDevice,
    AdbError,
    AdbServer,
    DeadlineError,
    LinkLostError,
    ShellResult,
    UnauthorizedError,
    parse_address,
)
from mobilebench.devices.adb.remote_store import FOLDER, RemoteStore
from mobilebench.devices.base import TrialError
from mobilebench.errors import BadInputError
from mobilebench.files import sha256_of

from tests.phone import apps, personalities
from tests.phone.android import Android
from tests.phone.cable import Cut
from tests.phone.fixtures import Connect
from tests.phone.server import QUIET
from tests.phone.system import System
from tests.support.android import wait_for_state


def test_a_command_has_a_code_and_two_outputs(any_android: Android, connect: Connect) -> None:
    device = connect(any_android.phone)
    result = device.shell("sh", "-c", "echo out; echo err >&2; exit 3")
    assert result.code == 3
    assert result.output.startswith("out\n")
    assert "err" in result.output + result.errors


def test_a_word_reaches_the_command_as_it_stands(any_android: Android, connect: Connect) -> None:
    device = connect(any_android.phone)
    words = ["a b", "$(id)", "it's", 'say "x"', "*", ";reboot", "ü", ""]
    assert device.shell("printf", "<%s>", *words).output == "".join(f"<{word}>" for word in words)


def test_a_command_that_reads_its_input_ends(any_android: Android, connect: Connect) -> None:
    assert connect(any_android.phone).shell("cat", seconds=10).output == ""


def test_a_command_that_hangs_is_given_up(any_android: Android, connect: Connect) -> None:
    device = connect(any_android.phone)
    with pytest.raises(DeadlineError, match=r"no answer within 0\.3 s"):
        device.shell("sleep", "60", seconds=0.3)


def test_a_large_output_comes_whole(any_android: Android, connect: Connect) -> None:
    device = connect(any_android.phone)
    assert len(device.script("head -c 4000000 /dev/zero").output) == 4_000_000


def test_an_endless_output_is_cut_off(pixel: Android, connect: Connect) -> None:
    with pytest.raises(AdbError, match="more than 32 MB"):
        connect(pixel.phone).script("cat /dev/zero")


def test_output_that_is_cut_is_a_lost_link(any_android: Android, connect: Connect) -> None:
    device = connect(any_android.phone)
    any_android.phone.cable.cut = Cut(1_000_000, to_phone=False)
    with pytest.raises(LinkLostError):
        device.script("head -c 4000000 /dev/zero")


def test_a_missing_command_is_no_success(any_android: Android, connect: Connect) -> None:
    assert connect(any_android.phone).shell("no-such-command").code == 127


def test_calls_from_many_threads(pixel: Android, connect: Connect) -> None:
    device = connect(pixel.phone)
    wrong: list[int] = []

    def ask(number: int) -> None:
        answers = {device.shell("echo", str(number)).output for _ in range(5)}
        if answers != {f"{number}\n"}:
            wrong.append(number)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_no_server_is_started_behind_ones_back() -> None:
    with socket.socket() as reserved:
        # Bound and not listening: nobody else can be there.
        reserved.bind(("127.0.0.1", 0))
        server = AdbServer("127.0.0.1", reserved.getsockname()[1])
        for _ in range(2):
            with pytest.raises(LinkLostError, match="no adb server answers at 127"):
                server.devices()


def test_a_remote_server_that_is_not_there_is_not_started() -> None:
    with pytest.raises(BadInputError, match="on that machine run"):
        AdbServer("192.0.2.1.invalid", 5037).ensure()


def test_something_else_at_the_servers_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(BadInputError, match="is no adb server"):
            AdbServer("127.0.0.1", port).ensure()
        thread.join()


@pytest.mark.parametrize(
    ("address", "host", "port", "serial"),
    [
        ("R5CW1234ABC", "127.0.0.1", 5999, "R5CW1234ABC"),
        ("adb://lab:5040/R5CW1234ABC", "lab", 5040, "R5CW1234ABC"),
        ("adb://lab/10.0.0.7:5555", "lab", 5037, "10.0.0.7:5555"),
        ("adb://[::1]:5037/x", "::1", 5037, "x"),
    ],
)
def test_addresses(
    address: str, host: str, port: int, serial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "5999")
    assert parse_address(address) == (AdbServer(host, port), serial)


@pytest.mark.parametrize("address", ["adb://", "adb://lab", "adb://lab:x/y", "adb://lab:99999/y"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(BadInputError):
        parse_address(address)


def test_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "http")
    with pytest.raises(BadInputError, match="ANDROID_ADB_SERVER_PORT"):
        AdbServer.from_environment()


@pytest.mark.parametrize(
    ("spec", "server", "address"),
    [
        ("tcp:5040", AdbServer("127.0.0.1", 5040), "127.0.0.1:5040"),
        ("tcp:lab:5040", AdbServer("lab", 5040), "lab:5040"),
        ("tcp:[::1]:5040", AdbServer("::1", 5040), "[::1]:5040"),
        ("localfilesystem:/run/adb", AdbServer("", 0, "/run/adb"), "localfilesystem:/run/adb"),
        ("localabstract:adb", AdbServer("", 0, "\0adb"), "localabstract:adb"),
    ],
)
def test_a_server_socket_goes_before_address_and_port(
    spec: str, server: AdbServer, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "5999")
    monkeypatch.setenv("ADB_SERVER_SOCKET", spec)
    assert AdbServer.from_environment() == server
    assert server.address == address


@pytest.mark.parametrize("spec", ["tcp:", "tcp:lab", "tcp:lab:0", "vsock:3:4", "x", "local:"])
def test_a_server_socket_that_is_none(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADB_SERVER_SOCKET", spec)
    with pytest.raises(BadInputError, match="ADB_SERVER_SOCKET is"):
        AdbServer.from_environment()


def test_a_server_behind_a_socket_file(
    phone_system: System,  # noqa: ARG001 (without it there is no adb to try)
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real adb server, started at the socket that the environment names, and asked there."""
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("ADB_SERVER_SOCKET", f"localfilesystem:{folder}/adb")
        server = AdbServer.from_environment()
        server.ensure()
        try:
            assert server.devices() == ()
        finally:
            server.end()


# Files.


def put(device: AdbDevice, tmp_path: Path, content: bytes) -> str:
    file = tmp_path / "model.tflite"
    file.write_bytes(content)
    return RemoteStore(device).put(file, sha256_of(file))


def test_a_file_arrives_under_its_hash(
    any_android: Android, connect: Connect, tmp_path: Path
) -> None:
    device = connect(any_android.phone)
    content = os.urandom(300_000)
    path = put(device, tmp_path, content)
    assert path == f"{FOLDER}/{hashlib.sha256(content).hexdigest()}.tflite"
    stored = any_android.phone.folder / path[1:]
    assert stored.read_bytes() == content
    assert stored.stat().st_mode & 0o777 == 0o644
    assert stored.parent.stat().st_mode & 0o777 == 0o755


def test_nothing_is_sent_twice(pixel: Android, connect: Connect, tmp_path: Path) -> None:
    device = connect(pixel.phone)
    path = put(device, tmp_path, b"once")
    before = (pixel.phone.folder / path[1:]).stat().st_ino
    assert put(device, tmp_path, b"once") == path
    assert (pixel.phone.folder / path[1:]).stat().st_ino == before


def test_a_changed_file_of_the_same_size_is_sent_again(
    pixel: Android, connect: Connect, tmp_path: Path
) -> None:
    device = connect(pixel.phone)
    stored = pixel.phone.folder / put(device, tmp_path, b"right")[1:]
    stored.write_bytes(b"wrong")
    put(device, tmp_path, b"right")
    assert stored.read_bytes() == b"right"


def test_a_full_device_says_so_and_keeps_no_part(
    phone_system: System, connect: Connect, tmp_path: Path
) -> None:
    full = personalities.pixel(tmp_path / "phone", phone_system, apps.agent, storage=1_000_000)
    device = connect(full.phone)
    with pytest.raises(TrialError, match="No space left") as caught:
        put(device, tmp_path, os.urandom(3_000_000))
    assert caught.value.code == "storage_full"
    assert device.shell("ls", FOLDER).output == ""


def test_a_failed_push_that_gives_no_reason_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """adb, in the place of which a fake stands, was seen to count a file before it failed."""
    device = AdbDevice(AdbServer("127.0.0.1", 1), "A")
    said = ["file: 1 file pushed, 0 skipped.", "adb: error: remote No space left on device"]
    monkeypatch.setattr(AdbDevice, "run_program", lambda *_, **__: ShellResult(1, "", said.pop(0)))
    monkeypatch.setattr(AdbDevice, "state", lambda _: "device")
    with pytest.raises(AdbError, match="No space left"):
        device.push(tmp_path / "file", "/data/local/tmp/file", 1)
    assert said == []


def test_a_folder_that_cannot_be_written(pixel: Android, connect: Connect, tmp_path: Path) -> None:
    device = connect(pixel.phone)
    (pixel.phone.data / "local/tmp/mobilebench").write_text("a file where the folder should be")
    with pytest.raises(TrialError) as caught:
        put(device, tmp_path, b"x")
    assert caught.value.code == "push_failed"


def test_a_cut_push_leaves_nothing(any_android: Android, connect: Connect, tmp_path: Path) -> None:
    device = connect(any_android.phone)
    any_android.phone.cable.cut = Cut(1_000_000)
    with pytest.raises(LinkLostError):
        put(device, tmp_path, os.urandom(3_000_000))
    any_android.phone.cable.plug()
    assert device.wait(120)
    assert put(device, tmp_path, b"other")
    names = os.listdir(any_android.phone.data / "local/tmp/mobilebench")
    assert names == [f"{hashlib.sha256(b'other').hexdigest()}.tflite"]


def test_a_push_that_stalls_is_ended(pixel: Android, connect: Connect, tmp_path: Path) -> None:
    device = connect(pixel.phone)
    file = tmp_path / "m"
    file.write_bytes(os.urandom(3_000_000))
    pixel.phone.cable.cut = Cut(1_000_000, how="stall")
    with pytest.raises(DeadlineError, match="adb push"):
        # Time enough to get as far as the cut on a busy machine.
        device.push(file, "/data/local/tmp/m", 5)
    assert pixel.phone.cable.stalled.is_set()


def test_a_slow_link_is_only_slow(pixel: Android, connect: Connect, tmp_path: Path) -> None:
    device = connect(pixel.phone)
    pixel.phone.cable.rate = 8e6
    pixel.phone.cable.latency = 0.02
    assert put(device, tmp_path, os.urandom(2_000_000))


# States.


def test_unauthorized_then_allowed(pixel: Android, adb: AdbServer, connect: Connect) -> None:
    device = connect(pixel.phone)
    pixel.phone.cable.state = "unauthorized"
    adb.disconnect(device.serial)
    adb.connect(device.serial)
    wait_for_state(device, "unauthorized")
    with pytest.raises(UnauthorizedError):
        device.shell("true")
    pixel.phone.cable.allow()
    assert device.wait(120)
    assert adb.devices()


def test_offline(pixel: Android, connect: Connect) -> None:
    device = connect(pixel.phone)
    pixel.phone.cable.unplug()
    wait_for_state(device, "offline")
    with pytest.raises(LinkLostError):
        device.shell("true")
    pixel.phone.cable.plug()
    assert device.wait(120)
