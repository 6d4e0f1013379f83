"""A machine behind ssh: the real ssh client, a real dropbear, real inference."""

import hashlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from mobilebench.devices.base import TrialError
from mobilebench.devices.linux.ssh_board import SshBoardDevice
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.runs.selection import choose_devices, open_device
from mobilebench_agent.contract import PROTOCOL_VERSION, Event, Job

from tests.phone import needs
from tests.phone.ssh import HOST, ssh_program
from tests.phone.system import System
from tests.support.models import sha256
from tests.support.samples import outputs_from


@pytest.fixture
def program(phone_system: System, tmp_path: Path) -> list[str]:
    needs.programs("ssh", "ssh-keygen")
    return ssh_program(tmp_path / "board", phone_system)


def make(program: list[str], tmp_path: Path, python: str = "/system/bin/python3") -> SshBoardDevice:
    return SshBoardDevice("pi", f"ssh://{HOST}", tmp_path / "cache", python, program)


def plan(device: SshBoardDevice, model: Path, seconds: float = 0.05) -> Job:
    return Job(
        PROTOCOL_VERSION,
        "run.pi.00001",
        "latency",
        device.push(model, sha256(model)),
        sha256(model),
        warmup_seconds=0,
        runs=10,
        seconds=seconds,
    )


def stored(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "board/data/home/.cache/mobilebench/device").iterdir())


def test_a_trial(program: list[str], tmp_path: Path, model_file: Path) -> None:
    device = make(program, tmp_path)
    facts = device.probe()
    assert (facts.kind, facts.runtime) == ("board", "ai-edge-litert")
    assert facts.virtual
    result = device.run(plan(device, model_file), lambda _: None, 60)
    assert len(result.samples_ns) >= 10
    assert {path.suffix for path in stored(tmp_path)} == {".pyz", ".tflite"}
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in stored(tmp_path))


def test_outputs_come_home(program: list[str], tmp_path: Path, model_file: Path) -> None:
    answers = outputs_from(make(program, tmp_path), model_file, tmp_path)
    assert answers.shape == (5, 10)
    assert np.allclose(answers.sum(axis=1), 1)
    assert {path.suffix for path in stored(tmp_path)} == {".pyz", ".tflite"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"right", ""),
        (b"wrong", "are not those reported"),
        (b"right, and more", "more outputs than the 5 bytes reported"),
        (b"", "are not those reported"),
        (None, "cannot be read there: .*No such file"),
    ],
)
def test_outputs_are_not_trusted(
    program: list[str], tmp_path: Path, model_file: Path, content: bytes | None, words: str
) -> None:
    device = make(program, tmp_path)
    folder = device.push(model_file, sha256(model_file)).rpartition("/")[0]
    there = stored(tmp_path)[0].with_name("outputs-1")
    if content is not None:
        there.write_bytes(content)
    digest, file = hashlib.sha256(b"right").hexdigest(), tmp_path / "file"
    if words:
        with pytest.raises(TrialError, match=words) as caught:
            device.pull(f"{folder}/outputs-1", digest, 5, file)
        assert caught.value.code == "pull_failed"
    else:
        device.pull(f"{folder}/outputs-1", digest, 5, file)
    assert file.exists() == (not words)
    assert not there.exists()
    for path in (f"{folder}/../secret", "/etc/hostname", f"/a/../..{folder}/outputs-1"):
        with pytest.raises(TrialError, match="where it was not to write"):
            device.pull(path, digest, 5, file)


def test_outputs_of_a_killed_agent_are_removed(
    program: list[str], tmp_path: Path, model_file: Path
) -> None:
    make(program, tmp_path).push(model_file, sha256(model_file))
    (model,) = stored(tmp_path)
    old, young = (model.with_name(f"outputs-{n}.safetensors") for n in (1, 2))
    for path in (old, young):
        path.write_bytes(b"a part")
    os.utime(old, (1, 1))
    make(program, tmp_path).push(model_file, sha256(model_file))
    assert stored(tmp_path) == sorted([model, young])


