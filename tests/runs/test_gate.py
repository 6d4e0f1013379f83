"""The gate: verdicts on a device that does as it is told, and whole gates through the command."""

import io
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from mobilebench.analysis.estimates import Estimate, Interval
from mobilebench.analysis.gating import Verdict
from mobilebench.cache import cache_folder
from mobilebench.cli.main import main
from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult, TrialError
from mobilebench.errors import BadInputError, InterruptedRunError, InvalidRunError
from mobilebench.records.device import DeviceFacts
from mobilebench.records.trial import PlannedTrial
from mobilebench.report.exports import gate as gate_outputs
from mobilebench.report.figures import effect
from mobilebench.runs import calibrate as calibration
from mobilebench.runs import gate
from mobilebench.runs import pair as arms
from mobilebench.runs import run as runs
from mobilebench.runs import verdict as gate_verdict
from mobilebench.runs.plan import PlannedVariant, make_gate_plan
from mobilebench.runs.verdict import GateResult
from mobilebench.store.folder import RunFolder
from mobilebench.suite.policy import Policy, read_policy, validate
from mobilebench.suite.schema import Suite
from mobilebench.tflite.file import dump, load
from mobilebench_agent.contract import Job, Metric, PowerSeries, Result, Window
from rich.console import Console, RenderableType

from tests.conftest import MODELS, sha256
from tests.tflite.files import open_shape, with_input

BASELINE, CANDIDATE = MODELS / "small.tflite", MODELS / "small_int8.tflite"

#: Of these two files only what the device is told to say is of interest.
QUIET = validate(
    {name: {"enabled": False} for name in ("size", "download", "delegation")}, "a test's policy"
)


class Watcher:
    """Watches nothing; interrupts when it is told to."""

    def __init__(self, interrupt_at: int = -1) -> None:
        self.trials: list[PlannedTrial] = []
        self._at = interrupt_at

    def compressing(self, progress: object) -> None: ...
    def not_made(self, failure: object) -> None: ...
    def measuring(self, plan: Sequence[object], finished: Set[str], suite: object) -> None: ...
    def on_event(self, event: object) -> None: ...
    def on_record(self, record: object) -> None: ...

    def on_trial(self, trial: PlannedTrial) -> None:
        if len(self.trials) == self._at:
            raise KeyboardInterrupt
        self.trials.append(trial)


class Device:
    """Answers with the numbers of a script: latency and so on of each arm's n-th trial."""

    kind = "fake"

    def __init__(self, latency: Callable[[bool, int], float]) -> None:
        self.name = "local"
        self.latency = latency
        self.memory: Callable[[bool, int], float | None] = lambda *_: 7e6
        self.energy: Callable[[bool, int], float | None] = lambda *_: None
        self.right: Mapping[bool, int] = {False: 30, True: 30}
        self.fault: Callable[[bool, str, int], TrialError | None] = lambda *_: None
        self.load: Callable[[bool, int], float | None] = lambda *_: None
        self.version = "1.0"
        self.warmups: list[tuple[str, int, float]] = []
        self._seen: Counter[tuple[str, bool]] = Counter()
        self._lock = threading.Lock()

    def probe(self) -> DeviceFacts:
        return DeviceFacts("local", self.kind, "0", "a-runtime", self.version)

    def push(self, file: Path, sha256: str) -> str:  # noqa: ARG002 (nothing travels)
        return sha256

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:  # noqa: ARG002
        return PreflightResult()

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:  # noqa: ARG002
        if ".warmup." in job.trial:
            return Result(job.trial, job.kind, samples_ns=(5,) * 9, warmup_ns=(5,) * 7)
        self.warmups.append((job.kind, job.warmup_runs, job.warmup_seconds))
        candidate = job.model_sha256 == sha256(CANDIDATE)
        with self._lock:
            number = self._seen[job.kind, candidate]
            self._seen[job.kind, candidate] += 1
        error = self.fault(candidate, job.kind, number)
        if error:
            raise error
        if job.kind == "latency":
            ns = round(1e6 * self.latency(candidate, number))
            return loaded(
                Result(job.trial, job.kind, samples_ns=(ns, ns, ns)), self.load(candidate, number)
            )
        if job.kind == "memory":
            value = self.memory(candidate, number)
            metric = (
                Metric.unavailable("memory_peak", "B", "none", "no such counter")
                if value is None
                else Metric("memory_peak", "B", "a script", value, n=1)
            )
            return Result(job.trial, job.kind, (metric,))
        if job.kind == "energy":
            return loaded(
                energy_result(job, self.energy(candidate, number)), self.load(candidate, number)
            )
        right = self.right[candidate]
        answers = tuple([0] * right + [1] * (30 - right))
        metric = Metric("accuracy_top1", "1", "labels", right / 30, 1 / 30, n=30)
        return Result(job.trial, job.kind, (metric,), predictions=answers)


def loaded(result: Result, cpus: float | None) -> Result:
    """A result of a trial beside which others kept so many of two CPUs busy; None: not told."""
    if cpus is None:
        return result
    told = Metric("cpu_load_other", "CPUs", "a script", cpus, 0.01, n=2)
    return replace(result, metrics=(*result.metrics, told), conditions={"cpus": [0, 1]})


