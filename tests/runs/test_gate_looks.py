"""The two looks of a gate: the order of its trials, the second look, and how it is resumed."""

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from mobilebench.analysis.gating import Verdict
from mobilebench.errors import BadInputError, InterruptedRunError
from mobilebench.report.exports import gate as outputs
from mobilebench.report.write import build_gate
from mobilebench.runs import gate
from mobilebench.runs import run as runs
from mobilebench.runs import verdict as verdicts
from mobilebench.runs.plan import PlannedVariant, make_gate_plan
from mobilebench.store.folder import RunFolder

from tests.support.gates import by_metric, run_gate, two_files
from tests.support.scripted_device import Open, ScriptedDevice, slower
from tests.support.watcher import BEGIN, Watcher, interrupt


def test_blocks_of_two_in_random_order() -> None:
    pair = [PlannedVariant("m", "a"), PlannedVariant("m", "b")]
    kinds = ("latency", "memory")
    plan = make_gate_plan("r", "d", pair, ["cpu"], 40, 1, kinds)
    latency = [trial for trial in plan if trial.kind == "latency"]
    orders = Counter(
        (first.recipe, second.recipe)
        for first, second in zip(latency[::2], latency[1::2], strict=True)
    )
    assert set(orders) == {("a", "b"), ("b", "a")}
    assert min(orders.values()) > 8
    assert all(a.block == b.block for a, b in zip(latency[::2], latency[1::2], strict=True))
    counts = {"warmup": 1, "outputs": 2, "latency": 80, "memory": 80}
    assert Counter(t.kind for t in plan) == counts
    assert make_gate_plan("r", "d", pair, ["cpu"], 40, 2, kinds) != plan
    assert make_gate_plan("r", "d", pair, ["cpu"], 20, 1, kinds) == plan[: 3 + 20 * 4]


def test_both_sides_have_the_baseline_s_warm_up(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(slower(0)))
    result = run_gate(tmp_path)
    latency = [job for job in device.jobs if job.kind == "latency"]
    assert {(job.warmup_runs, job.warmup_seconds) for job in latency} == {(7, 0.0)}
    trials = RunFolder.open(result.folder).trials()
    assert [t.trial.rpartition(".warmup.")[2] for t in trials if t.kind == "warmup"] == ["00000"]
    assert trials[0].kind == "warmup"


def test_noise_is_neither_passed_nor_failed_and_gets_a_second_look(
    tmp_path: Path, on: Open
) -> None:
    on(ScriptedDevice(slower(0.03, 0.2)))
    result = run_gate(tmp_path)
    assert (result.verdict, result.exit_code) == (Verdict.INCONCLUSIVE, 3)
    folder = RunFolder.open(result.folder)
    assert [t.trial for t in folder.trials()] == [p.trial for p in folder.run().plan]
    assert len(folder.trials()) == 1 + 2 + 14 * 2 * 2
    assert by_metric(result)["latency"].blocks == 14
    assert by_metric(result)["memory"].blocks == 7
    assert folder.run().state == "finished"
    assert dict(folder.samples()).keys() == {
        t.trial for t in folder.trials() if t.kind in ("latency", "warmup")
    }


def test_the_second_look_decides(tmp_path: Path, on: Open) -> None:
    # The first block is disturbed, the others are plain.
    on(
        ScriptedDevice(
            lambda candidate, n: 1.0 + (0.2 if n < 1 and not candidate else 0.0) + 0.1 * candidate
        )
    )
    result = run_gate(tmp_path)
    assert (result.verdict, by_metric(result)["latency"].blocks) == (Verdict.FAIL, 14)


@pytest.mark.parametrize("after", [5, 40])
def test_an_interrupted_gate_is_resumed(tmp_path: Path, on: Open, after: int) -> None:
    device = on(ScriptedDevice(slower(0.03, 0.2)))
    with pytest.raises(InterruptedRunError, match="mobilebench gate --resume") as error:
        run_gate(tmp_path, watcher=Watcher(interrupt, after, BEGIN))
    (path,) = (tmp_path / "results").iterdir()
    assert str(path) in str(error.value)
    before = RunFolder.open(path).trials()
    assert len(before) == after
    watcher = Watcher()
    result = gate.resume(path, watcher)
    trials = RunFolder.open(path).trials()
    assert trials[:after] == before
    assert len(watcher.trials) == 59 - after
    assert result.verdict == Verdict.INCONCLUSIVE
    again = gate.resume(path, Watcher(interrupt, 0, BEGIN))
    assert again == result
    del device


def test_a_device_lost_before_the_second_look(
    tmp_path: Path, on: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(ScriptedDevice(slower(0.03, 0.2)))

    def gone(*_: object, **__: object) -> RunFolder:
        raise BadInputError("there is no device 'X'")

    with monkeypatch.context() as patch:
        patch.setattr(runs, "resume", gone)
        result = run_gate(tmp_path)
    assert (result.verdict, result.exit_code) == (Verdict.INVALID, 4)
    assert "the second look could not begin: there is no device 'X'" in repr(result)
    assert "second look" in outputs.github(result)
    assert "second look" in outputs.summary(result)
    root = ElementTree.fromstring(outputs.junit(result))  # noqa: S314 (our own)
    assert (root.get("tests"), root.get("errors")) == ("1", "1")
    assert verdicts.document(result)["invalid"] == result.invalid
    (path,) = (tmp_path / "results").iterdir()
    assert result.folder == path
    build_gate(result)
    page = (path / "report.html").read_text()
    assert '<p class="word">INVALID</p>' in page
    assert "the second look could not begin" in page
    assert gate.stored(RunFolder.open(path)) == result
    assert by_metric(gate.resume(path, Watcher()))["latency"].blocks == 14


def test_resume_of_a_run_that_is_no_gate(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(slower(0.0)))
    folder = runs.start(two_files(), tmp_path, ["t"], Watcher())
    with pytest.raises(BadInputError, match="run of no gate"):
        gate.resume(folder.path, Watcher())
