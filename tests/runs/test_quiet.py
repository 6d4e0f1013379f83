"""Waiting for a quiet device before a timed trial."""

import itertools
from pathlib import Path

import pytest
from mobilebench.devices.local.device import LocalDevice
from mobilebench.records.runtime import Runtime
from mobilebench.runs import quiet as quiet_room
from mobilebench.runs import run as runs
from mobilebench.runs.leases import Leases, Patience
from mobilebench.runs.quiet import Quiet, busy_cpus

from tests.support.leased_device import LeasedDevice, leased_suite
from tests.support.scripted_device import Open, ScriptedDevice
from tests.support.watcher import Watcher

RUNTIME = Runtime(name="default")


class Busy(LeasedDevice):
    """Two CPUs, of which others keep so many busy at each look."""

    def __init__(self, *busy: float) -> None:
        super().__init__()
        self.busy = itertools.chain(busy, itertools.repeat(busy[-1]))
        self.looks = 0
        self._ticks = [0, 0]

    def cpu_times(self) -> str:
        if self.looks % 2:
            work = round(100 * next(self.busy))
            self._ticks[0] += work
            self._ticks[1] += 200 - work
        self.looks += 1
        used, idle = self._ticks
        lines = [f"cpu{n} {used // 2} 0 0 {idle // 2} 0 0 0 0 0 0" for n in (0, 1)]
        return "\n".join(["cpu  1 2 3", *lines, "intr 5"])


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_room, "_LOOK_SECONDS", 0.0)


def test_a_trial_begins_when_the_device_is_quiet() -> None:
    device, said = Busy(2, 1.5, 0.02), []
    assert Quiet(60).wait(device, RUNTIME, said.append) == ""
    assert device.looks == 6
    assert said == [
        f"waiting for quiet: others kept {n} of its 2 CPUs busy; 1 min left" for n in ("2.0", "1.5")
    ]


def test_what_is_left_free_is_enough() -> None:
    assert Quiet(60).wait(Busy(0.4), RUNTIME, lambda _: None) == ""


def test_it_is_waited_for_no_longer_than_asked() -> None:
    device, quiet = Busy(2), Quiet(1e-9)
    warning = quiet.wait(device, RUNTIME, lambda _: None)
    assert warning == (
        "it was begun on a busy device, since the time to wait was over: "
        "others kept 2.0 of its 2 CPUs busy"
    )
    # Once, and not before each of a hundred trials.
    assert quiet.wait(device, RUNTIME, lambda _: None) == ""
    assert device.looks == 2


def test_a_device_that_does_not_say() -> None:
    quiet = Quiet(60)
    assert "does not report its load" in quiet.wait(ScriptedDevice(), RUNTIME, lambda _: None)
    assert quiet.wait(ScriptedDevice(), RUNTIME, lambda _: None) == ""


@pytest.mark.parametrize(
    "text", ["", "cpu0", "cpu0 1 2 3", "cpu0 a b c d e f g h", "cpux 1 2 3 4 5 6 7 8", "\0"]
)
def test_readings_that_are_none(text: str) -> None:
    assert busy_cpus(text, text) == (0.0, 0)
    assert busy_cpus("cpu0 9 0 0 9 0 0 0 0", text) == (0.0, 0)


def test_only_the_trial_s_cpus_count() -> None:
    before = "cpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0"
    after = "cpu0 0 0 0 100 0 0 0 0\ncpu1 50 0 0 0 0 0 0 50 0"
    assert busy_cpus(before, after) == (1.0, 2)
    assert busy_cpus(before, after, (0,)) == (0.0, 1)
    assert busy_cpus(before, after, (1, 7)) == (1.0, 1)
    assert busy_cpus(after, before) == (0.0, 0)


def test_this_machine_reports_its_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = LocalDevice("local", None, tmp_path)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu0 1 2 3 4 5 6 7 8 0 0\n")
    monkeypatch.setenv("MOBILEBENCH_SYSTEM_ROOT", str(tmp_path))
    assert device.cpu_times() == "cpu0 1 2 3 4 5 6 7 8 0 0"


def test_a_run_waits(on: Open, tmp_path: Path) -> None:
    device = Busy(2, 2, 0)
    on(device)
    leases = Leases(Patience(quiet_seconds=60))
    folder = runs.start(leased_suite(), tmp_path, ["test"], Watcher(), leases=leases)
    timed = [trial for trial in folder.trials() if trial.kind == "latency"]
    assert device.looks == 2 * (2 + len(timed))
    assert not [w for trial in timed for w in trial.warnings]