def energy_result(job: Job, joules: float | None) -> Result:
    """Windows of one second in which ten inferences took so many joules each, above two watts."""
    if joules is None:
        refusal = Metric.unavailable("energy_per_inference", "J", "none", "no such counter")
        return Result(job.trial, job.kind, (refusal,))
    windows, times, values, total = [], [], [], 0.0
    for n in range(2 * job.windows):
        start, load = n * 2 * 10**9, n % 2 == 1
        windows.append(Window(load, start, start + 10**9, 10 if load else 0))
        for moment in (start, start + 10**9):
            times.append(moment)
            values.append(round(1e6 * total))
            # Not as even as a counter with large steps would be.
            total += 2 + n * 1.7e-5 + (10 * joules if load else 0) if moment == start else 0
    series = PowerSeries(
        "RAPL", "energy", "µJ", "a script", 1, None, True, tuple(times), tuple(values)
    )
    return Result(job.trial, job.kind, windows=tuple(windows), power=(series,))


Open = Callable[[Device], Device]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Open:
    def use(device: Device) -> Device:
        monkeypatch.setattr(runs, "open_device", lambda _spec: device)
        return device

    return use


def slower(by: float, noise: float = 0.002, seed: int = 1) -> Callable[[bool, int], float]:
    """A candidate that is slower by a share, with seeded noise of each trial."""
    errors = np.random.default_rng(seed).normal(0, noise, (2, 200))
    return lambda candidate, n: (1 + by * candidate) * float(np.exp(errors[int(candidate), n]))


def files(**settings: Any) -> Suite:
    return arms.suite_of_files(BASELINE, CANDIDATE, settings.pop("data", None), settings)


def run_gate(
    tmp_path: Path, suite: Suite | None = None, policy: Policy = QUIET, watcher: Any = None
) -> GateResult:
    return gate.start(suite or files(), policy, tmp_path / "results", ["t"], watcher or Watcher())


def by_metric(result: GateResult) -> dict[str, Any]:
    (comparison,) = result.comparisons
    return {finding.metric: finding for finding in comparison.findings}


# Verdicts.


@pytest.mark.parametrize(
    ("slowdown", "verdict", "code"), [(0.0, "PASS", 0), (0.08, "FAIL", 1), (-0.5, "PASS", 0)]
)
def test_the_first_look_decides_what_is_plain(
    tmp_path: Path, on: Open, slowdown: float, verdict: str, code: int
) -> None:
    on(Device(slower(slowdown)))
    result = run_gate(tmp_path)
    assert (result.verdict, result.exit_code, result.passed) == (verdict, code, code == 0)
    found = by_metric(result)
    assert found["latency"].effect.value == pytest.approx(slowdown, abs=0.01)
    assert found["latency"].effect.interval.holds(slowdown)
    assert found["latency"].blocks == 7  # two metrics are tested
    assert found["memory"].verdict == Verdict.PASS
    assert found["energy"].verdict is None
    assert "only when it is asked for" in found["energy"].reason
    trials = RunFolder.open(result.folder).trials()
    assert len(trials) == 1 + 7 * 2 * 2
    assert json.loads((result.folder / "gate.json").read_text())["verdict"] == verdict
    assert (result.folder / "report.html").exists()


def test_noise_is_neither_passed_nor_failed_and_gets_a_second_look(
    tmp_path: Path, on: Open
) -> None:
    on(Device(slower(0.03, 0.2)))
    result = run_gate(tmp_path)
    assert (result.verdict, result.exit_code) == (Verdict.INCONCLUSIVE, 3)
    folder = RunFolder.open(result.folder)
    assert [t.trial for t in folder.trials()] == [p["trial"] for p in folder.manifest()["plan"]]
    assert len(folder.trials()) == 1 + 14 * 2 * 2
    assert by_metric(result)["latency"].blocks == 14
    assert by_metric(result)["memory"].blocks == 7
    assert folder.manifest()["state"] == "finished"
    assert dict(folder.samples()).keys() == {
        t.trial for t in folder.trials() if t.kind in ("latency", "warmup")
    }


def test_the_second_look_decides(tmp_path: Path, on: Open) -> None:
    # The first block is disturbed, the others are plain.
    on(
        Device(
            lambda candidate, n: 1.0 + (0.2 if n < 1 and not candidate else 0.0) + 0.1 * candidate
        )
    )
    result = run_gate(tmp_path)
    assert (result.verdict, by_metric(result)["latency"].blocks) == (Verdict.FAIL, 14)


def test_a_policy_can_want_more(tmp_path: Path, on: Open) -> None:
    on(Device(slower(-0.5)))
    more = QUIET.latency.model_copy(update={"direction": "higher"})
    result = run_gate(tmp_path, policy=QUIET.model_copy(update={"latency": more}))
    assert by_metric(result)["latency"].verdict == Verdict.FAIL
    assert by_metric(result)["latency"].effect.value == pytest.approx(-0.5, abs=0.01)


def test_memory_alone_can_fail(tmp_path: Path, on: Open) -> None:
    device = on(Device(slower(0.0)))
    device.memory = lambda candidate, n: (8e6 if candidate else 7e6) + 4096 * (n % 3)
    found = by_metric(run_gate(tmp_path))
    assert found["memory"].verdict == Verdict.FAIL
    assert found["memory"].effect.value == pytest.approx(1 / 7, abs=0.01)
    assert found["latency"].verdict == Verdict.PASS


