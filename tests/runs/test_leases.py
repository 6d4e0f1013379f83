"""Runs and the leases of their devices: who waits, who is refused, and what a lost lease costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from mobilebench.devices.lease import Holder, NoLeaseError, TakenError, UnreachableError
from mobilebench.devices.sent_files import Removed
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import DeviceError
from mobilebench.runs import gate as gates
from mobilebench.runs import leases as run_leases
from mobilebench.runs import run as runs
from mobilebench.runs.leases import Leases, Patience
from mobilebench.store.folder import RunFolder
from mobilebench.suite.policy import Policy

from tests.support.leased_device import LeasedDevice, Place, leased_suite
from tests.support.scripted_device import Open, ScriptedDevice
from tests.support.watcher import Watcher

#: Its word is no other test's: those that this process left behind are remembered.
RIVAL = Holder("bob", "another-computer", "7", "2026-02-03T04:05:06+00:00", "rival")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_leases, "_POLL_SECONDS", 0.01)


@pytest.fixture
def device(on: Open) -> LeasedDevice:
    found = LeasedDevice()
    on(found)
    return found


def start(tmp_path: Path, names: Sequence[str] = (), patience: Patience | None = None) -> RunFolder:
    return runs.start(leased_suite(*names), tmp_path, ["test"], Watcher(), leases=Leases(patience))


def taken() -> TakenError:
    return TakenError("a", RIVAL)


def test_a_device_is_had_from_the_first_look_to_the_end(
    device: LeasedDevice, tmp_path: Path
) -> None:
    start(tmp_path)
    assert device.place.log == ["taken", "probed", "released"]


def test_a_device_that_somebody_has(device: LeasedDevice, tmp_path: Path) -> None:
    device.place.answers = [taken()]
    with pytest.raises(
        DeviceError, match=r"'a' is taken by bob@another-computer \(process 7"
    ) as caught:
        start(tmp_path)
    assert (caught.value.code, caught.value.exit_code) == ("taken", 4)
    assert device.place.log == ["refused"]
    assert not list(tmp_path.iterdir())


def test_it_is_waited_for(device: LeasedDevice, tmp_path: Path) -> None:
    device.place.answers = [taken(), taken()]
    said: list[str] = []
    watcher = Watcher()
    watcher.compressing = lambda progress: said.append(progress.step)  # type: ignore[method-assign]
    leases = Leases(Patience(device_seconds=60))
    folder = runs.start(leased_suite(), tmp_path, ["test"], watcher, leases=leases)
    assert {trial.state for trial in folder.trials()} == {"valid"}
    assert device.place.log == ["refused", "refused", "taken", "probed", "released"]
    assert any("waiting for a, which bob@another-computer (process 7" in text for text in said)


def test_a_lease_that_an_ended_process_of_ours_left_is_waited_for(
    device: LeasedDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_leases, "_LEFT_POLL_SECONDS", 0.01)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    killed = replace(Holder.here(), pid=str(ended.pid))
    # This process could not give it back, since the cable was pulled.
    kept = Holder.here()
    assert not kept.has_ended
    kept.left_behind()
    device.place.answers = [TakenError("a", holder) for holder in (killed, killed, kept)]
    folder = start(tmp_path)
    assert {trial.state for trial in folder.trials()} == {"valid"}
    # Whose number it is on another computer is not known.
    assert not replace(killed, host="another-computer").has_ended


def test_the_other_devices_are_measured(
    on: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on(ScriptedDevice())
    devices = {name: LeasedDevice(name, Place()) for name in ("a", "b")}
    for name, found in devices.items():
        found.place.key = name
    devices["a"].place.answers = [taken()]

    def open_device(spec: DeviceSpec) -> LeasedDevice:
        return devices[spec.name]

    monkeypatch.setattr("mobilebench.runs.run.open_device", open_device)
    folder = start(tmp_path, ("a", "b"))
    (missing,) = folder.run().missing
    assert (missing.device, missing.code) == ("a", "taken")
    assert "bob@another-computer" in missing.reason
    assert runs.exit_code(folder) == 4
    runs.resume(folder.path, Watcher())
    assert not folder.run().missing
    assert runs.exit_code(folder) == 0


def test_two_names_of_one_device_share_its_lease(
    on: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on(ScriptedDevice())
    place = Place()
    monkeypatch.setattr(
        "mobilebench.runs.run.open_device", lambda spec: LeasedDevice(spec.name, place)
    )
    start(tmp_path, ("a", "b"))
    assert place.log.count("taken") == place.log.count("released") == 1
    assert place.log[-1] == "released"


def test_a_trial_during_which_somebody_else_had_it_is_repeated(
    device: LeasedDevice, tmp_path: Path
) -> None:
    # Before the first trial, and after it.
    device.place.undisturbed = [True, False]
    folder = start(tmp_path)
    found = [(trial.attempt, trial.state, trial.code) for trial in folder.attempts()][:2]
    assert found == [(1, "invalid", "taken"), (2, "valid", "")]
    assert runs.exit_code(folder) == 0


def test_a_device_that_was_taken_away_loses_no_trial(device: LeasedDevice, tmp_path: Path) -> None:
    device.place.undisturbed = [True, True, True, taken()]
    with pytest.raises(DeviceError, match="taken by bob@another-computer") as caught:
        start(tmp_path)
    folder = RunFolder.open(next(tmp_path.iterdir()))
    assert caught.value.code == "taken"
    assert [trial.state for trial in folder.trials()] == ["valid"]
    assert device.place.log[-1] == "released"
    runs.resume(folder.path, Watcher())
    assert runs.exit_code(folder) == 0
    assert {trial.attempt for trial in folder.trials()} == {1}


def test_a_device_that_cannot_be_locked_is_warned_of(device: LeasedDevice, tmp_path: Path) -> None:
    device.place.answers = [NoLeaseError("it has no program flock")]
    folder = start(tmp_path)
    assert "device 'a' could be used by others meanwhile: it has no program flock" in (
        folder.run().warnings
    )


def test_what_is_wrong_with_a_device_it_says_itself(device: LeasedDevice, tmp_path: Path) -> None:
    device.place.answers = [UnreachableError("gone"), UnreachableError("gone")]
    with pytest.raises(DeviceError, match="'a' does not answer when it is asked for its lease"):
        start(tmp_path)
    assert device.place.log == ["refused", "probed", "refused"]


def test_a_device_that_is_unfit_is_given_back(
    device: LeasedDevice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise DeviceError("it is locked", "unfit")

    monkeypatch.setattr(device, "preflight", refuse)
    with pytest.raises(DeviceError, match="locked"):
        start(tmp_path)
    assert device.place.log[-1] == "released"


def test_a_gate_keeps_its_device_between_two_looks(device: LeasedDevice, tmp_path: Path) -> None:
    device.latency = lambda candidate, n: 1.0 + 0.02 * (n % 3) * (1 if candidate else -1)
    result = gates.start(
        leased_suite(), Policy(), tmp_path, ["test"], Watcher(), Patience(device_seconds=1)
    )
    assert len({trial.block for trial in RunFolder.open(result.folder).trials()}) > 6
    assert device.place.log.count("probed") == 2
    assert device.place.log.count("taken") == 1
    assert device.place.log[-1] == "released"


class Kept(LeasedDevice):
    """A device that keeps files."""

    error: Exception | None = None

    def clean(self, keep_bytes: int) -> Removed:
        self.place.log.append(f"cleaned to {keep_bytes}")
        if self.error is not None:
            raise self.error
        return Removed()


def test_all_are_given_back_whatever_one_of_them_comes_to() -> None:
    devices = [Kept("a"), Kept("b")]
    for device in devices:
        device.place.key = device.name
        device.error = RuntimeError("not expected")
    leases = Leases()
    leases.__enter__()
    for device in devices:
        leases.take(device)
    with pytest.raises(RuntimeError, match="not expected"):
        leases.__exit__(None, None, None)
    assert [d.place.log for d in devices] == [["taken", "cleaned to 0", "released"]] * 2


def test_what_cannot_be_locked_is_cleaned_all_the_same() -> None:
    device = Kept()
    device.place.answers = [NoLeaseError("it has no program flock")]
    with Leases() as leases:
        leases.take(device)
    assert device.place.log == ["refused", "cleaned to 0"]
