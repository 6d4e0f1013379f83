"""Several devices in one run: what one of them suffers costs the others nothing."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from mobilebench.devices.base import TrialError
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError, DeviceError, InvalidRunError
from mobilebench.records.device import DeviceFacts
from mobilebench.runs import run as runs
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import Suite

from tests.support.models import BASELINE
from tests.support.scripted_device import Open, ScriptedDevice
from tests.support.watcher import Watcher


class Named(ScriptedDevice):
    """A device of a fleet: it counts how often it is looked at, and may refuse to be."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.looks = 0
        self.refusal: Exception | None = None

    def probe(self) -> DeviceFacts:
        self.looks += 1
        if self.refusal:
            raise self.refusal
        return super().probe()


@pytest.fixture
def fleet(on: Open, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Named]:
    """Three devices, a, b and c."""
    on(ScriptedDevice())
    devices = {name: Named(name) for name in ("a", "b", "c")}

    def open_device(spec: DeviceSpec) -> Named:
        return devices[spec.name]

    monkeypatch.setattr("mobilebench.runs.run.open_device", open_device)
    return devices


def suite(*names: str) -> Suite:
    return Suite.model_validate(
        {
            "name": "fleet",
            "protocol": {"blocks": 2},
            "models": [{"name": "m", "source": str(BASELINE)}],
            "devices": [{"name": name} for name in names],
        }
    )


def start(results: Path, *names: str) -> RunFolder:
    return runs.start(suite(*names), results, ["test"], Watcher())


def counts(folder: RunFolder) -> Counter[tuple[str, str]]:
    return Counter((trial.device, trial.state) for trial in folder.trials())


UNFIT = DeviceError("device 'b' failed preflight: its battery is at 11 %, below 25 %", "unfit")
GONE = BadInputError("device 'b': not connected")


@pytest.mark.parametrize(
    ("refusal", "code", "exit_code"), [(UNFIT, "unfit", 4), (GONE, "unavailable", 1)]
)
def test_a_device_that_cannot_be_measured_is_missing(
    fleet: Mapping[str, Named], tmp_path: Path, refusal: Exception, code: str, exit_code: int
) -> None:
    fleet["b"].refusal = refusal
    folder = start(tmp_path, "a", "b", "c")
    assert counts(folder) == {("a", "valid"): 4, ("c", "valid"): 4}
    run = folder.run()
    (missing,) = run.missing
    assert (missing.device, missing.code, missing.reason) == ("b", code, str(refusal))
    assert run.state == "interrupted"
    assert runs.exit_code(folder) == exit_code
    assert any(str(refusal) in warning for warning in summary_of(folder).warnings)
    # It comes back: the others have nothing left to do and are not asked for.
    fleet["b"].refusal = None
    fleet["a"].refusal = fleet["c"].refusal = GONE
    runs.resume(folder.path, Watcher())
    assert counts(folder) == {("a", "valid"): 4, ("b", "valid"): 4, ("c", "valid"): 4}
    run = folder.run()
    assert (run.state, run.missing) == ("finished", ())
    assert {device.name for device in run.devices} == {"a", "b", "c"}
    assert runs.exit_code(folder) == 0


def test_a_lane_breaks_off_alone(fleet: Mapping[str, Named], tmp_path: Path) -> None:
    def lost(_candidate: bool, kind: str, number: int) -> TrialError | None:
        if kind == "latency" and number == 1:
            raise DeviceError("device 'a' was lost", "lost")
        return None

    fleet["a"].fault = lost
    folder = start(tmp_path, "a", "b")
    assert counts(folder) == {("a", "valid"): 3, ("b", "valid"): 4}
    assert [m.device for m in folder.run().missing] == ["a"]
    assert runs.exit_code(folder) == 4
    fleet["a"].fault = lambda *_: None
    runs.resume(folder.path, Watcher())
    assert counts(folder) == {("a", "valid"): 4, ("b", "valid"): 4}
    assert fleet["b"].looks == 1


def test_no_device_is_left(fleet: Mapping[str, Named], tmp_path: Path) -> None:
    fleet["a"].refusal, fleet["b"].refusal = GONE, UNFIT
    with pytest.raises(DeviceError) as caught:
        start(tmp_path, "a", "b")
    assert str(caught.value) == f"{GONE}; {UNFIT}"
    fleet["b"].refusal = GONE
    with pytest.raises(BadInputError, match="not connected"):
        start(tmp_path, "a", "b")
    assert list(tmp_path.iterdir()) == []


def test_a_resume_without_its_device(fleet: Mapping[str, Named], tmp_path: Path) -> None:
    def lost(*_: object) -> TrialError | None:
        raise DeviceError("device 'a' was lost", "lost")

    fleet["a"].fault = lost
    with pytest.raises(InvalidRunError, match="go on with"):
        start(tmp_path, "a")
    (path,) = tmp_path.iterdir()
    fleet["a"].refusal = GONE
    with pytest.raises(BadInputError, match="not connected"):
        runs.resume(path, Watcher())
    assert RunFolder.open(path).run().state == "interrupted"


def test_failed_trials_are_repeated_when_asked(fleet: Mapping[str, Named], tmp_path: Path) -> None:
    fleet["a"].fault = lambda _c, kind, number: (
        TrialError("timeout", "no answer") if (kind, number) == ("latency", 0) else None
    )
    folder = start(tmp_path, "a")
    assert counts(folder) == {("a", "valid"): 3, ("a", "failed"): 1}
    assert runs.exit_code(folder) == 1
    jobs = len(fleet["a"].jobs)
    runs.resume(folder.path, Watcher())
    assert len(fleet["a"].jobs) == jobs, "a finished run has nothing to go on with"
    runs.resume(folder.path, Watcher(), retry_failed=True)
    assert len(fleet["a"].jobs) == jobs + 1
    assert counts(folder) == {("a", "valid"): 4}
    assert runs.exit_code(folder) == 0
    repeated = [trial for trial in folder.trials() if trial.attempt > 1]
    assert [trial.kind for trial in repeated] == ["latency"]


def test_files_of_the_run_that_are_gone_are_no_fault_of_the_model(
    fleet: Mapping[str, Named], tmp_path: Path
) -> None:
    """The disk, or somebody who cleared it: the run can go on once the file is back."""
    kept: dict[Path, bytes] = {}

    def remove(*_: object) -> TrialError | None:
        for file in tmp_path.glob("*/artifacts/*.tflite"):
            kept[file] = file.read_bytes()
            file.unlink()
        return None

    fleet["a"].fault = remove
    with pytest.raises(InvalidRunError, match="is missing, and the run cannot go on"):
        start(tmp_path, "a")
    (path,) = tmp_path.iterdir()
    folder = RunFolder.open(path)
    assert {trial.state for trial in folder.trials()} <= {"valid"}
    for file, content in kept.items():
        file.write_bytes(content)
    fleet["a"].fault = lambda *_: None
    runs.resume(path, Watcher())
    assert counts(folder) == {("a", "valid"): 4}
