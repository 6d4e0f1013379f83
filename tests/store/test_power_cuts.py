"""What a power cut at any moment leaves of a run: every finished trial, whole and once."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from mobilebench.errors import BadInputError
from mobilebench.records.timings import Timings
from mobilebench.records.trial import Trial
from mobilebench.store.folder import RunFolder
from mobilebench_agent.contract import Metric

from tests.support.power_cut import Disk, PowerCut
from tests.support.run_records import run_of


def trial(number: int, attempt: int) -> Trial:
    return Trial(
        f"r.{number}", "latency", 0, "local", "m", "float32", "cpu-1", "a" * 64,
        "valid" if attempt > 1 else "invalid", "", 1.0, code="" if attempt > 1 else "throttled",
        reason="" if attempt > 1 else "hot", samples=3, attempt=attempt,
        metrics=(Metric("x", "1", "a test " * 40, 1.0),),
    )  # fmt: skip


class PowerCuts(RuleBasedStateMachine):
    """Writes a run as a session does, loses power, and goes on with what is left."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="power-"))
        self.path = self.home / "run"
        self.name = "r-0"
        self.kept: list[Trial] = []
        self.answered: dict[str, float] = {}
        self.number = 0
        self.patch = pytest.MonkeyPatch()
        RunFolder.create(self.path, run_of(run=self.name))
        self._watch()

    def _watch(self) -> None:
        self.disk = Disk(self.path, self.patch)
        self.folder = RunFolder(self.path)

    def teardown(self) -> None:
        self.patch.undo()
        self.disk.close()
        shutil.rmtree(self.home)

    def _write(self, attempt: int) -> None:
        """As ``runs.session`` does: answers, times, then the line."""
        record = trial(self.number, attempt)
        times = np.arange(3) + 1000 * self.number + attempt
        arrays = {"output/0": np.full(4, self.number + attempt / 8, dtype=np.float32)}
        self.folder.write_answers(record.attempt_name, arrays)
        self.folder.append(record, Timings(times))

    @rule(attempts=st.integers(1, 2))
    def finish_a_trial(self, attempts: int) -> None:
        for attempt in range(1, attempts + 1):
            self._write(attempt)
            self.kept.append(trial(self.number, attempt))
        self.number += 1

    @rule()
    def fold(self) -> None:
        self.folder.fold_samples()

    @rule(number=st.integers(0, 99))
    def write_the_run(self, number: int) -> None:
        self.folder.write_run(run_of(run=f"r-{number}"))
        self.name = f"r-{number}"

    @rule(what=st.sampled_from(["trial", "fold", "run"]), moment=st.integers(1, 40), data=st.data())
    def lose_power(self, what: str, moment: int, data: st.DataObject) -> None:
        self.disk.cut_at = self.disk.moments + moment
        new = self.name
        try:
            if what == "trial":
                self._write(1)
            elif what == "fold":
                self.folder.fold_samples()
            else:
                new = "another"
                self.folder.write_run(run_of(run=new))
        except PowerCut:
            pass
        self.disk.cut_at = None
        image = self.home / "image"
        self.disk.leave(image, lambda count: data.draw(st.integers(0, count - 1)))
        self.patch.undo()
        self.disk.close()
        shutil.rmtree(self.path)
        image.rename(self.path)
        self._check(new)
        self._watch()

    def _check(self, new: str) -> None:
        """What was finished is there; what was under way is there whole, or not at all."""
        folder = RunFolder.open(self.path)
        assert folder.run().name in (self.name, new)
        self.name = folder.run().name
        before = folder.attempts()
        with folder.locked():
            folder.drop_torn_line()
        found = folder.attempts()
        assert found == before
        assert found[: len(self.kept)] == self.kept
        more = found[len(self.kept) :]
        assert more in ([], [trial(self.number, 1)])
        self.kept = found
        self.number += len(more)

    @invariant()
    def all_is_there(self) -> None:
        folder = RunFolder(self.path)
        assert folder.attempts() == self.kept
        times = {name: t.samples.tolist() for name, t in folder.attempt_timings()}
        for record in self.kept:
            number = int(record.trial.removeprefix("r."))
            first = 1000 * number + record.attempt
            assert times[record.attempt_name] == [first, first + 1, first + 2]
            answers = folder.answers(record.attempt_name)["output/0"]
            assert answers.tolist() == [number + record.attempt / 8] * 4


def test_no_power_cut_loses_doubles_or_changes_a_finished_trial() -> None:
    cuts = 0

    class Counted(PowerCuts):
        def teardown(self) -> None:
            nonlocal cuts
            cuts += 1
            super().teardown()

    run_state_machine_as_test(
        Counted,
        settings=settings(
            max_examples=int(os.environ.get("MOBILEBENCH_POWER_CUTS", "60")),
            stateful_step_count=12,
            deadline=None,
            # To make an example small takes minutes, in which nothing is learnt.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert cuts > 0  # the machine's own rules assert the rest


@pytest.mark.parametrize("moment", range(1, 60, 3))
def test_a_run_that_is_made_while_power_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """There is no run, or one that has all its files."""
    model = tmp_path / "model"
    model.write_bytes(b"m" * 5000)
    results = tmp_path / "results"
    results.mkdir()
    disk = Disk(results, monkeypatch)
    disk.cut_at = moment
    with contextlib.suppress(PowerCut):
        RunFolder.create(results / "r", run_of(), {"a.tflite": model})
    disk.cut_at = None
    for choice in range(5):
        image = tmp_path / f"image-{choice}"
        disk.leave(image, lambda count, choice=choice: choice % count)  # type: ignore[misc]
        try:
            folder = RunFolder.open(image / "r")
        except BadInputError:
            assert not (image / "r" / "run.json").exists()
        else:
            assert folder.artifact("a.tflite").read_bytes() == model.read_bytes()
    disk.close()
