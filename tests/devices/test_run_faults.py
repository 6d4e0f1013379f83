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

from harness import run as runs
from harness.devices import discovery
from harness.devices.android import AndroidDevice
from harness.devices.app import Apk
from harness.errors import InterruptedRunError, InvalidRunError
from harness.plan import PlannedTrial
from harness.store import RunFolder, TrialRecord
from harness.suite import Suite
from tests.conftest import MODELS
from tests.devices.conftest import Connect
from tests.phone import apps, personalities, system
from tests.phone.android import PACKAGE, Android, Package
from tests.phone.cable import Cut


class Watcher:
    """Does something as soon as so many trials have ended, or one has reached a phase."""

    def __init__(self, after: int, action: Callable[[], object], phase: str = "") -> None:
        self.after = after
        self.action: Callable[[], object] | None = action
        self.phase = phase
        self.records: list[TrialRecord] = []

    def compressing(self, _: object) -> None: ...

    def not_made(self, _: object) -> None: ...

    def measuring(self, *_: object) -> None: ...

    def on_trial(self, _: PlannedTrial) -> None: ...

    def on_event(self, event: Any) -> None:
        if self.phase == event.phase and len(self.records) >= self.after:
            self._act()

    def on_record(self, record: TrialRecord) -> None:
        self.records.append(record)
        if not self.phase and len(self.records) >= self.after:
            self._act()

    def _act(self) -> None:
        action, self.action = self.action, None
        if action is not None:
            action()


def nothing() -> None: ...


def suite(*serials: str, blocks: int = 3) -> Suite:
    return Suite.model_validate(
        {
            "name": "faults",
            "protocol": {"blocks": blocks, "warmup_seconds": 0, "seconds": 0.1, "runs": 10},
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
    monkeypatch.setattr(discovery, "AndroidDevice", impatient)


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
        runs.start(plan, results, ["test"], watcher)  # type: ignore[arg-type]
    (path,) = results.iterdir()
    folder = RunFolder.open(path)
    assert folder.manifest()["state"] == "interrupted"
    assert f"go on with: mobilebench run --resume {path}" in str(caught.value)
    return folder, str(caught.value)


def finish(folder: RunFolder) -> None:
    """Resumes it: what was finished stays as it is, byte for byte."""
    trials = folder.path / "trials.jsonl"
    before = trials.read_bytes() if trials.exists() else b""
    runs.resume(folder.path, Watcher(0, nothing))  # type: ignore[arg-type]
    assert trials.read_bytes().startswith(before)
    assert folder.manifest()["state"] == "finished"
    names = [record.trial for record in folder.trials()]
    assert sorted(names) == sorted(entry["trial"] for entry in folder.manifest()["plan"])
    assert set(states(folder)) == {"valid"}
    assert runs.exit_code(folder) == 0


def test_unplugged_for_good_then_resumed(phones: list[Android], adb: Any, tmp_path: Path) -> None:
    pixel, _ = phones
    watcher = Watcher(3, pixel.phone.cable.unplug, phase="measure")
    folder, sentence = interrupted(tmp_path / "results", watcher, suite(pixel.phone.serial))
    assert "did not come back within 1 s" in sentence
    assert states(folder) == ["valid"] * 3
    pixel.phone.cable.plug()
    assert discovery.AdbDevice(adb, pixel.phone.serial).wait(20)
    finish(folder)


@pytest.mark.parametrize(
    ("values", "words"),
    [({"level": 11}, "its battery is at 11 %"), ({"thermal_status": 2}, "throttled by heat")],
)
def test_a_phone_that_becomes_unfit_then_resumed(
    phones: list[Android], tmp_path: Path, values: dict[str, int], words: str
) -> None:
    pixel, _ = phones
    well = {name: getattr(pixel.state, name) for name in values}
    watcher = Watcher(3, lambda: pixel.state.__dict__.update(values))
    folder, sentence = interrupted(tmp_path / "results", watcher, suite(pixel.phone.serial))
    assert words in sentence
    assert states(folder) == ["valid"] * 3
    pixel.state.__dict__.update(well)
    finish(folder)


def test_one_phone_of_two_is_lost(phones: list[Android], adb: Any, tmp_path: Path) -> None:
    pixel, _ = phones
    watcher = Watcher(2, pixel.phone.cable.unplug)
    folder, sentence = interrupted(tmp_path / "results", watcher, suite(*serials(phones)))
    assert "device 'phone-0'" in sentence
    of_the_other = [r for r in folder.trials() if r.device == "phone-1"]
    assert len(of_the_other) == 8
    pixel.phone.cable.plug()
    assert discovery.AdbDevice(adb, pixel.phone.serial).wait(20)
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
    patience = 300.0
    monkeypatch.setattr(
        discovery, "AndroidDevice", functools.partial(AndroidDevice, wait_seconds=patience)
    )
    watcher = Watcher(0, nothing)

    def spoil(_: PlannedTrial) -> None:
        if what == "unplugged":
            pixel.phone.cable.unplug()
        else:
            pixel.phone.cable.cut = Cut(0, how="stall")
        main_thread = threading.main_thread().ident
        assert main_thread
        threading.Timer(1.0, signal.pthread_kill, (main_thread, signal.SIGINT)).start()

    monkeypatch.setattr(watcher, "on_trial", spoil)
    plan = suite(pixel.phone.serial, blocks=1)
    start = time.monotonic()
    with pytest.raises(InterruptedRunError, match="with 0 of 4 trials finished"):
        runs.start(plan, tmp_path / "results", ["test"], watcher)  # type: ignore[arg-type]
    # Far from both limits: that of a lost phone, and a silent one's (60 s for a small file).
    assert time.monotonic() - start < 50
    pixel.phone.cable.drop()
    pixel.phone.cable.plug()
    assert discovery.AdbDevice(adb, pixel.phone.serial).wait(20)
    finish(RunFolder.open(next((tmp_path / "results").iterdir())))


def test_the_app_crashes_once(phones: list[Android], tmp_path: Path) -> None:
    pixel, _ = phones
    watcher = Watcher(3, lambda: pixel.kill_app("APP CRASH(NATIVE)"), phase="measure")
    folder = runs.start(suite(pixel.phone.serial), tmp_path / "results", ["test"], watcher)  # type: ignore[arg-type]
    assert states(folder) == ["valid"] * 3 + ["failed"] + ["valid"] * 4
    assert folder.trials()[3].code == "app_crashed"
    assert runs.exit_code(folder) == 1


def test_the_host_is_killed_then_resumed(phones: list[Android], tmp_path: Path) -> None:
    pixel, _ = phones
    file = tmp_path / "suite.json"
    file.write_text(suite(pixel.phone.serial, blocks=5).model_dump_json())
    script = (
        "import sys; from pathlib import Path; from harness import run; "
        "from harness.suite import Suite; from harness.terminal import RunDisplay; "
        "from rich.console import Console\n"
        "with RunDisplay(Console(stderr=True)) as display: run.start("
        "Suite.model_validate_json(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), [], display)"
    )
    results = tmp_path / "results"
    host = subprocess.Popen(
        [sys.executable, "-c", script, str(file), str(results)],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 60
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
    assert 3 <= len(folder.trials()) < 42
    finish(folder)
