"""Whole runs that something happens to: the exit code, the sentence, and no finished trial lost."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.devices import lease_script
from mobilebench.devices.adb import remote_store
from mobilebench.devices.adb.client import AdbDevice, AdbServer
from mobilebench.devices.android import device as phone_device
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.device import AndroidDevice
from mobilebench.errors import DeviceError, InterruptedRunError, InvalidRunError
from mobilebench.runs import leases
from mobilebench.runs import run as runs
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import Suite

from tests.phone import apps, personalities, system
from tests.phone.android import PACKAGE, Android, Package
from tests.phone.cable import Cut
from tests.phone.fixtures import Connect
from tests.phone.server import Server
from tests.support.android import wait_for_state
from tests.support.models import MODELS
from tests.support.watcher import BEGIN, Watcher


def nothing() -> None: ...


def suite(*serials: str, blocks: int = 3, cooldown: float = 0.0) -> Suite:
    return Suite.model_validate(
        {
            "name": "faults",
            "protocol": {
                "blocks": blocks,
                "warmup_seconds": 0,
                "seconds": 0.1,
                "runs": 10,
                "cooldown_seconds": cooldown,
            },
            "models": [
                {
                    "name": "small",
                    "source": str(MODELS / "small.tflite"),
                    "ready": {"int8": str(MODELS / "small_int8.tflite")},
                }
            ],
            "devices": [
                {"name": f"phone-{number}", "kind": "android", "address": serial}
                for number, serial in enumerate(serials)
            ],
        }
    )


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = functools.partial(AndroidDevice, wait_seconds=1.0, cool_seconds=0.0)
    monkeypatch.setattr(phone_device, "AndroidDevice", impatient)


@pytest.fixture
def phones(phone_system: system.System, tmp_path: Path, connect: Connect) -> list[Android]:
    made = [
        personalities.pixel(tmp_path / "pixel", phone_system, apps.agent),
        personalities.samsung(tmp_path / "samsung", phone_system, apps.agent),
    ]
    for android in made:
        apk = Apk.described()
        android.know(apk.path, Package(apk.version))
        android.installed[PACKAGE] = Package(apk.version)
        connect(android.phone)
    return made


def serials(phones: list[Android]) -> list[str]:
    return [android.phone.serial for android in phones]


def states(folder: RunFolder) -> list[str]:
    return [record.state for record in folder.trials()]


def interrupted(results: Path, watcher: Watcher, plan: Suite) -> tuple[RunFolder, str]:
    """Runs it into the fault, and returns what is left with the error's sentence."""
    with pytest.raises(InvalidRunError) as caught:
        runs.start(plan, results, ["test"], watcher)
    (path,) = results.iterdir()
    folder = RunFolder.open(path)
    assert folder.run().state == "interrupted"
    assert f"go on with: mobilebench run --resume {path}" in str(caught.value)
    return folder, str(caught.value)


def finish(folder: RunFolder) -> None:
    """Resumes it: what was finished stays as it is, byte for byte."""
    trials = folder.path / "trials.jsonl"
    before = trials.read_bytes() if trials.exists() else b""
    runs.resume(folder.path, Watcher())
    assert trials.read_bytes().startswith(before)
    assert folder.run().state == "finished"
    names = [record.trial for record in folder.trials()]
    assert sorted(names) == sorted(entry.trial for entry in folder.run().plan)
    assert set(states(folder)) == {"valid"}
    assert runs.exit_code(folder) == 0


def test_unplugged_for_good_then_resumed(phones: list[Android], adb: Any, tmp_path: Path) -> None:
    pixel, _ = phones
    watcher = Watcher(pixel.phone.cable.unplug, 4, "measure")
    folder, sentence = interrupted(tmp_path / "results", watcher, suite(pixel.phone.serial))
    assert "did not come back within 1 s" in sentence
    assert states(folder) == ["valid"] * 4
    pixel.phone.cable.plug()
    assert AdbDevice(adb, pixel.phone.serial).wait(120)
    finish(folder)