def test_a_changed_file_is_sent_again(program: list[str], tmp_path: Path, model_file: Path) -> None:
    make(program, tmp_path).push(model_file, sha256(model_file))
    (path,) = stored(tmp_path)
    path.write_bytes(b"stale")
    make(program, tmp_path).push(model_file, sha256(model_file))
    assert path.read_bytes() == model_file.read_bytes()


def test_what_arrives_is_checked(program: list[str], tmp_path: Path, model_file: Path) -> None:
    device = make(program, tmp_path)
    with pytest.raises(TrialError) as caught:
        device.push(model_file, "0" * 64)
    assert caught.value.code == "push_failed"
    assert stored(tmp_path) == []


def test_no_python(program: list[str], tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no-python"):
        make(program, tmp_path, "no-python").probe()


def test_no_such_host(tmp_path: Path) -> None:
    needs.programs("ssh")
    device = SshBoardDevice("pi", "ssh://host.invalid", tmp_path / "cache")
    with pytest.raises(BadInputError, match=r"device 'pi' \(ssh://host\.invalid\): "):
        device.probe()


def test_a_key_that_is_not_accepted(program: list[str], tmp_path: Path) -> None:
    (tmp_path / "board/data/ssh/authorized_keys").write_text("")
    with pytest.raises(BadInputError, match="Permission denied"):
        make(program, tmp_path).probe()


def test_the_connection_breaks_once(program: list[str], tmp_path: Path, model_file: Path) -> None:
    device = make(program, tmp_path)
    device.probe()
    broken: list[str] = []

    def cut(event: Event) -> None:
        if event.phase == "measure" and not broken:
            broken.append(event.phase)
            end_connections(tmp_path)

    result = device.run(plan(device, model_file, seconds=1), cut, 60)
    assert "the link was lost" in result.warnings[-1]


def test_the_machine_goes_away(program: list[str], tmp_path: Path, model_file: Path) -> None:
    device = make(program, tmp_path)
    planned = plan(device, model_file, seconds=1)

    def go(_: Event) -> None:
        (tmp_path / "board/server.py").write_text("")
        end_connections(tmp_path)

    with pytest.raises(InvalidRunError, match="was lost"):
        device.run(planned, go, 60)


def end_connections(tmp_path: Path) -> None:
    """Ends the servers of this test's machine, by their ids: those whose root is its folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--unshare-user" in words and str(tmp_path / "board/data").encode() in words:
            os.kill(int(process.name), signal.SIGKILL)


@pytest.mark.parametrize(
    "address", ["ssh://", "ssh://h/path", "ssh://u:secret@h", "ssh://h:x", "http://h", "h"]
)
def test_addresses_that_are_none(address: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError):
        SshBoardDevice("pi", address, tmp_path / "cache")


@pytest.mark.parametrize("kind", ["ssh", "board"])
def test_opening(kind: str) -> None:
    """In earlier versions a suite wrote it as a board."""
    device = open_device(DeviceSpec(name="pi", kind=kind, address="ssh://-oProxyCommand=x"))
    assert isinstance(device, SshBoardDevice)
    # The name is a host's, whatever it looks like.
    with pytest.raises(BadInputError):
        device.probe()


def test_on_the_command_line() -> None:
    needs_no_adb = choose_devices(["ssh://pi@berry.local:2222"], ["thermal"])
    (spec,) = needs_no_adb
    assert (spec.name, spec.kind, spec.allow) == ("berry.local", "ssh", ("thermal",))
    assert spec.address == "ssh://pi@berry.local:2222"
    with pytest.raises(BadInputError, match="is not of the form ssh://"):
        choose_devices(["ssh://berry/folder"], [])
    with pytest.raises(BadInputError, match=r"behind ssh\), which has no 'binary'"):
        choose_devices(["ssh://berry"], [], Path("benchmark_model"))