@pytest.mark.parametrize(("more", "verdict"), [(0.0, "PASS"), (0.2, "FAIL"), (-0.2, "PASS")])
def test_energy_is_tested_over_blocks(tmp_path: Path, on: Open, more: float, verdict: str) -> None:
    device = on(Device(slower(0.0)))
    device.energy = lambda candidate, n: (0.03 + 0.0001 * (n % 3)) * (1 + more * candidate)
    result = run_gate(tmp_path, files(protocol={"energy": True}))
    found = by_metric(result)["energy"]
    assert (result.verdict, found.verdict) == (verdict, verdict)
    assert found.effect.value == pytest.approx(more, abs=0.01)
    assert found.baseline == pytest.approx(0.0301, rel=0.01)
    assert found.blocks >= 6
    assert found.p_pass is not None
    assert "30.1 mJ" in gate_outputs.github(result)


@pytest.mark.parametrize(
    ("missing", "verdict"), [("ignore", "PASS"), ("inconclusive", "INCONCLUSIVE"), ("fail", "FAIL")]
)
def test_energy_that_no_counter_tells(tmp_path: Path, on: Open, missing: str, verdict: str) -> None:
    on(Device(slower(0.0)))
    energy = QUIET.energy.model_copy(update={"missing": missing})
    policy = QUIET.model_copy(update={"energy": energy})
    result = run_gate(tmp_path, files(protocol={"energy": True}), policy)
    assert result.verdict == verdict
    assert by_metric(result)["energy"].reason == "unavailable: no such counter"
    disabled = QUIET.model_copy(
        update={"energy": QUIET.energy.model_copy(update={"enabled": False})}
    )
    without = run_gate(tmp_path, files(protocol={"energy": True}), disabled)
    assert "energy" not in {t.kind for t in RunFolder.open(without.folder).trials()}


def test_growth_below_the_floor_is_no_regression(tmp_path: Path, on: Open) -> None:
    device = on(Device(slower(0.0)))
    device.memory = lambda candidate, _: 1_100_000 if candidate else 1_000_000
    found = by_metric(run_gate(tmp_path))
    assert found["memory"].verdict == Verdict.PASS
    assert found["memory"].margin == pytest.approx(262144 / 1e6)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TrialError("device_unfit", "it is at 44 °C"), "44 °C"),
        (TrialError("link_lost", "the cable was pulled"), "cable"),
    ],
)
def test_a_failed_trial_makes_its_metric_invalid(
    tmp_path: Path, on: Open, error: TrialError, words: str
) -> None:
    device = on(Device(slower(0.0)))
    device.fault = lambda candidate, kind, n: (
        error if candidate and kind == "latency" and n == 4 else None
    )
    result = run_gate(tmp_path)
    assert (result.verdict, result.exit_code) == (Verdict.INVALID, 4)
    assert words in by_metric(result)["latency"].reason
    assert "1 of 14 latency trials failed" in repr(result)
    assert by_metric(result)["memory"].verdict == Verdict.PASS
    assert len(RunFolder.open(result.folder).trials()) == 29, "no second look at an invalid one"


def test_a_device_that_fails_always(tmp_path: Path, on: Open) -> None:
    device = on(Device(slower(0.0)))
    device.fault = lambda *_: TrialError("agent_died", "signal 9")
    result = run_gate(tmp_path)
    assert result.verdict == Verdict.INVALID
    assert "signal 9" in by_metric(result)["latency"].reason


# Load of others.


@pytest.mark.parametrize(
    ("slowdown", "disturbed", "verdict"),
    [
        (0.0, lambda *_: True, "INVALID"),
        (0.2, lambda *_: True, "INVALID"),
        (0.0, lambda candidate, n: candidate and n in (1, 5), "INVALID"),
        (0.0, lambda candidate, n: not candidate and n in (1, 5), "INVALID"),
        (0.0, lambda _, n: n == 3, "PASS"),
        (0.2, lambda candidate, n: candidate and n == 3, "FAIL"),
        (0.0, lambda *_: False, "PASS"),
    ],
)
def test_no_verdict_on_a_latency_that_load_disturbed(
    tmp_path: Path, on: Open, slowdown: float, disturbed: Callable[[bool, int], bool], verdict: str
) -> None:
    device = on(Device(slower(slowdown)))
    device.load = lambda candidate, n: 1.9 if disturbed(candidate, n) else 0.1
    result = run_gate(tmp_path)
    found = by_metric(result)["latency"]
    assert (found.verdict, result.verdict) == (verdict, verdict)
    outputs = (
        gate_outputs.summary(result),
        gate_outputs.github(result),
        gate_outputs.junit(result),
        json.dumps(gate_verdict.document(result)),
        (result.folder / "report.html").read_text("utf-8"),
        (result.folder / "report.md").read_text("utf-8"),
        terminal_text(gate_outputs.terminal(result)),
    )
    any_load = any(disturbed(side, n) for side in (False, True) for n in range(7))
    for said in map(" ".join, map(str.split, outputs)):
        assert ("other processes kept 1.9 of 2 CPUs busy" in said) == any_load
        assert ("no speed-up, ranking or verdict is drawn from" in said) == (verdict == "INVALID")
    if verdict == "INVALID":
        assert found.effect.value is found.p_fail is None
        assert found.baseline == pytest.approx(1e6, rel=0.01)
        assert "run again on a quiet machine" in found.reason
        assert by_metric(result)["memory"].verdict == Verdict.PASS
        assert outputs[0].startswith("! Disturbed by load: in ")
        assert outputs[-1].startswith("! Disturbed by load: in ")
        assert len(RunFolder.open(result.folder).trials()) == 29, "no second look"


