"""Leases of one device: who has it, who is refused, and when it is free again."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mobilebench.devices import lease_script
from mobilebench.devices.adb.client import AdbDevice, AdbServer
from mobilebench.devices.adb.lease import AdbPlace, holder_of
from mobilebench.devices.android.device import AndroidDevice
from mobilebench.devices.lease import Holder, Lease, NoLeaseError, TakenError, UnreachableError
from mobilebench.devices.linux.ssh_lease import SshPlace
from mobilebench.devices.local import lease as local_lease
from mobilebench.devices.local.lease import LocalPlace
from mobilebench.devices.sent_files import Removed
from mobilebench.runs.leases import Leases

from tests.phone import needs
from tests.phone.android import Android
from tests.phone.fixtures import Connect
from tests.phone.phone import Phone
from tests.phone.server import Server
from tests.phone.ssh import HOST, ssh_program
from tests.phone.system import System
from tests.support.models import sha256

ANN = Holder("ann", "laptop", "12", "2026-02-03T04:05:06+00:00", "a1")
BOB = Holder("bob o'neill $(reboot) \\n", "ci;", "13", "2026-02-03T04:05:07+00:00", "b2")


@pytest.fixture
def other_server(tmp_path: Path, adb: AdbServer) -> Iterator[AdbServer]:
    """A second host: an adb server of its own."""
    (tmp_path / "other").mkdir()
    server = Server(tmp_path / "other")
    yield AdbServer(adb.host, server.port)
    server.close()


def places(device: AdbDevice, other: AdbServer) -> tuple[AdbPlace, AdbPlace]:
    """The same phone as two hosts see it."""
    other.connect(device.serial)
    theirs = AdbDevice(other, device.serial)
    assert theirs.wait(120)
    return AdbPlace("phone", device), AdbPlace("phone", theirs)


def test_one_phone_and_two_hosts(pixel: Android, connect: Connect, other_server: AdbServer) -> None:
    device = connect(pixel.phone)
    ours, theirs = places(device, other_server)
    assert holder_of(device) is None
    lease = ours.take(ANN)
    assert lease.ensure()
    assert lease.ensure()
    with pytest.raises(TakenError, match=r"taken by ann@laptop \(process 12, since 2026") as caught:
        theirs.take(BOB)
    assert (caught.value.code, caught.value.holder) == ("taken", ANN)
    assert holder_of(theirs.device) == ANN
    lease.release()
    lease.release()
    assert holder_of(device) is None
    lease = theirs.take(BOB)
    assert holder_of(device) == BOB
    lease.release()


def test_old_phones_and_boards(board: Phone, connect: Connect) -> None:
    """Another shell, and another flock."""
    place = AdbPlace("pi", connect(board))
    lease = place.take(ANN)
    with pytest.raises(TakenError, match="ann@laptop"):
        place.take(BOB)
    assert lease.ensure()
    lease.release()
    place.take(BOB).release()


def test_a_killed_host_frees_its_phone(pixel: Android, connect: Connect) -> None:
    device = connect(pixel.phone)
    script = (
        "import sys, time; from mobilebench.devices.adb.client import AdbDevice, AdbServer; "
        "from mobilebench.devices.adb.lease import AdbPlace; "
        "from mobilebench.devices.lease import Holder; "
        "lease = AdbPlace('phone', AdbDevice(AdbServer(sys.argv[1], int(sys.argv[2])), "
        "sys.argv[3])).take(Holder.here()); print('held', flush=True); time.sleep(600)"
    )
    words = [device.server.host, str(device.server.port), device.serial]
    with subprocess.Popen(
        [sys.executable, "-c", script, *words], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        found = holder_of(device)
        assert found is not None
        assert found.pid == str(other.pid)
        other.kill()
    place = AdbPlace("phone", device)
    lease = until_free(place)
    lease.release()


def until_free(place: AdbPlace) -> Lease:
    for _ in range(600):
        try:
            return place.take(BOB)
        except TakenError:
            threading.Event().wait(0.1)
    raise AssertionError("it never got free")


def test_a_pulled_cable(pixel: Android, connect: Connect) -> None:
    """Nobody else came meanwhile: it is the same lease."""
    device = connect(pixel.phone)
    lease = AdbPlace("phone", device).take(ANN)
    pixel.phone.cable.drop()
    assert device.wait(120)
    assert lease.ensure()
    assert holder_of(device) == ANN
    lease.release()


def test_somebody_came_while_the_cable_was_pulled(
    pixel: Android, connect: Connect, other_server: AdbServer
) -> None:
    device = connect(pixel.phone)
    ours, theirs = places(device, other_server)
    lease = ours.take(ANN)
    pixel.phone.cable.drop()
    assert theirs.device.wait(120)
    rival = until_free(theirs)
    assert device.wait(120)
    with pytest.raises(TakenError, match="taken by bob o'neill"):
        lease.ensure()
    rival.release()
    assert not lease.ensure()
    assert lease.ensure()
    lease.release()


def test_a_half_open_connection_ends(
    pixel: Android,
    connect: Connect,
    other_server: AdbServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host that has gone without a word: its stream is open, and says nothing."""
    ours, theirs = places(connect(pixel.phone), other_server)
    gone = ours.take(ANN)
    with pytest.raises(TakenError):
        theirs.take(BOB)
    monkeypatch.setattr(lease_script, "STALE_SECONDS", 0)
    lease = until_free(theirs)
    assert lease.ensure()
    with pytest.raises(TakenError, match="bob"):
        gone.ensure()
    lease.release()
    gone.release()


