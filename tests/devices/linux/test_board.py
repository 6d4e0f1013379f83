"""A Linux board over real adb: the agent is pushed there and runs models for real."""

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
from mobilebench.devices.adb.client import AdbDevice, AdbServer
from mobilebench.devices.base import TrialError
from mobilebench.devices.linux.board import BoardDevice
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench_agent.contract import PROTOCOL_VERSION, Event, Job, Result

from tests.phone.fixtures import Connect
from tests.phone.phone import Phone
from tests.phone.server import Server
from tests.support.models import sha256
from tests.support.samples import outputs_from


def job(device: BoardDevice, model: Path, kind: str = "latency", seconds: float = 0.05) -> Job:
    path = device.push(model, sha256(model))
    return Job(
        PROTOCOL_VERSION,
        "run.board.00001",
        kind,
        path,
        sha256(model),
        warmup_seconds=0,
        runs=10,
        seconds=seconds,
    )


def run(device: BoardDevice, model: Path, seconds: float = 0.05) -> tuple[Result, list[Event]]:
    events: list[Event] = []
    return device.run(job(device, model, seconds=seconds), events.append, 60), events


def make(connect: Connect, board: Phone, tmp_path: Path, wait: float = 120) -> BoardDevice:
    return BoardDevice("pi", connect(board), tmp_path / "cache", wait_seconds=wait)


def test_a_trial(connect: Connect, board: Phone, tmp_path: Path, model_file: Path) -> None:
    device = make(connect, board, tmp_path)
    facts = device.probe()
    assert (facts.name, facts.kind) == ("pi", "board")
    assert facts.runtime == "ai-edge-litert"
    assert facts.virtual
    result, events = run(device, model_file)
    assert len(result.samples_ns) >= 10
    assert min(result.samples_ns) > 0
    assert result.delegation["delegated"] > 0
    assert [event.phase for event in events][:1] == ["load"]
    assert result.warnings == ()
    memory = device.run(job(device, model_file, "memory"), lambda _: None, 60)
    assert {metric.name for metric in memory.metrics} >= {"memory_rss", "memory_peak"}


def test_outputs_come_home(
    connect: Connect, board: Phone, tmp_path: Path, model_file: Path
) -> None:
    answers = outputs_from(make(connect, board, tmp_path), model_file, tmp_path)
    assert answers.shape == (5, 10)
    assert np.allclose(answers.sum(axis=1), 1)
    names = {path.suffix for path in (board.data / "local/tmp/mobilebench").iterdir()}
    assert names == {".pyz", ".tflite"}


def test_the_agent_is_sent_once(
    connect: Connect, board: Phone, tmp_path: Path, model_file: Path
) -> None:
    for _ in range(2):
        run(make(connect, board, tmp_path), model_file)
        names = {path.suffix for path in (board.data / "local/tmp/mobilebench").iterdir()}
        assert names == {".pyz", ".tflite"}


def test_a_board_without_python(connect: Connect, board: Phone, tmp_path: Path) -> None:
    device = BoardDevice("pi", connect(board), tmp_path / "cache", python="no-python")
    with pytest.raises(BadInputError, match="no-python"):
        device.probe()


def test_a_board_without_a_runtime(connect: Connect, board: Phone, tmp_path: Path) -> None:
    device = BoardDevice("pi", connect(board), tmp_path / "cache", python="/usr/bin/python3")
    with pytest.raises(BadInputError, match=r"NumPy|ai-edge-litert|exit code"):
        device.probe()


def test_a_board_that_is_not_there(adb: AdbServer, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="not connected: plug it in"):
        BoardDevice("pi", AdbDevice(adb, "nobody"), tmp_path / "cache").probe()


def test_unplugged_in_mid_trial_and_back(
    connect: Connect, board: Phone, tmp_path: Path, model_file: Path
) -> None:
    device = make(connect, board, tmp_path)
    device.probe()
    unplugged: list[str] = []

    def pull(event: Event) -> None:
        if event.phase == "measure" and not unplugged:
            unplugged.append(event.phase)
            board.cable.drop()

    result = device.run(job(device, model_file, seconds=1), pull, 60)
    assert unplugged
    assert result.samples_ns
    assert "the link was lost" in result.warnings[-1]


def test_unplugged_for_good(
    connect: Connect, board: Phone, tmp_path: Path, model_file: Path
) -> None:
    device = make(connect, board, tmp_path, wait=0.5)
    device.probe()
    planned = job(device, model_file, seconds=1)
    with pytest.raises(InvalidRunError, match=r"'pi' .* did not come back within 0\.5 s"):
        device.run(planned, lambda _: board.cable.unplug(), 60)


def test_rebooted_in_mid_trial(
    connect: Connect, board: Phone, tmp_path: Path, model_file: Path
) -> None:
    device = make(connect, board, tmp_path)
    device.probe()
    rebooted: list[str] = []

    def reboot(event: Event) -> None:
        if event.phase == "measure" and not rebooted:
            rebooted.append(event.phase)
            board.reboot()

    result = device.run(job(device, model_file, seconds=1), reboot, 60)
    assert "the device restarted" in result.warnings[-1]


def test_the_link_breaks_in_every_attempt(
    connect: Connect, board: Phone, tmp_path: Path, model_file: Path
) -> None:
    device = make(connect, board, tmp_path)
    device.probe()
    with pytest.raises(TrialError) as caught:
        device.run(job(device, model_file, seconds=1), lambda _: board.cable.drop(), 60)
    assert caught.value.code == "link_lost"


def test_the_adb_server_dies_in_mid_trial(
    connect: Connect, board: Phone, tmp_path: Path, model_file: Path, adb_process: Server
) -> None:
    device = make(connect, board, tmp_path)
    device.probe()
    killed: list[str] = []

    def kill(event: Event) -> None:
        if event.phase == "measure" and not killed:
            killed.append(event.phase)
            adb_process.kill()
            adb_process.start()

    result = device.run(job(device, model_file, seconds=1), kill, 60)
    assert "the link was lost" in result.warnings[-1]


@pytest.mark.alone
def test_a_hung_agent_is_ended_on_the_board(
    connect: Connect, board: Phone, tmp_path: Path, model_file: Path
) -> None:
    there = connect(board)
    device = BoardDevice("pi", there, tmp_path / "cache")
    device.probe()

    def runs_there() -> bool:
        return ".pyz" in there.script("cat /proc/[0-9]*/cmdline").output

    seen: list[bool] = []
    with pytest.raises(TrialError) as caught:
        device.run(job(device, model_file, seconds=60), lambda _: seen.append(runs_there()), 4)
    assert caught.value.code == "timeout"
    assert any(seen)
    end = time.monotonic() + 120
    while runs_there():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_model_that_was_tampered_with(
    connect: Connect, board: Phone, tmp_path: Path, model_file: Path
) -> None:
    device = make(connect, board, tmp_path)
    planned = job(device, model_file)
    stored = board.folder / planned.model[1:]
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.write_bytes(content)
    assert hashlib.sha256(content).hexdigest() != planned.model_sha256
    with pytest.raises(TrialError) as caught:
        device.run(planned, lambda _: None, 60)
    assert caught.value.code == "model_corrupt"