def terminal_text(shown: RenderableType) -> str:
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(shown)
    return console.export_text()


def test_what_is_worse_by_other_metrics_fails_under_load(tmp_path: Path, on: Open) -> None:
    device = on(Device(slower(0.0)))
    device.load = lambda *_: 2.0
    device.memory = lambda candidate, _: 9e6 if candidate else 7e6
    assert run_gate(tmp_path).exit_code == 1


def test_energy_under_load_is_not_judged(tmp_path: Path, on: Open) -> None:
    device = on(Device(slower(0.0)))
    device.energy = lambda _, n: 0.03 + 0.0001 * (n % 3)
    device.load = lambda *_: 2.0
    found = by_metric(run_gate(tmp_path, files(protocol={"energy": True})))["energy"]
    assert found.verdict == Verdict.INVALID
    assert "energy trials other processes kept 2.0 of 2 CPUs busy" in found.reason


def test_no_noise_of_trials_that_load_disturbed(tmp_path: Path, on: Open) -> None:
    device = on(Device(slower(0.0)))
    device.load = lambda _, n: 1.5 if n % 3 == 0 else 0.0
    with pytest.raises(InvalidRunError, match=r"kept 1\.5 of 2 CPUs busy, so no noise was kept"):
        calibration.calibrate(arms.suite_of_files(BASELINE, BASELINE), tmp_path, ["t"], Watcher())


def labelled(tmp_path: Path) -> str:
    x = np.random.default_rng(0).random((30, 8, 8, 1), dtype=np.float32)
    np.savez(tmp_path / "labelled.npz", x_test=x, y_test=np.zeros(30, dtype=int))
    return str(tmp_path / "labelled.npz")


@pytest.mark.parametrize(
    ("right", "margin", "verdict"),
    [(30, 0.0, "PASS"), (29, 0.0, "FAIL"), (27, 0.1, "PASS"), (26, 0.1, "FAIL")],
)
def test_accuracy_is_counted(
    tmp_path: Path, on: Open, right: int, margin: float, verdict: str
) -> None:
    device = on(Device(slower(0.0)))
    device.right = {False: 30, True: right}
    policy = QUIET.model_copy(
        update={"accuracy": QUIET.accuracy.model_copy(update={"margin": margin})}
    )
    found = by_metric(run_gate(tmp_path, files(data=labelled(tmp_path)), policy))
    assert found["accuracy"].verdict == verdict
    assert found["accuracy"].effect.value == pytest.approx((right - 30) / 30)
    assert found["accuracy"].effect.interval.holds((right - 30) / 30)
    assert found["accuracy"].p_fail is None


@pytest.mark.parametrize(
    ("missing", "verdict"), [("ignore", "PASS"), ("inconclusive", "INCONCLUSIVE"), ("fail", "FAIL")]
)
def test_what_a_missing_metric_means(tmp_path: Path, on: Open, missing: str, verdict: str) -> None:
    device = on(Device(slower(0.0)))
    device.memory = lambda *_: None
    memory = QUIET.memory.model_copy(update={"missing": missing})
    result = run_gate(tmp_path, policy=QUIET.model_copy(update={"memory": memory}))
    assert result.verdict == verdict
    assert "no such counter" in by_metric(result)["memory"].reason


def test_files_are_compared_exactly(tmp_path: Path, on: Open) -> None:
    on(Device(slower(0.0)))
    found = by_metric(run_gate(tmp_path, policy=Policy()))
    assert found["size"].verdict == found["download"].verdict == Verdict.PASS
    assert found["size"].baseline == BASELINE.stat().st_size
    assert found["size"].effect.value == pytest.approx(3632 / 5028 - 1)
    # The scripted device tells nothing of delegates.
    assert found["delegation"].verdict is None
    swapped = arms.suite_of_files(CANDIDATE, BASELINE)
    worse = by_metric(run_gate(tmp_path, swapped, Policy()))
    assert worse["size"].verdict == Verdict.FAIL


def unmakable(path: Path) -> Path:
    """A candidate with the baseline's inputs and outputs, which answers with NaN."""
    model = load(BASELINE.read_bytes())
    for operator in model.subgraphs[0].operators:
        if len(operator.inputs) == 3:  # a layer with its kernel, and no operator that needs shapes
            buffer = model.buffers[model.subgraphs[0].tensors[operator.inputs[1]].buffer]
            buffer.data = np.full(len(buffer.data), 0xFF, np.uint8)
    path.write_bytes(dump(model))
    return path


def test_a_candidate_that_cannot_be_made(tmp_path: Path) -> None:
    nan = unmakable(tmp_path / "nan.tflite")
    with pytest.raises(BadInputError, match="nothing to compare"):
        run_gate(tmp_path, arms.suite_of_files(BASELINE, nan, None, {}))
    assert not list((tmp_path / "results").glob("*"))


