"""A run whose host loses power again and again: each finished trial is there, whole and once."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from mobilebench.devices.base import InvalidTrialError, OnEvent
from mobilebench.errors import InterruptedRunError
from mobilebench.records.trial import Trial
from mobilebench.runs import run as runs
from mobilebench.store.folder import RunFolder
from mobilebench_agent.contract import Job, Result

from tests.support.gates import two_files
from tests.support.power_cut import Disk, PowerCut
from tests.support.scripted_device import Open, ScriptedDevice
from tests.support.watcher import Watcher, interrupt


def mark(trial: str) -> int:
    """A number of each attempt's own, by which its samples are known."""
    return 1000 + zlib.crc32(trial.encode())


class Marking(ScriptedDevice):
    """Answers each attempt with samples that are its own; some are disturbed, and repeated."""

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        if job.kind != "latency":
            return super().run(job, on_event, timeout_seconds)
        if mark(job.trial) % 3 == 0:
            raise InvalidTrialError("throttled", "it was hot")
        return Result(job.trial, job.kind, samples_ns=(mark(job.trial), mark(job.trial) + 1))


class Sessions(RuleBasedStateMachine):
    """Goes on with a run until the power goes, and then with what is left on the disk."""

    template: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="sessions-"))
        self.path = self.home / "run"
        shutil.copytree(self.template, self.path)
        self.kept: list[Trial] = RunFolder.open(self.path).attempts()
        self.patch = pytest.MonkeyPatch()

    def teardown(self) -> None:
        self.go_on()
        folder = RunFolder.open(self.path)
        plan = sorted(trial.trial for trial in folder.run().plan)
        assert folder.run().state == "finished"
        assert sorted(trial.trial for trial in folder.trials()) == plan
        assert all(trial.is_final for trial in folder.trials())
        self.all_is_there()
        shutil.rmtree(self.home)

    def go_on(self) -> None:
        """A session; what it reports as finished is to be there, whatever comes."""
        watcher = Watcher()
        try:
            runs.resume(self.path, watcher)
        finally:
            self.kept += watcher.records

    @rule(moment=st.integers(1, 60), data=st.data())
    def lose_power(self, moment: int, data: st.DataObject) -> None:
        disk = Disk(self.path, self.patch)
        disk.cut_at = moment
        with contextlib.suppress(PowerCut):
            self.go_on()
        disk.cut_at = None
        image = self.home / "image"
        disk.leave(image, lambda count: data.draw(st.integers(0, count - 1)))
        self.patch.undo()
        disk.close()
        shutil.rmtree(self.path)
        image.rename(self.path)
        found = RunFolder.open(self.path).attempts()
        assert found[: len(self.kept)] == self.kept
        # The line of one more may have reached the disk before the session could say so.
        assert len(found) <= len(self.kept) + 1
        self.kept = found

    @invariant()
    def all_is_there(self) -> None:
        folder = RunFolder.open(self.path)
        assert folder.attempts() == self.kept
        names = [trial.attempt_name for trial in self.kept]
        assert len(set(names)) == len(names)
        times = {name: t.samples.tolist() for name, t in folder.attempt_timings()}
        for trial in self.kept:
            name = trial.attempt_name
            if trial.kind == "latency" and trial.state == "valid":
                assert times[name] == [mark(name), mark(name) + 1]
            if trial.kind == "outputs":
                assert list(folder.answers(name)) == ["output/0"]


def test_a_session_that_loses_power_loses_no_finished_trial(tmp_path: Path, on: Open) -> None:
    on(Marking())
    with pytest.raises(InterruptedRunError) as caught:
        runs.start(
            two_files(protocol={"blocks": 4, "seconds": 0}),
            tmp_path,
            ["t"],
            Watcher(interrupt, after=1),
        )
    assert caught.value.folder is not None
    Sessions.template = caught.value.folder
    run_state_machine_as_test(
        Sessions,
        settings=settings(
            max_examples=int(os.environ.get("MOBILEBENCH_POWER_CUTS", "60")) // 5,
            stateful_step_count=6,
            deadline=None,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