def test_resumed_under_another_serial(
    phones: list[Android], adb: AdbServer, tmp_path: Path
) -> None:
    """Unplugged, and connected over the air: another serial of adb's, and the same phone."""
    pixel, _ = phones
    watcher = Watcher(pixel.phone.cable.unplug, 4, "measure")
    folder, _ = interrupted(tmp_path / "results", watcher, suite(pixel.phone.serial))
    adb.disconnect(pixel.phone.serial)
    pixel.phone.cable.plug()
    air = pixel.phone.serial.replace("127.0.0.1", "localhost")
    adb.connect(air)
    assert AdbDevice(adb, air).wait(120)
    try:
        finish(folder)
    finally:
        adb.disconnect(air)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"level": 11}, "its battery is at 11 %"),
        ({"thermal_status": 2}, "throttled by heat"),
        ({"power_save": "1"}, "battery saver is on"),
        ({"locked": True}, "it is locked"),
    ],
)
def test_a_phone_that_fails_preflight_then_resumed(
    phones: list[Android], tmp_path: Path, values: dict[str, object], words: str
) -> None:
    pixel, _ = phones
    well = {name: getattr(pixel.state, name) for name in values}
    watcher = Watcher(lambda: pixel.state.__dict__.update(values), 3)
    folder, sentence = interrupted(tmp_path / "results", watcher, suite(pixel.phone.serial))
    assert words in sentence
    hot = ["invalid"] if "thermal_status" in values else []
    assert states(folder) == ["valid"] * 3 + hot
    assert [record.code for record in folder.trials()][3:] == ["too_hot"] * len(hot)
    pixel.state.__dict__.update(well)
    finish(folder)


@pytest.mark.parametrize("what", ["cable", "reboot", "server", "server between trials"])
def test_what_passes_costs_no_trial(
    phones: list[Android],
    adb_process: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    pixel, _ = phones
    monkeypatch.setattr(
        phone_device, "AndroidDevice", functools.partial(AndroidDevice, wait_seconds=60.0)
    )

    def restart() -> None:
        adb_process.kill()
        adb_process.start()

    actions = {"cable": pixel.phone.cable.drop, "reboot": pixel.phone.reboot}
    phase = "" if "between" in what else "measure"
    watcher = Watcher(actions.get(what, restart), 4, phase)
    try:
        folder = runs.start(suite(pixel.phone.serial), tmp_path / "results", ["test"], watcher)
    finally:
        if "server" in what:
            # A server ends with the thread that started it: here, the phone's.
            adb_process.close()
            adb_process.start()
    assert states(folder) == ["valid"] * 10
    assert runs.exit_code(folder) == 0
    if phase:
        assert "and it was repeated" in folder.trials()[4].warnings[-1]


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("unauthorized", 2, "unlock the phone and allow"),
        ("offline", 2, "is offline"),
        ("newer app", 2, "update MobileBench, or remove the app"),
        ("other key", 2, "signed with another key"),
        ("INSTALL_FAILED_INSUFFICIENT_STORAGE", 2, "its storage is full"),
        ("locked", 4, "it is locked: unlock it"),
        ("power save", 4, "battery saver is on"),
    ],
)
def test_nothing_starts(
    phones: list[Android],
    adb: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    code: int,
    words: str,
) -> None:
    monkeypatch.setattr(phone_device, "AndroidDevice", AndroidDevice)
    pixel, _ = phones
    serial = pixel.phone.serial
    if what == "unauthorized":
        pixel.phone.cable.state = "unauthorized"
        pixel.phone.cable.drop()
        wait_for_state(AdbDevice(adb, serial), "unauthorized")
    elif what == "offline":
        pixel.phone.cable.unplug()
        wait_for_state(AdbDevice(adb, serial), "offline")
    elif what == "newer app":
        pixel.installed[PACKAGE] = Package(Apk.described().version + 1)
    elif what == "other key":
        pixel.installed[PACKAGE] = Package(1, "theirs")
    elif what.startswith("INSTALL"):
        del pixel.installed[PACKAGE]
        pixel.install_failure = what
    elif what == "locked":
        pixel.state.locked = True
    else:
        pixel.state.power_save = "1"
    words_given = ["run", str(MODELS / "small.tflite"), "--device", serial]
    shown = CliRunner().invoke(main, [*words_given, "--results", str(tmp_path / "results")])
    assert shown.exit_code == code, shown.output
    assert words in " ".join(shown.output.split())
    assert not [*(tmp_path / "results").glob("*")]