def test_a_suite_with_a_candidate_that_cannot_be_made(tmp_path: Path, on: Open) -> None:
    on(Device(slower(0.0)))
    path = tmp_path / "suite.toml"
    path.write_text(
        f'[[models]]\nname = "small"\nsource = "{BASELINE}"\n[models.ready]\n'
        f'good = "{CANDIDATE}"\nbad = "{unmakable(tmp_path / "nan.tflite")}"\n'
    )
    result = run_gate(tmp_path, arms.suite_of_file(path))
    verdicts = {c.candidate: c.verdict for c in result.comparisons}
    assert verdicts == {"good": Verdict.PASS, "bad": Verdict.INVALID}
    assert "NaN" in repr(result)
    assert {t.recipe for t in RunFolder.open(result.folder).trials()} == {"as_is", "good"}


# Order.


def test_blocks_of_two_in_random_order() -> None:
    pair = [PlannedVariant("m", "a", True), PlannedVariant("m", "b", True)]
    kinds = ("latency", "memory", "accuracy")
    plan = make_gate_plan("r", "d", pair, ["cpu"], 40, 1, kinds)
    latency = [trial for trial in plan if trial.kind == "latency"]
    orders = Counter(
        (first.recipe, second.recipe)
        for first, second in zip(latency[::2], latency[1::2], strict=True)
    )
    assert set(orders) == {("a", "b"), ("b", "a")}
    assert min(orders.values()) > 8
    assert all(a.block == b.block for a, b in zip(latency[::2], latency[1::2], strict=True))
    counts = {"warmup": 1, "accuracy": 2, "latency": 80, "memory": 80}
    assert Counter(t.kind for t in plan) == counts
    assert make_gate_plan("r", "d", pair, ["cpu"], 40, 2, kinds) != plan
    assert make_gate_plan("r", "d", pair, ["cpu"], 20, 1, kinds) == plan[: 3 + 20 * 4]


# Interruption.


def test_both_arms_have_the_baseline_s_warm_up(tmp_path: Path, on: Open) -> None:
    device = on(Device(slower(0)))
    result = run_gate(tmp_path)
    told = {(kind, *rest) for kind, *rest in device.warmups if kind == "latency"}
    assert told == {("latency", 7, 0.0)}
    trials = RunFolder.open(result.folder).trials()
    assert [t.trial.rpartition(".warmup.")[2] for t in trials if t.kind == "warmup"] == ["00000"]
    assert trials[0].kind == "warmup"


@pytest.mark.parametrize("after", [5, 40])
def test_an_interrupted_gate_is_resumed(tmp_path: Path, on: Open, after: int) -> None:
    device = on(Device(slower(0.03, 0.2)))
    with pytest.raises(InterruptedRunError, match="mobilebench gate --resume") as error:
        run_gate(tmp_path, watcher=Watcher(after))
    (path,) = (tmp_path / "results").iterdir()
    assert str(path) in str(error.value)
    before = RunFolder.open(path).trials()
    assert len(before) == after
    watcher = Watcher()
    result = gate.resume(path, watcher)
    trials = RunFolder.open(path).trials()
    assert trials[:after] == before
    assert len(watcher.trials) == 57 - after
    assert result.verdict == Verdict.INCONCLUSIVE
    again = gate.resume(path, Watcher(0))
    assert again == result
    del device