def test_a_phone_that_is_gone(pixel: Android, connect: Connect) -> None:
    device = connect(pixel.phone)
    pixel.phone.stop()
    with pytest.raises(UnreachableError):
        AdbPlace("phone", device).take(ANN)


@pytest.mark.parametrize("content", ["", "held a[$(reboot)] b[0] x", "\0\xff" * 99])
def test_what_stands_in_the_file_is_not_trusted(
    pixel: Android, connect: Connect, content: str
) -> None:
    device = connect(pixel.phone)
    file = pixel.phone.data / "local/tmp/mobilebench/lease"
    file.parent.mkdir()
    file.write_text(content)
    assert holder_of(device) is None
    lease = AdbPlace("phone", device).take(ANN)
    file.write_text(content)
    with pytest.raises(TakenError):
        AdbPlace("phone", device).take(BOB)
    lease.release()
    assert not [call for call in pixel.phone.calls if "reboot" in call]


def test_behind_ssh(phone_system: System, tmp_path: Path) -> None:
    needs.programs("ssh", "ssh-keygen")
    program = ssh_program(tmp_path / "board", phone_system)
    place = SshPlace("pi", (*program, HOST), "/data/home/lease")
    lease = place.take(ANN)
    # Another connection: the sandbox's processes do not see each other's, and so not who it is.
    with pytest.raises(TakenError):
        place.take(BOB)
    assert lease.ensure()
    lease.release()
    place.take(BOB).release()


def test_this_machine() -> None:
    place = LocalPlace("local")
    lease = place.take(mine := Holder.here())
    assert lease.ensure()
    assert local_lease.holder() == mine
    with pytest.raises(TakenError, match=f"device 'local' is taken by .*process {os.getpid()}"):
        place.take(BOB)
    lease.release()
    lease.release()
    assert local_lease.holder() is None
    place.take(BOB).release()


def test_a_process_that_was_killed_has_nothing() -> None:
    script = (
        "import time; from mobilebench.devices.lease import Holder; "
        "from mobilebench.devices.local.lease import LocalPlace; "
        "lease = LocalPlace('local').take(Holder.here()); print('held', flush=True); "
        "time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        found = local_lease.holder()
        assert found is not None
        assert found.pid == str(other.pid)
        other.send_signal(signal.SIGKILL)
    assert local_lease.holder() is None
    LocalPlace("local").take(ANN).release()


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "folder", "fifo"])
def test_the_lock_is_no_way_into_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Everybody may write to the temporary folder."""
    monkeypatch.setenv("MOBILEBENCH_LEASES", str(tmp_path))
    secret = tmp_path / "secret"
    secret.write_text("mine")
    file = local_lease.file()
    if kind == "symlink":
        file.symlink_to(secret)
    elif kind == "hardlink":
        file.hardlink_to(secret)
    elif kind == "fifo":
        os.mkfifo(file)
    else:
        file.mkdir()
    with pytest.raises(NoLeaseError, match="cannot be used"):
        LocalPlace("local").take(ANN)
    assert secret.read_text() == "mine"


@pytest.mark.parametrize("keep", [0, 1000])
def test_files_that_were_sent_are_removed(
    pixel: Android, connect: Connect, model_file: Path, keep: int
) -> None:
    """A quota keeps those that were used last."""
    device = AndroidDevice("phone", connect(pixel.phone), None)
    folder = pixel.phone.data / "local/tmp/mobilebench"
    device.push(model_file, digest := sha256(model_file))
    (small := folder / f"{'b' * 64}.safetensors").write_bytes(bytes(900))
    os.utime(folder / f"{digest}.tflite", (1, 1))
    with Leases(leaves_files=True) as leases:
        leases.take(device)
        removed = device.clean(keep)
    left = {path.name for path in folder.iterdir()}
    if keep:
        assert removed == Removed(1, model_file.stat().st_size, 900)
        assert left == {"lease", small.name}
    else:
        assert removed == Removed(2, model_file.stat().st_size + 900, 0)
        assert left == {"lease"}
    # It is looked for anew, and what a run leaves is removed as the device is given back.
    device.push(model_file, digest)
    with Leases() as leases:
        leases.take(device)
        assert (folder / f"{digest}.tflite").exists()
    assert {path.name for path in folder.iterdir()} == {"lease"}
