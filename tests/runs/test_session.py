"""What a session makes of devices that fail: two in a row end a variant, two hiccups do not."""

import threading
from collections.abc import Set
from pathlib import Path

import pytest
from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult, TrialError
from mobilebench.records.device import DeviceFacts
from mobilebench.records.trial import TrialRecord
from mobilebench.runs.plan import PlannedVariant, make_plan
from mobilebench.runs.session import Payload, run_session
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import MeasuringProtocol, RuntimeSpec
from mobilebench_agent.contract import Job, Result


class Moody:
    """Stands for a device that fails in some of its trials; only the session is tested."""

    name = "moody"

    def __init__(self, failing: Set[int]) -> None:
        self._failing = failing
        self._trials = 0

    def probe(self) -> DeviceFacts:
        return DeviceFacts(self.name, "local", "0", "none", "0")

    def push(self, file: Path, sha256: str) -> str:  # noqa: ARG002
        return str(file)

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:  # noqa: ARG002
        return PreflightResult()

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:  # noqa: ARG002
        self._trials += 1
        if self._trials in self._failing:
            raise TrialError("timeout", "no answer")
        return Result(job.trial, job.kind, samples_ns=(5,) if job.kind == "latency" else ())


def run(tmp_path: Path, failing: Set[int], stop: bool = False) -> list[TrialRecord]:
    folder = RunFolder.create(tmp_path / "run", {})
    plan = make_plan("r", "moody", [PlannedVariant("m", "float32", False)], ["cpu-1"], 9, 0)
    event = threading.Event()

    def on_record(_: TrialRecord) -> None:
        if stop:
            event.set()

    run_session(
        folder,
        Moody(failing),
        plan,
        {("m", "float32"): Payload(tmp_path, "0" * 64)},
        {"cpu-1": RuntimeSpec(name="cpu-1")},
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
    assert states.count("valid") == 7
    assert states.count("failed") == 3


def test_two_failures_in_a_row_end_the_variant(tmp_path: Path) -> None:
    codes = [record.code for record in run(tmp_path, {3, 4})]
    assert codes == ["", "", "timeout", "timeout", *["skipped"] * 6]


def test_a_session_that_is_stopped_keeps_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, set(), stop=True)
    assert len(RunFolder.open(tmp_path / "run").trials()) == 1
