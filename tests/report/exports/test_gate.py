"""A verdict as JUnit, as a step summary, as JSON and as a sentence."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from mobilebench.analysis.gating import Verdict
from mobilebench.devices.base import TrialError
from mobilebench.report.exports import gate as outputs
from mobilebench.runs import verdict as verdicts
from mobilebench.suite.policy import Policy

from tests.support.gates import run_gate
from tests.support.scripted_device import Open, ScriptedDevice, slower


def test_outputs(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(slower(0.085, 1e-4)))
    device.fault = lambda _candidate, kind, n: (
        TrialError("internal", "bad \x1b[31m <b>| `x`") if kind == "memory" and n == 2 else None
    )
    result = run_gate(tmp_path, policy=Policy())
    assert result.verdict == Verdict.FAIL  # proven, whatever happened to the memory
    root = ElementTree.fromstring(outputs.junit(result))  # noqa: S314 (our own)
    assert {k: root.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8", "failures": "2", "errors": "1", "skipped": "3",
    }  # fmt: skip
    failure = root.find(".//testcase[@name='latency']/failure")
    assert failure is not None
    assert failure.get("message", "").startswith("latency +8.")
    assert "margin 3 %" in failure.get("message", "")
    text = outputs.github(result)
    assert text.startswith("## ❌ FAIL")
    assert "\x1b" not in text
    assert "&lt;b>" in text
    assert all(line.count(" | ") == 7 for line in text.splitlines() if line.startswith("| lat"))
    document = verdicts.document(result)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    metrics = {m["metric"]: m for m in document["comparisons"][0]["metrics"]}
    assert metrics["latency"]["p_fail"] < 0.02
    assert metrics["energy"]["verdict"] is None
    assert repr(result).startswith("<FAIL: latency +8.")
    assert len(repr(result)) < 200
    assert "FAIL" in outputs.summary(result)


def test_severity_in_the_headline(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(slower(0.0)))
    result = run_gate(tmp_path)
    assert repr(result).startswith("<PASS (speed and size only): latency")
    assert repr(replace(result, comparisons=())) == "<INCONCLUSIVE (speed and size only)>"