def test_a_device_lost_before_the_second_look(
    tmp_path: Path, on: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(Device(slower(0.03, 0.2)))

    def gone(*_: object) -> RunFolder:
        raise BadInputError("there is no device 'X'")

    with monkeypatch.context() as patch:
        patch.setattr(runs, "resume", gone)
        result = run_gate(tmp_path)
    assert (result.verdict, result.exit_code) == (Verdict.INVALID, 4)
    assert "the second look could not begin: there is no device 'X'" in repr(result)
    assert "second look" in gate_outputs.github(result)
    assert "second look" in gate_outputs.summary(result)
    root = ElementTree.fromstring(gate_outputs.junit(result))  # noqa: S314 (our own)
    assert (root.get("tests"), root.get("errors")) == ("1", "1")
    assert gate_verdict.document(result)["invalid"] == result.invalid
    (path,) = (tmp_path / "results").iterdir()
    assert result.folder == path
    page = (path / "report.html").read_text()
    assert '<p class="word">INVALID</p>' in page
    assert "the second look could not begin" in page
    assert gate.stored(RunFolder.open(path)) == result
    assert by_metric(gate.resume(path, Watcher()))["latency"].blocks == 14


def test_resume_of_a_run_that_is_no_gate(tmp_path: Path, on: Open) -> None:
    on(Device(slower(0.0)))
    folder = runs.start(files(), tmp_path, ["t"], Watcher())
    with pytest.raises(BadInputError, match="run of no gate"):
        gate.resume(folder.path, Watcher())


# The page.


@pytest.mark.parametrize(("by", "noise", "verdict", "words"), [
    (0.0, 0.002, "PASS", "Shown to be not worse than the margins allow: latency, memory."),
    (0.2, 0.002, "FAIL", "Shown to be worse than the margin: latency."),
    (0.03, 0.2, "INCONCLUSIVE", "Too noisy, or too little known, to show either: latency."),
])  # fmt: skip
def test_the_page_begins_with_the_verdict(
    tmp_path: Path, on: Open, by: float, noise: float, verdict: str, words: str
) -> None:
    on(Device(slower(by, noise)))
    result = run_gate(tmp_path)
    page = (result.folder / "report.html").read_text()
    assert f'<p class="word">{verdict}</p>' in page
    assert words in page
    assert page.count('<svg class="effect"') == 2
    cells = gate_verdict.row(by_metric(result)["latency"])
    for cell in cells[2:]:
        assert cell.replace(" %", "\N{NO-BREAK SPACE}%") in page
    assert (result.folder / "report.md").read_text().startswith("## ")
    # Built anew from the folder, it says the same.
    done = CliRunner().invoke(main, ["report", str(result.folder)])
    assert done.exit_code == 0, done.output
    assert (result.folder / "report.html").read_text() == page


def test_a_drawing_has_worse_on_the_right() -> None:
    def place(of: object) -> float:
        return float(str(of).split('cx="')[1].split('"')[0])

    slower_one = effect.drawing(Estimate(0.05, Interval(0.04, 0.06)), 0.03)
    assert 'class="beyond"' in slower_one
    assert place(slower_one) > 120
    assert place(effect.drawing(Estimate(-0.05), 0.01, worse=-1)) > 120
    assert place(effect.drawing(Estimate(0.05), 0.01, worse=-1)) < 120
    assert place(effect.drawing(Estimate(0.0), 0.0)) == 120
    assert not effect.drawing(Estimate.missing("none"), 0.03)


# Noise.


def test_a_calibrated_margin(tmp_path: Path, on: Open) -> None:
    device = on(Device(slower(0.0, 0.04)))
    same = arms.suite_of_files(BASELINE, BASELINE)
    folder, (noise,) = calibration.calibrate(same, tmp_path / "c", ["t"], Watcher())
    assert len(folder.trials()) == 1 + 12 * 2 * 2
    assert 0.02 < noise.latency < 0.12
    assert noise.memory == 0
    assert "12 blocks" in calibration.sentence(noise)
    found = by_metric(run_gate(tmp_path))
    assert found["latency"].margin == pytest.approx(2 * noise.latency)
    assert found["latency"].noise == noise.latency
    assert found["memory"].margin == pytest.approx(0.05)

    device.energy = lambda _, n: 0.03 + 0.001 * (n % 5)
    hungry = arms.suite_of_files(BASELINE, BASELINE, None, {"protocol": {"energy": True}})
    _, (noise,) = calibration.calibrate(hungry, tmp_path / "c", ["t"], Watcher())
    assert noise.energy is not None
    assert "energy" in calibration.sentence(noise)

    device.version = "1.1"  # another runtime is another device
    result = run_gate(tmp_path)
    assert by_metric(result)["latency"].margin == 0.03
    assert any("calibrate" in warning for warning in result.warnings)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"artifact": 1}'])
def test_a_damaged_noise_file_is_none(tmp_path: Path, on: Open, damage: str) -> None:
    device = on(Device(slower(0.0, 0.01)))
    device.version = f"damaged {damage}"
    same = arms.suite_of_files(BASELINE, BASELINE)
    folder, _ = calibration.calibrate(same, tmp_path / "c", ["t"], Watcher())
    manifest = folder.manifest()
    facts, runtime = manifest["devices"][0], manifest["runtimes"][0]
    assert calibration.known(facts, runtime, sha256(BASELINE))
    assert calibration.known(facts, {**runtime, "name": "another name"}, sha256(BASELINE))
    assert calibration.known(facts, {**runtime, "threads": 2}, sha256(BASELINE)) is None
    for path in (cache_folder() / "noise").rglob("*.json"):
        path.write_text(damage)
    assert calibration.known(facts, runtime, sha256(BASELINE)) is None


def test_no_noise_of_failed_trials(tmp_path: Path, on: Open) -> None:
    device = on(Device(slower(0.0)))
    device.fault = lambda _candidate, _kind, n: TrialError("timeout", "slow") if n == 3 else None
    with pytest.raises(InvalidRunError, match="no noise was kept"):
        calibration.calibrate(arms.suite_of_files(BASELINE, BASELINE), tmp_path, ["t"], Watcher())


# Policy.


def test_a_policy_changes_only_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('[memory]\nmissing = "fail"\n[accuracy]\nmargin = 0.002\n')
    policy = read_policy(path)
    assert policy.memory == Policy().memory.model_copy(update={"missing": "fail"})
    assert (policy.accuracy.margin, policy.accuracy.direction) == (0.002, "higher")
    assert policy.latency == Policy().latency
    assert read_policy(None) == Policy()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[latencyy]\nmargin = 0.1\n", ("latencyy: unknown metric", "did you mean 'latency'")),
        ("[power]\n", ("unknown metric", "latency, memory, energy, size")),
        ("[latency]\nmargins = 0.1\n", ("latency.margins: unknown key", "'margin'")),
        ("[latency]\nfloor = 3\n", ("unknown key", "direction")),
        ("[latency]\nmargin = 3\n", ("latency.margin is a share", "0.03")),
        ("[latency]\nmargin = -0.1\n", ("latency.margin", "greater than or equal to 0", "-0.1")),
        ('[latency]\nmargin = "3 %"\n', ("latency.margin", "valid number")),
        ('[size]\nmissing = "pass"\n', ("size.missing", "'ignore', 'inconclusive' or 'fail'")),
        ("latency = 3\n", ("latency: should be a table (got 3)",)),
        ("[latency\n", ("not valid TOML",)),
    ],
)
def test_a_policy_that_is_none(tmp_path: Path, text: str, words: Sequence[str]) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(BadInputError) as error:
        read_policy(path)
    assert all(word in str(error.value) for word in (*words, str(path)))


