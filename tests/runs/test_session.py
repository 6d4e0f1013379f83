"""What a session makes of devices that fail: two in a row end a variant, two hiccups do not."""

import threading
from collections.abc import Set
from pathlib import Path

import pytest
from mobilebench.devices.base import TrialError
from mobilebench.records.protocol import MeasuringProtocol
from mobilebench.records.runtime import Runtime
from mobilebench.records.trial import Trial
from mobilebench.runs.plan import PlannedVariant, make_plan
from mobilebench.runs.session import Payload, run_session
from mobilebench.store.folder import RunFolder

from tests.support.run_records import run_of
from tests.support.scripted_device import ScriptedDevice


def moody(failing: Set[int]) -> ScriptedDevice:
    """A device that fails in some of its trials."""
    device = ScriptedDevice()
    device.fault = lambda *_: (
        TrialError("timeout", "no answer") if len(device.jobs) in failing else None
    )
    return device


def run(
    tmp_path: Path,
    failing: Set[int],
    stop: bool = False,
    device: ScriptedDevice | None = None,
) -> list[Trial]:
    folder = RunFolder.create(tmp_path / "run", run_of())
    model = tmp_path / "model.tflite"
    model.write_bytes(b"")
    plan = make_plan("r", "local", [PlannedVariant("m", "float32")], ["cpu-1"], 9, 0)
    event = threading.Event()

    def on_record(_: Trial) -> None:
        if stop:
            event.set()

    run_session(
        folder,
        device or moody(failing),
        plan,
        {("m", "float32"): Payload(model, "0" * 64)},
        {"cpu-1": Runtime(name="cpu-1")},
        MeasuringProtocol(),
        0,
        lambda _: None,
        lambda _: None,
        on_record,
        event,
    )
    return folder.trials()


def test_single_failures_cost_their_own_trial(tmp_path: Path) -> None:
    states = [record.state for record in run(tmp_path, {2, 4, 9})]
    assert states.count("valid") == 8
    assert states.count("failed") == 3


def test_two_failures_in_a_row_end_the_variant(tmp_path: Path) -> None:
    codes = [record.code for record in run(tmp_path, {3, 4})]
    assert codes == ["", "", "", "timeout", "timeout", *["skipped"] * 6]


def test_a_session_that_is_stopped_keeps_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, set(), stop=True)
    assert len(RunFolder.open(tmp_path / "run").trials()) == 1


def test_each_job_says_what_a_screen_may_show(tmp_path: Path) -> None:
    device = ScriptedDevice()
    places = {trial.trial: n for n, trial in enumerate(run(tmp_path, set(), device=device), 1)}
    assert len(device.jobs) >= 9
    for job in device.jobs:
        assert (job.shown_model, job.shown_recipe) == ("m", "float32")
        assert (job.shown_trial, job.shown_trials) == (places[job.trial], len(places))
