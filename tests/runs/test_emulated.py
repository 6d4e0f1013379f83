"""A device whose processor is emulated: its answers count, and nothing else is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from mobilebench.analysis.summary import Summary
from mobilebench.errors import BadInputError
from mobilebench.records.device import DeviceFacts
from mobilebench.records.runtime import Runtime
from mobilebench.runs import calibrate, gate, pair
from mobilebench.runs import run as runs
from mobilebench.runs.operator_times import operator_times
from mobilebench.runs.run import Quiet
from mobilebench.runs.summaries import summary_of

from tests.support.gates import QUIET, two_files
from tests.support.models import BASELINE
from tests.support.scripted_device import Open, ScriptedDevice


class Emulated(ScriptedDevice):
    def probe(self) -> DeviceFacts:
        return replace(super().probe(), virtual=True, emulated=True)


@pytest.fixture
def device(on: Open) -> ScriptedDevice:
    return on(Emulated())


def test_a_run_asks_for_answers_alone(device: ScriptedDevice, tmp_path: Path) -> None:
    folder = runs.start(two_files(), tmp_path, ["t"], Quiet())
    assert {job.kind for job in device.jobs} == {"outputs"}
    summary: Summary = summary_of(folder)
    (comparison,) = summary.comparisons
    for variant in comparison.variants:
        assert not variant.failure
        for name in ("latency", "p90", "memory"):
            assert variant[name].value is None
            assert "emulated" in variant[name].reason
    assert [said for said in summary.warnings if "only its answers count" in said]
    assert not [said for said in summary.warnings if "virtual" in said]


def test_a_gate_asks_for_answers_alone(device: ScriptedDevice, tmp_path: Path) -> None:
    result = gate.start(two_files(), QUIET, tmp_path, ["t"], Quiet())
    assert {job.kind for job in device.jobs} == {"outputs"}
    (comparison,) = result.comparisons
    latency = next(f for f in comparison.findings if f.metric == "latency")
    assert "emulated" in latency.reason
    assert [said for said in result.warnings if "only its answers count" in said]


def test_its_operators_are_not_timed(device: ScriptedDevice, tmp_path: Path) -> None:
    runtime = Runtime.model_validate({"name": "cpu-1"})
    with pytest.raises(BadInputError, match="is emulated, so its times mean nothing"):
        operator_times(device, BASELINE.read_bytes(), "small", runtime, tmp_path)
    assert not device.jobs


@pytest.mark.usefixtures("device")
def test_there_is_no_noise_to_calibrate(tmp_path: Path) -> None:
    suite = pair.suite_of_files(BASELINE, BASELINE, None, {})
    with pytest.raises(BadInputError, match="is emulated, so its times mean nothing"):
        calibrate.calibrate(suite, tmp_path, ["t"], Quiet())