# Outputs.


def test_outputs(tmp_path: Path, on: Open) -> None:
    device = on(Device(slower(0.085, 1e-4)))
    device.fault = lambda _candidate, kind, n: (
        TrialError("internal", "bad \x1b[31m <b>| `x`") if kind == "memory" and n == 2 else None
    )
    result = run_gate(tmp_path, policy=Policy())
    assert result.verdict == Verdict.FAIL  # proven, whatever happened to the memory
    root = ElementTree.fromstring(gate_outputs.junit(result))  # noqa: S314 (our own)
    assert {k: root.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "1", "errors": "1", "skipped": "3",
    }  # fmt: skip
    failure = root.find(".//testcase[@name='latency']/failure")
    assert failure is not None
    assert failure.get("message", "").startswith("latency +8.")
    assert "margin 3 %" in failure.get("message", "")
    text = gate_outputs.github(result)
    assert text.startswith("## ❌ FAIL")
    assert "\x1b" not in text
    assert "&lt;b>" in text
    assert all(line.count(" | ") == 7 for line in text.splitlines() if line.startswith("| lat"))
    document = gate_verdict.document(result)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    metrics = {m["metric"]: m for m in document["comparisons"][0]["metrics"]}
    assert metrics["latency"]["p_fail"] < 0.02
    assert metrics["energy"]["verdict"] is None
    assert repr(result).startswith("<FAIL: latency +8.")
    assert len(repr(result)) < 200
    assert "FAIL" in gate_outputs.summary(result)


def test_severity_in_the_headline(tmp_path: Path, on: Open) -> None:
    on(Device(slower(0.0)))
    result = run_gate(tmp_path)
    assert repr(result).startswith("<PASS: latency")
    assert repr(replace(result, comparisons=())) == "<INCONCLUSIVE>"


# The command.


