"""What a gate concludes from the trials of a device that works."""

import json
from pathlib import Path

import pytest
from mobilebench.analysis.gating import Verdict
from mobilebench.report.exports import gate as outputs
from mobilebench.runs import pair
from mobilebench.store.folder import RunFolder
from mobilebench.suite.policy import Policy

from tests.support.gates import QUIET, by_metric, run_gate, two_files
from tests.support.models import BASELINE, CANDIDATE, labelled
from tests.support.scripted_device import Open, ScriptedDevice, slower


@pytest.mark.parametrize(
    ("slowdown", "verdict", "code"), [(0.0, "PASS", 0), (0.08, "FAIL", 1), (-0.5, "PASS", 0)]
)
def test_the_first_look_decides_what_is_plain(
    tmp_path: Path, on: Open, slowdown: float, verdict: str, code: int
) -> None:
    on(ScriptedDevice(slower(slowdown)))
    result = run_gate(tmp_path)
    assert (result.verdict, result.exit_code, result.passed) == (verdict, code, code == 0)
    found = by_metric(result)
    assert found["latency"].effect.value == pytest.approx(slowdown, abs=0.01)
    assert found["latency"].effect.interval.holds(slowdown)
    assert found["latency"].blocks == 7  # two metrics are tested
    assert found["memory"].verdict == Verdict.PASS
    assert found["energy"].verdict is None
    assert "--energy asks for it" in found["energy"].reason
    trials = RunFolder.open(result.folder).trials()
    assert len(trials) == 1 + 2 + 7 * 2 * 2
    assert json.loads((result.folder / "gate.json").read_text())["verdict"] == verdict


def test_a_policy_can_want_more(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(slower(-0.5)))
    more = QUIET["latency"].model_copy(update={"direction": "higher"})
    result = run_gate(tmp_path, policy=Policy({**QUIET, "latency": more}, QUIET.answers))
    assert by_metric(result)["latency"].verdict == Verdict.FAIL
    assert by_metric(result)["latency"].effect.value == pytest.approx(-0.5, abs=0.01)


def test_memory_alone_can_fail(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.memory = lambda candidate, n: (8e6 if candidate else 7e6) + 4096 * (n % 3)
    found = by_metric(run_gate(tmp_path))
    assert found["memory"].verdict == Verdict.FAIL
    assert found["memory"].effect.value == pytest.approx(1 / 7, abs=0.01)
    assert found["latency"].verdict == Verdict.PASS


def test_growth_below_the_smallest_that_counts_is_no_regression(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.memory = lambda candidate, _: 1_100_000 if candidate else 1_000_000
    found = by_metric(run_gate(tmp_path))
    assert found["memory"].verdict == Verdict.PASS
    assert found["memory"].margin == pytest.approx(262144 / 1e6)


@pytest.mark.parametrize(("more", "verdict"), [(0.0, "PASS"), (0.2, "FAIL"), (-0.2, "PASS")])
def test_energy_is_tested_over_blocks(tmp_path: Path, on: Open, more: float, verdict: str) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.energy = lambda candidate, n: (0.03 + 0.0001 * (n % 3)) * (1 + more * candidate)
    result = run_gate(tmp_path, two_files(protocol={"energy": True}))
    found = by_metric(result)["energy"]
    assert (result.verdict, found.verdict) == (verdict, verdict)
    assert found.effect.value == pytest.approx(more, abs=0.01)
    assert found.baseline == pytest.approx(0.0301, rel=0.01)
    assert found.blocks >= 6
    assert found.p_pass is not None
    assert "30.1 mJ" in outputs.github(result)


@pytest.mark.parametrize(
    ("missing", "verdict"), [("ignore", "PASS"), ("inconclusive", "INCONCLUSIVE"), ("fail", "FAIL")]
)
def test_energy_that_no_counter_reports(
    tmp_path: Path, on: Open, missing: str, verdict: str
) -> None:
    on(ScriptedDevice(slower(0.0)))
    energy = QUIET["energy"].model_copy(update={"missing": missing})
    policy = Policy({**QUIET, "energy": energy}, QUIET.answers)
    result = run_gate(tmp_path, two_files(protocol={"energy": True}), policy)
    assert result.verdict == verdict
    assert by_metric(result)["energy"].reason == "unavailable: no such counter"
    unmeasured = QUIET["energy"].model_copy(update={"enabled": False})
    disabled = Policy({**QUIET, "energy": unmeasured}, QUIET.answers)
    without = run_gate(tmp_path, two_files(protocol={"energy": True}), disabled)
    assert "energy" not in {t.kind for t in RunFolder.open(without.folder).trials()}


@pytest.mark.parametrize(
    ("missing", "verdict"), [("ignore", "PASS"), ("inconclusive", "INCONCLUSIVE"), ("fail", "FAIL")]
)
def test_what_a_missing_metric_means(tmp_path: Path, on: Open, missing: str, verdict: str) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.memory = lambda *_: None
    memory = QUIET["memory"].model_copy(update={"missing": missing})
    result = run_gate(tmp_path, policy=Policy({**QUIET, "memory": memory}, QUIET.answers))
    assert result.verdict == verdict
    assert "no such counter" in by_metric(result)["memory"].reason


@pytest.mark.parametrize(
    ("right", "margin", "verdict"),
    [(30, 0.0, "PASS"), (29, 0.0, "FAIL"), (27, 0.1, "PASS"), (26, 0.1, "FAIL")],
)
def test_accuracy_is_counted(
    tmp_path: Path, on: Open, right: int, margin: float, verdict: str
) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.right = {False: 30, True: right}
    accuracy = QUIET["accuracy"].model_copy(update={"enabled": True, "margin": margin})
    policy = Policy({**QUIET, "accuracy": accuracy})
    found = by_metric(run_gate(tmp_path, two_files(data=labelled(tmp_path)), policy))
    assert found["accuracy"].verdict == verdict
    assert found["accuracy"].effect.value == pytest.approx((right - 30) / 30)
    assert found["accuracy"].effect.interval.holds((right - 30) / 30)
    assert found["accuracy"].p_fail is None


def test_files_are_compared_exactly(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(slower(0.0)))
    found = by_metric(run_gate(tmp_path, policy=Policy()))
    assert found["size"].verdict == found["download"].verdict == Verdict.PASS
    assert found["size"].baseline == BASELINE.stat().st_size
    assert found["size"].effect.value == pytest.approx(3632 / 5028 - 1)
    # The scripted device tells nothing of delegates.
    assert found["delegation"].verdict is None
    swapped = pair.suite_of_files(CANDIDATE, BASELINE)
    worse = by_metric(run_gate(tmp_path, swapped, Policy()))
    assert worse["size"].verdict == Verdict.FAIL
