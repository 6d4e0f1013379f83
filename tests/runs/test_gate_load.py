"""Gates beside which other processes keep the CPUs busy."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mobilebench.analysis.gating import Verdict
from mobilebench.report.exports import gate as outputs
from mobilebench.report.write import build_gate
from mobilebench.runs import verdict as verdicts
from mobilebench.store.folder import RunFolder
from rich.console import Console, RenderableType

from tests.support.gates import by_metric, run_gate, two_files
from tests.support.scripted_device import Open, ScriptedDevice, slower


def terminal_text(shown: RenderableType) -> str:
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(shown)
    return console.export_text()


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
    device = on(ScriptedDevice(slower(slowdown)))
    device.load = lambda candidate, n: 1.9 if disturbed(candidate, n) else 0.1
    result = run_gate(tmp_path)
    build_gate(result)
    found = by_metric(result)["latency"]
    assert (found.verdict, result.verdict) == (verdict, verdict)
    said = (
        outputs.summary(result),
        outputs.github(result),
        outputs.junit(result),
        json.dumps(verdicts.document(result)),
        (result.folder / "report.html").read_text("utf-8"),
        (result.folder / "report.md").read_text("utf-8"),
        terminal_text(outputs.terminal(result)),
    )
    any_load = any(disturbed(side, n) for side in (False, True) for n in range(7))
    for text in map(" ".join, map(str.split, said)):
        assert ("other processes kept 1.9 of 2 CPUs busy" in text) == any_load
        assert ("no speed-up, ranking or verdict is drawn from" in text) == (verdict == "INVALID")
    if verdict == "INVALID":
        assert found.effect.value is found.p_fail is None
        assert found.baseline == pytest.approx(1e6, rel=0.01)
        assert "run again on a quiet machine" in found.reason
        assert by_metric(result)["memory"].verdict == Verdict.PASS
        assert said[0].startswith("! Disturbed by load: in ")
        assert said[-1].startswith("! Disturbed by load: in ")
        assert len(RunFolder.open(result.folder).trials()) == 31, "no second look"


def test_what_is_worse_by_other_metrics_fails_under_load(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.load = lambda *_: 2.0
    device.memory = lambda candidate, _: 9e6 if candidate else 7e6
    assert run_gate(tmp_path).exit_code == 1


def test_energy_under_load_is_not_judged(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.energy = lambda _, n: 0.03 + 0.0001 * (n % 3)
    device.load = lambda *_: 2.0
    found = by_metric(run_gate(tmp_path, two_files(protocol={"energy": True})))["energy"]
    assert found.verdict == Verdict.INVALID
    assert "energy trials other processes kept 2.0 of 2 CPUs busy" in found.reason
