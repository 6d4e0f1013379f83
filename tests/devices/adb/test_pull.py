"""Outputs files fetched over real adb, from devices that lose the link, or lie."""

import hashlib
import os
from pathlib import Path

import pytest
from mobilebench.devices.adb.client import AdbDevice, AdbError, LinkLostError
from mobilebench.devices.adb.remote_store import FOLDER, RemoteStore
from mobilebench.devices.base import TrialError
from mobilebench.devices.linux.board import BoardDevice
from mobilebench.files import sha256_of

from tests.phone.android import Android
from tests.phone.cable import Cut
from tests.phone.fixtures import Connect
from tests.phone.phone import Phone

CONTENT = os.urandom(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = f"{FOLDER}/outputs-1.safetensors"


def write(phone: Phone, content: bytes = CONTENT) -> Path:
    file = phone.folder / PATH[1:]
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return file


def pull(device: AdbDevice, file: Path, path: str = PATH) -> None:
    RemoteStore(device).pull(path, SHA256, len(CONTENT), file)


def test_it_arrives_and_is_removed_there(
    any_android: Android, connect: Connect, tmp_path: Path
) -> None:
    device = connect(any_android.phone)
    there = write(any_android.phone)
    pull(device, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert not there.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (CONTENT + b"!", "more outputs than the 3000000 bytes reported"),
        (CONTENT[:-1], "have 2999999 bytes on the device, and 3000000 were reported"),
        (CONTENT[::-1], "are not those reported"),
        (b"", "have 0 bytes on the device"),
    ],
)
def test_another_file_than_was_reported(
    pixel: Android, connect: Connect, tmp_path: Path, content: bytes, words: str
) -> None:
    device = connect(pixel.phone)
    there = write(pixel.phone, content)
    with pytest.raises(TrialError, match=words) as caught:
        pull(device, tmp_path / "file")
    assert caught.value.code == "pull_failed"
    assert not (tmp_path / "file").exists()
    assert not there.exists()


def test_an_endless_file_is_not_waited_for(
    pixel: Android, connect: Connect, tmp_path: Path
) -> None:
    device = connect(pixel.phone)
    (pixel.phone.folder / FOLDER[1:]).mkdir()
    (pixel.phone.folder / PATH[1:]).symlink_to("/dev/zero")
    with pytest.raises(TrialError, match="more outputs than"):
        pull(device, tmp_path / "file")


@pytest.mark.parametrize("path", ["/data/local/tmp/other", f"{FOLDER}/../a", f"{FOLDER}/$(id)"])
def test_a_path_elsewhere_is_not_touched(
    pixel: Android, connect: Connect, tmp_path: Path, path: str
) -> None:
    device = connect(pixel.phone)
    other = pixel.phone.folder / "data/local/tmp/other"
    other.write_bytes(CONTENT)
    with pytest.raises(TrialError, match="where it was not to write"):
        pull(device, tmp_path / "file", path)
    assert other.exists()


def test_a_file_that_the_shell_cannot_read(
    pixel: Android, connect: Connect, tmp_path: Path
) -> None:
    device = connect(pixel.phone)
    write(pixel.phone).chmod(0)
    with pytest.raises(TrialError, match=r"cannot be read on the device: .*Permission") as caught:
        pull(device, tmp_path / "file")
    assert caught.value.code == "pull_failed"
    with pytest.raises(TrialError, match=r"cannot be read on the device: .*No such file"):
        pull(device, tmp_path / "file")


def test_a_cut_in_the_middle_leaves_the_file_there(
    pixel: Android, connect: Connect, tmp_path: Path
) -> None:
    device = connect(pixel.phone)
    there = write(pixel.phone)
    pixel.phone.cable.cut = Cut(1_000_000, to_phone=False)
    with pytest.raises(LinkLostError):
        pull(device, tmp_path / "file")
    assert there.exists()
    assert list(tmp_path.glob("*file*")) == []


def test_a_board_that_comes_back_is_asked_again(
    board: Phone, connect: Connect, tmp_path: Path
) -> None:
    device = BoardDevice("pi", connect(board), tmp_path / "cache", wait_seconds=120)
    there = write(board)
    board.cable.cut = Cut(1_000_000, to_phone=False, back_after=0.5)
    device.pull(PATH, SHA256, len(CONTENT), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert not there.exists()


def test_what_is_discarded_is_sent_again(
    any_android: Android, connect: Connect, tmp_path: Path
) -> None:
    device = connect(any_android.phone)
    store = RemoteStore(device)
    kept, samples = tmp_path / "a.tflite", tmp_path / "b.safetensors"
    for file in (kept, samples):
        file.write_bytes(os.urandom(1000))
        store.put(file, sha256_of(file))
    folder = any_android.phone.folder / FOLDER[1:]
    for other in (store, RemoteStore(device)):
        other.discard(sha256_of(samples))
        assert [path.suffix for path in folder.iterdir()] == [".tflite"]
        other.put(samples, sha256_of(samples))
        assert len(list(folder.iterdir())) == 2


def test_discarding_on_a_lost_device_says_nothing(pixel: Android, connect: Connect) -> None:
    device = connect(pixel.phone)
    pixel.phone.cable.unplug()
    RemoteStore(device).discard(SHA256)
    with pytest.raises(AdbError):
        device.shell("true")


def test_outputs_of_a_killed_host_are_removed(
    pixel: Android, connect: Connect, tmp_path: Path
) -> None:
    device = connect(pixel.phone)
    old, young = write(pixel.phone), write(pixel.phone).with_name("outputs-2.safetensors")
    young.write_bytes(b"now")
    os.utime(old, (1, 1))
    file = tmp_path / "model.tflite"
    file.write_bytes(b"a model")
    RemoteStore(device).put(file, sha256_of(file))
    assert (old.exists(), young.exists()) == (False, True)