def mobilebench(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mobilebench", *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


#: A machine that is busy meanwhile makes latency INVALID: that is judged on scripted devices.
WIDE = (
    "[latency]\nenabled = false\n[memory]\nmargin = 1.0\n"
    '[accuracy]\nmargin = 1.0\nmissing = "fail"\n'
)


def test_a_gate_of_two_files(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(WIDE)
    (tmp_path / "summary.md").write_text("earlier\n")
    done = mobilebench(
        "gate", "--baseline", BASELINE, "--candidate", BASELINE, "--data", labelled(tmp_path),
        "--policy", tmp_path / "policy.toml", "--seconds", "0", "--results", tmp_path / "results",
        "--junit", tmp_path / "gate.xml", "--summary", tmp_path / "summary.md", "--json",
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout, done.stderr)
    document = json.loads(done.stdout)
    assert document["verdict"] == "PASS"
    metrics = {m["metric"]: m for m in document["comparisons"][0]["metrics"]}
    assert metrics["accuracy"]["effect"] == 0
    assert metrics["delegation"]["verdict"] == "PASS"
    assert 'failures="0"' in (tmp_path / "gate.xml").read_text()
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("earlier\n## ✅ PASS")
    again = mobilebench("gate", "--resume", document["folder"])
    assert again.returncode == 0
    assert "PASS" in again.stdout


def test_a_gate_of_a_suite(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(
        "[protocol]\nwarmup_seconds = 0.0\nseconds = 0.0\nruns = 10\n"
        f'[[models]]\nname = "small"\nsource = "{CANDIDATE}"\n'
        f'[models.ready]\nbigger = "{BASELINE}"\n'
    )
    (tmp_path / "policy.toml").write_text(WIDE.replace('missing = "fail"\n', ""))
    done = mobilebench(
        "gate", path, "--policy", tmp_path / "policy.toml", "--results", tmp_path / "results"
    )
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "bigger against as_is" in done.stdout
    assert "+38.4 %" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give --baseline and --candidate"),
        (("--baseline", BASELINE), "give --baseline and --candidate"),
        (("--baseline", BASELINE, "--candidate", "gone.tflite"), "gone.tflite does not exist"),
        (("--baseline", BASELINE, "--candidate", __file__), "is no .tflite file"),
        (("gone.toml",), "no suite file"),
        (("x.toml", "--data", "y.npz"), "a suite file alone"),
        (("--resume", "nowhere"), "no results folder"),
        (("--resume", "nowhere", "--data", "x"), "give it alone"),
        (("--policy", "gone.toml", "x.toml"), "no policy file"),
        (("x.toml", "--junit", "/nowhere/x.xml"), "its folder does not exist"),
    ],
)
def test_bad_input(tmp_path: Path, arguments: Sequence[object], words: str) -> None:
    command = ["gate", *map(str, arguments), "--results", str(tmp_path / "results")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2, done.output
    assert words in done.stderr
    assert not list((tmp_path / "results").glob("*"))


# Other inputs or outputs.


def other_input(tmp_path: Path) -> Path:
    path = tmp_path / "other.tflite"
    path.write_bytes(with_input(BASELINE.read_bytes(), [1, 16, 16, 1]))
    return path


def test_another_interface_is_invalid(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main,
        [
            "gate", "--baseline", str(BASELINE), "--candidate", str(other_input(tmp_path)),
            "--data", str(labelled(tmp_path)), "--results", str(tmp_path / "results"), "--json",
            "--junit", str(tmp_path / "gate.xml"), "--summary", str(tmp_path / "summary.md"),
        ],
    )  # fmt: skip
    assert done.exit_code == 4, done.output
    document = json.loads(done.stdout)
    assert (document["verdict"], document["exit_code"]) == ("INVALID", 4)
    words = "input 'args_0' is [1, 8, 8, 1] in the baseline and [1, 16, 16, 1] in the candidate"
    assert words in document["invalid"]
    assert document["folder"] is None
    assert not list((tmp_path / "results").glob("*"))
    root = ElementTree.fromstring((tmp_path / "gate.xml").read_text())  # noqa: S314 (our own)
    assert root.get("errors") == "1"
    assert words in root.findall(".//error")[0].get("message", "")
    assert "INVALID" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize("candidate", ["look_up.tflite", "not_a_number.tflite"])
def test_another_network_is_never_measured(tmp_path: Path, on: Open, candidate: str) -> None:
    device = on(Device(lambda *_: 1.0))
    result = run_gate(tmp_path, arms.suite_of_files(BASELINE, MODELS / candidate, None, {}))
    assert (result.verdict, result.exit_code) == (Verdict.INVALID, 4)
    assert "input 'args_0' is [1, 8, 8, 1] in the baseline and [1, 4]" in result.invalid
    assert device.warmups == []
    assert gate_outputs.summary(result).startswith("INVALID")


def test_every_pair_of_a_suite_is_compared(tmp_path: Path, on: Open) -> None:
    device = on(Device(lambda *_: 1.0))
    path = tmp_path / "suite.toml"
    path.write_text(
        f'[[models]]\nname = "small"\nsource = "{BASELINE}"\n'
        f'recipes = ["dynamic_int8"]\n[models.ready]\nsame = "{CANDIDATE}"\n'
        f'other = "{MODELS / "look_up.tflite"}"\n'
    )
    result = run_gate(tmp_path, arms.suite_of_file(path))
    assert result.verdict == Verdict.INVALID
    assert "small · other cannot take the place of its baseline dynamic_int8" in result.invalid
    assert device.warmups == []
    assert not list((tmp_path / "results").glob("*"))


def test_quantized_ends_are_warned_of(tmp_path: Path, on: Open) -> None:
    on(Device(lambda *_: 1.0))
    result = run_gate(tmp_path)
    assert result.verdict == Verdict.PASS
    (warning,) = [w for w in result.warnings if "an app must convert" in w]
    assert "input 'args_0' is float32 in the baseline and int8 in the candidate" in warning


def test_an_open_shape_is_bad_input(tmp_path: Path) -> None:
    shapeless = open_shape(tmp_path / "open.tflite", BASELINE.read_bytes(), [1, -1, -1, 1])
    for pair in ((BASELINE, shapeless), (shapeless, BASELINE), (shapeless, shapeless)):
        with pytest.raises(BadInputError, match=r"open shape \[1, \?, \?, 1\]"):
            run_gate(tmp_path, arms.suite_of_files(*pair, None, {}))
    assert not list((tmp_path / "results").glob("*"))


def test_a_suite_with_one_variant(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(f'[[models]]\nname = "small"\nsource = "{BASELINE}"\n')
    with pytest.raises(BadInputError, match="one variant only"):
        run_gate(tmp_path, arms.suite_of_file(path))


def test_cpus_are_for_every_runtime_that_a_gate_has(tmp_path: Path) -> None:
    given = arms.settings(None, None, None, (), cpus=(0, 1))
    of_files = arms.suite_of_files(BASELINE, CANDIDATE, None, given)
    assert [(r.name, r.threads, r.cpus) for r in of_files.runtimes] == [("cpu-1", 1, (0, 1))]
    path = tmp_path / "suite.toml"
    model = f'[[models]]\nname = "small"\nsource = "{BASELINE}"\n'
    path.write_text(model + '[[runtimes]]\nname = "a"\n[[runtimes]]\nname = "b"\nthreads = 2\n')
    of_file = arms.suite_of_file(path, given)
    assert [(r.name, r.threads, r.cpus) for r in of_file.runtimes] == [
        ("a", 1, (0, 1)),
        ("b", 2, (0, 1)),
    ]
    over = arms.suite_of_file(path, arms.settings(None, 2, None, (), cpus=(1,)))
    assert [(r.name, r.threads, r.cpus) for r in over.runtimes] == [("cpu-2", 2, (1,))]


@pytest.mark.parametrize("command", ["gate", "calibrate"])
def test_cpus_that_are_no_list(command: str) -> None:
    wrong = CliRunner().invoke(main, [command, str(BASELINE), "--cpus", "4..5"])
    assert wrong.exit_code == 2
    assert "'4..5' is no list of CPUs, as 4,5 or 4-7" in wrong.output