def test_one_phone_of_two_is_lost(phones: list[Android], adb: Any, tmp_path: Path) -> None:
    pixel, _ = phones
    watcher = Watcher(pixel.phone.cable.unplug, 2)
    folder = runs.start(suite(*serials(phones)), tmp_path / "results", ["test"], watcher)
    (missing,) = folder.run().missing
    assert (missing.device, missing.code) == ("phone-0", "lost")
    assert "did not come back" in missing.reason
    assert runs.exit_code(folder) == 4
    of_the_other = [r for r in folder.trials() if r.device == "phone-1"]
    assert len(of_the_other) == 10
    pixel.phone.cable.plug()
    assert AdbDevice(adb, pixel.phone.serial).wait(120)
    finish(folder)


@pytest.mark.parametrize("what", ["unplugged", "silent"])
def test_the_user_stops_while_a_file_is_sent(
    phones: list[Android],
    adb: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    """Whatever a phone is waited for, Ctrl-C is heard, and not when the waiting is over."""
    pixel, _ = phones
    patience = 600.0
    # So soon a phone takes a holder that says nothing for one that is no longer there.
    monkeypatch.setattr(lease_script, "STALE_SECONDS", 5)
    monkeypatch.setattr(remote_store, "_LEAST_SECONDS", patience)
    monkeypatch.setattr(
        phone_device, "AndroidDevice", functools.partial(AndroidDevice, wait_seconds=patience)
    )
    begun: list[float] = []

    def spoil() -> None:
        begun.append(time.monotonic())
        if what == "unplugged":
            pixel.phone.cable.unplug()
        else:
            pixel.phone.cable.cut = Cut(0, how="stall")
        main_thread = threading.main_thread().ident
        assert main_thread
        threading.Timer(1.0, signal.pthread_kill, (main_thread, signal.SIGINT)).start()

    watcher = Watcher(spoil, 0, BEGIN)
    plan = suite(pixel.phone.serial, blocks=1)
    with pytest.raises(InterruptedRunError, match="with 0 of 6 trials finished"):
        runs.start(plan, tmp_path / "results", ["test"], watcher)
    # Far from both limits: that of a lost phone, and a silent one's.
    assert time.monotonic() - begun[0] < patience / 2
    pixel.phone.cable.drop()
    pixel.phone.cable.plug()
    assert AdbDevice(adb, pixel.phone.serial).wait(120)
    finish(RunFolder.open(next((tmp_path / "results").iterdir())))


class Heating(Watcher):
    """A phone that gets hot, or is plugged, in the middle of a trial; and then is well again."""

    def __init__(self, times: int, disturb: Callable[[], object], rest: Callable[[], object]):
        super().__init__()
        self.times, self.disturb, self.rest = times, disturb, rest
        self.waited: list[str] = []

    def on_event(self, event: Any) -> None:
        if event.phase == "measure" and len(self.records) >= 3 and self.times:
            self.times -= 1
            self.disturb()
        if event.phase.startswith("cooling: "):
            self.waited.append(event.phase)
            self.rest()


@pytest.mark.parametrize("times", [1, 3])
def test_a_phone_that_heats_up(phones: list[Android], tmp_path: Path, times: int) -> None:
    pixel, _ = phones
    watcher = Heating(
        times,
        lambda: pixel.state.__dict__.update(thermal_status=3, skin=47.2),
        lambda: pixel.state.__dict__.update(thermal_status=0, skin=33.0),
    )
    plan = suite(pixel.phone.serial, cooldown=60)
    folder = runs.start(plan, tmp_path / "results", ["test"], watcher)
    attempts = folder.attempts()
    invalid = [record for record in attempts if record.state == "invalid"]
    assert [(r.trial, r.attempt, r.code) for r in invalid] == [
        (attempts[4].trial, number, "throttled") for number in range(1, times + 1)
    ]
    assert "it is throttled by heat (thermal status 3)" in invalid[0].reason
    told = {m.name: m.value for m in invalid[0].metrics}
    assert (told["thermal_status_before"], told["thermal_status_after"]) == (0, 3)
    assert watcher.waited[0].startswith("cooling: thermal status 3, ")
    # Each trial counts once, in the plan's order, with its own samples.
    trials = folder.trials()
    assert [r.trial for r in trials] == [p.trial for p in folder.run().plan]
    samples = dict(folder.samples())
    assert sorted(samples) == sorted(r.trial for r in trials if r.kind == "latency")
    assert all(samples[r.trial].size == r.samples for r in trials if r.kind == "latency")
    raw = [name for name, _ in folder.attempt_timings()]
    assert len(raw) == len(samples) + min(times, 2)
    assert trials[4].state == ("valid" if times == 1 else "invalid")
    assert runs.exit_code(folder) == (0 if times == 1 else 4)
    words = " ".join(summary_of(folder).warnings)
    assert ("had to be repeated" if times == 1 else "1 of 10 trials are INVALID") in words


def test_heat_is_what_a_sustained_trial_is_about(phones: list[Android], tmp_path: Path) -> None:
    pixel, _ = phones
    watcher = Heating(
        1,
        lambda: pixel.state.__dict__.update(thermal_status=3),
        lambda: pixel.state.__dict__.update(thermal_status=0),
    )
    watcher.records = [None] * 3  # type: ignore[list-item] (from the first trial on)
    plan = suite(pixel.phone.serial, cooldown=60)
    protocol = plan.protocol.model_copy(update={"sustained_minutes": 1 / 60, "blocks": 1})
    plan = plan.model_copy(update={"protocol": protocol})
    folder = runs.start(plan, tmp_path / "results", ["test"], watcher)
    assert [(r.state, r.attempt) for r in folder.trials()] == [("valid", 1)] * 6
    told = [r.warnings for r in folder.trials() if r.kind == "latency"]
    assert sorted(told) == [
        (),
        ("at its end it is throttled by heat (thermal status 3): let it cool down",),
    ]
    assert watcher.waited


def test_a_plug_that_is_pulled_in_mid_trial(phones: list[Android], tmp_path: Path) -> None:
    pixel, _ = phones
    watcher = Heating(1, lambda: setattr(pixel.state, "plugged", False), nothing)
    folder = runs.start(suite(pixel.phone.serial), tmp_path / "results", ["test"], watcher)
    (invalid,) = [record for record in folder.attempts() if record.state == "invalid"]
    assert invalid.code == "plug_changed"
    assert invalid.reason == "it was plugged in or unplugged meanwhile"
    assert set(states(folder)) == {"valid"}
    assert runs.exit_code(folder) == 0


def test_a_run_that_ends_between_two_attempts(phones: list[Android], tmp_path: Path) -> None:
    """What was invalid before is counted, and not measured a fourth time."""
    pixel, _ = phones
    watcher = Heating(9, lambda: pixel.state.__dict__.update(thermal_status=3), nothing)
    folder, sentence = interrupted(tmp_path / "results", watcher, suite(pixel.phone.serial))
    assert "throttled by heat" in sentence
    invalid = folder.trials()[-1]
    assert [(r.attempt, r.code) for r in folder.attempts()][4:] == [
        (1, "throttled"),
        (2, "too_hot"),
    ]
    pixel.state.thermal_status = 0
    finish(folder)
    again = [r for r in folder.attempts() if r.trial == invalid.trial]
    assert [(r.attempt, r.state) for r in again] == [
        (1, "invalid"),
        (2, "invalid"),
        (3, "valid"),
    ]


def test_the_app_crashes_once(phones: list[Android], tmp_path: Path) -> None:
    pixel, _ = phones
    watcher = Watcher(lambda: pixel.kill_app("APP CRASH(NATIVE)"), 4, "measure")
    folder = runs.start(suite(pixel.phone.serial), tmp_path / "results", ["test"], watcher)
    assert states(folder) == ["valid"] * 4 + ["failed"] + ["valid"] * 5
    assert folder.trials()[4].code == "app_crashed"
    assert runs.exit_code(folder) == 1


def test_the_host_is_killed_then_resumed(phones: list[Android], tmp_path: Path) -> None:
    pixel, _ = phones
    file = tmp_path / "suite.json"
    file.write_text(suite(pixel.phone.serial, blocks=5).model_dump_json())
    script = (
        "import sys; from pathlib import Path; from mobilebench.runs import run; "
        "from mobilebench.suite.schema import Suite; "
        "from mobilebench.cli.terminal import RunDisplay; "
        "from rich.console import Console\n"
        "with RunDisplay(Console(stderr=True)) as display: run.start("
        "Suite.model_validate_json(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), [], display)"
    )
    results = tmp_path / "results"
    host = subprocess.Popen(
        [sys.executable, "-c", script, str(file), str(results)],
        cwd=Path(__file__).parents[3],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 200
        while (
            not (lines := [*results.glob("*/trials.jsonl")])
            or len(lines[0].read_bytes().splitlines()) < 3
        ):
            assert host.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        os.killpg(host.pid, signal.SIGKILL)
        host.wait()
    (path,) = results.iterdir()
    folder = RunFolder.open(path)
    assert 3 <= len(folder.trials()) < 44
    finish(folder)


def test_two_hosts_on_one_phone_lose_no_trial(
    phones: list[Android], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs, each with an adb server of its own: the second waits for the first to end."""
    pixel, _ = phones
    monkeypatch.setattr(leases, "_POLL_SECONDS", 0.3)
    (tmp_path / "other").mkdir()
    server = Server(tmp_path / "other")
    AdbServer("127.0.0.1", server.port).connect(pixel.phone.serial)
    theirs = f"adb://127.0.0.1:{server.port}/{pixel.phone.serial}"
    assert AdbDevice(AdbServer("127.0.0.1", server.port), pixel.phone.serial).wait(120)
    found: dict[str, RunFolder] = {}

    def rival() -> None:
        waiting = leases.Leases(leases.Patience(device_seconds=300))
        found["theirs"] = runs.start(
            suite(theirs, blocks=1),
            tmp_path / "theirs",
            ["test"],
            Watcher(),
            leases=waiting,
        )

    thread = threading.Thread(target=rival)
    refused: list[str] = []

    def come() -> None:
        with pytest.raises(DeviceError) as caught:
            runs.start(suite(theirs), tmp_path / "refused", ["test"], Watcher())
        refused.append(caught.value.code)
        thread.start()

    try:
        mine = runs.start(
            suite(pixel.phone.serial, blocks=1),
            tmp_path / "mine",
            ["test"],
            Watcher(come, 1, "measure"),
        )
        thread.join(300)
    finally:
        server.close()
    assert refused == ["taken"]
    for folder in (mine, found["theirs"]):
        assert states(folder) == ["valid"] * len(folder.run().plan)
        assert {record.attempt for record in folder.trials()} == {1}
    last = max(record.started for record in mine.trials())
    assert last < min(record.started for record in found["theirs"].trials())
